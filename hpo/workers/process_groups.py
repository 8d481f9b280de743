"""The groups of processes that this one has started, and the watcher that knows them.

See `hpo.workers.watcher` for what it does when this process is killed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hpo.workers import watcher

MARK = "HPO_RUN"  # in the environment of all that a run starts; without it, a daemon may stay


class Watcher:
    """The watcher of this process, as seen from here."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = secrets.token_hex(8)
        self._groups: set[int] = set()
        self._adopts = False
        os.register_at_fork(after_in_child=self._leave_in_child)

    def ensure_running(self) -> None:
        """Start it, or another in its place, and tell it of all groups."""
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-I", "-S", watcher.__file__, f"{MARK}={self._mark}"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != MARK},
            process_group=0,
        )
        for group in self._groups:
            self._tell("+", group)

    def add(self, group: int) -> None:
        """A process has been started that leads a group."""
        self._groups.add(group)
        self._tell("+", group)

    def end(self, group: int) -> None:
        """Kill what is left of a group, whose leader is known to be dead or to be killed."""
        watcher.kill_group(group)
        self._groups.discard(group)
        self._tell("-", group)

    @contextmanager
    def marking(self) -> Iterator[None]:
        """Let what is started meanwhile carry the mark."""
        before = os.environ.get(MARK)
        os.environ[MARK] = self._mark
        try:
            yield
        finally:
            if before is None:
                del os.environ[MARK]
            else:
                os.environ[MARK] = before

    @contextmanager
    def adopting(self) -> Iterator[None]:
        """Let what this process forks meanwhile join the watcher's own group, and end with it."""
        self.ensure_running()
        assert self._process is not None
        self._adopts = True
        try:
            with self.marking():
                yield
        finally:
            self._adopts = False
            watcher.kill_group(self._process.pid)
            watcher.kill_marked(f"{MARK}={self._mark}".encode(), spare=self._groups)
            self._process.wait()
            self.ensure_running()

    def _tell(self, sign: str, group: int) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it was killed; the next one is told of all
            self._process.stdin.write(f"{sign}{group}\n".encode())

    def _leave_in_child(self) -> None:
        """A forked child must not hold the watcher's input: it would outlive this process."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._adopts:
            with suppress(OSError):  # the watcher was killed
                os.setpgid(0, self._process.pid)
        self._process.poll()  # notes that it is no child of this child's
        self._process, self._groups, self._adopts = None, set(), False


WATCHER = Watcher()
