"""What `hpo show` says of a study: plain data first, then tables of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo import console
from hpo.reporting.trials import best_settings, best_trials, failures, state_counts, workers

if TYPE_CHECKING:
    from hpo.reporting.records import StudyRecord
    from hpo.stored_study import StoredStudy

N_FAILURES_SHOWN = 20


def show_data(stored: StoredStudy, record: StudyRecord) -> dict[str, Any]:
    """Everything `hpo show` knows, as plain data."""
    counts = stored.ledger.counts() if stored.is_ours else None
    points = {} if counts is None else {name: getattr(counts, name) for name in _POINT_STATES}
    return {
        "study": record.name,
        "storage": stored.storage.name,
        "method": stored.file.method if stored.is_ours else None,
        "directions": list(record.directions),
        "points": points,
        "trials": state_counts(record),
        "best": [
            {
                "trial": trial.number,
                "values": list(trial.values),
                "params": dict(trial.params),
                "settings": best_settings(record, trial),
            }
            for trial in best_trials(record)
        ],
        "workers": workers(record),
        "failures": [
            {
                "trial": failure.trial.number,
                "point": failure.trial.point,
                "reason": failure.reason,
                "evaluated_again": failure.was_repeated,
            }
            for failure in failures(record)
        ],
    }


_POINT_STATES = ("total", "done", "failed", "leased", "free")


def show_tables(data: dict[str, Any]) -> None:
    """Print it for people."""
    console.print_facts(_facts(data))
    if len(data["best"]) > 1:
        rows = [{"trial": b["trial"], "values": b["values"], **b["params"]} for b in data["best"]]
        console.print_rows(rows, "table", "Pareto front")
    if data["workers"]:
        console.print_rows(data["workers"], "table", "Workers")
    shown = data["failures"][:N_FAILURES_SHOWN]
    if shown:
        n = len(data["failures"])
        more = f" (the first {len(shown)} of {n})" if n > len(shown) else ""
        console.print_rows(shown, "table", f"Failures{more}")


def _facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [("study", f"{data['study']} in {data['storage']}")]
    method = data["method"] or "not made by hpo"
    facts.append(("method", f"{method}, {', '.join(data['directions'])}"))
    if data["points"]:
        said = ", ".join(f"{n} {name}" for name, n in data["points"].items() if n)
        facts.append(("points", said or "none"))
    said = ", ".join(f"{n} {state}" for state, n in data["trials"].items())
    facts.append(("trials", said or "none"))
    if len(data["best"]) == 1:
        best = data["best"][0]
        values = ", ".join(f"{value:.6g}" for value in best["values"])
        facts.append(("best", f"{values} by trial {best['trial']}"))
        facts += [("", f"{k}: {console.shorten(v)}") for k, v in best["params"].items()]
    return facts
