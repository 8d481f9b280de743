"""From a study file's plain data to a resolved study, collecting every fault on the way."""

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
from hpo.study_files.component_rules import read_pruner, read_sampler
from hpo.study_files.components import SAMPLERS, Component
from hpo.study_files.device_text import AUTO
from hpo.study_files.keys import KNOWN, StudyKeys, parse_duration
from hpo.study_files.study_file import StudyFile
from hpo.yaml_files.faults import Faulty, Finding, findings_of
from hpo.yaml_files.faults import Path as DataPath
from hpo.yaml_files.source import Document, read

SPACES = "search_spaces.yaml"
_COPIED = (
    *("objective", "n_trials", "target", "max_epochs_total", "stop_when_stalled", "seed"),
    *("baseline", "replicates", "devices", "threads", "retries", "max_failures", "stop_grace_s"),
    *("artifacts", "keep", "fixed"),
)


def read_study(
    document: Document,
    changes: Sequence[str],
    folder: Path,
    stem: str,
    options: Mapping[str, Any] | None = None,
) -> tuple[StudyFile | None, list[Fault]]:
    """Resolve a study file.

    Args:
        document: The file's plain data; a file that is no YAML has faults and no data.
        changes: ``key=value`` texts of ``--set``.
        folder: The project folder, for named search spaces.
        stem: The study's name where the file gives none.
        options: Values of keys that have an option of their own, by key.

    Returns:
        The study, or None, and every fault in the order of the files.
    """
    if not document.data and document.faults:
        return None, document.faults
    overrides.apply(document, changes)
    overrides.put_options(document, options or {})
    reading = _Reading(document, folder, stem)
    study = reading.study()
    faults = list(dict.fromkeys(reading.faults()))
    faults.sort(key=lambda fault: (fault.file != document.file, fault.file, fault.line))
    if faults or study is None:
        return None, faults
    return study.read_from(document, reading.spaces), faults


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
        keys = self._keys
        fields = {name: getattr(keys, name) for name in _COPIED}
        fields |= self._basics(keys)
        fields |= self._factors(keys) if keys.method == "controlled" else self._search(keys)
        return None if self.faults() else StudyFile(**fields)

    def _checked_keys(self) -> StudyKeys:
        """Check keys and types; keys at fault are left out, so that the rules can go on."""
        data = self._document.data
        try:
            return StudyKeys.model_validate(data)
        except ValidationError as error:
            for path, text in findings_of(error, KNOWN):
                if path[:1] == ("search_space",) and len(path) > 1:
                    continue  # the space's own reader says more
                self._bad.add(path)
                self._document.add((path, text))
        bad = {path[0] for path in self._bad} | {"search_space"}
        likely = "controlled" if data.keys() & {"baseline", "vary"} else "random"
        good = {name: value for name, value in data.items() if name not in bad}
        return StudyKeys.model_validate({"method": likely, **good})

    def _is_bad(self, path: DataPath) -> bool:
        """Tell whether a fault is known at this path or above it."""
        return any(path[: len(bad)] == bad for bad in self._bad)

    def _add(self, prefix: DataPath, findings: Iterable[Finding]) -> None:
        whole = [((*prefix, *path), text) for path, text in findings]
        self._document.add(*(finding for finding in whole if not self._is_bad(finding[0])))

    def _basics(self, keys: StudyKeys) -> dict[str, Any]:
        given = self._document.data
        name = keys.study if keys.study is not None else self._stem
        if not self._is_bad(("method",)):
            self._add((), rules.method_rules(keys, given))
        self._add((), rules.direction_rules(keys, given))
        self._add(("objective",), rules.objective_rules(keys.objective))
        self._add(("study",), rules.name_rules(name))
        self._add(("devices",), rules.device_rules(keys.devices or AUTO))
        directions = tuple(keys.directions or [keys.direction or "maximize"])
        metrics = ("accuracy",) if len(directions) == 1 else ()
        return {
            "study": name,
            "method": keys.method,
            "directions": directions,
            "metrics": tuple(keys.metrics or metrics),
            "timeout_s": None if keys.timeout is None else parse_duration(keys.timeout),
            "pruner": self._pruner(keys),
            "sampler": self._sampler(keys),
        }

    def _pruner(self, keys: StudyKeys) -> Component | None:
        epochs = keys.fixed.get("epochs")
        component, findings = read_pruner(keys.pruner, epochs if type(epochs) is int else None)
        self._add(("pruner",), findings)
        return component

    def _sampler(self, keys: StudyKeys) -> Component | None:
        if keys.method not in SAMPLERS:
            return None
        component, findings = read_sampler(keys.method, keys.sampler)
        self._add(("sampler",), findings)
        return component

    def _search(self, keys: StudyKeys) -> dict[str, Any]:
        space = self._space(keys)
        names = {} if space is None else space.to_data()
        self._add(("fixed",), rules.fixed_rules(keys.fixed, names, "in the search space"))
        has_space = "search_space" in self._document.data
        if not has_space or space is not None:
            self._add(("start_with",), rules.start_rules(keys.start_with, space))
        self._add((), rules.count_rules(keys, 0))
        return {"search_space": space, "start_with": tuple(keys.start_with)}

    def _space(self, keys: StudyKeys) -> SearchSpace | None:
        written = self._document.data.get("search_space")
        if isinstance(written, str):
            self.spaces = self._spaces_file(written)
            source, prefix = self.spaces, (written,)
        else:
            source, prefix = self._document, ("search_space",)
        data = source.data.get(prefix[0]) if source else None
        if source is None or not isinstance(data, dict):
            return None
        try:
            space = SearchSpace.from_data(data, keys.fixed)
            findings = list(rules.grid_rules(space)) if keys.method == "grid" else []
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

    def _factors(self, keys: StudyKeys) -> dict[str, Any]:
        baseline = {**keys.fixed, **(keys.baseline or {})}
        other = rules.fixed_rules(keys.baseline or {}, keys.fixed, "under `fixed`")
        self._add(("baseline",), other)
        vary, findings = factors.read_vary(keys.vary or {}, baseline)
        if not self._is_bad(("baseline",)):
            self._add(("vary",), findings)
        self._add((), rules.count_rules(keys, sum(map(len, vary.values()))))
        levels = factors.labels(vary, baseline)
        claims = self._claims(factors.level_names(vary, baseline)) if levels else ()
        if self.faults():
            return {}
        space = SearchSpace.from_data({f: {"choices": names} for f, names in levels.items()})
        return {"vary": vary, "claims": claims, "search_space": space}

    def _claims(self, levels: Levels) -> tuple[dict[str, Any], ...]:
        claims = []
        for index, written in enumerate(self._document.data.get("claims", ())):
            with suppress(ValidationError):  # noted with the other keys
                claim, findings = read_claim(ClaimKeys.model_validate(written), levels)
                claims.append(claim)
                self._add(("claims", index), findings)
        return tuple(claims)


def _short(path: Path) -> Path:
    """Write a path relative to the current folder where it lies in there."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
