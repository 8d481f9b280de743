"""PostgreSQL for tests: the server that HPO_TEST_POSTGRES names, else a throwaway one.

Each test has a database of its own. Where neither a server nor its programs are there, tests are
skipped, except in CI, where that is a failure.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import URL, text
from sqlalchemy.engine import make_url

SERVER_VARIABLE = "HPO_TEST_POSTGRES"
_PROGRAMS = Path("/usr/lib/postgresql")


class Server:
    """A running PostgreSQL server that tests may make databases on."""

    def __init__(self, url: URL) -> None:
        self.url = url.set(drivername="postgresql+psycopg")

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh database's URL; the database goes with the context."""
        name = f"hpo_test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url.set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, **values: Any) -> None:
        """Run one statement outside of any transaction."""
        engine = sqlalchemy.create_engine(self.url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement), values)
        finally:
            engine.dispose()

    def interrupt(self, url: str, seconds: float) -> None:
        """Make the database of `url` unreachable for some seconds, with all connections cut."""
        with self.outage(url):
            time.sleep(seconds)

    @contextmanager
    def outage(self, url: str) -> Iterator[None]:
        """Make the database of `url` unreachable meanwhile, with all connections cut."""
        name = make_url(url).database
        self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name",
            name=name,
        )
        try:
            yield
        finally:
            self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


class ThrowawayServer(Server):
    """A server of our own, in a folder that goes with it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder, self._data = programs, folder, folder / "data"
        self._run("initdb", "-A", "trust", "--no-sync", "-U", "hpo", "-D", str(self._data))
        self._start_on_a_free_port()
        super().__init__(
            URL.create("postgresql", "hpo", host="127.0.0.1", port=self._port, database="postgres")
        )

    def _start_on_a_free_port(self, n_tries: int = 3) -> None:
        self._port = free_port()
        try:
            self.start()
        except subprocess.CalledProcessError:  # somebody else may have been faster
            if n_tries == 1:
                raise
            self._start_on_a_free_port(n_tries - 1)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c fsync=off"
        options += f" -c unix_socket_directories={self._folder} -c max_connections=200"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """Stop it as a power cut would."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def interrupt(self, url: str, seconds: float) -> None:
        """Restart the server."""
        self.stop()
        time.sleep(seconds)
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            cwd=self._folder,
            **_unprivileged(),
        )


@contextmanager
def throwaway_server() -> Iterator[ThrowawayServer]:
    """A server that exists as long as the context.

    Raises:
        LookupError: Its programs are not installed.
    """
    programs = max(_PROGRAMS.glob("*/bin/initdb"), default=None, key=_version)
    if programs is None:
        raise LookupError(f"no PostgreSQL programs under {_PROGRAMS}")
    folder = Path(tempfile.mkdtemp(prefix="hpo-postgres-"))
    if os.getuid() == 0:
        shutil.chown(folder, _unprivileged()["user"])
    server = ThrowawayServer(programs.parent, folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _version(program: Path) -> float:
    return float(program.parent.parent.name)


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    users = {entry.pw_name for entry in pwd.getpwall()}
    return {"user": "postgres" if "postgres" in users else "nobody", "extra_groups": []}


def free_port() -> int:
    """A port that nobody listens on, and that the system gives to no outgoing connection."""
    while True:
        port = secrets.choice(range(20_000, 30_000))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server of this test session."""
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        yield Server(make_url(named))
        return
    try:
        with throwaway_server() as server:
            yield server
    except LookupError as error:
        message = f"{error}, and {SERVER_VARIABLE} names no server"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a fresh database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that holds nothing yet, on each kind of storage."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hpo.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
