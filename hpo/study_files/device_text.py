"""Device texts: ``cuda:0*2, cpu`` goes in, what it asks for comes out. Looks at no device."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpo.near_miss import near_miss

AUTO = "auto"
KINDS = ("cpu", "mps", "cuda")
_ITEM = re.compile(r"(?P<kind>cpu|mps|cuda)(:(?P<index>\d+))?(\*(?P<count>\d+))?")


@dataclass(frozen=True)
class AskedDevices:
    """One item of a device text.

    Attributes:
        kind: `cpu`, `mps` or `cuda`.
        index: Which CUDA device; None for all of the kind.
        n_workers: How many workers on each.
    """

    kind: str
    index: int | None
    n_workers: int

    @property
    def name(self) -> str:
        """As a user writes it, without the workers: `cuda:1`."""
        return self.kind if self.index is None else f"{self.kind}:{self.index}"


def read_devices(text: str) -> tuple[AskedDevices, ...]:
    """Read items such as `cpu`, `cpu*4`, `cuda`, `cuda:0*2`, by commas; none stand for `auto`.

    Raises:
        ValueError: The text can be right on no machine.
    """
    return () if text.strip() == AUTO else tuple(_item(item.strip()) for item in text.split(","))


def _item(text: str) -> AskedDevices:
    found = _ITEM.fullmatch(text)
    if found is None or (found["index"] and found["kind"] != "cuda"):
        hint = near_miss(re.split("[:*]", text)[0], (AUTO, *KINDS)) if found is None else ""
        raise ValueError(
            "must be auto, cpu, mps, cuda or cuda:N, with *COUNT for several workers on it, "
            f"but got {text!r}.{hint}"
        )
    if found["count"] and int(found["count"]) == 0:
        raise ValueError(f"needs at least one worker, but got {text!r}.")
    index = None if found["index"] is None else int(found["index"])
    return AskedDevices(found["kind"], index, int(found["count"] or 1))
