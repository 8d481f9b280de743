"""Sums of matrix rows in registers, against numpy's in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpo.training.compiled.compiling import Codes, Floats, kernel
from hpo.training.compiled.sparse import Shorts
from hpo.training.compiled.vector_code import (
    BLOCK_ROWS,
    LANES,
    add_listed_rows,
    add_rows,
    transpose_block,
)

RNG = np.random.default_rng(1)


@kernel
def product(
    out: Floats, bias: Floats, width: int, matrix: Floats, x: Floats, n_rows: int, n_terms: int
) -> None:
    add_rows(
        out=out,
        out_at=0,
        n_rows=n_rows,
        start=bias,
        start_at=0,
        width=width,
        matrix=matrix,
        matrix_at=0,
        factors=x,
        factors_at=0,
        row_step=n_terms,
        term_step=1,
        n_terms=n_terms,
    )


@kernel
def listed(
    out: Floats, width: int, matrix: Floats, rows: Shorts, codes: Codes, table: Floats
) -> None:
    add_listed_rows(
        out=out,
        out_at=0,
        start=out,
        start_at=0,
        width=width,
        matrix=matrix,
        rows=rows,
        codes=codes,
        first=1,
        n_terms=rows.shape[0] - 1,
        table=table,
    )


@kernel
def transposed(source: Floats, target: Floats) -> None:
    transpose_block(
        source=source, source_at=5, source_stride=20, target=target, target_at=0, target_stride=16
    )


def numbers(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def multiply(x: Any, matrix: Any, bias: Any) -> Any:
    """``x @ matrix + bias`` in buffers that have room for whole blocks of rows."""
    n_rows, width = -(-len(x) // BLOCK_ROWS) * BLOCK_ROWS, matrix.shape[1]
    room = np.zeros((n_rows, x.shape[1]), np.float32)
    room[: len(x)] = x
    out = np.zeros((n_rows, width), np.float32)
    product(out.ravel(), bias, width, matrix.ravel(), room.ravel(), len(x), x.shape[1])
    return out[: len(x)]


@pytest.mark.parametrize("width", [16, 32, 48, 176, 256])
@pytest.mark.parametrize("n_terms", [1, 10, 64])
def test_a_sum_of_rows_is_a_matrix_product(width: int, n_terms: int) -> None:
    x, matrix, bias = numbers(13, n_terms), numbers(n_terms, width), numbers(width)
    exact = x.astype(np.float64) @ matrix.astype(np.float64) + bias
    np.testing.assert_allclose(multiply(x, matrix, bias), exact, rtol=1e-5, atol=1e-5)


def test_a_rows_sums_do_not_depend_on_the_rows_beside_it() -> None:
    x, matrix, bias = numbers(16, 50), numbers(50, 80), numbers(80)
    together = multiply(x, matrix, bias)
    alone = np.concatenate([multiply(row[np.newaxis], matrix, bias) for row in x])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("width", [16, 32, 48, 64, 144, 256])
@pytest.mark.parametrize("n_terms", [0, 1, 3, 50])
def test_a_sum_of_listed_rows_takes_each_with_its_coefficient(width: int, n_terms: int) -> None:
    matrix, table, out = numbers(200, width), numbers(256), numbers(width)
    rows = RNG.integers(0, 200, n_terms + 1).astype(np.uint16)
    codes = RNG.integers(0, 256, n_terms + 1).astype(np.uint8)
    exact = out + table[codes[1:]].astype(np.float64) @ matrix[rows[1:]].astype(np.float64)
    listed(out, width, matrix.ravel(), rows, codes, table)
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-5)


def test_a_block_is_transposed() -> None:
    source, target = numbers(LANES, 20), np.zeros((LANES, LANES), np.float32)
    padded = np.concatenate([source.ravel(), np.zeros(8, np.float32)])
    transposed(padded, target.ravel())
    columns = np.lib.stride_tricks.as_strided(padded[5:], (16, 16), (20 * 4, 4))
    np.testing.assert_array_equal(target, columns.T)
