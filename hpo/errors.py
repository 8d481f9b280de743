"""The errors a user can meet, and the exit code of each.

HpoError                     1   the study is incomplete, a trial failed for good
├── OutputError              1   standard output is closed or full
│   └── ReaderGone         141   nobody reads it any more: nothing is said
├── StudyGone                1   the study was deleted while it ran
├── UserError                2   wrong usage: the message alone is shown, never a traceback
│   ├── FileFaults           2   every fault of a study file or search space, with its lines
│   ├── SettingsFaults       2   every fault of a training run's settings, with its keys
│   ├── StorageError         2   a database that cannot be opened, read or written
│   ├── ObjectiveError       2   an objective that is missing, cannot be imported, refuses
│   ├── DeviceError          2   a device that this machine does not have
│   ├── DataError            2   a data set that cannot be found or is damaged
│   └── MissingPackage       2   an optional package that is not installed
└── Interrupted            130   Ctrl-C, SIGTERM or `hpo stop`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class HpoError(Exception):
    """Something the user must know about; the message is complete."""

    exit_code = 1


class OutputError(HpoError):
    """Standard output that is closed or full."""


class ReaderGone(OutputError):
    """Standard output that nobody reads any more, as after ``| head``; nothing is said of it."""

    exit_code = 141  # what a shell shows of a program that SIGPIPE has ended


class StudyGone(HpoError):
    """A study that was deleted while workers were at work on it, or is about to be."""


class UserError(HpoError):
    """Wrong usage or a wrong file."""

    exit_code = 2


class StorageError(UserError):
    """A database that cannot be opened, read or written."""


class ObjectiveError(UserError):
    """An objective that is missing, cannot be imported or refuses the settings."""


class DeviceError(UserError):
    """A device that this machine does not have, or a device text that cannot be read."""


class DataError(UserError):
    """A data set that cannot be found or is damaged."""


class MissingPackage(UserError):
    """An optional package that is not installed; the message has the command that installs it."""


class Interrupted(HpoError):
    """The user, or the system, asked to stop."""

    exit_code = 130


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a file that a user wrote.

    Attributes:
        file: The file as the user named it, or ``--set``.
        line: 1-based line number; 0 when the fault has no line.
        path: Where in the document, e.g. ``search_space.learning_rate.low``.
        message: The rule, the value got and, where there is one, the near miss.
        source: The line of source itself, without its newline; empty when there is none.
    """

    file: str
    line: int
    path: str
    message: str
    source: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{place}: {self.path}: " if self.path else f"{place}: "
        shown = f"\n    {self.line} | {self.source.rstrip()}" if self.source.strip() else ""
        return f"{where}{self.message}{shown}"


class FileFaults(UserError):
    """Every fault of a study file or search space at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class SettingsFaults(UserError):
    """Every fault of a training run's settings at once.

    Attributes:
        faults: The path of each, such as ``("dropout", 1)``, and what is wrong there.
    """

    def __init__(self, faults: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(f"{_key(path)}: {text}" for path, text in self.faults)


def _key(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else part for part in path)
