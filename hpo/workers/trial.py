"""The trial and its study as an objective sees them: Optuna's own, within what the plan allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from optuna import Study, Trial
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import _filter_study
from optuna.trial import TrialState

from hpo.events import OnEvent, StepReported
from hpo.ledger.fences import LeaseLost
from hpo.ledger.points import Claim
from hpo.plain import plain_data, require_storable

if TYPE_CHECKING:
    from hpo.study_files.study_file import StudyFile
    from hpo.workers.renewal import LeaseState

# User attributes of a trial that tell what its point is.
PLANNED = ("point", "attempt", "factor", "level", "replicate", "seed")


class UnplannedParameterError(ValueError):
    """The objective and the plan disagree about a parameter."""


class NotForObjectivesError(RuntimeError):
    """The objective asks for what only hpo may do with its study."""


def _refused(method: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise NotForObjectivesError(
            f"trial.study.{method}() is not for an objective: "
            "the study's trials are those of its plan, and hpo begins and ends them"
        )

    return refuse


class LeasedStudy(Study):
    """A study as an objective sees it.

    `stop()` works without Optuna's own loop; what would make trials or end them is refused.
    """

    is_stop_wanted = False
    ask, tell, optimize = _refused("ask"), _refused("tell"), _refused("optimize")
    add_trial, add_trials = _refused("add_trial"), _refused("add_trials")
    enqueue_trial = _refused("enqueue_trial")

    def stop(self) -> None:
        """End the study after this trial."""
        self.is_stop_wanted = True

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a user attribute of the study, as `optuna.Study.set_user_attr`.

        Raises:
            NotForObjectivesError: The attribute is one of hpo's own.
        """
        if key.startswith("hpo_"):
            raise NotForObjectivesError(f"hpo keeps the study's attribute {key!r} itself")
        super().set_user_attr(key, plain_data(value, f"the study's attribute {key!r}"))


class LeasedTrial(Trial):
    """An Optuna trial that ends when its lease is lost or the study is stopped.

    Args:
        study: Loaded anew for this trial, with the sampler and pruner of this trial.
        claim: The point that it evaluates, and its id.
        file: The study file; under grid and controlled the objective must ask just what is planned.
        lease: Asked before every call that reaches the database.
        send: Told of each step that is reported.
    """

    def __init__(
        self, study: Study, claim: Claim, file: StudyFile, lease: LeaseState, send: OnEvent
    ) -> None:
        is_strict = file.method in ("grid", "controlled") and claim.params is not None
        self._planned = frozenset(claim.params or ()) if is_strict else None
        self._asked: set[str] = set()
        self._lease, self._send = lease, send
        self.study_file = file
        self.curves: dict[str, Any] | None = None
        self.weights: Mapping[str, Any] | None = None
        super().__init__(study, claim.trial_id)

    def report(self, value: float, step: int) -> None:
        """Report an intermediate value, as `optuna.Trial.report`."""
        self._lease.check()
        try:
            super().report(value, step)
        except UpdateFinishedTrialError:
            raise LeaseLost from None
        self._send(StepReported(trial=self.number, step=int(step), value=float(value)))

    def should_prune(self) -> bool:
        """Whether to prune, as `optuna.Trial.should_prune`."""
        self._lease.check()
        return super().should_prune()

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a user attribute, as `optuna.Trial.set_user_attr`.

        Raises:
            NotForObjectivesError: The attribute tells what the trial's point is.
            TypeError: The value is not JSON data.
        """
        if key in PLANNED:
            raise NotForObjectivesError(
                f"hpo sets every trial's attribute {key!r} itself: choose another name"
            )
        require_storable(key, "the name of a user attribute")
        value = plain_data(value, f"the user attribute {key!r}")
        try:
            super().set_user_attr(key, value)
        except UpdateFinishedTrialError:
            raise LeaseLost from None

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        self._lease.check()
        if self._planned is not None and name not in self._planned:
            raise UnplannedParameterError(
                f"the objective asks for {name!r}, which the plan does not hold; "
                f"it holds {', '.join(sorted(self._planned))}"
            )
        for word in (name, *getattr(distribution, "choices", ())):
            if isinstance(word, str):
                require_storable(word, "the name and the choices of a parameter")
        self._asked.add(name)
        try:
            value = super()._suggest(name, distribution)
        except UpdateFinishedTrialError:
            raise LeaseLost from None
        _check_inside(name, value, distribution)
        return value

    def last_values(self) -> list[float] | None:
        """What a pruned trial is told with, as Optuna does: its last report, if it is a number."""
        reports = self._cached_frozen_trial.intermediate_values
        last = reports[max(reports)] if reports else math.nan
        return None if math.isnan(last) else [last]

    def tell_sampler(self, state: TrialState, values: Sequence[float] | None) -> None:
        """Let the sampler see how the trial ended, as `optuna.Study.tell` does."""
        trial = self._cached_frozen_trial
        seen = _filter_study(self.study, trial)
        self.study.sampler.after_trial(seen, trial, state, values)

    def unasked(self) -> set[str]:
        """The planned parameters that the objective never asked for."""
        return set(self._planned or ()) - self._asked


def _check_inside(name: str, value: Any, distribution: BaseDistribution) -> None:
    # The objective's own range may differ from the one that the plan was drawn from.
    if not distribution._contains(distribution.to_internal_repr(value)):  # noqa: SLF001
        raise UnplannedParameterError(
            f"the plan holds {name}={value!r}, which is not in the objective's {distribution}"
        )
