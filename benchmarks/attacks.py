"""A study under attack: bad objectives, and everything that can be killed, stopped or deleted is.

Used by `python -m benchmarks.soak --attacks`. Random, but the same for the same seed as far as the
machine allows. It ends with an error unless the study then holds exactly what its plan says.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hpo.ledger.points import DONE, FAILED
from tests.processes.support import (
    Run,
    assert_at_rest,
    hpo,
    kill,
    points,
    run_leases_out,
    trials,
    wait_until,
    write_project,
)

BAD_SHARE = 0.3  # of the points fail by what their objective does
PAUSE_S = (0.2, 1.2)  # between two attacks
DEADLINE_S = 1800.0
# What an objective does wrong is decided by its parameter, so that it is known beforehand.
OBJECTIVE = """
import sys
import time

import hpo


class Unprintable(Exception):
    def __repr__(self):
        raise RuntimeError("not even this")

    __str__ = __repr__


def objective(trial):
    settings = hpo.suggest(trial)
    kind = int(settings["x"] * 20)
    for step in range(1, 5):
        time.sleep(settings["pause_s"])
        trial.report(settings["x"] * step, step)
        if step == 2 and kind == 0:
            raise ValueError("a title \\x1b]0;owned\\x07, half a pair \\udcff and a NUL \\0")
        if step == 2 and kind == 1:
            sys.exit(3)
        if step == 2 and kind == 2:
            trial.set_user_attr("point", [1, 2])
    if kind == 3:
        raise Unprintable
    if kind == 4:
        return 10**400
    if kind == 5:
        raise KeyboardInterrupt
    return settings["x"]
"""


class Attacks:
    """A study of `n_points` points on a storage, run by launchers that are attacked."""

    def __init__(self, folder: Path, url: str, n_points: int, n_workers: int) -> None:
        self._folder, self._url, self._n_points = folder, url, n_points
        self._chance = random.Random(1)
        self._runs: list[Run] = []
        self.done: Counter[str] = Counter()
        keys = {"retries": 100, "max_failures": n_points, "stop_grace_s": 3}
        self._file = write_project(
            folder, OBJECTIVE, n_trials=n_points, fixed={"pause_s": 0.05}, **keys
        )
        self._options = ("--storage", url, "--devices", f"cpu*{n_workers}")

    def run(self) -> None:
        """Attack until every point has ended, then check what is left."""
        deadline = time.monotonic() + DEADLINE_S
        try:
            while not self._is_over():
                if time.monotonic() > deadline:
                    raise SystemExit(f"not over after {DEADLINE_S:.0f} s")
                self._ensure_running()
                time.sleep(self._chance.uniform(*PAUSE_S))
                self._attack()
            for run in self._runs:
                run.process.wait(60)
            self._check()
        finally:
            for run in self._runs:
                run.kill_all()

    def _is_over(self) -> bool:
        if not self._runs or not self._runs[0].of("study"):
            return False
        return all(row["state"] in (DONE, FAILED) for row in points(self._url))

    def _alive(self) -> list[Run]:
        return [run for run in self._runs if run.process.poll() is None]

    def _ensure_running(self) -> None:
        if not self._alive():
            self._launch()
            run = self._runs[-1]
            wait_until(lambda: bool(run.of("study")) or run.process.poll() is not None)
            if run.process.returncode == 2:
                raise SystemExit(run.errors)

    def _launch(self) -> None:
        self._runs.append(Run(self._folder, "run", self._file, *self._options))

    def _attack(self) -> None:
        alive = self._alive()
        if not alive:
            return
        weighted: dict[Callable[[Run], str], int] = {
            self._kill_worker: 6,
            self._freeze_worker: 3,
            self._delete: 3,
            self._kill_supervisor: 1,
            self._kill_fork_server: 1,
            self._kill_watcher: 1,
            self._terminate_group: 1,
            self._launch_another: 1,
            self._stop: 1,
        }
        attack = self._chance.choices(list(weighted), list(weighted.values()))[0]
        what = attack(self._chance.choice(alive))
        if what:
            self.done[what] += 1

    def _worker(self, run: Run) -> tuple[str, int] | None:
        workers = list(run.workers().items())
        return self._chance.choice(workers) if workers else None

    def _kill_worker(self, run: Run) -> str:
        found = self._worker(run)
        return "worker killed" if found and kill(found[1]) else ""

    def _freeze_worker(self, run: Run) -> str:
        """Longer than its lease, which others then take; it wakes up and must change nothing."""
        found = self._worker(run)
        if found is None or not kill(found[1], signal.SIGSTOP):
            return ""
        if len(self._alive()) < 2:
            self._launch()
        run_leases_out(self._url, found[0])
        time.sleep(6.0)
        kill(found[1], signal.SIGCONT)
        return "worker frozen beyond its lease"

    def _delete(self, run: Run) -> str:
        """It must be refused; while nobody is at work it would succeed, so then it is not tried."""
        if not run.workers():
            return ""
        done = hpo(self._folder, "delete", "s", "--yes", "--storage", self._url)
        if run.workers() and (done.returncode != 2 or "at work" not in done.stderr):
            raise SystemExit(f"hpo delete: {done.returncode} {done.stderr}")
        return "delete refused"

    def _kill_supervisor(self, run: Run) -> str:
        return "supervisor killed" if kill(run.pid) else ""

    def _kill_fork_server(self, run: Run) -> str:
        found = run.processes("forkserver")
        return "process of the fork server killed" if found and kill(found[0]) else ""

    def _kill_watcher(self, run: Run) -> str:
        found = run.processes("watcher.py")
        return "watcher killed" if found and kill(found[0]) else ""

    def _terminate_group(self, run: Run) -> str:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGTERM)
            return "SIGTERM to the group"
        return ""

    def _launch_another(self, run: Run) -> str:  # noqa: ARG002 (they all take one)
        if len(self._alive()) > 1:
            return ""
        self._launch()
        return "second launcher"

    def _stop(self, run: Run) -> str:  # noqa: ARG002 (likewise)
        hpo(self._folder, "stop", "s", "--storage", self._url)
        return "hpo stop"

    def _check(self) -> None:
        last = hpo(self._folder, "run", self._file, *self._options, timeout_s=600)
        assert last.returncode == 1, last.stderr  # some points have failed for good
        wait_until(lambda: not any(run.processes() for run in self._runs), 10.0)
        rows, found = points(self._url), trials(self._url)
        assert len(rows) == self._n_points
        for row in rows:
            is_bad = float(row["params"].split(":")[1].strip(" }")) < BAD_SHARE
            assert row["state"] == (FAILED if is_bad else DONE), dict(row)
        assert_at_rest(found)
        with_result = Counter(t.user_attrs["point"] for t in found if t.state.name != "FAIL")
        assert with_result == {row["number"]: 1 for row in rows if row["state"] == DONE}
        for run in self._runs:
            assert "Traceback" not in run.errors, run.errors
