"""Connections of the dashboard's server: how long each may take, and how many there may be.

On its own, waitress lets anybody lock everybody else out: its only time limit is for silence,
which a byte now and then breaks, and at its connection limit it accepts nobody until somebody
leaves. Here a request must be complete within a time limit, and when there is one connection too
many, the one that has waited longest for its request is closed. That is an attacker's or an idle
one: an honest request arrives at once.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import MultiSocketServer, TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from hpo.dashboard.addresses import client_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger("hpo.dashboard")

LOOK_EVERY_S = 1.0
WARN_EVERY_S = 60.0


@dataclass(frozen=True)
class Limits:
    """Limits on connections.

    Attributes:
        request_s: Seconds from the first byte of a request to its last, head and body together.
        idle_s: Seconds without a request, or without reading anything of an answer.
        per_address: Connections of one client address; behind a proxy, all of its visitors'.
        total: Connections from all addresses together.
    """

    request_s: float = 60.0
    idle_s: float = 60.0
    per_address: int = 64
    total: int = 200


def make_server(
    app: WSGIApplication, listening: Sequence[socket.socket], limits: Limits, **adjustments: Any
) -> MultiSocketServer:
    """A server on open sockets; its `run` serves until SystemExit or KeyboardInterrupt.

    Args:
        app: What answers the requests.
        listening: The sockets; they accept connections from now on.
        limits: Limits on the connections.
        adjustments: Waitress' own settings.
    """
    # Waitress would stop accepting at its own limit, which is never reached: see `_make_room`.
    settings = Adjustments(
        connection_limit=2 * limits.total + 100, cleanup_interval=LOOK_EVERY_S, **adjustments
    )
    threads = ThreadedTaskDispatcher()
    threads.set_thread_count(settings.threads)
    everything: dict[int, Any] = {}
    for each in listening:
        _Server(app, each, limits, everything, threads, settings)
    return MultiSocketServer(everything, settings, dispatcher=threads)


class _Connection(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A connection that knows how long it has kept the server waiting."""

    def __init__(self, server: _Server, sock: socket.socket, addr: Any, *args: Any, **kw: Any):
        self.waits_since = time.time()  # opened, or answered last
        self.request_since: float | None = None  # its first byte, until it is complete
        self.client = client_of(addr[0])
        super().__init__(server, sock, addr, *args, **kw)

    def received(self, data: bytes) -> bool:
        """Take in a piece of a request."""
        # Blank lines between requests count as a request's beginning, or they would buy time.
        if self.request_since is None:
            self.request_since = time.time()
        return bool(super().received(data))

    def service(self) -> None:
        """Answer a complete request, in a thread."""
        self.request_since = None
        super().service()
        self.waits_since = time.time()

    def is_overdue(self, limits: Limits, now: float) -> bool:
        """Whether it has taken too long to send its request or to read its answer."""
        if self.total_outbufs_len:
            # Waitress itself looks at no connection that is being answered, though its client
            # may read nothing and so hold a thread for good.
            return bool(now - self.last_activity > limits.idle_s)
        if self.requests:
            return False
        if self.request_since is None:
            return now - self.waits_since > limits.idle_s
        return now - self.request_since > limits.request_s

    def drop(self) -> None:
        """End it; the server's loop closes it in its next round.

        That loop closes a connection only when something can be written to it, which is never
        the case where the client reads nothing; after a shutdown it always is.
        """
        self.will_close = True
        with suppress(OSError):  # the client was faster
            self.socket.shutdown(socket.SHUT_RDWR)


class _Server(TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """Waitress' server for one socket, with our limits."""

    channel_class = _Connection

    def __init__(
        self,
        app: WSGIApplication,
        listening: socket.socket,
        limits: Limits,
        everything: dict[int, Any],
        threads: ThreadedTaskDispatcher,
        settings: Adjustments,
    ) -> None:
        self._limits = limits
        self._next_warning = 0.0
        super().__init__(
            app,
            everything,
            _sock=listening,
            dispatcher=threads,
            adj=settings,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
            bind_socket=False,
        )

    def handle_accept(self) -> None:
        """Accept a connection."""
        super().handle_accept()
        self._make_room()

    def maintenance(self, now: float) -> None:
        """End what has taken too long; waitress calls this every `LOOK_EVERY_S`."""
        for connection in self._open():
            if connection.is_overdue(self._limits, now):
                connection.drop()

    def _make_room(self) -> None:
        """Where there are too many, end those that have waited longest for their request."""
        for connections, limit in self._groups():
            n_too_many = max(0, len(connections) - limit)
            waiting = [each for each in connections if not each.requests]
            for connection in sorted(waiting, key=lambda each: each.waits_since)[:n_too_many]:
                self._warn(connection, limit)
                connection.drop()

    def _groups(self) -> Iterator[tuple[list[_Connection], int]]:
        """The connections of each client, then all that are left, with their limits."""
        by_client = defaultdict(list)
        for connection in self._open():
            by_client[connection.client].append(connection)
        for connections in by_client.values():
            yield connections, self._limits.per_address
        yield self._open(), self._limits.total

    def _open(self) -> list[_Connection]:
        """The open connections, those of the other sockets too."""
        known = (each for each in self._map.values() if isinstance(each, _Connection))
        return [each for each in known if not each.will_close]

    def _warn(self, connection: _Connection, limit: int) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + WARN_EVERY_S
            logger.warning(
                "more than %d connections, the last of %s: the longest waiting are closed",
                limit,
                connection.client,
            )
