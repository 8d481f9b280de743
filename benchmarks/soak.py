"""A long run under fire: points, kills of workers and supervisors, restarts of the database.

Ends with an error unless every point has exactly one result. The short form is `--points 200
--kills 20 --restarts 2`. PostgreSQL is a throwaway server; on SQLite nothing restarts.

    python -m benchmarks.soak [--storage postgresql|sqlite] [--points 2000] [--kills 200]

With `--attacks` the study's objectives are bad, too, and more than kills happen to it:

    python -m benchmarks.soak --attacks --points 300 --workers 6 [--storage postgresql|sqlite]
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.attacks import Attacks
from tests.postgres import throwaway_server
from tests.processes.support import (
    Run,
    assert_exact,
    hpo,
    kill,
    n_states,
    points,
    running,
    trials,
    wait_until,
    write_project,
)

OUTAGE_S = 3.0
SUPERVISOR_EVERY = 25  # so many kills of workers to one of their supervisor
FIXED = {"steps": 5, "pause_s": 0.05}


def main() -> None:
    arguments = _arguments()
    started = time.monotonic()
    with _storage(arguments.storage) as (url, restart), tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        if arguments.attacks:
            attacks = Attacks(folder, url, arguments.points, arguments.workers)
            attacks.run()
            print(f"{arguments.points} points as planned after {time.monotonic() - started:.0f} s:")
            print(", ".join(f"{n} {what}" for what, n in attacks.done.most_common()))
            return
        file = write_project(folder, n_trials=arguments.points, retries=100, fixed=FIXED)
        fire = Fire(arguments.points, arguments.kills, arguments.restarts, restart)
        options = ("--storage", url, "--devices", f"cpu*{arguments.workers}")
        n_runs = 0
        while not (n_runs and fire.is_over):
            n_runs += 1
            with running(folder, "run", file, *options) as run:
                fire.at(run)
        assert hpo(folder, "run", file, *options, timeout_s=3600).returncode == 0
        assert_exact(url, arguments.points)
        _print(url, fire, n_runs, time.monotonic() - started)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storage", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--attacks", action="store_true", help="bad objectives and all attacks")
    return parser.parse_args()


@contextlib.contextmanager
def _storage(kind: str) -> Iterator[tuple[str, Callable[[], None] | None]]:
    """A database's URL, and what restarts its server."""
    with contextlib.ExitStack() as stack:
        if kind == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield f"sqlite:///{folder}/hpo.db", None
            return
        server = stack.enter_context(throwaway_server())
        url = stack.enter_context(server.database())
        yield url, lambda: server.interrupt(url, OUTAGE_S)


class Fire:
    """Kills and restarts, spread at random over the results of a study."""

    def __init__(
        self, points: int, kills: int, restarts: int, restart: Callable[[], None] | None
    ) -> None:
        self._chance = random.Random(1)
        self._restart = restart
        moments = [(n, "kill") for n in self._spread(points, kills)]
        if restart is not None:
            moments += [(n, "restart") for n in self._spread(points, restarts)]
        self._moments = sorted(moments)
        self._n_finished = 0
        self.done: Counter[str] = Counter()

    @property
    def is_over(self) -> bool:
        """Whether everything planned was done."""
        return not self._moments

    def at(self, run: Run) -> None:
        """Do what is due until the run ends, by itself or because its supervisor was killed."""
        before = self._n_finished
        while run.process.poll() is None:
            self._n_finished = before + len(run.of("trial_finished"))
            if self._moments and self._moments[0][0] <= self._n_finished and run.workers():
                self._do(self._moments.pop(0)[1], run)
            time.sleep(0.02)
        wait_until(lambda: not run.processes())
        if run.process.returncode not in (0, -9):
            print(run.errors, run.events[-1:], flush=True)
            raise SystemExit(f"hpo run ended with exit code {run.process.returncode}")
        if run.process.returncode == 0:
            self._moments.clear()

    def _do(self, what: str, run: Run) -> None:
        self.done[what] += 1
        if what == "restart" and self._restart is not None:
            self._restart()
        elif self.done["kill"] % SUPERVISOR_EVERY == 0:
            kill(run.pid)
            self.done["supervisor"] += 1
        else:
            kill(self._chance.choice(list(run.workers().values()) or [run.pid]))

    def _spread(self, points: int, n: int) -> list[int]:
        return [self._chance.randrange(int(points * 0.95)) for _ in range(n)]


def _print(url: str, fire: Fire, n_runs: int, elapsed_s: float) -> None:
    states = {state.name: n for state, n in n_states(trials(url)).items()}
    rows = points(url)
    print(f"{len(rows)} points, all DONE, each with exactly one result; trials: {states}")
    print(
        f"{fire.done['kill']} kills ({fire.done['supervisor']} of the supervisor), "
        f"{fire.done['restart']} restarts of the database, {n_runs} runs, {elapsed_s:.0f} s; "
        f"{sum(row['lost'] for row in rows)} claims lost their worker"
    )


if __name__ == "__main__":
    main()
