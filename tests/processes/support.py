"""Runs of `hpo` in processes of their own, what they print, and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import RowMapping, update

from hpo.databases.storage import Storage, open_storage
from hpo.databases.tables import POINTS
from hpo.ledger.stored_study import StoredStudy, require_stored

Event = dict[str, Any]
HPO = (sys.executable, "-m", "hpo")
DEADLINE_S = 120.0
MARK = "TEST_RUN"  # in the environment of all processes of a run, wherever they may have gone

# Reports some steps of `pause_s` seconds; only one when `hurry` was called.
STEADY = """
import time
from pathlib import Path
import hpo

HURRY = Path(__file__).with_name("hurry")

def objective(trial):
    settings = hpo.suggest(trial)
    for step in range(1, settings["steps"] + 1):
        time.sleep(settings["pause_s"])
        trial.report(settings["x"] * step, step)
        if HURRY.exists():
            break
    return settings["x"] + settings["seed"] % 1000
"""
# Never reports, and goes on whatever happens to it.
DEAF = """
import time

def objective(trial):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""


def write_project(folder: Path, objective: str = STEADY, **keys: Any) -> Path:
    """A project folder with one study file; the file's path."""
    folder.mkdir(exist_ok=True)
    (folder / "search_spaces.yaml").write_text("{}\n")
    (folder / "objective.py").write_text(objective)
    return write_study(folder, **keys)


def write_study(folder: Path, **keys: Any) -> Path:
    """A study file of 20 random points with short steps, or as `keys` say otherwise."""
    study: dict[str, Any] = {
        "study": "s",
        "method": "random",
        "direction": "maximize",
        "n_trials": 20,
        "search_space": {"x": {"low": 0.0, "high": 1.0}},
        "fixed": {"steps": 3, "pause_s": 0.02},
    }
    study |= keys
    path = folder / "study.yaml"
    path.write_text(json.dumps({k: v for k, v in study.items() if v is not None}))
    return path


def hurry(folder: Path) -> None:
    """Let the trials of STEADY end at their next step from now on."""
    (folder / "hurry").touch()


