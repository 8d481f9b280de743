"""What `hpo doctor` found: plain data about one thing that was looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes:
        name: What.
        status: `ok`; `warning`, where something is slower or missing; `problem`, where runs fail.
        text: What was found.
        mend: What to do about it; empty when there is nothing to do.
    """

    name: str
    status: Status
    text: str
    mend: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
