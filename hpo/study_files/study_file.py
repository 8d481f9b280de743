"""The resolved study file: in goes a path, out comes a `StudyFile`, or every fault at once.

A StudyFile is self-contained: its search space stands in it, durations are seconds, levels have
labels. It goes through JSON and back unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from hpo.errors import Fault, FileFaults
from hpo.spaces.search_space import SearchSpace
from hpo.study_files import factors
from hpo.study_files.components import Component
from hpo.yaml_files.document import Document
from hpo.yaml_files.faults import Path

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

__all__ = ["Component", "StudyFile", "load", "project_folder"]

Direction = Literal["maximize", "minimize"]


class StudyFile(BaseModel):
    """A study as it will run.

    `docs/study-files.md` explains the keys; the names here differ where a value was resolved:
    `directions` always lists, `timeout_s` is in seconds, `search_space` is the space itself,
    `vary` maps factor -> label -> the settings that the level changes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    study: str
    objective: str
    search_space: SearchSpace | None = None
    method: str
    directions: tuple[Direction, ...]
    n_trials: int | None = None
    timeout_s: float | None = None
    target: float | None = None
    max_epochs_total: int | None = None
    stop_when_stalled: int | None = None
    pruner: Component | None = None
    sampler: Component | None = None
    start_with: tuple[dict[str, Any], ...] = ()
    seed: int = 1
    fixed: dict[str, Any] = Field(default={})
    baseline: dict[str, Any] | None = None
    vary: dict[str, dict[str, dict[str, Any]]] | None = None
    replicates: int = 1
    claims: tuple[dict[str, Any], ...] = ()
    metrics: tuple[str, ...] = ()
    devices: str | None = None
    threads: int | None = None
    retries: int = 2
    max_failures: int | None = None
    stop_grace_s: float = 30.0
    artifacts: str | None = None
    keep: Literal["all", "best"] = "all"

    _document: Document | None = PrivateAttr(default=None)
    _spaces: Document | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        """Compare the studies, wherever they were read."""
        return isinstance(other, StudyFile) and self.__dict__ == other.__dict__

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


def project_folder(path: FilePath) -> FilePath:
    """Find the nearest folder at or above a study file that holds a project.

    That is one with `search_spaces.yaml` or `pyproject.toml`; without any, the file's own.
    """
    own = path.resolve().parent
    for folder in (own, *own.parents):
        if any((folder / name).is_file() for name in ("search_spaces.yaml", "pyproject.toml")):
            return folder
    return own


def load(
    path: FilePath, overrides: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> StudyFile:
    """Read a study file.

    Args:
        path: The study file.
        overrides: ``key=value`` texts of ``--set``, applied in order.
        options: Values of keys that have an option of their own, by key: `n_trials`, `study`.

    Raises:
        UserError: The path is a folder or a Python file.
        FileFaults: Everything that is wrong with the file, its search spaces or the overrides.
    """
    from hpo.study_files.other_paths import refuse_other_path
    from hpo.study_files.reading import read_study
    from hpo.yaml_files.source import read

    refuse_other_path(path)
    document = read(path)
    study, faults = read_study(document, overrides, project_folder(path), path.stem, options)
    if faults or study is None:
        raise FileFaults(faults)
    return study
