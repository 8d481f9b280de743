"""One parameter as a user writes it: the keys, their meaning and the rules between them.

In go plain data, out come `Choices` and `Range` or findings with their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from hpo.spaces.parameters import Choices, Parameter, Range, is_number, label_of, same
from hpo.yaml_files.faults import BRANCH, Finding, Path, findings_of, shown

MAX_CHOICES = 1_000
MAX_STEPS = 10**9
MAX_LENGTH = 64
_MAX_WHOLE = 2**53  # Optuna computes with 64-bit floats
_MAX_SIZE = 1e100


def _number(value: Any) -> Any:
    if not is_number(value):
        raise ValueError(f"must be a number, but got {shown(value)}.")
    limit = _MAX_WHOLE if isinstance(value, int) else _MAX_SIZE
    if abs(value) > limit:
        raise ValueError(f"must lie between -{limit:g} and {limit:g}, but got {value:g}.")
    return value


def _branch(value: Any) -> str:
    return f"{BRANCH}own" if isinstance(value, dict | ParameterKeys) else f"{BRANCH}fixed"


Number = Annotated[Any, AfterValidator(_number), WithJsonSchema({"type": "number"})]
Length = Annotated[
    Annotated[int, Field(ge=1, le=MAX_LENGTH), Tag(f"{BRANCH}fixed")]
    | Annotated["ParameterKeys", Tag(f"{BRANCH}own")],
    Discriminator(_branch),
]


class ParameterKeys(BaseModel):
    """One parameter of a search space: `choices`, or `low` and `high`, or `length` and `each`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    choices: list[Any] = Field(
        default=[],
        min_length=1,
        description="The values to choose from: numbers, words, true, false, null or lists.",
    )
    low: Number = Field(
        default=None,
        description="The smallest value. Whole ends give whole numbers; write 1.0 for decimals.",
    )
    high: Number = Field(default=None, description="The largest value; it is in the range.")
    log: bool = Field(
        default=False, description="Draw evenly in the logarithm; needs `low` above 0."
    )
    step: Number = Field(
        default=None, description="The distance between values; `high` must be on a step."
    )
    levels: list[Any] = Field(
        default=[],
        min_length=1,
        description="The values a grid takes from the range; other methods use all of it.",
    )
    when: dict[str, Any] = Field(
        default={},
        min_length=1,
        description="Other parameters or `fixed` settings and the value, or list of values, "
        "under which this parameter exists.",
    )
    length: Length = Field(
        default=0,
        description="Makes a list: a whole number, or a parameter of whole numbers (`low` and "
        "`high`).",
    )
    each: ParameterKeys = Field(
        default=None,  # type: ignore[assignment]  # pydantic checks no defaults
        description="The parameter that every item of the list is.",
    )


ParameterKeys.model_rebuild()
SPACE = TypeAdapter(dict[str, ParameterKeys])
KNOWN: Mapping[Path, Iterable[str]] = {
    ("*", *inside): tuple(ParameterKeys.model_fields) for inside in ((), ("each",), ("length",))
}
_KINDS = {
    "choices": {"choices"},
    "range": {"low", "high", "log", "step", "levels"},
    "list": {"length", "each"},
}


def read_keys(data: Mapping[str, Any]) -> tuple[dict[str, ParameterKeys], list[Finding]]:
    """Check every parameter's keys and types; those without a finding are returned."""
    found: list[Finding] = []
    keys = {}
    for name, value in data.items():
        if not 0 < len(name) <= 100 or name != name.strip():
            found.append(((name,), "a name has 1 to 100 characters and no spaces around it."))
        try:
            keys.update(SPACE.validate_python({name: value}))
        except ValidationError as error:
            found.extend(_hinted(findings_of(error, KNOWN), data))
    return keys, found


def _hinted(findings: Iterable[Finding], data: Mapping[str, Any]) -> Iterator[Finding]:
    for path, text in findings:
        if len(path) == 1 and isinstance(data[str(path[0])], list):
            yield path, f"{text} Write {{choices: [...]}}."
        elif len(path) == 1 and "mapping" in text:
            yield path, f"{text} Write {{choices: [...]}}, or put it under `fixed`."
        else:
            yield path, text


def kind_of(keys: ParameterKeys) -> str:
    """Tell what the keys describe: choices, range or list; nothing when no kind is begun."""
    kinds = ("list", "choices", "range")
    return next((kind for kind in kinds if keys.model_fields_set & _KINDS[kind]), "")


