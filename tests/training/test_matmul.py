"""The choice of torch's float32 product."""

from __future__ import annotations

import pytest
import torch

from hpo.training import matmul

CPU = torch.device("cpu")


def test_the_highest_precision_is_exact() -> None:
    assert matmul.is_exact("highest")


def test_medium_is_taken_only_where_it_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "_is_amd_with_avx512", lambda: True)
    for exact, expected in ((True, "medium"), (False, "highest")):
        monkeypatch.setattr(matmul, "is_exact", lambda _, exact=exact: exact)
        assert matmul.precision_for(CPU, 64) == expected


def test_small_batches_other_processors_and_other_devices_keep_the_highest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matmul, "is_exact", lambda _: True)
    monkeypatch.setattr(matmul, "_is_amd_with_avx512", lambda: True)
    assert matmul.precision_for(CPU, 16) == "highest"
    assert matmul.precision_for(torch.device("cuda"), 64) == "highest"
    monkeypatch.setattr(matmul, "_is_amd_with_avx512", lambda: False)
    assert matmul.precision_for(CPU, 64) == "highest"


def test_the_probe_notices_rounded_products(monkeypatch: pytest.MonkeyPatch) -> None:
    def rounded(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return (x.bfloat16() @ w.bfloat16().T).float()

    monkeypatch.setattr(torch.nn.functional, "linear", rounded)
    assert not matmul.is_exact.__wrapped__("highest")


def test_the_callers_precision_comes_back() -> None:
    before = torch.get_float32_matmul_precision()
    with matmul.matmul_precision("medium"):
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before
