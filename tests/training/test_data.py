"""Sources, verification, the cache, splits and .npz files."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.errors import DataError, SettingsFaults, UserError
from hpo.training import data as data_module
from hpo.training import sources
from hpo.training.data import Dataset, load_data
from hpo.training.settings import MLPSettings
from tests.training.conftest import made_split

CONTENTS = {name: name.encode() * 100 for name in sources.FILES}


@pytest.fixture
def small_raw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """MNIST's place in an empty cache, with small files in place of the real ones."""
    digests = tuple(hashlib.sha256(content).hexdigest() for content in CONTENTS.values())
    files = sources.RawFiles("MNIST", digests)  # type: ignore[arg-type]
    monkeypatch.setitem(sources.RAW_FILES, "mnist", files)
    monkeypatch.setenv("HPO_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache" / "MNIST" / "raw"


def put(folder: Path, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def only_source(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    listed = [sources.Source("the shelf", lambda _: folder, is_remote=False)]
    monkeypatch.setattr(sources, "_sources", lambda _: listed)


@pytest.mark.parametrize("packed", [False, True])
def test_the_cache_is_read_first(small_raw: Path, packed: bool) -> None:
    put(small_raw, packed)
    assert sources.read_raw("mnist") == CONTENTS


def test_what_a_source_has_is_verified_and_kept(
    small_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_source(monkeypatch, put(tmp_path / "shelf", packed=True))
    assert sources.read_raw("mnist") == CONTENTS
    assert {path.name for path in small_raw.iterdir()} == {*sources.FILES, ".lock"}
    assert all((small_raw / name).read_bytes() == CONTENTS[name] for name in sources.FILES)


def test_a_damaged_file_of_the_cache_is_replaced(
    small_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(small_raw)
    (small_raw / sources.FILES[2]).write_bytes(b"half")
    only_source(monkeypatch, put(tmp_path / "shelf"))
    assert sources.read_raw("mnist") == CONTENTS


def test_one_error_lists_every_source_and_where_to_put_files(
    small_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = put(tmp_path / "shelf")
    (shelf / sources.FILES[0]).write_bytes(b"other")
    only_source(monkeypatch, shelf)
    with pytest.raises(DataError) as caught:
        sources.read_raw("mnist")
    message = str(caught.value)
    assert f"{small_raw}: train-images-idx3-ubyte is not there" in message
    assert "the shelf: train-images-idx3-ubyte is damaged: SHA-256 must be" in message
    assert f"into {small_raw}" in message
    assert not [path for path in small_raw.iterdir() if path.name != ".lock"]


def test_a_program_that_is_missing_hangs_or_fails_is_an_answer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no-such-program is not installed"):
        sources._run(["no-such-program"], 5)
    with pytest.raises(DataError, match="no answer within 0 s"):
        sources._run(["sleep", "5"], 0.05)
    with pytest.raises(DataError, match="cat: .*missing"):
        sources._run(["cat", str(tmp_path / "missing")], 5)


def test_a_remote_source_that_failed_is_not_asked_again_by_this_process_and_its_children(
    small_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = small_raw.parent.parent / "asked"

    def fetch(_: Path) -> Path:
        with asked.open("a") as log:
            log.write("x")
        raise DataError("no connection")

    monkeypatch.setattr(sources, "_UNREACHED", {})
    monkeypatch.setattr(sources, "_sources", lambda _: [sources.Source("afar", fetch)])
    for _ in range(2):
        with pytest.raises(DataError, match="- afar: no connection"):
            sources.read_raw("mnist")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(_data_error, ["mnist"]) == ["- afar: no connection"]
    assert asked.read_text() == "x"
    put(small_raw)
    assert sources.read_raw("mnist") == CONTENTS


def _data_error(name: str) -> str:
    try:
        sources.read_raw(name)
    except DataError as error:
        return next(line.strip() for line in str(error).splitlines() if "afar" in line)
    return ""


@pytest.mark.parametrize(("connects", "said"), [(False, "no connection within 1 s"), (True, "")])
def test_a_download_that_makes_no_connection_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, connects: bool, said: str
) -> None:
    monkeypatch.setattr(sources, "CONNECT_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))"
        code = [sources._CONNECT_IN_TIME, sources._START_CLOCK, connect if connects else ""]
        program = "\n".join([*code, "import time", f"time.sleep({1.5 if connects else 60})"])
        try:
            sources._run([sys.executable, "-c", program, "1"], 50)
            answer = ""
        except DataError as error:
            answer = str(error)
    assert answer == said


def test_data_that_a_run_cannot_have_is_a_fault_of_its_setting(
    small_raw: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sources, "_sources", lambda _: [])
    monkeypatch.setattr(data_module, "_LOADED", {})
    for dataset, said in (("mnist", "No source has"), (f"{tmp_path}/no.npz", "cannot be read")):
        with pytest.raises(SettingsFaults, match=said) as caught:
            data_module.require_data(MLPSettings(dataset=dataset))
        assert [path for path, _ in caught.value.faults] == [("dataset",)]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_said(small_raw: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="cannot be written"):
        sources.read_raw("mnist")


def _read_in_child(_: int) -> bool:
    return sources.read_raw("mnist") == CONTENTS


def test_processes_that_start_together_fetch_once(
    small_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, log = put(tmp_path / "shelf"), tmp_path / "fetched"

    def fetch(_: Path) -> Path:
        with log.open("a") as file:
            file.write("x")
        return shelf

    monkeypatch.setattr(sources, "_sources", lambda _: [sources.Source("the shelf", fetch)])
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert all(pool.map(_read_in_child, range(4)))
    assert log.read_text() == "x"


def test_mnist_has_the_known_shapes_and_density(mnist: Dataset) -> None:
    assert mnist.train.images.shape == (60_000, 784)
    assert mnist.test.images.shape == (10_000, 784)
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert load_data("mnist") is mnist


@given(st.integers(0, 699), st.integers(0, 2**32 - 1))
def test_a_holdout_divides_the_training_images(size: int, seed: int) -> None:
    split = made_split(700, 1, n_inputs=4)
    dataset = Dataset("made", split, split, 255.0, 0.1, 0.3, 7)
    holdout = dataset.hold_out(size, seed)
    if size == 0:
        assert holdout.evaluation_split == "test"
        assert holdout.train_rows.tolist() == list(range(700))
    else:
        both = np.concatenate([holdout.train_rows, holdout.evaluation_rows])
        assert holdout.evaluation_split == "train"
        assert len(holdout.evaluation_rows) == size
        assert sorted(both.tolist()) == list(range(700))


def test_a_split_seed_always_means_the_same_images(mnist: Dataset) -> None:
    held_out = mnist.hold_out(10_000, 1).evaluation_rows
    assert held_out[:6].tolist() == [10, 28, 30, *held_out[3:6].tolist()]
    assert held_out.tolist() != mnist.hold_out(10_000, 2).evaluation_rows.tolist()


def test_holding_out_everything_is_refused(made: Dataset) -> None:
    with pytest.raises(UserError, match="validation_size: must be below the 700 training images"):
        made.hold_out(700, 1)


def test_an_npz_file_is_normalized_by_its_training_images(made_file: Path, made: Dataset) -> None:
    loaded = load_data(str(made_file))
    pixels = made.train.images / 255
    assert loaded.n_inputs == 81
    assert loaded.n_classes == 7
    assert loaded.unit == 255.0
    assert loaded.mean == pytest.approx(pixels.mean())
    assert loaded.std == pytest.approx(pixels.std())


def test_a_changed_npz_file_is_read_again(made_file: Path, made: Dataset) -> None:
    before = load_data(str(made_file))
    assert load_data(str(made_file)) is before
    x = made.train.images[:300]
    y = made.train.labels[:300]
    np.savez(made_file, x_train=x, y_train=y, x_test=x, y_test=y)
    assert len(load_data(str(made_file)).train.labels) == 300


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": np.zeros((2, 4), np.uint8)}, "has no y_train, x_test, y_test"),
        ({"y_train": np.zeros(3, np.int64)}, "same number of rows"),
        ({"y_train": np.array([0.0, 1.0])}, "integers from 0"),
        ({"y_train": np.array([-1, 0])}, "integers from 0"),
        ({"x_train": np.zeros((2, 4), np.int32)}, "uint8 or floats"),
        ({"x_test": np.zeros((2, 5), np.uint8)}, "one dtype and one image shape"),
        (
            {"x_train": np.full((2, 4), np.nan), "x_test": np.zeros((2, 4))},
            "must be finite",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_npz_file_is_refused(
    tmp_path: Path,
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]],
    message: str,
) -> None:
    x, y = np.zeros((2, 4), np.uint8), np.array([0, 1])
    whole = {"x_train": x, "y_train": y, "x_test": x, "y_test": y} | arrays
    if "has no" in message:
        whole = arrays
    np.savez(tmp_path / "bad.npz", allow_pickle=False, **whole)
    with pytest.raises(DataError, match=message):
        load_data(str(tmp_path / "bad.npz"))


def test_a_file_that_is_missing_or_no_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_data(str(tmp_path / "no.npz"))
    (tmp_path / "text.npz").write_text("not an archive")
    with pytest.raises(DataError, match=r"text.npz cannot be read"):
        load_data(str(tmp_path / "text.npz"))


def test_the_user_chooses_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HPO_DATA", str(tmp_path))
    assert sources.data_folder() == tmp_path
    monkeypatch.delenv("HPO_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert sources.data_folder() == tmp_path / "xdg" / "hpo" / "data"
    assert data_module.NPZ_ARRAYS[0] == "x_train"
