"""The events of a run: their JSON lines are what docs/running.md and the golden lines say.

To renew the golden lines: RENEW_GOLDEN=1 python -m pytest -n 0 tests/test_events.py
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import hpo
from hpo import events
from hpo.events import Event, WorkerEvent
from hpo.runs.result import FailedPoint, RunResult

PAGE = Path(hpo.__file__).parent.parent / "docs" / "running.md"
GOLDEN = Path(__file__).parent / "golden" / "events.jsonl"
WHO: dict[str, Any] = {"worker": "host/cpu#0/a1", "slot": "cpu#0"}
EXAMPLES: tuple[Event, ...] = (
    events.StudyOpened(
        "s", "sqlite:///hpo.db", "tpe", True, 9, ["cpu#0"], "1 worker", to_go=9, has_work=True
    ),
    events.WorkerUp(device="cpu", pid=17, **WHO),
    events.TrialStarted(trial=3, point=2, factor="loss", level="mse", replicate=1, seed=5, **WHO),
    events.StepReported(trial=3, step=1, value=0.5, **WHO),
    events.TrialFinished(
        trial=3,
        point=2,
        state="PRUNED",
        values=[0.5],
        params={"x": 1.5},
        run_time_s=0.25,
        reason="diverged",
        **WHO,
    ),
    events.TrialFailed(trial=4, point=3, state="FAIL", params={}, reason="ValueError: no", **WHO),
    events.TrialReleased(trial=5, point=4, **WHO),
    events.TrialDropped(trial=6, **WHO),
    events.TrialLost(7, 5, "FREE", "its worker was killed by SIGKILL"),
    events.WorkerDown(**WHO),
    events.WorkerLost(reason="its worker was killed by SIGKILL", **WHO),
    events.WorkerFailed(reason="no such study", **WHO),
    events.Stopping("interrupted"),
    events.Waiting({5: "cpu#0"}, grace_s=30.0, interrupts_left=1),
    RunResult(
        study="s",
        why="complete",
        reason="every point is done",
        total=9,
        done=8,
        pruned=2,
        failed=1,
        leased=0,
        free=0,
        best=0.5,
        best_trial=3,
        best_params={"x": 1.5},
        this_run={"done": 8, "pruned": 2, "failed": 1, "released": 0},
        elapsed_s=1.25,
        exit_code=1,
        project=Path(),
        failures=[FailedPoint(3, 4, "ValueError: no")],
        has_best=True,
        can_go_on=True,
        was_ended=False,
    ),
)


def told_classes(base: type[Event] = Event) -> set[type[Event]]:
    """The classes of all events that programs are told."""
    found = {cls for sub in base.__subclasses__() for cls in told_classes(sub)}
    return found | ({base} if base.__dict__.get("name") else set())


def documented() -> dict[str, list[str]]:
    """Each event of the page's table with its fields, in their order."""
    table = PAGE.read_text().split("## Events for programs")[1]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.M)
    same = next(re.findall(r"`(\w+)`", text) for name, text in rows if name == "trial_finished")
    return {
        name: same if "the same" in text else re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", text))
        for name, text in rows
    }


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in EXAMPLES} == told_classes()


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.name)
def test_the_page_lists_the_fields_of_an_event(event: Event) -> None:
    keys = list(event.to_json())
    assert keys[0] == "event"
    if isinstance(event, WorkerEvent):
        assert keys[-2:] == ["worker", "slot"]
        keys = keys[:-2]
    assert keys[1:] == documented()[event.name]


def test_the_page_lists_no_other_event() -> None:
    assert set(documented()) == {event.name for event in EXAMPLES}


def test_the_json_lines_are_the_golden_ones() -> None:
    lines = "".join(json.dumps(event.to_json()) + "\n" for event in EXAMPLES)
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(lines)
    assert lines == GOLDEN.read_text()
