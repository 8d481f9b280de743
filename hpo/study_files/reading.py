"""From a study file's plain data to a settled study, collecting every fault on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpo.errors import Fault, FileFaults
from hpo.spaces.flat_space import flatten
from hpo.spaces.search_space import SearchSpace
from hpo.study_files import factors, overrides, rules
from hpo.study_files.claims import ClaimKeys, Levels, read_claim
from hpo.study_files.component_rules import read_pruner, sampler_faults
from hpo.study_files.components import SAMPLERS
from hpo.study_files.device_text import AUTO
from hpo.study_files.other_paths import refuse_other_path
from hpo.study_files.study_file import KEYS, StudyFile
from hpo.yaml_files.faults import Faulty, Finding, findings_of, shown
from hpo.yaml_files.faults import Path as DataPath
from hpo.yaml_files.python_data import document_of
from hpo.yaml_files.source import Document, read

SPACES = "search_spaces.yaml"
KNOWN: Mapping[DataPath, Iterable[str]] = {(): KEYS, ("claims", "*"): ClaimKeys.model_fields}


def project_folder(path: Path) -> Path:
    """Find the nearest folder at or above a study file that holds a project.

    That is one with `search_spaces.yaml` or `pyproject.toml`; without any, the file's own.
    """
    own = path.resolve().parent
    for folder in (own, *own.parents):
        if any((folder / name).is_file() for name in ("search_spaces.yaml", "pyproject.toml")):
            return folder
    return own


def load(
    path: Path, overrides: Sequence[str] = (), options: Mapping[str, Any] | None = None
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
    refuse_other_path(path)
    document = read(path)
    return read_study(document, overrides, project_folder(path), path.stem, options)


def load_mapping(keys: Mapping[str, Any], folder: Path) -> StudyFile:
    """Read a study from plain data, as its file would hold it.

    Args:
        keys: The keys of a study file and their values; `study` names it, else it is `study`.
        folder: The project folder.

    Raises:
        FileFaults: Everything that is wrong.
    """
    return read_study(document_of("the study", keys), (), folder, "study")


def read_study(
    document: Document,
    changes: Sequence[str],
    folder: Path,
    stem: str,
    options: Mapping[str, Any] | None = None,
) -> StudyFile:
    """Read a study from a document.

    Args:
        document: The file's plain data; a file that is no YAML has faults and no data.
        changes: ``key=value`` texts of ``--set``.
        folder: The project folder, for named search spaces.
        stem: The study's name where the file gives none.
        options: Values of keys that have an option of their own, by key.

    Raises:
        FileFaults: Everything that is wrong, in the order of the files.
    """
    if not document.data and document.faults:
        raise FileFaults(document.faults)
    overrides.apply(document, changes)
    overrides.put_options(document, options or {})
    reading = _Reading(document, folder, stem)
    study = reading.study()
    faults = list(dict.fromkeys(reading.faults()))
    faults.sort(key=lambda fault: (fault.file != document.file, fault.file, fault.line))
    if faults or study is None:
        raise FileFaults(faults)
    return study.read_from(document, reading.spaces)


class _Reading:
    """One study file being read: what is known so far and what is wrong."""

    def __init__(self, document: Document, folder: Path, stem: str) -> None:
        self._document = document
        self._folder = folder
        self._stem = stem
        self.spaces: Document | None = None
        self._bad: set[DataPath] = set()
        self._keys = self._checked_keys()

    def faults(self) -> list[Fault]:
        others = self.spaces.faults if self.spaces else []
        return [*self._document.faults, *others]

    def study(self) -> StudyFile | None:
        is_controlled = self._keys.method == "controlled"
        settled = self._basics() | (self._factors() if is_controlled else self._search())
        return None if self.faults() else self._keys.model_copy(update=settled)

    def _checked_keys(self) -> StudyFile:
        """Check keys and types; keys at fault are left out, so that the rules can go on."""
        # The space has a reader of its own, which knows what `fixed` says.
        data = {name: v for name, v in self._document.data.items() if name != "search_space"}
        try:
            return StudyFile.model_validate(data)
        except ValidationError as error:
            for path, text in findings_of(error, KNOWN):
                self._bad.add(path)
                self._document.add((path, text))
        bad = {path[0] for path in self._bad}
        likely = "controlled" if data.keys() & {"baseline", "vary"} else "random"
        good = {name: value for name, value in data.items() if name not in bad}
        return StudyFile.model_validate({"method": likely, **good})

    def _is_bad(self, path: DataPath) -> bool:
        """Tell whether a fault is known at this path or above it."""
        return any(path[: len(bad)] == bad for bad in self._bad)

    def _add(self, prefix: DataPath, findings: Iterable[Finding]) -> None:
        whole = [((*prefix, *path), text) for path, text in findings]
        self._document.add(*(finding for finding in whole if not self._is_bad(finding[0])))

    def _basics(self) -> dict[str, Any]:
        keys, given = self._keys, self._document.data
        name = keys.study or self._stem
        if not self._is_bad(("method",)):
            self._add((), rules.method_rules(keys.method, given))
        self._add((), rules.direction_rules(keys, given))
        self._add(("objective",), rules.objective_rules(keys.objective))
        self._add(("study",), rules.name_rules(name))
        self._add(("devices",), rules.device_rules(keys.devices or AUTO))
        if keys.method in SAMPLERS:
            self._add(("sampler",), sampler_faults(keys.method, keys.sampler))
        directions = keys.directions or (keys.direction or "maximize",)
        return {
            "study": name,
            "direction": None,
            "directions": directions,
            "metrics": keys.metrics or (("accuracy",) if len(directions) == 1 else ()),
            "pruner": self._pruner(),
        }

    def _pruner(self) -> Any:
        epochs = self._keys.fixed.get("epochs")
        fixed = epochs if type(epochs) is int else None
        pruner, findings = read_pruner(self._keys.pruner, fixed)
        self._add(("pruner",), findings)
        return pruner or "none"

    def _search(self) -> dict[str, Any]:
        keys, space = self._keys, self._space()
        names = {} if space is None else space.to_data()
        self._add(("fixed",), rules.fixed_rules(keys.fixed, names, "in the search space"))
        if space is not None or "search_space" not in self._document.data:
            self._add(("start_with",), rules.start_rules(keys.start_with, space))
        self._add((), rules.count_rules(keys, 0))
        return {"search_space": space}

    def _space(self) -> SearchSpace | None:
        written = self._document.data.get("search_space")
        if isinstance(written, str):
            self.spaces = self._spaces_file(written)
            source, prefix = self.spaces, (written,)
        else:
            source, prefix = self._document, ("search_space",)
        if source is None or prefix[0] not in source.data:
            return None
        data = source.data[prefix[0]]
        if not isinstance(data, dict):
            if source is self._document:
                self._add(prefix, [((), f"must be a name or a mapping, but got {shown(data)}.")])
            return None
        try:
            space = SearchSpace.from_data(data, self._keys.fixed)
            findings = list(rules.grid_rules(space)) if self._keys.method == "grid" else []
        except Faulty as error:
            space, findings = None, list(error.findings)
        if "seed" in data:
            findings.append((("seed",), "the seed is the study's key `seed`."))
        source.add(*(((*prefix, *path), text) for path, text in findings))
        return space

    def _spaces_file(self, name: str) -> Document | None:
        """Read the project's named spaces; faults of the others in the file count too."""
        path = _short(self._folder / SPACES)
        if not path.is_file():
            self._add(("search_space",), [((), f"there is no {SPACES} in {self._folder}.")])
            return None
        try:
            spaces = read(path)
        except FileFaults as error:
            self._document.faults.extend(error.faults)
            return None
        if name not in spaces.data and not (spaces.faults and not spaces.data):
            text = rules.space_choice(name, list(spaces.data), str(path))
            self._add(("search_space",), [((), text)])
        for other, data in spaces.data.items():
            if not isinstance(data, dict):
                spaces.add(((other,), "must be a mapping of parameters."))
            elif other != name:
                findings = flatten(data, None)[1]
                spaces.add(*(((other, *path), text) for path, text in findings))
        return spaces

    def _factors(self) -> dict[str, Any]:
        keys = self._keys
        baseline = {**keys.fixed, **(keys.baseline or {})}
        other = rules.fixed_rules(keys.baseline or {}, keys.fixed, "under `fixed`")
        self._add(("baseline",), other)
        vary, findings = factors.read_vary(keys.vary or {}, baseline)
        if not self._is_bad(("baseline",)):
            self._add(("vary",), findings)
        self._add((), rules.count_rules(keys, sum(map(len, vary.values()))))
        return {"vary": vary, "claims": self._claims(factors.level_names(vary, baseline))}

    def _claims(self, levels: Levels) -> list[ClaimKeys]:
        claims = []
        for index, written in enumerate(self._document.data.get("claims", ()) if levels else ()):
            with suppress(ValidationError):  # noted with the other keys
                claim, findings = read_claim(ClaimKeys.model_validate(written), levels)
                claims.append(claim)
                self._add(("claims", index), findings)
        return claims


def _short(path: Path) -> Path:
    """Write a path relative to the current folder where it lies in there."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
