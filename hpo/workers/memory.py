"""Peak memory of this process since a mark, and whether an error means that memory ran out."""

from __future__ import annotations

import gc
import re
import resource
import sys
from pathlib import Path

from hpo.plain import describe

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"  # Linux: forget the highest resident set so far
_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.I)


def mark() -> None:
    """Measure the peak from here on, where the system allows it (Linux)."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return


def peak_mib() -> float:
    """The largest resident set since the mark, in MiB; since the process began elsewhere."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    except OSError:
        found = None
    if found:
        return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def is_exhausted(error: BaseException) -> bool:
    """Whether the host's or a device's memory ran out (torch raises a RuntimeError for both)."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(describe(error)))


def release_memory() -> None:
    """Give back what a failed trial held, on the device too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
