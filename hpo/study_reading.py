"""From a study file's plain data to a resolved study, collecting every fault on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hpo import factors, overrides, study_rules
from hpo.claims import read_claim
from hpo.component_rules import read_pruner, read_sampler
from hpo.components import SAMPLERS, Component
from hpo.errors import Fault, FileFaults
from hpo.faults import Faulty, findings_of
from hpo.faults import Path as DataPath
from hpo.search_space import SearchSpace
from hpo.space_layout import lay_out
from hpo.study_file import StudyFile
from hpo.study_keys import KNOWN, StudyKeys, parse_duration
from hpo.yaml_source import Document, read

SPACES = "search_spaces.yaml"
_COPIED = (
    *("objective", "n_trials", "target", "max_epochs_total", "stop_when_stalled", "seed"),
    *("baseline", "replicates", "devices", "threads", "retries", "max_failures", "stop_grace_s"),
    *("artifacts", "keep", "fixed"),
)


def read_study(
    document: Document, changes: Sequence[str], folder: Path, stem: str
) -> tuple[StudyFile | None, list[Fault]]:
    """Resolve a study file.

    Args:
        document: The file's plain data; a file that is no YAML has faults and no data.
        changes: ``key=value`` texts of ``--set``.
        folder: The project folder, for named search spaces.
        stem: The study's name where the file gives none.

    Returns:
        The study, or None, and every fault in the order of the files.
    """
    if not document.data and document.faults:
        return None, document.faults
    overrides.apply(document, changes)
    reading = _Reading(document, folder, stem)
    study = reading.study()
    faults = sorted(set(reading.faults()), key=lambda fault: (fault.file, fault.line))
    return (None if faults else study), faults


class _Reading:
    """One study file being read: what is known so far and what is wrong."""

    def __init__(self, document: Document, folder: Path, stem: str) -> None:
        self._document = document
        self._folder = folder
        self._stem = stem
        self._spaces: Document | None = None
        self._bad: set[str] = set()
        self._keys = self._checked_keys()

    def faults(self) -> list[Fault]:
        others = self._spaces.faults if self._spaces else []
        return [*self._document.faults, *others]

    def study(self) -> StudyFile | None:
        keys = self._keys
        if keys is None:
            return None
        fields = {name: getattr(keys, name) for name in _COPIED}
        fields |= self._basics(keys)
        fields |= self._factors(keys) if keys.method == "controlled" else self._search(keys)
        return None if self.faults() else StudyFile(**fields)

    def _checked_keys(self) -> StudyKeys | None:
        """Check keys and types; keys at fault are left out, so that the rules can go on."""
        data = self._document.data
        try:
            return StudyKeys.model_validate(data)
        except ValidationError as error:
            for path, text in findings_of(error, KNOWN):
                inside_space = path[:1] == ("search_space",) and len(path) > 1
                self._bad |= set() if inside_space else {str(path[0])}
                if not inside_space:  # the space's own reader says more
                    self._document.add((path, text))
        good = {n: v for n, v in data.items() if n not in self._bad and n != "search_space"}
        return None if "method" in self._bad else StudyKeys.model_validate(good)

    def _add(self, prefix: DataPath, findings: Any) -> None:
        kept = [((*prefix, *path), text) for path, text in findings]
        self._document.add(*(item for item in kept if str((*item[0], "")[0]) not in self._bad))

    def _basics(self, keys: StudyKeys) -> dict[str, Any]:
        given = self._document.data
        name = keys.study if keys.study is not None else self._stem
        self._add((), study_rules.method_rules(keys, given))
        self._add((), study_rules.direction_rules(keys, given))
        self._add(("objective",), study_rules.objective_rules(keys.objective))
        self._add(("study",), study_rules.name_rules(name))
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
        self._add(("fixed",), study_rules.fixed_rules(keys.fixed, names, "in the search space"))
        has_space = "search_space" in self._document.data
        if not has_space or space is not None:
            self._add(("start_with",), study_rules.start_rules(keys.start_with, space))
        self._add((), study_rules.count_rules(keys, 0))
        return {"search_space": space, "start_with": tuple(keys.start_with)}

    def _space(self, keys: StudyKeys) -> SearchSpace | None:
        written = self._document.data.get("search_space")
        if isinstance(written, str):
            self._spaces = self._spaces_file(written)
            source, prefix = self._spaces, (written,)
        else:
            source, prefix = self._document, ("search_space",)
        data = source.data.get(prefix[0]) if source else None
        if source is None or not isinstance(data, dict):
            return None
        try:
            space = SearchSpace.from_data(data, keys.fixed)
            findings = list(study_rules.grid_rules(space)) if keys.method == "grid" else []
        except Faulty as error:
            space, findings = None, list(error.findings)
        if "seed" in data:
            findings.append((("seed",), "the seed is the study's key `seed`."))
        source.add(*(((*prefix, *path), text) for path, text in findings))
        return space

    def _spaces_file(self, name: str) -> Document | None:
        """Read the project's named spaces; faults of the others in the file count too."""
        path = self._folder / SPACES
        if not path.is_file():
            self._add(("search_space",), [((), f"there is no {SPACES} in {self._folder}.")])
            return None
        try:
            spaces = read(path)
        except FileFaults as error:
            self._document.faults.extend(error.faults)
            return None
        if name not in spaces.data and not (spaces.faults and not spaces.data):
            text = study_rules.space_choice(name, list(spaces.data), str(self._folder))
            self._add(("search_space",), [((), text)])
        for other, data in spaces.data.items():
            if not isinstance(data, dict):
                spaces.add(((other,), "must be a mapping of parameters."))
            elif other != name:
                findings = lay_out(data, None)[1]
                spaces.add(*(((other, *path), text) for path, text in findings))
        return spaces

    def _factors(self, keys: StudyKeys) -> dict[str, Any]:
        baseline = keys.baseline if keys.baseline is not None else {}
        if not isinstance(keys.vary, dict):
            return {}
        self._add(("baseline",), study_rules.fixed_rules(baseline, keys.fixed, "under `fixed`"))
        vary, findings = factors.read_vary(keys.vary, {**keys.fixed, **baseline})
        if "baseline" not in self._bad:
            self._add(("vary",), findings)
        levels = factors.labels(vary, {**keys.fixed, **baseline})
        self._add((), study_rules.count_rules(keys, sum(map(len, vary.values()))))
        claims = []
        for index, claim in enumerate(keys.claims):
            read_one, found = read_claim(claim, levels)
            claims.append(read_one)
            self._add(("claims", index), found)
        if self.faults():
            return {}
        space = SearchSpace.from_data({f: {"choices": names} for f, names in levels.items()})
        return {"vary": vary, "claims": tuple(claims), "search_space": space}
