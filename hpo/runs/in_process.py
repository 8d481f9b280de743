"""`--workers 0`: the same worker in the `hpo` process itself, where a debugger can follow it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from hpo.events import Event, OnEvent, WorkerEvent
from hpo.ledger.reaper import reap_expired, reap_worker
from hpo.ledger.stored_study import StoredStudy
from hpo.runs.endings import Ending, StopReason, ended, stopped, taken_back, timed_out
from hpo.runs.supervisor import RunOptions
from hpo.workers.devices import Slot, thread_environment
from hpo.workers.job import Job
from hpo.workers.objective_file import Objective
from hpo.workers.process_groups import WATCHER
from hpo.workers.processes import identify
from hpo.workers.renewal import STOP, StopTrial
from hpo.workers.signals import HEARD, ending_signals
from hpo.workers.worker import work


def run_here(
    stored: StoredStudy,
    slot: Slot,
    options: RunOptions,
    on_event: OnEvent,
    function: Objective | None = None,
) -> Ending:
    """Work on a study in this process until its points are done or the user stops it.

    Args:
        stored: The study.
        slot: Where its objective computes.
        options: What the worker is told.
        on_event: Told of everything that happens.
        function: The objective, where no file has it.
    """
    ledger, file = stored.ledger, stored.file
    os.environ.update(thread_environment(file.threads or 1))
    since = ledger.clock()
    for reaped in reap_expired(ledger, file.retries):
        on_event(taken_back(reaped))
    job = Job(
        url=stored.storage.url,
        study=stored.name,
        plan_id=stored.plan_id,
        project=options.project,
        worker=identify(slot),
        device=slot.device,
        environment={},
        since=since,
        objective_changed=options.objective_changed,
        function=function,
    )

    def send(event: Event) -> None:
        if isinstance(event, WorkerEvent):
            event = replace(event, worker=job.worker.name, slot=slot.name)
        on_event(event)

    with _stopping(options.timeout_s) as (commands, asked):
        try:
            with WATCHER.adopting():
                work(job, send, commands)
        except StopTrial:
            name, reason = job.worker.name, "released: interrupted"
            for reaped in reap_worker(ledger, name, reason, file.retries, is_loss=False):
                send(taken_back(reaped))
    stop = ledger.stop_requested(since)
    if not asked and stop is not None:
        asked.append(stopped(stop))
    return asked[0] if asked else ended(ledger.counts())


@contextmanager
def _stopping(
    timeout_s: float | None,
) -> Iterator[tuple[Any, list[Ending]]]:
    """The worker's end of a pipe that Ctrl-C and the timeout write to, and what they said."""
    ours, theirs = multiprocessing.Pipe()
    asked: list[Ending] = []

    def stop(ending: Ending) -> None:
        asked.append(ending)
        ours.send(STOP)

    def interrupted(signum: int, frame: FrameType | None) -> None:
        HEARD.note(signum, frame)
        if asked:
            raise StopTrial("interrupted")  # no KeyboardInterrupt: an objective can raise its own
        stop(Ending(StopReason.INTERRUPTED, "interrupted"))

    timer = threading.Timer(timeout_s or 0, stop, [timed_out(timeout_s or 0)])
    timer.daemon = True
    if timeout_s is not None:
        timer.start()
    try:
        with ending_signals(interrupted):
            yield theirs, asked
    finally:
        timer.cancel()
        ours.close()
