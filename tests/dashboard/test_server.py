"""The real server: where it listens, whom it refuses to serve without a login, how it stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from hpo.dashboard import run_dashboard
from hpo.dashboard.server import TOKEN_VARIABLE
from hpo.errors import FileFaults, StorageError, UserError

from .conftest import PASSWORD, TOKEN, basic, bearer
from .process import dashboard, read_to_the_end


def fetch(address: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    host = address.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(address: str, sent: bytes) -> bytes:
    """What the server answers; it may close before it has read all, which can cost the answer."""
    host, port = address.removeprefix("http://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        return read_to_the_end(connection)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "0", "0.0.0.0.", "192.0.2.1"])
def test_off_loopback_nothing_starts_without_a_login(url: str, host: str) -> None:
    with pytest.raises(UserError, match=r"login is needed|cannot be listened on"):
        run_dashboard(url, host=host, port=0)


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "fifteen letters and more"])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(
    url: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(UserError, match="at least 16 characters"):
        run_dashboard(url, host="0.0.0.0", port=0)


def test_wrong_files_and_folders_are_one_message(url: str, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("ada:plain password\n")
    with pytest.raises(FileFaults):
        run_dashboard(url, users=tmp_path / "users", port=0)
    with pytest.raises(UserError, match="artifacts folder"):
        run_dashboard(url, artifacts=tmp_path / "nowhere", port=0)
    with pytest.raises(StorageError):
        run_dashboard(f"sqlite:///{tmp_path}/missing.db", port=0)
    assert not (tmp_path / "missing.db").exists()


def test_a_token_file_that_cannot_be_read_is_one_message(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{TOKEN_VARIABLE}_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="cannot be read"):
        run_dashboard(url, port=0)


def test_a_port_that_is_taken_is_one_message(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 cannot be opened"):
            run_dashboard(url, port=port)


def test_on_loopback_the_page_opens_without_a_login(url: str) -> None:
    with dashboard(url) as (address, process):
        status, page = fetch(address, "/dashboard")
        assert (status, b"Optuna Dashboard" in page) == (200, True)
        assert fetch(address, "/healthz") == (200, b"ok\n")
        assert fetch(address, "/static/bundle.js")[0] == 200
        assert fetch(address, "/api/studies", {"Host": "evil.example"})[0] == 421
    assert process.returncode == 0


def test_a_read_only_dashboard_leaves_the_file_as_it_is(url: str, project: Path) -> None:
    before = (project / "hpo.db").read_bytes()
    with dashboard(url) as (address, _):
        for path in ("/api/studies", "/api/studies/1", "/api/studies/1/param_importances"):
            assert fetch(address, path)[0] == 200
    assert (project / "hpo.db").read_bytes() == before


def test_off_loopback_password_and_token_are_asked_for(
    url: str, tmp_path: Path, password_hash: str
) -> None:
    (tmp_path / "users").write_text(f"ada:{password_hash}\n")
    with dashboard(url, host="0.0.0.0", users=tmp_path / "users", token=TOKEN) as (address, _):
        address = address.replace("0.0.0.0", "127.0.0.1")
        assert fetch(address, "/api/studies")[0] == 401
        assert fetch(address, "/healthz")[0] == 200
        assert fetch(address, "/api/studies", basic("ada", "wrong"))[0] == 401
        assert fetch(address, "/api/studies", basic("ada", PASSWORD))[0] == 200
        assert fetch(address, "/api/studies", bearer(TOKEN))[0] == 200
        evil = {"Host": "evil.example", **bearer(TOKEN)}
        assert fetch(address, "/api/studies", evil)[0] == 421


def test_many_wrong_passwords_at_once_neither_get_in_nor_keep_the_honest_user_out(
    url: str, tmp_path: Path, password_hash: str
) -> None:
    (tmp_path / "users").write_text(f"ada:{password_hash}\n")
    with dashboard(url, users=tmp_path / "users") as (address, process):

        def guess(number: int) -> int:
            return fetch(address, "/api/studies", basic("ada", f"guess {number}"))[0]

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(guess, range(1000)))
        assert set(statuses) <= {401, 429}
        assert fetch(address, "/api/studies", basic("ada", PASSWORD))[0] == 200
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert "login refused: a wrong password for 'ada' from 127.0.0.1, failure 1\n" in log
    assert "guess" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"4"),
        (b"GET http://evil.example/api/studies HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
        (b"GET /static/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET /static/%2e%2e%2f%2e%2e%2f HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"DELETE /api/studies/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"405"),
        (b"delete /api/studies/1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"4"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", b"4"),
    ],
)
def test_requests_by_hand_are_refused_and_crash_nothing(
    running: str, sent: bytes, status: bytes
) -> None:
    answer = raw(running, sent)
    assert answer.split(b" ", 2)[1].startswith(status)
    assert b"Server:" not in answer
    assert fetch(running, "/healthz")[0] == 200


def test_endless_headers_are_cut_off(running: str) -> None:
    endless = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000
    answer = raw(running, endless)
    assert not answer or b" 431 " in answer
    assert fetch(running, "/healthz")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_ways_of_stopping_end_it_with_code_0(url: str, number: signal.Signals) -> None:
    with dashboard(url) as (address, process):
        assert fetch(address, "/healthz")[0] == 200
        process.send_signal(number)
        assert process.wait(timeout=60) == 0


def test_many_readers_at_once_are_all_served(running: str) -> None:
    start = threading.Barrier(12)

    def read(_: int) -> int:
        start.wait(60)
        with urlopen(Request(f"{running}/api/studies/1"), timeout=60) as answer:
            return len(json.load(answer)["trials"])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(read, range(12))) == [6] * 12
