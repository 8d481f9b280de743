from __future__ import annotations

import pytest

from hpo.near_miss import near_miss
from hpo.study_files.study_file import StudyFile
from hpo.training.settings import MLPSettings

KEYS = tuple(StudyFile.model_fields)
SETTINGS = tuple(MLPSettings().to_dict())
METHODS = ("grid", "controlled", "tpe", "random", "qmc", "cmaes", "gp", "nsga2")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("lr", SETTINGS, "learning_rate"),
        ("bs", SETTINGS, "batch_size"),
        ("batchsize", SETTINGS, "batch_size"),
        ("Batch-Size", SETTINGS, "batch_size"),
        ("layers", SETTINGS, "hidden_layers"),
        ("epoch", SETTINGS, "epochs"),
        ("dropout_rate", SETTINGS, "dropout"),
        ("L2", SETTINGS, "weight_decay"),
        ("n_trails", KEYS, "n_trials"),
        ("serch_space", KEYS, "search_space"),
        ("bayes", METHODS, "tpe"),
        ("tpee", METHODS, "tpe"),
        ("max", ("maximize", "minimize"), "maximize"),
        ("minimise", ("maximize", "minimize"), "minimize"),
        ("gpu", ("auto", "cpu", "cuda", "mps"), "cuda"),
        ("mpl", ("mlp", "mlp-free"), "mlp"),
        ("runn", ("run", "resume", "train"), "run"),
        ("rnu", ("run", "resume", "train"), "run"),
    ],
)
def test_a_word_is_answered_with_the_one_that_was_meant(
    word: str, known: tuple[str, ...], meant: str
) -> None:
    assert near_miss(word, known) == f" Did you mean '{meant}'?"


@pytest.mark.parametrize("word", ["interactions", "x", "", "up", "constraints", "size"])
def test_a_word_that_only_looks_a_little_like_another_is_answered_with_none(word: str) -> None:
    assert near_miss(word, KEYS + SETTINGS) == ""