def hpo(folder: Path, *arguments: str | Path, timeout_s: float = DEADLINE_S) -> Any:
    """Run a command to its end in a project folder; its exit code, stdout and stderr."""
    return subprocess.run(
        [*HPO, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


class Run:
    """An `hpo run` (or resume, or worker) under way, with the events that it has printed."""

    def __init__(
        self, folder: Path, *arguments: str | Path, ignores: str = "", terminal: str = ""
    ) -> None:
        self.events: list[Event] = []
        self._mark = f"{MARK}={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [*_shell(ignores, terminal), *HPO, *map(str, arguments), "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, name: value},
            start_new_session=True,  # a signal to its group reaches nothing of pytest's
        )
        self.errors = ""
        reads = (self._read_events, self._read_errors)
        self._readers = [threading.Thread(target=read) for read in reads]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The supervisor's process id, and its group's."""
        return self.process.pid

    def of(self, kind: str) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in list(self.events) if event["event"] == kind]

    def wait_for(self, kind: str, n: int = 1) -> list[Event]:
        """Wait until `n` events of a kind have come."""
        wait_until(lambda: len(self.of(kind)) >= n or self.process.poll() is not None)
        found = self.of(kind)
        assert len(found) >= n, f"ended with {found} of {kind}; {self.errors}"
        return found

    def workers(self) -> dict[str, int]:
        """Name -> process id of the workers that are up."""
        up = {event["worker"]: event["pid"] for event in self.of("worker_up")}
        gone = {e["worker"] for kind in ("worker_down", "worker_lost") for e in self.of(kind)}
        return {name: pid for name, pid in up.items() if name not in gone and is_alive(pid)}

    def end(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait for the end; the exit code. No process of it may outlive it."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(DEADLINE_S)
        wait_until(lambda: not self.processes(), 5.0)
        return code

    @property
    def summary(self) -> Event:
        """The last event."""
        assert self.events[-1]["event"] == "summary", self.events[-1]
        return self.events[-1]

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends SIGINT to all of its processes."""
        os.killpg(self.pid, signal.SIGINT)

    def processes(self, program: str = "") -> list[int]:
        """The processes of this run that are alive, by a part of their command line."""
        return [pid for pid in _with_environment(self._mark) if program in command_line(pid)]

    @property
    def fork_server(self) -> int:
        """The process id of the fork server."""
        (found,) = [p for p in self.processes("forkserver") if parent_of(p) == self.pid]
        return found

    def kill_all(self) -> None:
        """End what a failed test left."""
        for pid in self.processes():
            kill(pid)
        self.process.wait()
        for reader in self._readers:
            reader.join(DEADLINE_S)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()

    def _read_events(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def _read_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.errors += line


def _shell(ignores: str, terminal: str) -> tuple[str, ...]:
    """What starts a run with a signal ignored, or with a terminal that is its standard error."""
    trap = f"trap '' {ignores};" if ignores else ""
    onto = f"<>{terminal} 2>&0" if terminal else ""
    return ("sh", "-c", f'{trap} exec "$@" {onto}', "sh")


@contextlib.contextmanager
def running(folder: Path, *arguments: str | Path, **how: str) -> Iterator[Run]:
    """A run that does not outlive the test; `how` as `Run` takes it."""
    run = Run(folder, *arguments, **how)
    try:
        yield run
    finally:
        run.kill_all()


def wait_until(condition: Callable[[], bool], timeout_s: float = DEADLINE_S) -> None:
    """Wait until something holds, or fail."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain"
        time.sleep(0.02)


def kill(pid: int, signum: int = signal.SIGKILL) -> bool:
    """Send a signal; whether the process was still there."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be collected."""
    return _stat(pid)[0] not in ("Z", "")


def is_stopped(pid: int) -> bool:
    """Whether a process is suspended."""
    return _stat(pid)[0] == "T"


def parent_of(pid: int) -> int:
    """The process id of a process's parent; 0 once it is gone."""
    return int(_stat(pid)[1] or 0)


def command_line(pid: int) -> str:
    """A process's command line; empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, str]:
    """A process's state and parent; empty once it is gone."""
    try:
        # "pid (command) state parent ...": the command may hold anything.
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return "", ""
    return state, parent


def _with_environment(variable: str) -> list[int]:
    """The live processes whose environment holds `NAME=value`."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable.encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


@contextlib.contextmanager
def stored(url: str, name: str = "s") -> Iterator[StoredStudy]:
    """A study opened for looking at it."""
    storage = open_storage(url)
    try:
        yield require_stored(storage, name)
    finally:
        storage.close()


def points(url: str, name: str = "s") -> list[RowMapping]:
    """The rows of a study's plan."""
    with stored(url, name) as study:
        return study.ledger.rows()


def trials(url: str, name: str = "s") -> list[FrozenTrial]:
    """A study's trials."""
    with stored(url, name) as study:
        return study.optuna_study().get_trials(deepcopy=False)


def results(url: str, name: str = "s") -> list[tuple[Any, ...]]:
    """Point by point: parameters, seed, state and value."""
    finished = [t for t in trials(url, name) if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    return sorted(
        (t.user_attrs["point"], tuple(t.params.items()), t.user_attrs["seed"], t.state, t.value)
        for t in finished
    )


def assert_exact(url: str, total: int, name: str = "s") -> None:
    """Every point DONE with exactly one result, nothing RUNNING, trial numbers consecutive."""
    with stored(url, name) as study:
        rows, books = study.ledger.rows(), study.ledger.books()
        found = study.optuna_study().get_trials(deepcopy=False)
    assert Counter(row["state"] for row in rows) == {"DONE": total}
    assert_at_rest(found)
    assert sorted(books) == [t.number for t in found]
    finished = {t.number: books[t.number] for t in found if t.state != TrialState.FAIL}
    assert sorted(book.point for book in finished.values()) == list(range(total))
    assert {book.fate for book in finished.values()} == {"DONE"}
    assert all(finished[row["trial_number"]].point == row["number"] for row in rows)


def assert_at_rest(found: Sequence[FrozenTrial]) -> None:
    """No trial is RUNNING or WAITING, and their numbers are consecutive."""
    assert [t.number for t in found] == list(range(len(found)))
    assert all(t.state.is_finished() for t in found), Counter(t.state for t in found)


def run_leases_out(url: str, worker: str | None = None) -> int:
    """Let the lease of one worker, or of all, have ended long ago; how many these were."""
    storage: Storage = open_storage(url)
    statement = update(POINTS).where(POINTS.c.state == "LEASED").values(lease_until=0.0)
    if worker is not None:
        statement = statement.where(POINTS.c.worker == worker)
    try:
        with storage.write() as connection:
            return connection.execute(statement).rowcount
    finally:
        storage.close()


def n_states(found: Sequence[FrozenTrial]) -> Counter[optuna.trial.TrialState]:
    """How many trials are in each state."""
    return Counter(t.state for t in found)
