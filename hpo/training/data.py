"""Images and labels in memory: a data set's name goes in, a `Dataset` of shared arrays comes out.

Nothing here starts a thread or imports torch, so a process that forks workers may call `load_data`:
the arrays are never written again and stay shared between the workers.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hpo.errors import DataError, SettingsFaults
from hpo.training.settings import NAMED_DATASETS, MLPSettings
from hpo.training.sources import read_raw

Images = npt.NDArray[Any]  # uint8 or float32, shape (images, inputs)
Labels = npt.NDArray[np.uint8] | npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

IDX_HEADER = {"images": 16, "labels": 8}  # bytes
# Mean and standard deviation of the training images' pixels in 0..1, as the field writes them.
MEAN_AND_STD = {"mnist": (0.1307, 0.3081), "fashion_mnist": (0.2860, 0.3530)}
NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Split:
    """The training or the test images of a data set; row i of both arrays is one image.

    Attributes:
        images: Raw values, uint8 or float32, shape (images, inputs).
        labels: Classes 0, 1, ..., int64, shape (images,).
    """

    images: Images
    labels: npt.NDArray[np.int64]


class Holdout(NamedTuple):
    """Which rows are trained on and which are evaluated, and of which split.

    Attributes:
        train_rows: Rows of the training split, in ascending order.
        evaluation_split: ``train`` for held-out training images, ``test`` for the test split.
        evaluation_rows: Rows of that split, in ascending order.
    """

    train_rows: Rows
    evaluation_split: str
    evaluation_rows: Rows


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as raw arrays; the trainer computes ``(raw / unit - mean) / std``.

    Attributes:
        name: As in the settings.
        train: The training split.
        test: The test split; a search never looks at it.
        unit: 255 for uint8 images, 1 for floats.
        mean: Of the training pixels divided by ``unit``.
        std: Of the same.
        n_classes: Number of classes.
    """

    name: str
    train: Split
    test: Split
    unit: float
    mean: float
    std: float
    n_classes: int
    prepared: dict[str, Any] = field(default_factory=dict, repr=False)  # kept by the engines

    @property
    def n_inputs(self) -> int:
        """Values in one image."""
        return int(self.train.images.shape[1])

    def split(self, name: str) -> Split:
        """The split of that name, ``train`` or ``test``."""
        return self.train if name == "train" else self.test

    def require_training_images(self, validation_size: int) -> None:
        """See that something is left to train on.

        Raises:
            SettingsFaults: So many images would be held out that nothing is.
        """
        n_train = len(self.train.labels)
        if validation_size >= n_train:
            message = (
                f"must be below the {n_train} training images of {self.name}, "
                f"but got {validation_size}."
            )
            raise SettingsFaults([(("validation_size",), message)])

    def hold_out(self, validation_size: int, split_seed: int) -> Holdout:
        """Hold training images out for evaluation.

        Args:
            validation_size: How many; 0 evaluates on the test split instead.
            split_seed: Decides which ones.

        Raises:
            SettingsFaults: Nothing would be left to train on.
        """
        self.require_training_images(validation_size)
        n_train = len(self.train.labels)
        if validation_size == 0:
            return Holdout(np.arange(n_train), "test", np.arange(len(self.test.labels)))
        # numpy promises that RandomState's streams never change.
        order = np.random.RandomState(split_seed).permutation(n_train)
        held_out, kept = np.split(order, [validation_size])
        return Holdout(np.sort(kept), "train", np.sort(held_out))


_LOADED: dict[object, Dataset] = {}


def load_data(name: str) -> Dataset:
    """The data set of that name, read once in a process.

    Args:
        name: ``mnist``, ``fashion_mnist``, or the path of an ``.npz`` file with x_train, y_train,
            x_test and y_test: images of any shape as uint8 or floats, labels as integers from 0.

    Raises:
        DataError: It cannot be found, fetched or read; the message says where it was looked for.
    """
    key = name if name in NAMED_DATASETS else _file_key(Path(name))
    if key not in _LOADED:
        _LOADED[key] = _named(name) if name in NAMED_DATASETS else _from_npz(Path(name))
    return _LOADED[key]


def require_data(settings: MLPSettings) -> None:
    """Load the data set of a run, and see that its training images are enough.

    Raises:
        SettingsFaults: There is no such data set to be had, or all of it would be held out.
    """
    try:
        data = load_data(settings.dataset)
    except DataError as error:
        raise SettingsFaults([(("dataset",), str(error))]) from None
    data.require_training_images(settings.validation_size)


def _named(name: str) -> Dataset:
    raw = read_raw(name)
    mean, std = MEAN_AND_STD[name]
    train, test = (
        Split(
            _idx(raw[f"{half}-images-idx3-ubyte"], IDX_HEADER["images"]).reshape(-1, 28 * 28),
            _idx(raw[f"{half}-labels-idx1-ubyte"], IDX_HEADER["labels"]).astype(np.int64),
        )
        for half in ("train", "t10k")
    )
    return Dataset(name, train, test, unit=255.0, mean=mean, std=std, n_classes=10)


def _idx(content: bytes, header: int) -> npt.NDArray[np.uint8]:
    # Copied, because torch warns of arrays that it must not write.
    return np.frombuffer(content, dtype=np.uint8, offset=header).copy()


def _file_key(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as fault:
        raise DataError(f"The data set {path} cannot be read: {fault.strerror}") from None
    return (path.resolve(), status.st_mtime_ns, status.st_size)


def _from_npz(path: Path) -> Dataset:
    arrays = _npz_arrays(path)
    train = _npz_split(path, arrays, "train")
    test = _npz_split(path, arrays, "test")
    if train.images.dtype != test.images.dtype or train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(f"{path}: x_train and x_test must have one dtype and one image shape")
    unit = 255.0 if train.images.dtype == np.uint8 else 1.0
    std = float(train.images.std(dtype=np.float64)) / unit
    return Dataset(
        str(path),
        train,
        test,
        unit=unit,
        mean=float(train.images.mean(dtype=np.float64)) / unit,
        std=std or 1.0,
        n_classes=int(max(train.labels.max(), test.labels.max())) + 1,
    )


def _npz_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in NPZ_ARRAYS if name not in archive]
            if missing:
                raise DataError(
                    f"{path}: must hold {', '.join(NPZ_ARRAYS)}, but has no {', '.join(missing)}"
                )
            return {name: archive[name] for name in NPZ_ARRAYS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as fault:
        raise DataError(f"The data set {path} cannot be read: {fault}") from None


def _npz_split(path: Path, arrays: dict[str, npt.NDArray[Any]], half: str) -> Split:
    images, labels = arrays[f"x_{half}"], arrays[f"y_{half}"]
    if len(images) == 0 or labels.shape != (len(images),):
        raise DataError(
            f"{path}: x_{half} and y_{half} must have the same number of rows, at least 1, "
            f"but have shapes {images.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(f"{path}: y_{half} must hold integers from 0, but has {labels.dtype}")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DataError(f"{path}: x_{half} must be uint8 or floats, but is {images.dtype}")
    flat = images.reshape(len(images), -1)
    values = flat if flat.dtype == np.uint8 else flat.astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{path}: x_{half} must be finite, but holds NaN or infinity")
    return Split(np.ascontiguousarray(values), labels.astype(np.int64))
