"""The watcher: a small process that ends what a killed `hpo` process leaves behind.

It is run by its path, with the standard library alone. Its standard input, whose other end only
that process holds, brings lines: `+PID` for a process that leads a group, `-PID` once it has ended.
When the input ends, all that is still there is given a moment to end by itself, and is then killed:
these groups, the watcher's own group and, where there is /proc, whatever carries the run's mark in
its environment, though it has left its group.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator

GRACE_S = 1.5  # in it, workers give their points back: they notice the end as well
_PAUSE_S = 0.05
_MAX_SWEEPS = 20  # a marked process may be starting another while it is killed


def watch(lines: Iterable[str], mark: bytes) -> None:
    """Read to the end of the lines, then end what is left; this process goes last.

    Args:
        lines: `+PID` and `-PID`.
        mark: `NAME=value`, as it stands in the environment of the run's processes.
    """
    groups: set[int] = set()
    for line in lines:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    deadline = time.monotonic() + GRACE_S
    while any(map(_is_there, groups)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    for group in groups:
        kill_group(group)
    kill_marked(mark)
    os.killpg(0, signal.SIGKILL)


def kill_group(group: int) -> None:
    """Kill what is left of a process group."""
    _kill(os.killpg, group)


def kill_marked(mark: bytes, spare: Collection[int] = ()) -> None:
    """Kill the processes whose environment holds the mark, wherever they are; but spare some."""
    for _ in range(_MAX_SWEEPS):
        strays = [pid for pid in _marked(mark) if pid not in spare]
        if not strays:
            return
        for pid in strays:
            _kill(os.kill, pid)
        time.sleep(_PAUSE_S)


def _kill(send: Callable[[int, int], None], target: int) -> None:
    try:
        send(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS: not permitted where only zombies are
        return


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _marked(mark: bytes) -> Iterator[int]:
    """The processes that carry the mark; none where there is no /proc."""
    try:
        names = [entry.name for entry in os.scandir("/proc")]
    except OSError:
        return
    for name in filter(str.isdigit, names):
        try:
            # pathlib would be most of what this process imports.
            with open(f"/proc/{name}/environ", "rb") as environment:  # noqa: PTH123
                if mark in environment.read().split(b"\0"):
                    yield int(name)
        except OSError:  # gone, or another user's
            continue


if __name__ == "__main__":
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin, os.fsencode(sys.argv[1]))
