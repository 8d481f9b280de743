"""The wheel carries every template once; an editable install reads the shipped project in place."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import hpo
from hpo.init_project import KINDS, template_files

REPOSITORY = Path(hpo.__file__).parent.parent
BUILD_INPUTS = ("hpo", "studies", "objective.py", "search_spaces.yaml", "pyproject.toml")
LISTED = """
import json, site, sys
sys.path = [path for path in sys.path if path != sys.argv[2]]
sys.meta_path = [f for f in sys.meta_path if "editable" not in getattr(f, "__name__", "").lower()]
site.addsitedir(sys.argv[1])
import hpo.init_project as i
files = {kind: {n: str(p) for n, p in i.template_files(kind).items()} for kind in i.KINDS}
print(json.dumps({"hpo": i.__file__, "files": files}))
"""

pytestmark = pytest.mark.skipif(
    not (REPOSITORY / "pyproject.toml").is_file(), reason="needs the repository"
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from."""
    folder = tmp_path_factory.mktemp("source")
    without_caches = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc")
    for name in BUILD_INPUTS:
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name, ignore=without_caches)
        else:
            shutil.copy(REPOSITORY / name, folder / name)
    for name in ("README.md", "LICENSE"):
        (folder / name).write_text("The text does not matter here.\n")
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release is."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True, text=True)
    (built,) = out.glob("hpo_service-*-py3-none-any.whl")
    return built


def listed(site: Path) -> dict[str, dict[str, dict[str, str]]]:
    """The templates as an interpreter finds them that has `site` on its path, and no repository."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED, str(site), str(REPOSITORY)],
        cwd=site,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, dict[str, str]]] = json.loads(done.stdout)
    return found


def test_the_wheel_holds_every_template_file_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = Counter(archive.namelist())
        for kind in KINDS:
            for name, path in template_files(kind).items():
                inside = f"hpo/templates/{kind}/{name}"
                assert names[inside] == 1, inside
                assert archive.read(inside) == path.read_bytes()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"hpo"}
    assert max(names.values()) == 1


def test_the_wheel_holds_what_is_not_python_too(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "hpo = hpo.cli:main" in archive.read(metadata).decode()
    data = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "hpo").rglob("*")
        if path.suffix in (".css", ".js", ".html", ".typed")
    }
    assert data <= names


def test_an_installed_wheel_reads_its_own_templates(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    found = listed(tmp_path)
    assert Path(str(found["hpo"])).is_relative_to(tmp_path)
    for kind in KINDS:
        assert set(found["files"][kind]) == set(template_files(kind))
        paths = [Path(path) for path in found["files"][kind].values()]
        assert all(path.is_relative_to(tmp_path / "hpo" / "templates" / kind) for path in paths)


def test_an_editable_install_reads_the_shipped_project_in_place(
    source: Path, tmp_path: Path
) -> None:
    code = f"import hatchling.build as b; print(b.build_editable({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path / "site")
    found = listed(tmp_path / "site")
    assert Path(str(found["hpo"])).is_relative_to(source)
    assert found["files"]["mlp"]["objective.py"] == str(source / "objective.py")
    assert all(Path(path).is_relative_to(source) for path in found["files"]["mlp"].values())
