"""A benchmark prints what it has, and skips what is not available, with the reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks import trainer


def test_a_script_that_fails_says_why() -> None:
    with pytest.raises(trainer.CannotRunError, match="nowhere"):
        trainer.run("trainer_hpo.py", json.dumps({"dataset": "nowhere"}))


def test_a_case_whose_data_is_not_available_is_skipped_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def epoch_seconds(script: str, settings: Mapping[str, Any]) -> float:
        if settings.get("dataset") == "fashion_mnist":
            raise trainer.CannotRunError("no Fashion-MNIST")
        return 10.0 if script == "trainer_dataloader.py" else 0.5

    monkeypatch.setattr(trainer, "epoch_seconds", epoch_seconds)
    monkeypatch.setattr(trainer, "run", lambda script: "100.0")
    monkeypatch.setattr(sys, "argv", ["trainer.py", "--rounds", "1"])
    trainer.main()
    rows = [row for row in capsys.readouterr().out.splitlines() if "MNIST" in row]
    assert len(rows) == len(trainer.CASES)
    skipped = [row for row in rows if "Fashion" in row]
    assert skipped == ["| Fashion-MNIST, batch 64 | compiled | skipped: no Fashion-MNIST | | | | |"]
    assert all("**20.0**" in row for row in rows if row not in skipped)
