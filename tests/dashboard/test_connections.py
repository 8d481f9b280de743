"""Slow, silent and too many connections, against the real server: none of them keeps others out."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from waitress.server import TcpWSGIServer

from hpo.dashboard.connections import Limits, make_server

from .process import dashboard, read_to_the_end

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

N_SLOW = 210
ANSWER_S = 10.0  # an answer that takes longer has been held up
QUICK_S = 1.0  # the limits of a server that a test must see at work
LONG_ANSWER = [b"x" * 1_000_000] * 20  # more than all buffers up to the client hold
HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
HALF_A_BODY = HALF_A_HEAD + b"Content-Length: 100\r\n\r\n{"
WHOLE = HALF_A_HEAD + b"\r\n"


@contextlib.contextmanager
def connections(address: str, sources: Sequence[str]) -> Iterator[list[socket.socket]]:
    """A connection from each of these addresses, opened one after another."""
    host, port = address.removeprefix("http://").rsplit(":", 1)
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                socket.create_connection((host, int(port)), timeout=60, source_address=(source, 0))
            )
            for source in sources
        ]


@contextlib.contextmanager
def dripping(opened: Sequence[socket.socket], piece: bytes = b"X") -> Iterator[None]:
    """Send a little on every connection, again and again, whether or not it is still open."""
    enough = threading.Event()

    def drip() -> None:
        while not enough.wait(0.2):
            for connection in opened:
                with contextlib.suppress(OSError):
                    connection.send(piece)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def ask(connection: socket.socket) -> None:
    """Have a request answered on a connection that stays open."""
    connection.sendall(WHOLE)
    received = b""
    while not received.endswith(b"ok\n"):
        piece = connection.recv(65536)
        assert piece, received
        received += piece


def send_until_it_fails(connection: socket.socket) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection.send(b"X")
        time.sleep(0.1)


def is_open(connection: socket.socket) -> bool:
    """Whether the server has not closed a connection on which it has nothing to send."""
    connection.settimeout(0.0)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def is_healthy(address: str) -> bool:
    with urlopen(f"{address}/healthz", timeout=ANSWER_S) as answer:
        return bool(answer.status == 200)


def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = [b"ok\n"] if environ["PATH_INFO"] == "/healthz" else LONG_ANSWER
    start_response("200 OK", [("Content-Length", str(sum(map(len, body))))])
    return body


@contextlib.contextmanager
def serving(**limits: Any) -> Iterator[str]:
    """The dashboard's server in a thread, with a page of its own and limits soon reached."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = make_server(page, [listening], Limits(**limits))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            loop = next(each for each in server.map.values() if isinstance(each, TcpWSGIServer))
            loop.trigger.pull_trigger(server.close)
            thread.join()


def test_slow_connections_keep_nobody_out(url: str) -> None:
    of_one_address = ["127.0.0.1"] * N_SLOW
    of_many_addresses = [f"127.0.1.{n}" for n in range(1, N_SLOW + 1)]
    with dashboard(url) as (address, _):
        for sources in (of_one_address, of_many_addresses):
            with connections(address, sources) as slow:
                for connection in slow:
                    with contextlib.suppress(OSError):  # it may be one too many already
                        connection.send(HALF_A_HEAD)
                with dripping(slow):
                    assert all(is_healthy(address) for _ in range(5))


@pytest.mark.parametrize(
    ("begun", "piece"),
    [(HALF_A_HEAD, b"X"), (HALF_A_BODY, b"X"), (b"", b"\r\n\r\n"), (b"\r", b"\n")],
    ids=["head", "body", "blank lines", "blank bytes"],
)
def test_a_request_that_takes_too_long_is_cut_off_though_bytes_keep_coming(
    begun: bytes, piece: bytes
) -> None:
    with serving(request_s=QUICK_S) as address:
        with connections(address, ["127.0.0.1"]) as (slow,):
            slow.sendall(begun)
            with dripping([slow], piece):
                assert b" 200 " not in read_to_the_end(slow)
        assert is_healthy(address)


def test_a_connection_without_a_request_is_closed() -> None:
    with (
        serving(idle_s=QUICK_S) as address,
        connections(address, ["127.0.0.1"] * 2) as (silent, answered),
    ):
        answered.sendall(WHOLE)
        assert b" 200 " in read_to_the_end(answered)
        assert read_to_the_end(silent) == b""


def test_a_client_that_reads_nothing_of_its_answer_is_dropped() -> None:
    with serving(idle_s=QUICK_S) as address:
        with connections(address, ["127.0.0.1"]) as (deaf,):
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(WHOLE.replace(b"/healthz", b"/long"))
            with pytest.raises(ConnectionError):
                send_until_it_fails(deaf)
        assert is_healthy(address)


def test_one_connection_too_many_of_an_address_costs_that_address_its_longest_waiting_one() -> None:
    with serving(per_address=3) as address:
        sources = ["127.0.0.2", *["127.0.0.1"] * 4]
        with connections(address, sources) as (other, first, *rest):
            assert read_to_the_end(first) == b""
            assert all(is_open(connection) for connection in (other, *rest))


def test_one_connection_too_many_in_all_costs_the_longest_waiting_one() -> None:
    with serving(total=3) as address:
        sources = [f"127.0.0.{n}" for n in range(1, 5)]
        with connections(address, sources) as (first, *rest):
            assert read_to_the_end(first) == b""
            assert all(is_open(connection) for connection in rest)


def test_a_connection_that_was_just_answered_has_not_waited_long() -> None:
    with (
        serving(per_address=2) as address,
        connections(address, ["127.0.0.1"] * 2) as (answered, silent),
    ):
        ask(answered)
        with connections(address, ["127.0.0.1"]):
            assert read_to_the_end(silent) == b""
            ask(answered)
