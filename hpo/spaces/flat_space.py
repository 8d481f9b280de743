"""From the written parameters of a space to its flat ones, parents first.

In go plain data and the settings fixed outside the space; out come the parameters that remain,
lists expanded to `name_length`, `name_0`, ..., conditions resolved, or every finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpo.near_miss import near_miss
from hpo.spaces.keys import MAX_LENGTH, ParameterKeys, kind_of, read_keys, read_parameter
from hpo.spaces.parameters import Choices, Condition, Parameter, Range, same
from hpo.yaml_files.faults import Finding, Path


@dataclass(frozen=True)
class ListShape:
    """A list that stands in trials as one parameter per item.

    Attributes:
        name: The list's name in settings.
        length: The parameter that holds its length; None when it is fixed.
        items: The parameters of its items, in order.
        when: Conditions under which the list exists.
    """

    name: str
    length: str | None
    items: tuple[str, ...]
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class FlatSpace:
    """A space's flat parameters, parents before children, and its lists.

    Attributes:
        parameters: By name, as trials have them.
        lists: By name, as settings have them.
        kept: The written parameters that no fixed setting rules out.
    """

    parameters: dict[str, Parameter]
    lists: dict[str, ListShape]
    kept: tuple[str, ...]


def flatten(
    data: Mapping[str, Any], fixed: Mapping[str, Any] | None
) -> tuple[FlatSpace, list[Finding]]:
    """Make a space's written parameters flat.

    Args:
        data: The space as written.
        fixed: Settings outside the space that a `when` may name; None when they are not known
            yet, so that conditions on them are left unchecked.
    """
    keys, found = read_keys(data)
    outside = None if fixed is None else {**dict.fromkeys(data.keys() - keys.keys()), **fixed}
    reader = _Reader(keys, outside, found)
    return reader.flat_space(), found


class _Reader:
    """Holds what the steps of one expansion share."""

    def __init__(
        self, keys: dict[str, ParameterKeys], fixed: Mapping[str, Any] | None, found: list[Finding]
    ) -> None:
        self._keys = keys
        self._fixed = fixed
        self._found = found
        self._flat: dict[str, Parameter] = {}
        self._lists: dict[str, ListShape] = {}
        self._when: dict[str, tuple[Condition, ...]] = {}

    def flat_space(self) -> FlatSpace:
        dropped = self._dropped()
        for name in self._ordered():
            self._conditions(name, dropped)
            if kind_of(self._keys[name]) == "list":
                self._add_list(name, self._keys[name])
            else:
                read = read_parameter(self._keys[name], name)
                self._add((name,), *read, self._when[name])
        kept = [name for name in self._keys if name not in dropped]
        gone = {flat for name in dropped for flat in self._flat_names(name)}
        parameters = {name: p for name, p in self._flat.items() if name not in gone}
        lists = {name: self._lists[name] for name in kept if name in self._lists}
        return FlatSpace(parameters, lists, tuple(kept))

    def _add(
        self,
        at: Path,
        parameter: Parameter | None,
        found: list[Finding],
        when: tuple[Condition, ...],
    ) -> None:
        """Note a parameter as read at a path, with its conditions."""
        self._found.extend(((*at, *path), text) for path, text in found)
        if parameter is None:
            return
        if parameter.name in self._flat:
            self._found.append((at[:1], f"gives '{parameter.name}', which exists already."))
        self._flat[parameter.name] = replace(parameter, when=when)

    def _ordered(self) -> list[str]:
        """Sort so that parents come first, otherwise as written; name every circle."""
        order: list[str] = []
        for name in self._keys:
            self._visit(name, order, ())
        return order

    def _visit(self, name: str, order: list[str], above: tuple[str, ...]) -> None:
        if name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            finding: Finding = ((above[-1], "when"), f"goes in a circle: {circle}.")
            if finding not in self._found:
                self._found.append(finding)
            return
        if name in order:
            return
        for parent in self._parents(name):
            self._visit(parent, order, (*above, name))
        if name not in order:
            order.append(name)

    def _parents(self, name: str) -> list[str]:
        owners = [self._owner(parent) for parent in self._keys[name].when]
        return [owner for owner in owners if owner is not None]

    def _owner(self, name: str) -> str | None:
        """Find the written parameter that a name, perhaps a flat one, belongs to."""
        if name in self._keys:
            return name
        lists = (k for k in self._keys if kind_of(self._keys[k]) == "list")
        return next((k for k in lists if name.rpartition("_")[0] == k), None)

    def _flat_names(self, name: str) -> tuple[str, ...]:
        shape = self._lists.get(name)
        return (name,) if shape is None else (*shape.items, shape.length or "")

    def _dropped(self) -> set[str]:
        """Find the parameters that can never exist, because a fixed setting forbids it."""
        dropped: set[str] = set()
        for _ in self._keys:
            for name, keys in self._keys.items():
                if any(self._forbids(p, v, dropped) for p, v in keys.when.items()):
                    dropped.add(name)
        return dropped

    def _forbids(self, parent: str, wanted: Any, dropped: set[str]) -> bool:
        owner = self._owner(parent)
        if owner is not None:
            return owner in dropped
        if self._fixed is None or parent not in self._fixed:
            return False
        value = self._fixed[parent]
        several = wanted if isinstance(wanted, list) else [wanted]
        return not any(same(value, one) for one in [wanted, *several])

    def _conditions(self, name: str, dropped: set[str]) -> None:
        conditions: list[Condition] = []
        for parent, wanted in self._keys[name].when.items():
            if self._owner(parent) is None:
                self._check_outside(name, parent)
            elif self._owner(parent) not in dropped:
                conditions += self._condition((name, "when", parent), parent, wanted)
        self._when[name] = tuple(conditions)

    def _check_outside(self, name: str, parent: str) -> None:
        if self._fixed is None or parent in self._fixed:
            return
        hint = near_miss(parent, [*self._keys, *self._fixed])
        text = f"'{parent}' is neither in this space nor under `fixed`.{hint}"
        self._found.append(((name, "when", parent), text))

    def _condition(self, path: Path, parent: str, wanted: Any) -> Iterator[Condition]:
        parameter = self._flat.get(parent)
        if parent in self._lists:
            part = self._lists[parent].length or self._lists[parent].items[0]
            self._found.append((path, f"'{parent}' is a list; name one of its parts: {part}."))
        if parameter is None:
            return  # its own finding says why it is not there
        if isinstance(parameter, Range) and not parameter.is_whole and not parameter.n_levels:
            text = f"'{parent}' is a range without `step`; a condition needs single values."
            self._found.append((path, text))
            return
        held = []
        for value in _several(parameter, wanted):
            try:
                held.append(parameter.hold(value))
            except ValueError as error:
                self._found.append((path, f"'{parent}' {error}"))
        yield Condition(parent, tuple(held))

    def _add_list(self, name: str, keys: ParameterKeys) -> None:
        found = list(_list_faults(keys))
        self._found.extend(((name, *path), text) for path, text in found)
        if found:
            return
        when = self._when[name]
        if isinstance(keys.length, ParameterKeys):
            length, per_item = self._own_length(name, keys.length)
        else:
            length, per_item = None, [()] * keys.length
        items = []
        for index, conditions in enumerate(per_item):
            item, faults = read_parameter(keys.each, f"{name}_{index}")
            self._add((name, "each"), item, faults if index == 0 else [], when + conditions)
            items.append(f"{name}_{index}")
        self._lists[name] = ListShape(name, length, tuple(items), when)

    def _own_length(
        self, name: str, keys: ParameterKeys
    ) -> tuple[str | None, list[tuple[Condition, ...]]]:
        parameter, found = read_parameter(keys, f"{name}_length")
        sizes = list(parameter.levels()) if parameter and _countable(parameter) else []
        if isinstance(parameter, Range) and parameter.is_whole and parameter.step is None:
            # without a step every length counts, also for a grid
            parameter = replace(parameter, step=None if parameter.log else 1)
            sizes = list(range(int(parameter.low), min(int(parameter.high), MAX_LENGTH + 1) + 1))
        if parameter and not all(_is_size(size) for size in sizes or [None]):
            found = [((), f"a length is a whole number from 0 to {MAX_LENGTH}.")]
            parameter = None
        self._add((name, "length"), parameter, found, self._when[name])
        whole = sorted(size for size in sizes if isinstance(size, int)) if parameter else []
        conditions = [
            (Condition(f"{name}_length", tuple(size for size in whole if size > index)),)
            for index in range(max(whole, default=0))
        ]
        return f"{name}_length", list(conditions)


def _several(parameter: Parameter, wanted: Any) -> list[Any]:
    """Read the value of a `when`: one value, or a list of values unless the list is a choice."""
    if not isinstance(wanted, list):
        return [wanted]
    is_choice = isinstance(parameter, Choices) and any(same(wanted, v) for v in parameter.values)
    return [wanted] if is_choice else wanted


def _countable(parameter: Parameter) -> bool:
    return parameter.n_levels <= MAX_LENGTH + 1


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_LENGTH


def _list_faults(keys: ParameterKeys) -> Iterator[Finding]:
    for key, other in (("length", "each"), ("each", "length")):
        if key not in keys.model_fields_set:
            yield (), f"'{key}' is missing: '{other}' makes a list of parameters."
    for key in sorted(keys.model_fields_set - {"length", "each", "when"}):
        yield (key,), f"'{key}' belongs under `each`."
    if keys.model_fields_set >= {"length", "each"}:
        parts = (("each", keys.each), ("length", keys.length))
        for key, part in parts:
            if isinstance(part, ParameterKeys):
                yield from _part_faults(key, part)


def _part_faults(key: str, part: ParameterKeys) -> Iterator[Finding]:
    for inner in sorted(part.model_fields_set & {"when", "length", "each"}):
        yield (key, inner), f"'{inner}' does not go inside '{key}'."
