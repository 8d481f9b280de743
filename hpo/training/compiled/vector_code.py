"""LLVM code for sums of scaled matrix rows held in registers, which numba's own loops cannot do.

`sparse_sum` and `dense_sum` make functions that numba calls; `hpo.training.compiled.simd` picks the
right one for each width. Vectors of 16 floats become whatever the CPU has.
"""

# numba calls an intrinsic with its arguments' types, whether its signature names them or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
_FLOAT, _INT64, _INT32 = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)

# What an intrinsic's code generator gets and gives has no types in llvmlite.
Value = Any
Builder = Any


def _vector_at(builder: Builder, pointer: Value, n_lanes: int) -> Value:
    moved = builder.gep(pointer, [ir.Constant(_INT64, n_lanes)])
    return builder.bitcast(moved, _VECTOR.as_pointer())


def _register(builder: Builder) -> Value:
    """A place for one vector, which LLVM turns into a register."""
    return cgutils.alloca_once(builder, _VECTOR)  # type: ignore[no-untyped-call]


def _splat(builder: Builder, scalar: Value) -> Value:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    zeros = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


def _emit_sum(
    builder: Builder,
    out: Value,
    start: Value,
    n_terms: Value,
    term: Callable[[Value], tuple[Value, Value]],
    n_vectors: int,
    n_chains: int,
) -> None:
    """Code for ``out[0 : 16 n_vectors] = start + sum of coefficient * row`` over ``term(i)``.

    Args:
        builder: Where the code goes.
        out: Pointer to the sums.
        start: Pointer to what they start from.
        n_terms: How many terms.
        term: From i to the i-th coefficient and the pointer to its row.
        n_vectors: Sums held in registers, each of 16 floats.
        n_chains: Independent copies of the sums, which hide the latency of an addition.
    """
    sums = [[_register(builder) for _ in range(n_vectors)] for _ in range(n_chains)]
    zero = ir.Constant(_VECTOR, [0.0] * LANES)
    for j in range(n_vectors):
        builder.store(builder.load(_vector_at(builder, start, j * LANES), align=4), sums[0][j])
        for chain in sums[1:]:
            builder.store(zero, chain[j])

    def add_term(i: Value, chain: list[Value]) -> None:
        coefficient, row = term(i)
        factor = _splat(builder, coefficient)
        for j, total in enumerate(chain):
            vector = builder.load(_vector_at(builder, row, j * LANES), align=4)
            product = builder.fmul(factor, vector, flags=("contract",))
            builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)

    step, one = ir.Constant(_INT64, n_chains), ir.Constant(_INT64, 1)
    whole = builder.mul(builder.udiv(n_terms, step), step)
    with cgutils.for_range_slice(builder, ir.Constant(_INT64, 0), whole, step, _INT64) as (i, _):
        for number, chain in enumerate(sums):
            add_term(builder.add(i, ir.Constant(_INT64, number)), chain)
    if n_chains > 1:
        with cgutils.for_range_slice(builder, whole, n_terms, one, _INT64) as (i, _):
            add_term(i, sums[0])
    for j in range(n_vectors):
        total = builder.load(sums[0][j])
        for chain in sums[1:]:
            total = builder.fadd(total, builder.load(chain[j]))
        builder.store(total, _vector_at(builder, out, j * LANES)).align = 4


def _pointer(context: Any, builder: Builder, array_type: Any, array: Value, at: Value) -> Value:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [at])


def sparse_sum(n_vectors: int, n_chains: int) -> Any:
    """A sum over listed rows: ``rows[first + i]``, times ``table[codes[first + i]]``."""

    @intrinsic
    def add(  # type: ignore[no-untyped-def]
        _typing,
        out,
        out_at,
        start,
        start_at,
        matrix,
        matrix_at,
        stride,
        rows,
        codes,
        first,
        table,
        n_terms,
    ):
        place = types.intp
        signature = types.void(
            out, place, start, place, matrix, place, place, rows, codes, place, table, place
        )

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            def at(number: int, start: Value) -> Value:
                return _pointer(context, builder, sig.args[number], args[number], start)

            zero = ir.Constant(_INT64, 0)
            out, start, matrix = at(0, args[1]), at(2, args[3]), at(4, args[5])
            rows, codes, table = at(7, args[9]), at(8, args[9]), at(10, zero)

            def term(i: Value) -> tuple[Value, Value]:
                row = builder.zext(builder.load(builder.gep(rows, [i])), _INT64)
                code = builder.zext(builder.load(builder.gep(codes, [i])), _INT64)
                coefficient = builder.load(builder.gep(table, [code]))
                return coefficient, builder.gep(matrix, [builder.mul(row, args[6])])

            _emit_sum(builder, out, start, args[11], term, n_vectors, n_chains)
            return context.get_dummy_value()

        return signature, generate

    return add


def dense_sum(n_vectors: int, n_chains: int) -> Any:
    """A sum over consecutive rows: row i, times ``factors[first + i * step]``."""

    @intrinsic
    def add(  # type: ignore[no-untyped-def]
        _typing,
        out,
        out_at,
        start,
        start_at,
        matrix,
        matrix_at,
        stride,
        factors,
        first,
        step,
        n_terms,
    ):
        place = types.intp
        signature = types.void(
            out, place, start, place, matrix, place, place, factors, place, place, place
        )

        def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
            def at(number: int, start: Value) -> Value:
                return _pointer(context, builder, sig.args[number], args[number], start)

            out, start = at(0, args[1]), at(2, args[3])
            matrix, factors = at(4, args[5]), at(7, args[8])

            def term(i: Value) -> tuple[Value, Value]:
                coefficient = builder.load(builder.gep(factors, [builder.mul(i, args[9])]))
                return coefficient, builder.gep(matrix, [builder.mul(i, args[6])])

            _emit_sum(builder, out, start, args[10], term, n_vectors, n_chains)
            return context.get_dummy_value()

        return signature, generate

    return add


@intrinsic
def prefetch_line(_typing, array, at):  # type: ignore[no-untyped-def]
    """Ask for the cache line of ``array[at]``."""

    def generate(context, builder, sig, args):  # type: ignore[no-untyped-def]
        pointer = _pointer(context, builder, sig.args[0], args[0], args[1])
        byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [byte.type, _INT32, _INT32, _INT32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte.type], kind)
        read, keep_in_level_2, is_data = (ir.Constant(_INT32, flag) for flag in (0, 2, 1))
        builder.call(function, [byte, read, keep_in_level_2, is_data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
