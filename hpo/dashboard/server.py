"""Serving the dashboard: a storage URL and an address in, a web server until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.dashboard.addresses import host_names, is_loopback, resolve
from hpo.dashboard.connections import Limits, make_server
from hpo.dashboard.guard import make_app
from hpo.dashboard.login import SHORTEST_TOKEN, is_strong_token
from hpo.dashboard.users import load_users
from hpo.errors import UserError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from optuna.artifacts._protocol import ArtifactStore

logger = logging.getLogger("hpo.dashboard")

TOKEN_VARIABLE = "HPO_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable
READING_BODY_BYTES = 64 * 1024
WRITING_BODY_BYTES = 32 * 1024 * 1024  # files are uploaded through the page as one JSON text
DEFAULT_LIMITS = Limits()


def run_dashboard(
    url: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    writable: bool = False,
    users: Path | None = None,
    artifacts: Path | None = None,
    allowed_hosts: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    say: Callable[[str], None] = logger.info,
) -> None:
    """Serve the dashboard on a storage until Ctrl-C or SIGTERM.

    The Bearer token is taken from the variable HPO_DASHBOARD_TOKEN, or from the file that
    HPO_DASHBOARD_TOKEN_FILE names.

    Args:
        url: The storage's URL.
        host: The name or address to listen on; "0.0.0.0" and "::" are every address.
        port: The port to listen on; 0 takes a free one.
        writable: Let the page change and delete studies.
        users: A users file; see `hpo.dashboard.users`.
        artifacts: The folder of the trials' files.
        allowed_hosts: Other names that browsers may use for this server, such as a proxy's.
        limits: Limits on the connections.
        say: Called with one line once the server answers.

    Raises:
        UserError: No login where others can reach the server, or any file, folder, address or
            token that cannot be used.
        StorageError: The storage cannot be opened.
    """
    from hpo.databases.storage import open_storage

    addresses = resolve(host, port)
    hashes, token = _logins(users, host, addresses)
    store = _artifact_store(artifacts)
    storage = open_storage(url, read_only=not writable)
    app = make_app(
        storage.optuna,
        writable=writable,
        allowed_hosts=[*host_names(host, addresses), *allowed_hosts],
        users=hashes,
        token=token,
        artifact_store=store,
        renew=lambda: open_storage(url, read_only=not writable).optuna,
    )
    mode = "writable" if writable else "read-only"
    try:
        serve(
            app,
            addresses,
            port,
            max_body_bytes=WRITING_BODY_BYTES if writable else READING_BODY_BYTES,
            limits=limits,
            say=lambda where: say(f"{storage.name}, {mode}: {where}"),
        )
    finally:
        storage.close()


def serve(
    app: WSGIApplication,
    host: str | Sequence[str],
    port: int,
    *,
    max_body_bytes: int = READING_BODY_BYTES,
    limits: Limits = DEFAULT_LIMITS,
    say: Callable[[str], None] = logger.info,
) -> None:
    """Serve a WSGI application until Ctrl-C or SIGTERM.

    Args:
        app: The application.
        host: The name or the addresses to listen on.
        port: The port to listen on; 0 takes a free one.
        max_body_bytes: The longest body of a request that is read.
        limits: Limits on the connections.
        say: Called with the URL once the port is open.

    Raises:
        UserError: The port cannot be opened.
    """
    addresses = resolve(host, port) if isinstance(host, str) else host
    listening = _open_sockets(addresses, port)
    server = make_server(
        app,
        listening,
        limits,
        threads=8,
        max_request_header_size=32 * 1024,
        max_request_body_size=max_body_bytes,
        ident="",
    )
    say(f"http://{_bracketed(addresses[0])}:{listening[0].getsockname()[1]}/")
    with _stopped_by_sigterm():
        server.run()
    server.close()


def _open_sockets(addresses: Sequence[str], port: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            opened.append(socket.create_server((address, port), family=family))
    except (OSError, OverflowError) as error:
        for listening in opened:
            listening.close()
        reason = getattr(error, "strerror", None) or error
        where = ", ".join(addresses)
        raise UserError(f"Port {port} of {where} cannot be opened: {reason}.") from error
    return opened


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the server as Ctrl-C does; process 1 of a container would ignore it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _logins(
    users: Path | None, host: str, addresses: Sequence[str]
) -> tuple[Mapping[str, str] | None, str | None]:
    """The password hashes and the token that admit people.

    Raises:
        UserError: There is neither, though others can reach the server.
    """
    hashes = load_users(users) if users else None
    token = _token()
    if hashes is None and token is None and not all(map(is_loopback, addresses)):
        raise UserError(
            f"Listening on {host or 'every address'} lets others in, so a login is needed: give "
            f"--users FILE (add somebody to it by --add-user NAME) or set {TOKEN_VARIABLE}."
        )
    return hashes, token


def _token() -> str | None:
    token = os.environ.get(TOKEN_VARIABLE)
    file = os.environ.get(f"{TOKEN_VARIABLE}_FILE")
    if token is None and file:
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{TOKEN_VARIABLE}_FILE cannot be read: {file}.") from error
    if token is not None and not is_strong_token(token):
        raise UserError(
            f"{TOKEN_VARIABLE} must have at least {SHORTEST_TOKEN} characters, all of them "
            "printable ASCII and none a space."
        )
    return token


def _artifact_store(folder: Path | None) -> ArtifactStore | None:
    if folder is None:
        return None
    if not folder.is_dir():
        raise UserError(f"The artifacts folder must be there, but got {folder}.")
    from optuna.artifacts import FileSystemArtifactStore

    return FileSystemArtifactStore(folder)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
