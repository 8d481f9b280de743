"""The findings of a search: the best trial, how to use it, how the search went, what matters."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.stock import MAX_LINES, MAX_MARKERS
from hpo.reporting.figures.style import figure_id
from hpo.reporting.html import Html, code, details, join, paragraph, section, table, tag
from hpo.reporting.progress import Pruning
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.sections.drawn import Drawn
from hpo.reporting.texts import yaml_text
from hpo.reporting.trials import best_settings
from hpo.reporting.units import duration, metric_label
from hpo.reporting.usage import usage

MAX_FRONT_ROWS = 30


def search(analysis: Analysis, drawn: Drawn) -> Html:
    """Everything that searches have and controlled studies have not."""
    record = analysis.record
    n_complete = len(analysis.complete)
    n_reported = sum(bool(trial.intermediate) for trial in record.trials)
    return join(
        (
            section(
                "Best trial" if len(record.directions) == 1 else "Pareto front",
                *_best(analysis, drawn),
            ),
            section(
                "Optimization history", drawn.plot("history", _thinned(n_complete, MAX_MARKERS))
            ),
            section(
                "Intermediate values",
                drawn.plot("intermediate", _thinned(n_reported, MAX_LINES)),
                _pruning(analysis.pruning),
            ),
            section("Parameter importances", drawn.plot("importances", _IMPORTANCES)),
            section(
                "Parallel coordinates",
                drawn.plot("parallel", _thinned(n_complete, MAX_LINES, _GOOD)),
            ),
            section("Each parameter", _slices(record, drawn, n_complete)),
        )
    )


_IMPORTANCES = (
    "PED-ANOVA: how far each parameter by itself tells good trials from the others. Few trials "
    "make it unsteady, and it says nothing of parameters that matter only together."
)
_GOOD = "Lines run from grey (bad) to orange (good)."


def _best(analysis: Analysis, drawn: Drawn) -> list[Html]:
    record, best = analysis.record, analysis.best
    if not best:
        return [paragraph("No trial has finished.")]
    if len(record.directions) > 1:
        return [*_fronts(analysis, drawn), _front_table(analysis)]
    value = analysis.units[0].value(best[0].values[0])
    sentence = paragraph(
        "Trial ", tag("b", best[0].number), f" reached the best {metric_label(record)}, ",
        tag("b", value), f", in {duration(best[0].run_time_s)}.",
    )  # fmt: skip
    settings = code(yaml_text(best_settings(record, best[0])))
    return [sentence, settings, *_usage(record, best[0]), _winner_note(len(analysis.complete))]


def _winner_note(n: int) -> Html:
    if n < 2:
        return Html()
    return paragraph(
        f"It is the best of {n:,} trials, one training each: part of its lead is luck, and a fresh "
        "training with other seeds is likely to come out a little worse.",
        class_="soft",
    )


def _usage(record: StudyRecord, trial: TrialRecord) -> list[Html]:
    again = usage(record, trial)
    return [paragraph(again.purpose), code(again.text)]


def _fronts(analysis: Analysis, drawn: Drawn) -> list[Html]:
    names = [name for name in drawn.figures if name.startswith("pareto-")]
    n = len(analysis.complete)
    caption = f"{n:,} finished trials; no trial beats one on the front in every objective."
    return [drawn.plot(name, caption) for name in names]


def _front_table(analysis: Analysis) -> Html:
    record, best = analysis.record, analysis.best
    parameters = list(dict.fromkeys(name for trial in best for name in trial.params))
    metrics = [metric_label(record, index) for index in range(len(record.metrics))]
    rows = [_front_row(analysis, trial, parameters) for trial in best[:MAX_FRONT_ROWS]]
    numbers = range(len(metrics) + 1)
    caption = (
        f"The first {MAX_FRONT_ROWS} of {len(best):,} trials on the front."
        if len(best) > MAX_FRONT_ROWS
        else ""
    )
    return table(["trial", *metrics, *parameters], rows, numeric=list(numbers), caption=caption)


def _front_row(analysis: Analysis, trial: TrialRecord, parameters: list[str]) -> list[object]:
    values = [u.value(value) for u, value in zip(analysis.units, trial.values, strict=True)]
    return [trial.number, *values, *_parameters(trial.params, parameters)]


def _parameters(params: Mapping[str, object], names: list[str]) -> list[object]:
    return [shown_value(params[name]) if name in params else "–" for name in names]


def shown_value(value: object) -> str:
    """A parameter's value with sensible digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pruning(saved: Pruning | None) -> Html:
    if saved is None:
        return Html()
    return paragraph(
        f"Pruning ended {saved.n_pruned:,} trials early: {saved.trained:,} epochs were trained of "
        f"{saved.planned:,} that all trials would have taken, ",
        tag("b", f"{100 * saved.saved:.0f} % saved"),
        ".",
    )


def _slices(record: StudyRecord, drawn: Drawn, n_complete: int) -> Html:
    names = dict.fromkeys(
        name for trial in record.trials if trial.is_complete for name in trial.params
    )
    plots = join(drawn.plot(figure_id("slice", name)) for name in names)
    if not plots:
        return Html()
    note = _thinned(n_complete, MAX_MARKERS)
    grid = tag("div", plots, class_="grid")
    # Twelve and more small figures would bury what follows.
    if len(names) > 12:
        grid = details(f"{len(names)} parameters", grid)
    return join((paragraph(note, class_="soft") if note else "", grid))


def _thinned(n: int, limit: int, more: str = "") -> str:
    if n <= limit:
        return more
    chosen = "the best and an even choice of the others" if limit == MAX_LINES else "evenly chosen"
    return f"{limit:,} of {n:,} trials are drawn, {chosen}. {more}".strip()
