"""A search space: plain data in, Optuna distributions, grid points, draws and settings out.

Conditional parameters exist only while their parents have certain values; lists of any length
stand in trials as `name_length`, `name_0`, ...; list values stand there under their label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from hpo.near_miss import near_miss
from hpo.spaces.flat_space import FlatSpace, ListShape, flatten
from hpo.spaces.keys import ParameterKeys
from hpo.spaces.parameters import Condition, Parameter
from hpo.yaml_files.faults import Faulty, Finding

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The parameters of a study; made by `from_data`.

    Attributes:
        parameters: Flat parameters by name, parents before their children.
    """

    parameters: Mapping[str, Parameter]
    _lists: Mapping[str, ListShape] = field(repr=False)
    _data: str = field(repr=False)

    @classmethod
    def from_data(
        cls, data: Mapping[str, Any], fixed: Mapping[str, Any] | None = None
    ) -> SearchSpace:
        """Make a space from what a user wrote.

        Args:
            data: Parameter name -> its keys (`choices`, or `low` and `high`, ...).
            fixed: Settings outside the space. A condition on one of them is decided here: the
                parameter then exists always or is left out.

        Raises:
            Faulty: A ValueError with every fault and its path.
        """
        flat, found = flatten(data, fixed or {})
        if not found and not flat.parameters:
            found = [((), "a search space needs at least one parameter.")]
        if found:
            raise Faulty(found)
        kept = _without_outside({name: data[name] for name in flat.kept}, flat)
        return cls(
            MappingProxyType(flat.parameters),
            MappingProxyType(flat.lists),
            json.dumps(kept),
        )

    def to_data(self) -> dict[str, Any]:
        """Give plain data that `from_data` reads back into an equal space."""
        data: dict[str, Any] = json.loads(self._data)
        return data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self._data == other._data

    def __hash__(self) -> int:
        return hash(self._data)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic models hold spaces: read from, and written as, plain data.

        Where a user writes one, the name of a space may stand in its place.
        """
        written = handler.generate_schema(dict[str, ParameterKeys])
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.from_data(value),
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls.to_data, when_used="unless-none"
            ),
            json_schema_input_schema=core_schema.union_schema([core_schema.str_schema(), written]),
        )

    @property
    def is_conditional(self) -> bool:
        """Whether some parameter exists only under a condition."""
        return any(parameter.when for parameter in self.parameters.values())

    def distributions(self) -> dict[str, BaseDistribution]:
        """Give the Optuna distribution of every flat parameter."""
        return {name: p.distribution() for name, p in self.parameters.items()}

    def active(self, params: Mapping[str, Any]) -> list[str]:
        """List the parameters that exist given these (perhaps partial) flat values."""
        present: dict[str, Any] = {}
        names = []
        for name, parameter in self.parameters.items():
            if all(condition.holds(present) for condition in parameter.when):
                names.append(name)
                present.update({name: params[name]} if name in params else {})
        return names

    def draw(self, random: Random) -> dict[str, Any]:
        """Draw one random point; flat values as Optuna holds them."""
        return self._fill(lambda parameter: parameter.draw(random))

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """Ask a trial for every parameter that exists; flat values as Optuna holds them."""
        return self._fill(lambda parameter: parameter.suggest(trial))

    def complete(self, params: Mapping[str, Any], random: Random) -> dict[str, Any]:
        """Draw what a partial point leaves open; given values without a condition met stay out."""
        return self._fill(lambda p: params[p.name] if p.name in params else p.draw(random))

    def _fill(self, value_of: Any) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if all(condition.holds(params) for condition in parameter.when):
                params[name] = value_of(parameter)
        return params

    def grid(self) -> Iterator[dict[str, Any]]:
        """Yield the product of all levels, the last parameter changing fastest.

        A parameter that does not exist in a branch makes no copies of it.
        """
        return self._branch(list(self.parameters.values()), {})

    def _branch(self, left: list[Parameter], params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not left:
            yield dict(params)
            return
        first, rest = left[0], left[1:]
        if not all(condition.holds(params) for condition in first.when):
            yield from self._branch(rest, params)
            return
        for level in first.levels():
            yield from self._branch(rest, {**params, first.name: level})

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a trial's flat values into the user's: labels into lists, items into their list.

        Values of parameters that the space does not have are passed on.
        """
        items = {item: shape for shape in self._lists.values() for item in _parts(shape)}
        lists = {name: self._list(shape, params) for name, shape in self._lists.items()}
        settings: dict[str, Any] = {n: v for n, v in lists.items() if v is not None}
        for name, value in params.items():
            if name not in items:
                parameter = self.parameters.get(name)
                settings[name] = parameter.value(value) if parameter else value
        return settings

    def _list(self, shape: ListShape, params: Mapping[str, Any]) -> list[Any] | None:
        if not all(condition.holds(params) for condition in shape.when):
            return None
        if shape.length is not None and shape.length not in params:
            return None
        active = [item for item in shape.items if self._exists(item, params)]
        if any(item not in params for item in active):
            return None
        return [self.parameters[item].value(params[item]) for item in active]

    def _exists(self, name: str, params: Mapping[str, Any]) -> bool:
        return all(condition.holds(params) for condition in self.parameters[name].when)

    def flat(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Turn settings, perhaps only some, into flat values as Optuna holds them.

        Flat names (`hidden_layers_0`) and labels of lists are understood too.

        Raises:
            Faulty: A ValueError with every name or value that is outside the space.
        """
        found: list[Finding] = []
        params: dict[str, Any] = {}
        for name, value in settings.items():
            for part, item in self._spread(name, value, found).items():
                try:
                    params[part] = self.parameters[part].hold(item)
                except ValueError as error:
                    found.append(((name,), str(error)))
        found += self._unmet(params, settings) if not found else []
        if found:
            raise Faulty(found)
        return {name: params[name] for name in self.parameters if name in params}

    def _spread(self, name: str, value: Any, found: list[Finding]) -> dict[str, Any]:
        shape = self._lists.get(name)
        if shape is None and name in self.parameters:
            return {name: value}
        if shape is None:
            hint = near_miss(name, [*self.parameters, *self._lists])
            found.append(((name,), f"is not in the search space.{hint}"))
            return {}
        if not isinstance(value, list | tuple) or len(value) > len(shape.items):
            found.append(((name,), f"must be a list of at most {len(shape.items)} values."))
            return {}
        length = {shape.length: len(value)} if shape.length else {}
        return {**length, **dict(zip(shape.items, value, strict=False))}

    def _unmet(self, params: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Finding]:
        """Name given values whose parents, also given, forbid them."""
        return [
            ((_written(name, settings),), _needs(name, condition))
            for name in params
            for condition in self.parameters[name].when
            if condition.parent in params and not condition.holds(params)
        ]


def _written(name: str, settings: Mapping[str, Any]) -> str:
    return name if name in settings else name.rpartition("_")[0]


def _needs(name: str, condition: Condition) -> str:
    values = ", ".join(map(str, condition.values))
    return f"'{name}' exists only while '{condition.parent}' is {values}."


def _parts(shape: ListShape) -> list[str]:
    return [*shape.items, *([shape.length] if shape.length else [])]


def _without_outside(data: dict[str, Any], flat: FlatSpace) -> dict[str, Any]:
    """Drop the conditions that were decided by settings outside the space."""
    kept = {}
    for name, keys in data.items():
        own = {p: v for p, v in keys.get("when", {}).items() if _inside(p, flat)}
        rest = {key: value for key, value in keys.items() if key != "when"}
        kept[name] = {**rest, "when": own} if own else rest
    return kept


def _inside(parent: str, flat: FlatSpace) -> bool:
    return parent in flat.parameters or parent in flat.lists
