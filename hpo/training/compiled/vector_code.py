"""Sums of scaled matrix rows held in registers, in LLVM's code: numba's own loops cannot do that.

Everything an MLP multiplies is ``out[r, j] = start[r, j] + sum over i of c[r, i] * matrix[i, j]``.
`add_listed_rows` is the first layer and its weight gradient, whose terms are listed; `add_rows` is
all the rest. All arrays are flat, and widths are multiples of 16: vectors of 16 floats become
whatever the CPU has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
# As many sums as the registers hold beside their operands: several rows of `out` at once use each
# vector of the matrix several times, and hide the latency of an addition.
_HAS_32_REGISTERS = binding.get_host_cpu_features().get("avx512f", False)
BLOCK_ROWS = 8 if _HAS_32_REGISTERS else 4
_BLOCK_VECTORS = (2, 1) if _HAS_32_REGISTERS else (1,)
# With one row, its vectors do both; where they are few, so do independent copies of their sums.
_CHAINS = {8: 1, 4: 2, 2: 4, 1: 4}

_FLOAT, _INT64, _INT32 = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
Value = Any  # what llvmlite makes has no types


class Code:
    """Writes a function's LLVM code; ``code["name"]`` is an operand's value.

    Args:
        context: Numba's.
        builder: llvmlite's, at the place where the code goes.
        operands: Numba type and value of each, by name.
    """

    def __init__(self, context: Any, builder: Any, operands: dict[str, tuple[Any, Value]]) -> None:
        self.context, self.builder, self.operands = context, builder, operands

    def __getitem__(self, name: str) -> Value:
        return self.operands[name][1]

    def place(self, array: str, *offsets: Value) -> Value:
        """Pointer to an array's element at the sum of the offsets."""
        kind, value = self.operands[array]
        pointer = self.context.make_array(kind)(self.context, self.builder, value).data
        return self.moved(pointer, *offsets)

    def moved(self, pointer: Value, *offsets: Value) -> Value:
        """The pointer, some elements further."""
        for offset in offsets:
            pointer = self.builder.gep(pointer, [offset])
        return pointer

    def rows(self, pointer: Value, numbers: list[Value], stride: Value) -> list[Value]:
        """Pointers to these rows of a matrix that begins at the pointer."""
        return [self.moved(pointer, self.builder.mul(number, stride)) for number in numbers]

    def element(self, pointer: Value, index: Value) -> Value:
        """The number at ``pointer[index]``."""
        return self.builder.load(self.moved(pointer, index))

    def load(self, pointer: Value, number: int = 0) -> Value:
        """The vector ``number`` vectors behind a pointer."""
        return self.builder.load(self._vector(pointer, number), align=4)

    def store(self, value: Value, pointer: Value, number: int = 0) -> None:
        """Put a vector ``number`` vectors behind a pointer."""
        self.builder.store(value, self._vector(pointer, number)).align = 4

    def _vector(self, pointer: Value, number: int) -> Value:
        moved = self.moved(pointer, _int(number * LANES))
        return self.builder.bitcast(moved, _VECTOR.as_pointer())

    def splat(self, number: Value) -> Value:
        """A vector of one number."""
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = self.builder.insert_element(nothing, number, ir.Constant(_INT32, 0))
        return self.shuffle(first, nothing, [0] * LANES)

    def shuffle(self, first: Value, second: Value, lanes: list[int]) -> Value:
        """A vector of the given lanes of two, counted through both."""
        mask = ir.Constant(ir.VectorType(_INT32, LANES), lanes)
        return self.builder.shuffle_vector(first, second, mask)

    def loop(self, start: Value, end: Value, step: int = 1) -> Any:
        """A loop; gives the counter and a way out."""
        return cgutils.for_range_slice(self.builder, start, end, _int(step), _INT64)

    def column_blocks(self, sizes: tuple[int, ...]) -> Iterator[tuple[int, Value]]:
        """The columns ``j`` of ``width`` in blocks of these numbers of vectors, largest first."""
        start = _int(0)
        for n_vectors in sizes:
            end = self.builder.and_(self["width"], _int(-n_vectors * LANES))
            with self.loop(start, end, n_vectors * LANES) as (j, _):
                yield n_vectors, j
            start = end

    def add_terms(
        self,
        out: list[Value],
        start: list[Value],
        term: Callable[[Value], tuple[list[Value], Value]],
        n_vectors: int,
        n_chains: int,
    ) -> None:
        """``out[r] = start[r] + sum over the n_terms terms of coefficient[r] * row``.

        Args:
            out: Pointers to each row of sums.
            start: Pointers to what they start from.
            term: From i to the i-th coefficient of each row, and a pointer to the matrix's row.
            n_vectors: The sums' vectors in each row.
            n_chains: Independent copies of the sums, of which each takes every n-th term.
        """
        builder, zero = self.builder, ir.Constant(_VECTOR, [0.0] * LANES)
        cells = [(r, v) for r in range(len(out)) for v in range(n_vectors)]
        # LLVM turns these places into registers.
        sums = [{cell: self._register() for cell in cells} for _ in range(n_chains)]
        for number, chain in enumerate(sums):
            for (r, v), total in chain.items():
                builder.store(zero if number else self.load(start[r], v), total)

        def add_term(i: Value, chain: dict[tuple[int, int], Value]) -> None:
            coefficients, row = term(i)
            factors = [self.splat(coefficient) for coefficient in coefficients]
            vectors = [self.load(row, v) for v in range(n_vectors)]
            for (r, v), total in chain.items():
                product = builder.fmul(factors[r], vectors[v], flags=("contract",))
                added = builder.fadd(builder.load(total), product, flags=("contract",))
                builder.store(added, total)

        whole = builder.and_(self["n_terms"], _int(-n_chains))
        with self.loop(_int(0), whole, n_chains) as (i, _):
            for number, chain in enumerate(sums):
                add_term(builder.add(i, _int(number)), chain)
        if n_chains > 1:
            with self.loop(whole, self["n_terms"]) as (i, _):
                add_term(i, sums[0])
        for r, v in cells:
            total = builder.load(sums[0][r, v])
            for chain in sums[1:]:
                total = builder.fadd(total, builder.load(chain[r, v]))
            self.store(total, out[r], v)

    def _register(self) -> Value:
        return cgutils.alloca_once(self.builder, _VECTOR)  # type: ignore[no-untyped-call]


