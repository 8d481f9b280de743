"""A stored study as the file that makes it again: resolved data in, a study file out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.reporting.texts import yaml_text

# What a stored study says where its file said nothing.
_DEFAULTS: Mapping[str, Any] = {
    "replicates": 1,
    "retries": 2,
    "stop_grace_s": 30.0,
    "keep": "all",
    "metrics": ["accuracy"],
}


def study_file_text(file: Mapping[str, Any]) -> str:
    """The study file as YAML, in the keys that users write; read again it resolves to the same.

    Args:
        file: The resolved study as the database holds it.
    """
    written = {_KEYS.get(key, key): _written(key, value) for key, value in file.items()}
    if file.get("method") == "controlled":
        # Its space is what `vary` says.
        written.pop("search_space", None)
    if written.get("directions") and len(written["directions"]) == 1:
        written["directions"] = written["directions"][0]
        written = {"direction" if k == "directions" else k: v for k, v in written.items()}
    return yaml_text({key: value for key, value in written.items() if _is_told(key, value)})


_KEYS = {"timeout_s": "timeout"}


def _written(key: str, value: Any) -> Any:
    if key == "pruner":
        return _component(value)
    if key == "sampler":
        return (value or {}).get("arguments")
    return value


def _component(value: Any) -> Any:
    """``{name, arguments}`` as ``name`` or ``{name: arguments}``, nested ones too."""
    if not isinstance(value, Mapping) or set(value) != {"name", "arguments"}:
        return value
    arguments = {name: _component(item) for name, item in value["arguments"].items()}
    return {value["name"]: arguments} if arguments else value["name"]


def _is_told(key: str, value: Any) -> bool:
    if value is None or (isinstance(value, (list, tuple, dict)) and not value):
        return False
    return key not in _DEFAULTS or _plain(value) != _DEFAULTS[key]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
