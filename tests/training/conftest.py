"""Data sets for the trainer's tests: a small made one, and MNIST itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hpo.training.data import Dataset, Split, load_data

N_CLASSES, SIDE = 7, 9


def made_split(n_images: int, seed: int, n_inputs: int = SIDE * SIDE) -> Split:
    """Images whose bright pixels depend on the class, three quarters of them black."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, n_images)
    centres = np.random.default_rng(99).random((N_CLASSES, n_inputs))
    noisy = centres[labels] + rng.normal(0, 0.3, (n_images, n_inputs))
    images = np.where(noisy > 0.8, np.clip(noisy * 150, 1, 255), 0).astype(np.uint8)
    return Split(images, labels.astype(np.int64))


@pytest.fixture
def made() -> Dataset:
    train, test = made_split(700, 1), made_split(150, 2)
    return Dataset("made", train, test, unit=255.0, mean=0.14, std=0.3, n_classes=N_CLASSES)


@pytest.fixture
def made_file(tmp_path: Path, made: Dataset) -> Path:
    path = tmp_path / "made.npz"
    np.savez(
        path,
        x_train=made.train.images.reshape(-1, SIDE, SIDE),
        y_train=made.train.labels,
        x_test=made.test.images.reshape(-1, SIDE, SIDE),
        y_test=made.test.labels,
    )
    return path


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    return load_data("mnist")
