"""The keys of a study file as a user writes them: names, types, meaning, defaults.

The one source of the file's errors, of its JSON Schema and of docs/study-files.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from hpo.spaces.keys import ParameterKeys
from hpo.spaces.parameters import is_number
from hpo.study_files.claims import ClaimKeys
from hpo.yaml_files.faults import BRANCH, Path, shown

MAX_POINTS = 100_000  # Optuna needs a second for each thousand stored trials
MAX_SEED = 2**31 - 1
DEFAULT_OBJECTIVE = "objective.py:objective"
Method = Literal["grid", "controlled", "tpe", "random", "qmc", "cmaes", "gp", "nsga2"]
Direction = Literal["maximize", "minimize"]
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def parse_duration(value: Any) -> float:
    """Read a time span in seconds: ``90s``, ``30min``, ``1.5h``, ``1d`` or a number of seconds.

    Raises:
        ValueError: If it is none of these or not above zero.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(s|min|h|d)", str(value))
    if is_number(value) or match:
        seconds = float(match[1]) * _UNITS[match[2]] if match else float(value)
        if 0 < seconds <= 3650 * 86400:
            return seconds
    raise ValueError(f"must be a time such as 90s, 30min, 1.5h or 1d, but got {shown(value)}.")


def _kind(value: Any) -> str:
    return f"{BRANCH}{'name' if isinstance(value, str) else 'own'}"


def _levels(value: Any) -> str:
    return f"{BRANCH}{'named' if isinstance(value, dict) else 'plain'}"


Duration = Annotated[
    Any,
    AfterValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
Space = Annotated[
    Annotated[str, Tag(f"{BRANCH}name")] | Annotated[dict[str, ParameterKeys], Tag(f"{BRANCH}own")],
    Discriminator(_kind),
]
Levels = Annotated[
    Annotated[list[Any], Tag(f"{BRANCH}plain")] | Annotated[dict[str, Any], Tag(f"{BRANCH}named")],
    Discriminator(_levels),
]
Pruner = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}]})
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
# Keys without a default stay None; pydantic does not check defaults, so null is still refused.
_ABSENT: Any = None


class StudyKeys(BaseModel):
    """A study file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    study: Name = Field(
        default=_ABSENT, description="The study's name in the storage. Default: the file's stem."
    )
    objective: Name = Field(
        default=DEFAULT_OBJECTIVE,
        description="`path.py:function`, an Optuna objective; the path starts at the project "
        "folder and may not leave it.",
    )
    search_space: Space = Field(
        default=_ABSENT,
        description="A name in search_spaces.yaml, or a space written here. Without one the "
        "objective's own `suggest_*` calls decide (not for grid and controlled).",
    )
    method: Method = Field(
        description="How points are chosen: grid and controlled plan them, random draws them, "
        "tpe, qmc, cmaes, gp and nsga2 are Optuna's samplers."
    )
    direction: Direction = Field(
        default=_ABSENT,
        description="Whether larger or smaller values are better. Default: maximize for "
        f"{DEFAULT_OBJECTIVE}; any other objective must say.",
    )
    directions: list[Direction] = Field(
        default=_ABSENT, min_length=1, description="One direction per value of the objective."
    )
    n_trials: int = Field(
        default=_ABSENT,
        ge=1,
        le=MAX_POINTS,
        description="The study's number of trials, over all workers and resumes. "
        "Required except for grid and controlled, which take none.",
    )
    timeout: Duration = Field(
        default=_ABSENT,
        description="Stop each `hpo run` after this time: 90s, 30min, 1.5h, 1d or seconds.",
    )
    target: float = Field(
        default=_ABSENT, description="Stop when a trial's value is at least this good."
    )
    max_epochs_total: int = Field(
        default=_ABSENT, ge=1, description="Start no trial once this many epochs were trained."
    )
    stop_when_stalled: int = Field(
        default=_ABSENT, ge=1, description="Stop after this many trials without a better value."
    )
    pruner: Pruner = Field(
        default="none",
        description="Stops bad trials early: none, a name, or {name: {argument: value}}, by "
        "Optuna's names in snake_case.",
    )
    sampler: dict[str, Any] = Field(
        default={}, description="Arguments of the method's Optuna sampler."
    )
    start_with: list[dict[str, Any]] = Field(
        default=[],
        max_length=MAX_POINTS,
        description="Settings to try first; each is one of the `n_trials`, the method fills in "
        "what it leaves open.",
    )
    seed: int = Field(
        default=1, ge=0, le=MAX_SEED, description="The seed that all seeds of the study come from."
    )
    fixed: dict[str, Any] = Field(
        default={}, description="Settings that every trial of the study has."
    )
    baseline: dict[str, Any] = Field(
        default=_ABSENT, description="controlled: the settings that every factor starts from."
    )
    vary: dict[str, Levels] = Field(
        default=_ABSENT,
        min_length=1,
        description="controlled: factor -> its levels beside the baseline: a list of values, or "
        "names with the settings that each changes.",
    )
    replicates: int = Field(
        default=1,
        ge=1,
        le=MAX_POINTS,
        description="controlled: how often everything is trained, with seeds seed, seed + 1, ...",
    )
    claims: list[ClaimKeys] = Field(
        default=[], description="controlled: sentences that the report checks against the data."
    )
    metrics: list[Name] = Field(
        default=_ABSENT,
        min_length=1,
        description="What objective.py returns, one for each direction, e.g. accuracy, "
        "parameters, seconds. Default: accuracy.",
    )
    devices: Name = Field(
        default=_ABSENT, description="Where workers run, e.g. auto, cpu, cpu*4, cuda:0,cuda:1."
    )
    threads: int = Field(
        default=_ABSENT, ge=1, le=1024, description="Threads of a CPU worker. Default: 1."
    )
    retries: int = Field(
        default=2, ge=0, le=100, description="How often a trial whose worker died is tried again."
    )
    max_failures: int = Field(
        default=_ABSENT, ge=1, description="Stop the study after this many failed trials."
    )
    stop_grace_s: float = Field(
        default=30.0, ge=0, description="Seconds that workers have to stop before they are killed."
    )
    artifacts: Name = Field(
        default=_ABSENT, description="The folder for files that trials keep, such as weights."
    )
    keep: Literal["all", "best"] = Field(
        default="all", description="Whose artifacts are kept: of all trials or of the best."
    )


KNOWN: Mapping[Path, Iterable[str]] = {
    (): tuple(StudyKeys.model_fields),
    ("claims", "*"): tuple(ClaimKeys.model_fields),
}
