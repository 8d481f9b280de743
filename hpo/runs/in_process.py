"""`--workers 0`: the same worker in the `hpo` process itself, where a debugger can follow it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hpo.ledger.reaper import reap_expired, reap_worker
from hpo.ledger.stored_study import StoredStudy
from hpo.runs.running import Finished, end_of_run
from hpo.runs.standing import how_points_ended
from hpo.runs.supervisor import STOPPED_BY_USER, Ending, RunOptions, Why, trial_lost
from hpo.workers.devices import Slot, thread_environment
from hpo.workers.leases import STOP, StopTrial
from hpo.workers.process_groups import WATCHER
from hpo.workers.processes import identify
from hpo.workers.worker import Job, work


def run_here(
    stored: StoredStudy, slot: Slot, options: RunOptions, on_event: Callable[[dict[str, Any]], None]
) -> Finished:
    """Work on a study in this process until its points are done or the user stops it."""
    ledger, file = stored.ledger, stored.file
    os.environ.update(thread_environment(file.threads or 1))
    since, started = ledger.clock(), time.monotonic()
    for reaped in reap_expired(ledger, file.retries):
        on_event(trial_lost(reaped))
    job = Job(
        url=stored.storage.url,
        study=stored.name,
        project=options.project,
        worker=identify(slot),
        device=slot.device,
        environment={},
        since=since,
        objective_changed=options.objective_changed,
    )
    who = {"worker": job.worker.name, "slot": slot.name}
    with _stopping(options.timeout_s) as (commands, asked):
        try:
            with WATCHER.adopting():
                work(job, lambda event: on_event({**event, **who}), commands)
        except StopTrial:
            reap_worker(ledger, job.worker.name, "interrupted", file.retries, is_loss=False)
    counts = ledger.counts()
    stop = ledger.stop_requested(since)
    if not asked and stop is not None:
        asked.append((Why.STOPPED if stop == STOPPED_BY_USER else Why.LIMIT, stop))
    why, reason = asked[0] if asked else (Why.COMPLETE, how_points_ended(counts))
    stored.storage.checkpoint()
    return end_of_run(stored, Ending(why, reason, counts), started)


@contextmanager
def _stopping(
    timeout_s: float | None,
) -> Iterator[tuple[Any, list[tuple[Why, str]]]]:
    """The worker's end of a pipe that Ctrl-C and the timeout write to, and what they said."""
    ours, theirs = multiprocessing.Pipe()
    asked: list[tuple[Why, str]] = []

    def stop(why: Why, reason: str) -> None:
        asked.append((why, reason))
        ours.send(STOP)

    def interrupted(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if asked:
            raise StopTrial("interrupted")  # no KeyboardInterrupt: an objective can raise its own
        stop(Why.INTERRUPTED, "interrupted")

    timer = threading.Timer(
        timeout_s or 0, stop, (Why.TIMEOUT, f"the timeout of {timeout_s or 0:g} s was reached")
    )
    timer.daemon = True
    if timeout_s is not None:
        timer.start()
    before = {s: signal.signal(s, interrupted) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield theirs, asked
    finally:
        timer.cancel()
        for signum, handler in before.items():
            signal.signal(signum, handler)
        ours.close()
