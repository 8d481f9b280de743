"""What a study's data says: a record goes in, all that is told of it comes out, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hpo.reporting.claims import ClaimResult, judge_claims
from hpo.reporting.design import Design, read_design
from hpo.reporting.progress import BestSoFar, Pruning, best_so_far, busy_seconds, pruning
from hpo.reporting.records import StudyRecord, TrialRecord
from hpo.reporting.summary import Summary, summarize
from hpo.reporting.trials import (
    Ending,
    Failure,
    best_trials,
    ending_counts,
    failures,
    incomplete_parts,
    interruptions,
)
from hpo.reporting.units import Unit, unit_of


@dataclass(frozen=True)
class Analysis:
    """One study analysed; page, notes, JSON, figures and `hpo show` all draw from it.

    Each part is worked out when it is first asked for: the statistics of a controlled study import
    scipy, which a table of states should not wait for.

    Attributes:
        record: The study.
    """

    record: StudyRecord

    @cached_property
    def best(self) -> tuple[TrialRecord, ...]:
        """The best finished trial; for several objectives the Pareto front, by the first value."""
        return best_trials(self.record)

    @property
    def winner(self) -> TrialRecord | None:
        """The best trial of a study with one objective."""
        return self.best[0] if self.best and len(self.record.directions) == 1 else None

    @cached_property
    def complete(self) -> tuple[TrialRecord, ...]:
        """Trials that ended well, with finite values."""
        return tuple(trial for trial in self.record.trials if trial.is_complete)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """How the values of each objective are written."""
        return tuple(unit_of(self.record, index) for index in range(len(self.record.metrics)))

    @cached_property
    def endings(self) -> Mapping[Ending, int]:
        """How many trials ended in each way."""
        return ending_counts(self.record)

    @cached_property
    def incomplete(self) -> tuple[str, ...]:
        """What is not there yet, as phrases; empty for a study that is done."""
        return tuple(incomplete_parts(self.record))

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """Failed and diverged trials."""
        return failures(self.record)

    @cached_property
    def interruptions(self) -> tuple[Failure, ...]:
        """Trials that were given back or lost with their worker."""
        return interruptions(self.record)

    @cached_property
    def busy_s(self) -> float:
        """Seconds in which at least one trial was running."""
        return busy_seconds(self.record.trials).total

    @cached_property
    def n_epochs(self) -> int:
        """Epochs trained by all trials."""
        return sum(trial.n_epochs or 0 for trial in self.record.trials)

    @cached_property
    def progress(self) -> BestSoFar | None:
        """The best value so far over cost; None with several objectives."""
        return best_so_far(self.record) if len(self.record.directions) == 1 else None

    @cached_property
    def pruning(self) -> Pruning | None:
        """What pruning saved."""
        return pruning(self.record)

    @cached_property
    def design(self) -> Design | None:
        """The layout of a controlled study; None for a search."""
        return read_design(self.record) if self.record.is_controlled else None

    @cached_property
    def effects(self) -> Summary | None:
        """Every level of a controlled study against the baseline."""
        if self.design is None:
            return None
        return summarize(self.design, is_maximized=self.record.is_maximized)

    @cached_property
    def claims(self) -> tuple[ClaimResult, ...]:
        """The claims of a controlled study, judged."""
        if self.design is None:
            return ()
        claims, is_maximized = self.record.file.get("claims") or (), self.record.is_maximized
        return judge_claims(claims, self.design, self.units[0], is_maximized=is_maximized)


def analyze(record: StudyRecord) -> Analysis:
    """Analyse a study.

    Args:
        record: The study with its trials, as the database had it.
    """
    return Analysis(record)
