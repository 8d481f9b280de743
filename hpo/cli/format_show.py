"""What `hpo show` says of a study: plain data first, then tables of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group

from hpo import console
from hpo.errors import UserError
from hpo.reporting.trials import Failure, best_settings, counts_text, state_counts, workers
from hpo.workers.logs import trial_log

if TYPE_CHECKING:
    from hpo.ledger.stored_study import StoredStudy
    from hpo.reporting.analysis import Analysis
    from hpo.reporting.records import StudyRecord

N_FAILURES_SHOWN = 20


def show_data(stored: StoredStudy, analysis: Analysis) -> dict[str, Any]:
    """Everything `hpo show` knows, as plain data."""
    record = analysis.record
    counts = stored.ledger.counts() if stored.is_ours else None
    points = {} if counts is None else {name: getattr(counts, name) for name in _POINT_STATES}
    return {
        "study": record.name,
        "storage": stored.storage.name,
        "method": stored.file.method if stored.is_ours else None,
        "directions": list(record.directions),
        "points": points,
        "trials": state_counts(record),
        "endings": analysis.endings,
        "warm_starts": len(record.warm_starts),
        "best": [
            {
                "trial": trial.number,
                "values": list(trial.values),
                "params": dict(trial.params),
                "settings": best_settings(record, trial),
            }
            for trial in analysis.best
        ],
        "workers": workers(record),
        "failures": _rows(analysis.failures),
        "interruptions": _rows(analysis.interruptions),
    }


def _rows(found: Sequence[Failure]) -> list[dict[str, Any]]:
    return [
        {
            "trial": failure.trial.number,
            "point": failure.trial.point,
            "ending": failure.ending,
            "reason": failure.reason,
            "evaluated_again": failure.was_repeated,
        }
        for failure in found
    ]


_TRIAL_FIELDS = (
    *("point", "attempt", "fate", "factor", "level", "replicate", "seed"),
    *("worker", "device", "engine", "run_time_s", "peak_memory_mib", "reason"),
)
_POINT_STATES = ("total", "done", "failed", "leased", "free")


def show_tables(data: dict[str, Any]) -> None:
    """Print it for people."""
    console.print_facts(_facts(data))
    for title, rows in _tables(data):
        console.print_rows(rows, "table", title)


def render(data: dict[str, Any]) -> Group:
    """The same as one picture, for `--watch`."""
    tables = [console.rows_table(rows, title) for title, rows in _tables(data)]
    return Group(console.facts_grid(_facts(data)), *tables)


def trial_data(record: StudyRecord, number: int, project: Path) -> dict[str, Any]:
    """One trial as plain data, with what its worker wrote while it ran.

    Raises:
        UserError: The study has no trial of that number.
    """
    found = [trial for trial in record.all_trials if trial.number == number]
    if not found:
        raise UserError(f"{record.name!r} has no trial {number}; it has {len(record.all_trials)}.")
    (trial,) = found
    named = {name: getattr(trial, name) for name in _TRIAL_FIELDS}
    return {
        "trial": number,
        "state": trial.state,
        "values": list(trial.values),
        "params": dict(trial.params),
        **{name: value for name, value in named.items() if value not in (None, "")},
        "settings": dict(trial.settings),
        "intermediate": [list(pair) for pair in trial.intermediate],
        "log": trial_log(project, record.name, trial.worker, number),
    }


def show_trial(data: dict[str, Any]) -> None:
    """Print one trial for people."""
    shown = {key: value for key, value in data.items() if key not in ("log", "intermediate")}
    console.print_facts((key, console.shorten(value)) for key, value in shown.items())
    if data["intermediate"]:
        rows = [{"step": step, "value": value} for step, value in data["intermediate"]]
        console.print_rows(rows, "table", "Reported")
    console.say("\n".join(["Log:", *data["log"]]) if data["log"] else "No log of it is here.")


def _tables(data: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if len(data["best"]) > 1:
        rows = [{"trial": b["trial"], "values": b["values"], **b["params"]} for b in data["best"]]
        yield "Pareto front", rows
    if data["workers"]:
        yield "Workers", data["workers"]
    for title, key in (("Failures", "failures"), ("Given back and lost", "interruptions")):
        shown, n = data[key][:N_FAILURES_SHOWN], len(data[key])
        if shown:
            more = f" (the first {len(shown)} of {n})" if n > len(shown) else ""
            yield f"{title}{more}", shown


def _facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [("study", f"{data['study']} in {data['storage']}")]
    method = data["method"] or "not made by hpo"
    facts.append(("method", f"{method}, {', '.join(data['directions'])}"))
    if data["points"]:
        said = ", ".join(f"{n} {name}" for name, n in data["points"].items() if n)
        facts.append(("points", said or "none"))
    facts.append(("trials", counts_text(data["endings"], data["warm_starts"]) or "none"))
    if len(data["best"]) == 1:
        best = data["best"][0]
        values = ", ".join(f"{value:.6g}" for value in best["values"])
        facts.append(("best", f"{values} by trial {best['trial']}"))
        facts += [("", f"{k}: {console.shorten(v)}") for k, v in best["params"].items()]
    return facts
