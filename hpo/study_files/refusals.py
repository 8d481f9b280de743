"""What an objective refuses, at its place in the study file.

In go the settings that an objective's `check` refused and what it said of them, out come faults of
the file that these settings were written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.errors import Fault, HpoError, SettingsFaults
from hpo.plain import describe, plain_text
from hpo.spaces.parameters import label_of, same
from hpo.study_files.study_file import StudyFile
from hpo.yaml_files.faults import Path, shown, unknown

_LONGEST_LIST = 300  # characters of settings shown


@dataclass(frozen=True)
class Refusal:
    """One thing that an objective's `check` said of some settings.

    Attributes:
        settings: All the settings that it was asked about.
        path: The setting it speaks of, such as ``("dropout", 1)``; None when it names none.
        message: What it said.
    """

    settings: Mapping[str, Any]
    path: Path | None
    message: str


def read_refusal(settings: Mapping[str, Any], error: Exception) -> Iterator[Refusal]:
    """Find the settings that an error of `check` speaks of.

    An error may have `faults`, as those of the trainer's settings do, or a `key`; else the only
    setting is meant whose name its text holds.
    """
    if isinstance(error, SettingsFaults):
        for path, text in error.faults:
            yield Refusal(settings, path, text)
        return
    said = plain_text(error) if isinstance(error, ValueError | HpoError) else ""
    text = said or describe(error)
    key = getattr(error, "key", None)
    named = [name for name in settings if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    if not isinstance(key, str):
        key = named[0] if len(named) == 1 else None
    if key is None:
        yield Refusal(settings, None, text)
    else:
        yield Refusal(settings, (key,), f"the objective refuses {_of(settings, key)}: {text}")


def faults_of(
    file: StudyFile, refusals: Sequence[Refusal], measured: Sequence[str] | None
) -> list[Fault]:
    """Give the faults of a study whose objective refuses settings or does not measure a metric.

    Args:
        file: The study.
        refusals: What `check` said, for each of the settings that it was asked about.
        measured: Every metric that the objective measures; None where it does not say.

    Returns:
        One fault for each place, in the order of the files' lines; a message is not repeated for
        several values of one setting.
    """
    found: dict[Path, str] = {}
    said: set[tuple[Path, str]] = set()
    for refusal in refusals:
        for setting, path in _written_at(file, refusal):
            if path not in found and (setting, refusal.message) not in said:
                found[path] = refusal.message
                said.add((setting, refusal.message))
    faults = [file.fault(path, message) for path, message in found.items()]
    nameless = [refusal for refusal in refusals if refusal.path is None]
    faults += [file.fault((), _nameless(nameless))] if nameless else []
    for index, name in enumerate(file.metrics):
        if measured is not None and name not in measured:
            text = unknown("metric", name, measured, listed=True)
            faults.append(file.fault(("metrics", index), text))
    own = file.fault((), "").file
    return sorted(faults, key=lambda fault: (fault.file != own, fault.file, fault.line))


def _written_at(file: StudyFile, refusal: Refusal) -> list[tuple[Path, Path]]:
    """Find where the refused value was written, or else wherever that setting was.

    Returns:
        The path of the setting, and that of the very value.
    """
    if refusal.path is None:
        return []
    name, *inside = refusal.path
    value = refusal.settings.get(str(name))
    places = [place for place in _places(file) if place.name == name]
    exact = [place for place in places if place.holds(value)]
    found = exact or places or [_Place(str(name), refusal.path[:1], (value,))]
    return [(place.setting, place.path(inside)) for place in found]


@dataclass(frozen=True)
class _Place:
    """Where a study file gives a setting a value.

    Attributes:
        name: The setting's name.
        setting: The path of the setting.
        values: The one value given there; None where many are.
        inside: Where below that path the value is.
    """

    name: str
    setting: Path
    values: tuple[Any] | None = None
    inside: Path = ()

    def path(self, inside: Iterable[str | int]) -> Path:
        """Give the path of a value, or of a part of it, that came from here."""
        return self.setting if self.values is None else (*self.setting, *self.inside, *inside)

    def holds(self, value: Any) -> bool:
        """Tell whether a value came from here."""
        return self.values is None or same(self.values[0], value)


def _places(file: StudyFile) -> Iterator[_Place]:
    for section in ("fixed", "baseline"):
        for name, value in (getattr(file, section) or {}).items():
            yield _Place(name, (section, name), (value,))
    for index, settings in enumerate(file.start_with):
        for name, value in settings.items():
            yield _Place(name, ("start_with", index, name), (value,))
    yield from _levels(file) if file.vary is not None else _parameters(file)


def _levels(file: StudyFile) -> Iterator[_Place]:
    for factor, levels in (file.vary or {}).items():
        for label, changes in levels.items():
            for name, value in changes.items():
                yield _Place(name, file.level_path(factor, label, name), (value,))


def _parameters(file: StudyFile) -> Iterator[_Place]:
    space = file.search_space.to_data() if file.search_space else {}
    for name, keys in space.items():
        for index, value in enumerate(keys.get("choices", ())):
            yield _Place(name, ("search_space", name), (value,), ("choices", index))
        if "choices" not in keys:
            yield _Place(name, ("search_space", name))


def _nameless(refusals: Sequence[Refusal]) -> str:
    first, others = refusals[0], len(refusals) - 1
    listed = ", ".join(f"{name}: {label_of(value)}" for name, value in first.settings.items())
    if len(listed) > _LONGEST_LIST:
        listed = f"{listed[:_LONGEST_LIST]}..."
    more = f" It refuses {others} more of those that were tried." if others else ""
    return f"the objective refuses the settings {{{listed}}}: {first.message}{more}"


def _of(settings: Mapping[str, Any], key: str) -> str:
    return shown(settings[key]) if key in settings else f"'{key}'"
