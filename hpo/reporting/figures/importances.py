"""Parameter importances by Optuna's PED-ANOVA: an analysed study goes in, bars come out."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from hpo.ranking import losses
from hpo.reporting.analysis import Analysis
from hpo.reporting.figures.choice import has_varied_parameters
from hpo.reporting.figures.style import BLUE, NEUTRAL, VERMILLION, label, new_figure
from hpo.reporting.units import metric_label

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

_LONGEST_NAME = 500


def plot_importances(analysis: Analysis) -> go.Figure | None:
    """The importance of each parameter, for each objective; None where trials cannot tell them."""
    if not has_varied_parameters(analysis):
        return None
    found = gather_importances(analysis)
    n_bars = max(map(len, found.values()), default=0)
    if n_bars == 0:
        return None
    figure = new_figure(height=110 + 34 * n_bars * len(found), showlegend=len(found) > 1)
    figure.update_xaxes(title={"text": "share of the variation"}, rangemode="tozero")
    for (metric, shares), color in zip(found.items(), _colors(len(found)), strict=True):
        figure.add_bar(
            name=label(metric),
            orientation="h",
            x=list(shares.values()),
            y=[label(name, _LONGEST_NAME) for name in shares],
            text=[f"{share:.2f}" if share >= 0.01 else "<0.01" for share in shares.values()],
            textposition="auto",
            marker={"color": color},
            hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        )
    return figure


def gather_importances(analysis: Analysis) -> dict[str, Mapping[str, float]]:
    """Metric -> parameter -> share of the variation, smallest first; empty where none is known."""
    import optuna

    record = analysis.record
    found: dict[str, Mapping[str, float]] = {}
    with _quiet_optuna():
        study = _minimized_study(analysis)
        for index in range(len(record.metrics)):

            def value(trial: optuna.trial.FrozenTrial, index: int = index) -> float:
                return float(trial.values[index])

            try:
                shares = optuna.importance.get_param_importances(study, target=value)
            except (ValueError, RuntimeError):
                # Too few trials, or all of one value: the evaluator says so by raising.
                return {}
            found[metric_label(record, index)] = dict(reversed(shares.items()))
    return found


def _minimized_study(analysis: Analysis) -> optuna.Study:
    """The finished trials with every value turned so that less is better, as PED-ANOVA takes it."""
    import optuna

    record = analysis.record
    study = optuna.create_study(directions=["minimize"] * len(record.directions))
    study.add_trials(
        optuna.trial.FrozenTrial(
            number=trial.number,
            trial_id=trial.number,
            state=optuna.trial.TrialState.COMPLETE,
            value=None,
            values=list(losses(trial.values, record.directions)),
            datetime_start=trial.started or datetime.min,
            datetime_complete=trial.ended or datetime.min,
            params=dict(trial.params),
            distributions=dict(trial.distributions),
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        for trial in analysis.complete
    )
    return study


def _colors(n: int) -> list[str]:
    return [(BLUE, VERMILLION, NEUTRAL)[index % 3] for index in range(n)]


@contextlib.contextmanager
def _quiet_optuna() -> Iterator[None]:
    """No "new study created" for a study that only a figure sees, no notes on experiments."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # The evaluator reminds of what _minimized_study takes care of.
            warnings.filterwarnings("ignore", message="PedAnova", category=UserWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