def _int(number: int) -> Value:
    return ir.Constant(_INT64, number)


def _compiled(operands: str) -> Callable[[Callable[[Code], None]], Any]:
    """Make what writes a function's code into the function, which numba calls by operand names."""
    names = operands.split()

    def decorate(write: Callable[[Code], None]) -> Any:
        def define(_typing: Any, *given: Any, **named: Any) -> Any:
            kinds = [*given, *(named[name] for name in names[len(given) :])]
            passed = [kind if isinstance(kind, types.Array) else types.intp for kind in kinds]

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                pairs = zip(signature.args, values, strict=True)
                write(Code(context, builder, dict(zip(names, pairs, strict=True))))
                return context.get_dummy_value()

            return types.void(*passed), generate

        kind = Parameter.POSITIONAL_OR_KEYWORD
        parameters = [Parameter(name, kind) for name in ("_typing", *names)]
        define.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        define.__name__, define.__doc__ = write.__name__, write.__doc__
        return intrinsic(define)

    return decorate


@_compiled(
    "out out_at n_rows start start_at width matrix matrix_at "
    "factors factors_at row_step term_step n_terms"
)
def add_rows(code: Code) -> None:
    """``out[r, :] = start[:] + sum over i of factors[r row_step + i term_step] * matrix[i, :]``.

    Each array begins at its ``..._at``; ``start`` and the rows of ``out`` and ``matrix`` have
    ``width`` numbers. r runs to ``n_rows``, rounded up to ``BLOCK_ROWS``.
    """
    for n_vectors, j in code.column_blocks(_BLOCK_VECTORS):
        start = code.place("start", code["start_at"], j)
        matrix = code.place("matrix", code["matrix_at"], j)
        with code.loop(_int(0), code["n_rows"], BLOCK_ROWS) as (first, _):
            rows = [code.builder.add(first, _int(r)) for r in range(BLOCK_ROWS)]
            out = code.rows(code.place("out", code["out_at"], j), rows, code["width"])
            factors = code.rows(code.place("factors", code["factors_at"]), rows, code["row_step"])

            def term(i: Value, factors: Value = factors, matrix: Value = matrix) -> Any:
                at = code.builder.mul(i, code["term_step"])
                (row,) = code.rows(matrix, [i], code["width"])
                return [code.element(factor, at) for factor in factors], row

            code.add_terms(out, [start] * BLOCK_ROWS, term, n_vectors, n_chains=1)


@_compiled("out out_at start start_at width matrix rows codes first n_terms table")
def add_listed_rows(code: Code) -> None:
    """``out[:] = start[:] + sum of table[codes[i]] * matrix[rows[i], :]``, i from ``first`` on.

    ``out``, ``start`` (which may be ``out``) and the matrix's rows have ``width`` numbers.
    """
    rows, codes = code.place("rows", code["first"]), code.place("codes", code["first"])
    table = code.place("table")
    for n_vectors, j in code.column_blocks(tuple(_CHAINS)):
        matrix = code.place("matrix", j)

        def term(i: Value, matrix: Value = matrix) -> Any:
            row = code.builder.zext(code.element(rows, i), _INT64)
            place = code.builder.zext(code.element(codes, i), _INT64)
            return [code.element(table, place)], code.moved(
                matrix, code.builder.mul(row, code["width"])
            )

        out = code.place("out", code["out_at"], j)
        start = code.place("start", code["start_at"], j)
        code.add_terms([out], [start], term, n_vectors, _CHAINS[n_vectors])


@_compiled("source source_at source_stride target target_at target_stride")
def transpose_block(code: Code) -> None:
    """``target[j, i] = source[i, j]`` for 16 rows and columns."""
    lanes, numbers = range(LANES), [_int(i) for i in range(LANES)]
    source, target = (code.place(name, code[f"{name}_at"]) for name in ("source", "target"))
    block = [code.load(row) for row in code.rows(source, numbers, code["source_stride"])]
    for distance in (1, 2, 4, 8):  # exchange what lies off the diagonal of each pair of halves
        low = [lane if not lane & distance else lane - distance + LANES for lane in lanes]
        high = [lane + distance if not lane & distance else lane + LANES for lane in lanes]
        for i in [i for i in lanes if not i & distance]:
            pair = block[i], block[i + distance]
            block[i], block[i + distance] = code.shuffle(*pair, low), code.shuffle(*pair, high)
    columns = code.rows(target, numbers, code["target_stride"])
    for column, place in zip(block, columns, strict=True):
        code.store(column, place)


@_compiled("array at")
def prefetch_line(code: Code) -> None:
    """Ask for the cache line of ``array[at]`` to be brought into the second-level cache."""
    byte = code.builder.bitcast(code.place("array", code["at"]), ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [byte.type, _INT32, _INT32, _INT32])
    function = code.builder.module.declare_intrinsic("llvm.prefetch", [byte.type], kind)
    read, keep_in_level_2, is_data = (ir.Constant(_INT32, flag) for flag in (0, 2, 1))
    code.builder.call(function, [byte, read, keep_in_level_2, is_data])
