"""Deleting a study that workers are at work on: they are asked to stop first."""

from __future__ import annotations

import time
from collections.abc import Callable

from hpo.ledger.ledger import DELETE
from hpo.ledger.stored_study import StoredStudy, delete_stored, live_hosts

LOOK_EVERY_S = 0.2
GOODBYE_S = 5.0  # after `stop_grace_s`, for what workers and supervisors have to write


def stop_and_delete(stored: StoredStudy, say: Callable[[str], None]) -> None:
    """Ask the workers of a study to stop, wait for them, and delete it.

    A worker that does not say goodbye in time is not waited for any longer. It finds the study
    gone; until then all that it writes is refused.

    Args:
        stored: The study.
        say: Is given what happens to the workers.
    """
    hosts = _hosts(stored)
    if hosts:
        patience_s = stored.file.stop_grace_s + GOODBYE_S
        say(
            f"The workers on {hosts} are asked to stop at their next report, for at most "
            f"{patience_s:g} s. What they are at work on is lost, and their run ends with an error."
        )
        stored.ledger.request_stop(DELETE)
        deadline = time.monotonic() + patience_s
        while hosts and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
            hosts = _hosts(stored)
    if hosts:
        say(f"Workers on {hosts} have not stopped. What they still write is refused.")
    delete_stored(stored, force=True)


def _hosts(stored: StoredStudy) -> str:
    hosts = live_hosts(stored.storage, stored.plan_id) if stored.is_ours else {}
    return ", ".join(sorted(hosts.values()))
