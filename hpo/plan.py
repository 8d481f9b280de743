"""The plan of a study: in goes the study file, out come its points. Pure: no clock, no files.

Every point and every seed follows from the study file alone, and raising `n_trials` or
`replicates` only appends points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from random import Random
from typing import Any, Literal

from hpo.spaces.parameters import Parameter, Range
from hpo.study_files.study_file import StudyFile

ADAPTIVE = ("tpe", "cmaes", "gp", "nsga2")


@dataclass(frozen=True)
class Point:
    """One planned evaluation.

    Attributes:
        number: Its place in the plan, from 0.
        params: Flat parameters as Optuna holds them. None when the sampler decides everything;
            a point of `start_with` may hold a part and leave the rest to the sampler.
        factor: The factor that leaves the baseline; None at the baseline and in searches.
        level: The label of that factor's level.
        replicate: The replicate, from 0; None in searches.
        seed: The seed of the training run.
    """

    number: int
    params: dict[str, Any] | None
    factor: str | None
    level: str | None
    replicate: int | None
    seed: int


@dataclass(frozen=True)
class Plan:
    """All points of a study.

    Attributes:
        points: In the order in which they are claimed.
        decided: `planned` when every point has its parameters, `sampler` when Optuna's sampler
            decides them while the study runs.
    """

    study: StudyFile
    points: tuple[Point, ...]
    decided: Literal["planned", "sampler"]

    def max_epochs(self) -> int | None:
        """Bound the epochs that the plan can cost, without retries; None when nothing bounds them.

        A trial costs its setting `epochs`; where the sampler decides it, the largest there is.
        """
        each = [_epochs(self.study, point) for point in self.points]
        known = [epochs for epochs in each if epochs is not None]
        total = sum(known) if len(known) == len(each) else None
        limits = [limit for limit in (total, self.study.max_epochs_total) if limit is not None]
        return min(limits, default=None)


def make_plan(study: StudyFile) -> Plan:
    """Plan a study."""
    if study.method == "controlled":
        return Plan(study, tuple(_controlled(study)), "planned")
    if study.method == "grid":
        return Plan(study, tuple(_grid(study)), "planned")
    drawn = study.method == "random" and study.search_space is not None
    points = tuple(_trial(study, number, drawn) for number in range(study.n_trials or 0))
    return Plan(study, points, "planned" if drawn else "sampler")


def point_seed(study_seed: int, point: int) -> int:
    """Give the training seed of a search's point: 31 bits that depend on both numbers."""
    return _hashed("point", study_seed, point)


def sampler_seed(study: StudyFile, point: int, attempt: int) -> int:
    """Give the seed of the sampler at one point; a retry counts for adaptive samplers only."""
    return _hashed("sampler", study.seed, point, attempt if study.method in ADAPTIVE else 0)


def _hashed(what: str, *numbers: int) -> int:
    text = ":".join([what, *map(str, numbers)])
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") >> 1


def _controlled(study: StudyFile) -> Iterator[Point]:
    """Yield, replicate by replicate, the baseline and each level of each factor."""
    numbers = count()
    levels = study.levels()
    baseline = {factor: labels[0] for factor, labels in levels.items()}
    for replicate in range(study.replicates):
        seed = study.seed + replicate
        yield Point(next(numbers), dict(baseline), None, None, replicate, seed)
        for factor, labels in levels.items():
            for level in labels[1:]:
                params = {**baseline, factor: level}
                yield Point(next(numbers), params, factor, level, replicate, seed)


def _grid(study: StudyFile) -> Iterator[Point]:
    if study.search_space is not None:
        for number, params in enumerate(study.search_space.grid()):
            yield Point(number, params, None, None, None, point_seed(study.seed, number))


def _trial(study: StudyFile, number: int, drawn: bool) -> Point:
    """Make a search's point: a starting point, a drawn one or one that the sampler decides."""
    params = None
    if number < len(study.start_with):
        settings = study.start_with[number]
        params = study.search_space.flat(settings) if study.search_space else dict(settings)
    if drawn and study.search_space is not None:
        random = Random(_hashed("draw", study.seed, number))
        params = study.search_space.complete(params or {}, random)
    return Point(number, params, None, None, None, point_seed(study.seed, number))


def _epochs(study: StudyFile, point: Point) -> int | None:
    epochs = study.settings(point.params or {}).get("epochs")
    if epochs is None and study.search_space is not None:
        epochs = _largest(study.search_space.parameters.get("epochs"))
    return epochs if type(epochs) is int else None


def _largest(parameter: Parameter | None) -> Any:
    if isinstance(parameter, Range):
        return parameter.high
    return max((v for v in parameter.values if type(v) is int), default=None) if parameter else None
