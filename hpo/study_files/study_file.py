"""The study file: every key of it, and what a study is once its file has been read.

A study that was read is settled and self-contained: its search space stands in it, directions and
metrics are listed, durations are seconds, levels have labels. It goes through JSON and back
unchanged, and its JSON data is a study file again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from hpo.errors import Fault
from hpo.spaces.search_space import SearchSpace
from hpo.study_files import factors
from hpo.study_files.claims import ClaimKeys
from hpo.study_files.keys import (
    DEFAULT_OBJECTIVE,
    MAX_POINTS,
    MAX_SEED,
    PLANNED,
    SEARCHES,
    Absent,
    Count,
    Direction,
    Duration,
    Key,
    Levels,
    Method,
    Name,
    Points,
    Pruner,
    Several,
    key,
)
from hpo.yaml_files.document import Document
from hpo.yaml_files.faults import Path

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

_CONTROLLED = ("controlled",)
_PLANNED = dict.fromkeys(PLANNED, ": its points are planned")
_COUNTED = dict.fromkeys(PLANNED, ": the file decides how many trials there are")
_NO_BEST = "goes with one direction; several have a front, not a best value."


class StudyFile(BaseModel):
    """A study file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    study: Name = key(
        "The study's name in the storage.", "", option="--name", default_text="the file's stem"
    )
    objective: Name = key(
        "`path.py:function`, any Optuna objective; the path starts at the project folder and may "
        "not leave it.",
        DEFAULT_OBJECTIVE,
        option="--objective",
    )
    search_space: Absent[SearchSpace] = key(
        "A name in `search_spaces.yaml`, or a space written here. Without one the objective's own "
        "`suggest_*` calls decide (not for `grid` and `controlled`).",
        refused_by={"controlled": ", which has `baseline` and `vary`"},
        needed_by=("grid",),
        is_identity=True,
    )
    method: Method = key(
        "How points are chosen: `grid` and `controlled` plan them, `random` draws them, `tpe`, "
        "`qmc`, `cmaes`, `gp` and `nsga2` are Optuna's samplers.",
        ...,
        is_identity=True,
        option="--method",
        default_text="required",
    )
    direction: Absent[Direction] = key(
        "Whether larger values are better, `maximize`, or smaller ones, `minimize`.",
        option="--direction",
        default_text=f"`maximize` for `{DEFAULT_OBJECTIVE}`; any other objective must say",
    )
    directions: Several[Direction] = key(
        "One direction per value, for several objectives.",
        (),
        is_identity=True,
        option="--direction",
    )
    metrics: Several[Name] = key(
        "What the objective returns by `hpo.values`, one for each direction; `objective.py` has "
        "`accuracy`, `parameters` and `seconds`.",
        (),
        is_identity=True,
        default_text="`[accuracy]`",
    )
    n_trials: Absent[Points] = key(
        "The study's number of trials, over all workers and resumes.",
        refused_by=_COUNTED,
        needed_by=SEARCHES,
        option="--n-trials",
        default_text="required, but not for `grid` and `controlled`, which take none",
    )
    timeout: Absent[Duration] = key(
        "Stops each `hpo run` after this time: `90s`, `30min`, `1.5h`, `1d` or seconds."
    )
    target: Absent[float] = key(
        "Stops the study when a value is at least this good.", one_direction=_NO_BEST
    )
    max_epochs_total: Absent[Count] = key("Starts no trial once this many epochs were trained.")
    stop_when_stalled: Absent[Count] = key(
        "Stops after this many trials without a better value.", one_direction=_NO_BEST
    )
    pruner: Pruner = key(
        "Stops bad trials early: `none`, a name, or `{name: {argument: value}}`, by Optuna's names "
        "in snake_case.",
        "none",
        refused_by={"controlled": ": every trial is trained to its end"},
        one_direction="Optuna's pruners work with one direction only.",
        is_identity=True,
        option="--pruner",
    )
    sampler: dict[str, Any] = key(
        "Arguments of the method's Optuna sampler.", {}, refused_by=_PLANNED, is_identity=True
    )
    start_with: Annotated[list[dict[str, Any]], Field(max_length=MAX_POINTS)] = key(
        "Settings to try first; each is one of the `n_trials`, and the method fills in what it "
        "leaves open.",
        [],
        refused_by=_PLANNED,
        is_identity=True,
    )
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = key(
        "All seeds of the study come from it.", 1, is_identity=True
    )
    fixed: dict[str, Any] = key("Settings that every trial of the study has.", {}, is_identity=True)
    baseline: Absent[dict[str, Any]] = key(
        "The settings that every factor starts from.",
        only_for=_CONTROLLED,
        needed_by=_CONTROLLED,
        is_identity=True,
    )
    vary: Absent[Annotated[dict[str, Levels], Field(min_length=1)]] = key(
        "Factor -> its levels beside the baseline: a list of values, or names with the value or "
        "the settings that each stands for.",
        only_for=_CONTROLLED,
        needed_by=_CONTROLLED,
        is_identity=True,
    )
    replicates: Points = key(
        "How often everything is trained, with seeds `seed`, `seed + 1`, ...",
        1,
        only_for=_CONTROLLED,
    )
    claims: list[ClaimKeys] = key(
        "Sentences that the report checks against the data.", [], only_for=_CONTROLLED
    )
    devices: Absent[Name] = key(
        "Where workers run: `auto`, `cpu`, `cpu*4`, `cuda:0,cuda:1`, `cuda*4`.",
        default_text="`auto`",
    )
    threads: Absent[Annotated[int, Field(ge=1, le=1024)]] = key(
        "Threads of a CPU worker.", default_text="`1`"
    )
    retries: Annotated[int, Field(ge=0, le=100)] = key(
        "How often a trial whose worker died is tried again.", 2
    )
    max_failures: Absent[Count] = key("Stops the study after this many failed trials.")
    stop_grace_s: Annotated[float, Field(ge=0)] = key(
        "Seconds that workers have to stop before they are killed.", 30.0
    )
    artifacts: Absent[Name] = key("The folder for files that trials keep, such as weights.")
    keep: Literal["all", "best"] = key(
        "Whose artifacts are kept: of `all` trials or of the `best`.", "all"
    )

    _document: Document | None = PrivateAttr(default=None)
    _spaces: Document | None = PrivateAttr(default=None)

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what has no value: a file has no null for it."""
        empty = [name for name in ("study", "metrics", "directions") if not getattr(self, name)]
        given = {name: value for name, value in handler(self).items() if value is not None}
        return {name: value for name, value in given.items() if name not in empty}

    def __eq__(self, other: object) -> bool:
        """Compare the studies, wherever they were read."""
        return isinstance(other, StudyFile) and self.__dict__ == other.__dict__

    @property
    def timeout_s(self) -> float | None:
        """The time after which each run stops, in seconds."""
        return self.timeout

    def read_from(self, document: Document, spaces: Document | None) -> Self:
        """Remember the documents that it was read from, and so the place of every value; itself."""
        self._document, self._spaces = document, spaces
        return self

    def fault(self, path: Path, message: str) -> Fault:
        """Make a fault of what stands at a path, with its line where the file is known."""
        document = self._document or Document(f"study {self.study}")
        if self._spaces is not None and path[:1] == ("search_space",) and len(path) > 1:
            return self._spaces.fault((document.data["search_space"], *path[1:]), message)
        return document.fault(path, message)

    def level_path(self, factor: str, label: str, setting: str) -> Path:
        """Give the path, as it was written, of a setting that a level of a factor changes."""
        known = self._document.places if self._document else {}
        number = list((self.vary or {})[factor]).index(label)
        level: Path = ("vary", factor, number if ("vary", factor, 0) in known else label)
        return (*level, setting) if (*level, setting) in known else level

    def levels(self) -> dict[str, list[str]]:
        """List each factor's labels, the baseline's first; empty unless the study is controlled."""
        return factors.labels(self.vary or {}, self.baseline or {})

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give all settings of a trial, as the user writes them, without the seed.

        Args:
            params: The trial's flat parameters, as Optuna holds them; in a controlled study the
                level of each factor.
        """
        if self.vary is not None:
            changed = [self.vary[f].get(label, {}) for f, label in params.items() if f in self.vary]
            settings = {**self.fixed, **(self.baseline or {})}
            return {**settings, **{name: v for level in changed for name, v in level.items()}}
        own = self.search_space.settings(params) if self.search_space else dict(params)
        return {**self.fixed, **own}

    def distributions(self) -> dict[str, BaseDistribution]:
        """Give every parameter that is declared; a factor's choices are its level labels."""
        from optuna.distributions import CategoricalDistribution

        if self.method == "controlled":
            return {name: CategoricalDistribution(labels) for name, labels in self.levels().items()}
        return {} if self.search_space is None else self.search_space.distributions()

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """Ask a trial for the parameters; all its settings, with its `seed` where it has one."""
        if self.method == "controlled":
            levels = self.levels().items()
            params = {name: trial.suggest_categorical(name, labels) for name, labels in levels}
        else:
            params = {} if self.search_space is None else self.search_space.suggest(trial)
        seed = {"seed": trial.user_attrs["seed"]} if "seed" in trial.user_attrs else {}
        return {**seed, **self.settings(params)}


KEYS: Mapping[str, Key] = {
    name: next((mark for mark in field.metadata if isinstance(mark, Key)), Key())
    for name, field in StudyFile.model_fields.items()
}
