"""Files replaced in one step: a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside a path, to be written; at the end it takes the path's place.

    A file that is there keeps its permissions. After an error it stays as it is.

    Raises:
        OSError: The folder or the disk cannot take it.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".aside-") as folder:
        aside = Path(folder) / path.name
        yield aside
        if path.exists():
            aside.chmod(path.stat().st_mode & 0o777)
        aside.replace(path)
