"""How kernels are compiled: a function goes in, machine code kept in the user's cache comes out."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba.core import config

from hpo.training.sources import user_cache

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use, without the interpreter's lock, and keep the machine code on disk.

    Only fused multiply-add is allowed beyond strict arithmetic, so that NaN stays NaN.
    """
    return _compiled(function, fastmath={"contract", "nsz"})


def estimating_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """The same, with a / sqrt(b) from the CPU's estimate of 1 / sqrt(b) and a Newton step."""
    return _compiled(function, fastmath={"contract", "nsz", "reassoc", "arcp"})


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    settings: Any = config  # its names are made when numba is imported
    before, settings.CACHE_DIR = settings.CACHE_DIR, CACHE_FOLDER
    try:
        decorate = numba.njit(cache=bool(CACHE_FOLDER), nogil=True, error_model="numpy", **options)
        compiled: Callable[P, R] = decorate(function)
    finally:
        settings.CACHE_DIR = before
    return compiled


def _cache_folder() -> str:
    """A writable folder for this version of the kernels; empty when there is none.

    ``NUMBA_CACHE_DIR`` goes before the user's cache directory, which goes before a private folder
    for temporary files. numba notices a change in a kernel's own file, not in those it calls: the
    folder's name does.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    asked = os.environ.get("NUMBA_CACHE_DIR")
    private = Path(tempfile.gettempdir()) / f"hpo-{os.getuid()}"
    for parent in (Path(asked) if asked else user_cache() / "numba", private):
        folder = parent / version
        if _is_ours(folder):
            return str(folder)
    return ""


def _is_ours(folder: Path) -> bool:
    """Whether we can write there and strangers cannot: the cache is code that will run."""
    try:
        for path in (folder.parent, folder):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            status = path.stat()
            if status.st_uid != os.getuid() or status.st_mode & stat.S_IWOTH:
                return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


CACHE_FOLDER = _cache_folder()
