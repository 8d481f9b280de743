"""The one product of all layers: sums of scaled matrix rows.

Everything an MLP multiplies is  ``out[0:w] = start[0:w] + sum over i of c_i * matrix[row_i, 0:w]``:
with sparse rows it is the first layer and its weight gradient, with consecutive rows all the rest.
Widths are multiples of `LANES`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hpo.training.compiled.compiling import inlined_kernel, kernel
from hpo.training.compiled.vector_code import dense_sum, prefetch_line, sparse_sum

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

_sparse_8, _sparse_4, _sparse_2, _sparse_1 = (
    sparse_sum(*shape) for shape in ((8, 1), (4, 2), (2, 4), (1, 4))
)
_dense_8, _dense_4, _dense_2, _dense_1 = (
    dense_sum(*shape) for shape in ((8, 1), (4, 2), (2, 4), (1, 8))
)


@kernel
def prefetch(array: npt.NDArray[Any], start: int, stop: int) -> None:
    """Ask for ``array[start:stop]`` to be brought into the second-level cache."""
    lane = 64 // array.itemsize
    for i in range(start, stop, lane):
        prefetch_line(array, i)  # type: ignore[call-arg]


@inlined_kernel
def add_sparse_rows(
    out: Floats,
    out_at: int,
    start: Floats,
    start_at: int,
    width: int,
    matrix: Floats,
    rows: npt.NDArray[np.uint16],
    codes: Codes,
    first: int,
    n_terms: int,
    table: Floats,
) -> None:
    """``out[j] = start[j] + sum over i of table[codes[i]] * matrix[rows[i], j]``, all j < width.

    Args:
        out: Flat; the sums begin at ``out_at``.
        out_at: See ``out``.
        start: Flat; what the sums start from begins at ``start_at``. May be ``out``.
        start_at: See ``start``.
        width: A multiple of 16.
        matrix: Flat, of rows of ``width``.
        rows: Flat lists of rows of the matrix.
        codes: The coefficient of each, as a place in ``table``.
        first: Where the list begins in ``rows`` and ``codes``.
        n_terms: Its length.
        table: 256 coefficients.
    """
    j = 0
    while j + 128 <= width:
        o, s = out_at + j, start_at + j
        _sparse_8(out, o, start, s, matrix, j, width, rows, codes, first, table, n_terms)
        j += 128
    if j + 64 <= width:
        o, s = out_at + j, start_at + j
        _sparse_4(out, o, start, s, matrix, j, width, rows, codes, first, table, n_terms)
        j += 64
    if j + 32 <= width:
        o, s = out_at + j, start_at + j
        _sparse_2(out, o, start, s, matrix, j, width, rows, codes, first, table, n_terms)
        j += 32
    if j < width:
        o, s = out_at + j, start_at + j
        _sparse_1(out, o, start, s, matrix, j, width, rows, codes, first, table, n_terms)


@inlined_kernel
def add_rows(
    out: Floats,
    out_at: int,
    start: Floats,
    start_at: int,
    width: int,
    matrix: Floats,
    matrix_at: int,
    factors: Floats,
    first: int,
    step: int,
    n_terms: int,
) -> None:
    """``out[j] = start[j] + sum over i of factors[first + i step] * matrix[i, j]``, all j < width.

    Args:
        out: Flat; the sums begin at ``out_at``.
        out_at: See ``out``.
        start: Flat; what the sums start from begins at ``start_at``. May be ``out``.
        start_at: See ``start``.
        width: A multiple of 16.
        matrix: Flat; its rows of ``width`` begin at ``matrix_at``.
        matrix_at: See ``matrix``.
        factors: Flat.
        first: Place of the first coefficient in ``factors``.
        step: From one coefficient to the next.
        n_terms: Number of rows.
    """
    j = 0
    while j + 128 <= width:
        o, s, m = out_at + j, start_at + j, matrix_at + j
        _dense_8(out, o, start, s, matrix, m, width, factors, first, step, n_terms)
        j += 128
    if j + 64 <= width:
        o, s, m = out_at + j, start_at + j, matrix_at + j
        _dense_4(out, o, start, s, matrix, m, width, factors, first, step, n_terms)
        j += 64
    if j + 32 <= width:
        o, s, m = out_at + j, start_at + j, matrix_at + j
        _dense_2(out, o, start, s, matrix, m, width, factors, first, step, n_terms)
        j += 32
    if j < width:
        o, s, m = out_at + j, start_at + j, matrix_at + j
        _dense_1(out, o, start, s, matrix, m, width, factors, first, step, n_terms)
