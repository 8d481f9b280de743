"""What workers share: data and kernels of the process that forked them, and the kernels' cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from hpo.training.compiled import compiling, step
from hpo.training.compiled.compiling import kernel
from hpo.training.compiled.sparse import sparse_images
from hpo.training.data import Dataset, load_data
from hpo.training.settings import MLPSettings
from hpo.training.trainer import fit

FORK_AFTER_PRELOAD = """
import os, sys
from hpo.training.settings import MLPSettings
from hpo.training.trainer import fit, preload

def train():
    chosen = MLPSettings(dataset=sys.argv[1], engine=sys.argv[2], validation_size=0, epochs=1)
    (metrics,) = fit(chosen)
    return metrics.train_loss

preload(MLPSettings(dataset=sys.argv[1], engine=sys.argv[2], validation_size=0))
if os.path.isdir("/proc/self/task"):
    assert len(os.listdir("/proc/self/task")) == 1, "preload started a thread"
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, repr(train()).encode())
    os._exit(0)
os.close(write)
child = os.read(read, 100).decode()
os.wait()
print(child == repr(train()))
"""


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_worker_forked_after_preload_trains_the_same(engine: str, made_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK_AFTER_PRELOAD, str(made_file), engine],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr


def test_images_become_lists_once_for_a_data_set(made_file: Path) -> None:
    dataset = load_data(str(made_file))
    chosen = MLPSettings(validation_size=0, hidden_layers=(8,), epochs=1)
    list(fit(chosen, dataset))
    lists = sparse_images(dataset, "train")
    list(fit(chosen, dataset))
    assert sparse_images(dataset, "train") is lists


def test_the_lists_hold_every_pixel_that_is_not_black(made: Dataset) -> None:
    lists = sparse_images(made, "train")
    dense = np.zeros_like(made.train.images)
    for row in range(len(dense)):
        span = slice(lists.starts[row], lists.starts[row + 1])
        dense[row, lists.inputs[span]] = lists.codes[span]
    assert np.array_equal(dense, made.train.images)
    exact = (made.train.images.astype(np.float64) / 255 - made.mean) / made.std
    np.testing.assert_allclose(lists.table[made.train.images] + lists.zero, exact, atol=1e-6)


@pytest.fixture
def user_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    return tmp_path


def test_machine_code_is_kept_in_the_users_cache(
    user_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(compiling._cache_folder())
    assert folder.parent == user_cache / "xdg" / "hpo" / "numba"
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(user_cache / "asked"))
    assert Path(compiling._cache_folder()).parent == user_cache / "asked"


def test_a_home_that_cannot_be_written_leaves_a_private_temporary_folder(
    user_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (user_cache / "xdg").write_text("a file where the folder should be")
    private = Path(compiling._cache_folder()).parent
    assert private == user_cache / "tmp" / f"hpo-{os.getuid()}"
    private.chmod(0o777)
    assert compiling._cache_folder() == ""


def _twice(x: float) -> float:
    return 2 * x


def test_without_a_cache_kernels_still_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "CACHE_FOLDER", "")
    assert kernel(_twice)(2.5) == 5.0


def test_epochs_run_without_the_interpreters_lock(made: Dataset) -> None:
    run = fit(MLPSettings(validation_size=0, hidden_layers=(8,), epochs=1), made)
    assert run.engine == "compiled"
    assert step.train_epoch.targetoptions["nogil"] is True  # type: ignore[attr-defined]
