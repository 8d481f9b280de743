"""`hpo doctor`: a storage URL goes in, findings about all that a run needs come out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hpo.doctor.environment import (
    check_extras,
    check_machine,
    check_packages,
    check_python,
    check_torch,
)
from hpo.doctor.finding import Finding
from hpo.doctor.places import check_datasets, check_folders, check_storage

__all__ = ["Finding", "examine"]


def examine(storage: str) -> Iterator[Finding]:
    """Look at everything.

    Args:
        storage: The URL of the database that commands would use here.
    """
    yield check_python()
    yield from check_packages()
    yield check_machine()
    yield from check_torch()
    yield from check_datasets()
    yield from check_storage(storage)
    yield from check_folders(Path.cwd())
    yield from check_extras()