def read_parameter(keys: ParameterKeys, name: str) -> tuple[Parameter | None, list[Finding]]:
    """Make choices or a range; findings are relative to the parameter."""
    kind = kind_of(keys)
    if not kind:
        return None, [((), "needs `choices`, or `low` and `high`, or `length` and `each`.")]
    found = list(_strangers(keys, kind))
    if kind == "choices":
        found += _choice_faults(keys.choices)
        values = tuple(tuple(v) if isinstance(v, list) else v for v in keys.choices)
        return (None if found else Choices(name, values)), found
    found += _range_faults(keys)
    return (None if found else _range(keys, name)), found


def _strangers(keys: ParameterKeys, kind: str) -> Iterator[Finding]:
    wanted = _KINDS[kind] | {"when"}
    for key in sorted(keys.model_fields_set - wanted):
        yield (key,), f"'{key}' does not go with '{sorted(keys.model_fields_set & wanted)[0]}'."


def _choice_faults(values: list[Any]) -> Iterator[Finding]:
    if len(values) > MAX_CHOICES:
        yield ("choices",), f"at most {MAX_CHOICES} values, but got {len(values)}."
        return
    seen: dict[str, Any] = {}
    for index, value in enumerate(values):
        at, items = ("choices", index), value if isinstance(value, list) else [value]
        if any(isinstance(item, list | dict) for item in items):
            yield at, "must be a number, a word, true, false, null or a list of these."
        elif label_of(value) in seen:
            yield at, _one_label(value, seen[label_of(value)])
        seen.setdefault(label_of(value), value)
    scalars = [value for value in values if not isinstance(value, list | dict)]
    for one, other in combinations(scalars[:100], 2):
        if one == other and not same(one, other):
            yield ("choices",), f"Optuna cannot tell {shown(one)} from {shown(other)}."


def _one_label(value: Any, other: Any) -> str:
    if same(value, other) and type(value) is type(other):
        return f"{shown(value)} is given twice."
    return f"{shown(value)} and {shown(other)} have one label, {label_of(value)}."


def _range(keys: ParameterKeys, name: str) -> Range:
    numbers = [keys.low, keys.high] + ([keys.step] if keys.step is not None else [])
    kind = int if all(isinstance(number, int) for number in [*numbers, *keys.levels]) else float
    step = None if keys.step is None else kind(keys.step)
    explicit = tuple(kind(level) for level in keys.levels)
    return Range(name, kind(keys.low), kind(keys.high), keys.log, step, explicit)


def _range_faults(keys: ParameterKeys) -> Iterator[Finding]:
    missing = [key for key in ("low", "high") if getattr(keys, key) is None]
    if len(missing) == 2:
        yield (), "a range needs `low` and `high`; for a few values alone write `choices`."
    elif missing:
        [got] = {"low", "high"} - set(missing)
        yield (), f"'{missing[0]}' is missing: a range has low and high, but got only {got}."
    if missing:
        return
    if keys.low > keys.high:
        yield ("low",), f"`low <= high` must hold, but got low={keys.low}, high={keys.high}."
    if keys.log and keys.low <= 0:
        yield ("low",), f"`low > 0` must hold with `log: true`, but got low={keys.low}."
    if keys.step is not None:
        yield from _step_faults(keys)
    yield from _level_faults(keys)


def _step_faults(keys: ParameterKeys) -> Iterator[Finding]:
    if keys.log:
        yield ("step",), "`step` does not go with `log: true`; list `levels` for a grid."
    elif keys.step <= 0:
        yield ("step",), f"`step > 0` must hold, but got {keys.step}."
    elif keys.low <= keys.high:
        low, high, step = (Decimal(repr(n)) for n in (keys.low, keys.high, keys.step))
        steps = (high - low) / step
        if steps > MAX_STEPS:
            yield ("step",), f"gives more than {MAX_STEPS} values."
        elif steps != int(steps):
            last = low + int(steps) * step
            yield ("step",), f"must reach `high`, but {last} is followed by {last + step}."


def _level_faults(keys: ParameterKeys) -> Iterator[Finding]:
    seen: list[Any] = []
    for index, level in enumerate(keys.levels[:MAX_CHOICES]):
        if not is_number(level):
            yield ("levels", index), f"must be a number, but got {shown(level)}."
        elif not keys.low <= level <= keys.high:
            yield ("levels", index), f"must lie in {keys.low}..{keys.high}, but got {level}."
        elif level in seen:
            yield ("levels", index), f"{level} is given twice."
        seen.append(level)
    if len(keys.levels) > MAX_CHOICES:
        yield ("levels",), f"at most {MAX_CHOICES} values, but got {len(keys.levels)}."
    if keys.levels and keys.step is not None:
        yield ("levels",), "give `step` or `levels`, not both."
