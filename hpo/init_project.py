"""`hpo init`: the name of a template and a folder go in, a project that runs at once comes out."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hpo.errors import UserError

TEMPLATES = Path(__file__).parent / "templates"
# The shipped project stands once, at the repository's top; a wheel carries it as a template.
SHIPPED = ("objective.py", "search_spaces.yaml", "studies")

_IGNORED = """\
# Results, what workers print, and reports.
*.db
*.db-shm
*.db-wal
hpo-logs/
report.html
__pycache__/
"""


@dataclass(frozen=True)
class Template:
    """A project that can be written.

    Attributes:
        study: The study file to run first.
        needs: A package that its objective imports and hpo does not bring, as (module, package).
    """

    study: str
    needs: tuple[str, str] | None = None

    def missing_package(self) -> str | None:
        """The package to install before the project runs, or None."""
        if self.needs is None or find_spec(self.needs[0]) is not None:
            return None
        return self.needs[1]


KINDS = {
    "mlp": Template("studies/quickstart.yaml"),
    "plain": Template("studies/tpe.yaml"),
    "sklearn": Template("studies/tpe.yaml", needs=("sklearn", "scikit-learn")),
}


def template_files(kind: str) -> dict[str, Path]:
    """Path in the project -> the file it is a copy of."""
    own = TEMPLATES / kind
    roots = [own / name for name in SHIPPED] if kind == "mlp" else []
    if roots and not roots[0].is_file():  # not a wheel
        roots = [TEMPLATES.parent.parent / name for name in SHIPPED]
    found = _files_below(own, own)
    for root in roots:
        found |= _files_below(root, root.parent)
    return dict(sorted(found.items()))


def _files_below(root: Path, base: Path) -> dict[str, Path]:
    """A file, or the files below a folder, by their paths from `base`."""
    paths = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else [root]
    kept = [path for path in paths if "__pycache__" not in path.parts]
    return {path.relative_to(base).as_posix(): path for path in kept}


def write_project(kind: str, folder: Path) -> list[str]:
    """Write a project into a new or an empty folder.

    Args:
        kind: A key of `KINDS`.
        folder: Where; missing parents are made.

    Returns:
        The files written, relative to the folder.

    Raises:
        UserError: The folder has something in it, or cannot be written.
    """
    refuse_used(folder)
    files = template_files(kind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".init-") as scratch:
            aside = Path(scratch)
            for name, source in files.items():
                (aside / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, aside / name)
            (aside / ".gitignore").write_text(_IGNORED, encoding="utf-8")
            for made in list(aside.iterdir()):
                made.rename(folder / made.name)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}.") from None
    return [".gitignore", *files]


def refuse_used(folder: Path) -> None:
    """Refuse to write over anything.

    Raises:
        UserError: The path is a file, or a folder that is not empty.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: `hpo init` needs a new or an empty folder.")
    if folder.is_dir() and any(folder.iterdir()):
        first = min(path.name for path in folder.iterdir())
        raise UserError(
            f"{folder} is not empty (it holds {first}): `hpo init` writes a new or an empty "
            "folder and changes nothing that is there."
        )
