"""What the keys of a study file are made of: their types, and what is special about a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from hpo.spaces.parameters import is_number
from hpo.yaml_files.faults import BRANCH, shown

MAX_POINTS = 100_000  # Optuna needs a second for each thousand stored trials
MAX_SEED = 2**31 - 1
DEFAULT_OBJECTIVE = "objective.py:objective"
PLANNED = ("grid", "controlled")
SEARCHES = ("tpe", "random", "qmc", "cmaes", "gp", "nsga2")
METHODS = (*PLANNED, *SEARCHES)
Method = Literal["grid", "controlled", "tpe", "random", "qmc", "cmaes", "gp", "nsga2"]
Direction = Literal["maximize", "minimize"]
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
T = TypeVar("T")


@dataclass(frozen=True)
class Key:
    """What is special about a key of a study file.

    Attributes:
        only_for: The methods that take it; all when empty.
        refused_by: Methods that do not take it, each with the reason.
        needed_by: The methods that cannot do without it.
        one_direction: Why it goes with a single direction only; empty when it goes with several.
        is_identity: Whether another value makes another study.
        option: The option of `hpo run` that gives its value.
        default_text: What holds where it is not given, when that is not one value.
    """

    only_for: tuple[str, ...] = ()
    refused_by: Mapping[str, str] = field(default_factory=dict)
    needed_by: tuple[str, ...] = ()
    one_direction: str = ""
    is_identity: bool = False
    option: str = ""
    default_text: str = ""


def key(meaning: str, default: Any = None, **special: Any) -> Any:
    """Make the field of a key.

    Args:
        meaning: What the key says, in Markdown.
        default: Its value where it is not given; ``...`` where it must be.
        special: What is special about it, as in `Key`.
    """
    made = Field(default, description=meaning)
    made.metadata.append(Key(**special))
    return made


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


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _levels(value: Any) -> str:
    return f"{BRANCH}{'named' if isinstance(value, dict) else 'plain'}"


if TYPE_CHECKING:
    Absent: TypeAlias = T | None
    Levels: TypeAlias = dict[str, dict[str, Any]]  # as they are settled
else:
    # A key that may be left out, and is None then; to write null for it is a fault all the same.
    Absent = Annotated[T, None]
    Levels = Annotated[
        Annotated[list[Any], Tag(f"{BRANCH}plain")]
        | Annotated[dict[str, Any], Tag(f"{BRANCH}named")],
        Discriminator(_levels),
    ]

Count = Annotated[int, Field(ge=1)]
Points = Annotated[int, Field(ge=1, le=MAX_POINTS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Several = Annotated[tuple[T, ...], Field(min_length=1), BeforeValidator(_tuple)]
Duration = Annotated[
    Any,
    AfterValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
Pruner = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}]})
]
