"""A training step: the gradient of each row of weights, used up by its update at once."""

from __future__ import annotations

import numpy as np

from hpo.training.compiled.compiling import Floats, Indices, kernel
from hpo.training.compiled.elementwise import multiply, multiply_by_slope
from hpo.training.compiled.network import Network, forward, loss_and_deltas
from hpo.training.compiled.sparse import PixelLists, SparseImages, list_by_input, prefetch_images
from hpo.training.compiled.updates import Rule, update
from hpo.training.compiled.vector_code import LANES, add_listed_rows, add_rows, transpose_block

f32 = np.float32
# Rows of weights whose gradients are summed, then used up, while they lie in the nearest cache.
ROWS_AT_ONCE = LANES


@kernel
def train_epoch(
    network: Network,
    rule: Rule,
    images: SparseImages,
    lists: PixelLists,
    order: Indices,
    batch_size: int,
    rate: float,
    n_steps: int,
    mask_key: int,
    losses: Floats,
) -> None:
    """One step for each batch of ``order``; each batch's mean loss before its step in ``losses``.

    Args:
        network: Its weights are changed in place.
        rule: Its state is changed in place.
        images: Of the training split.
        lists: Scratch.
        order: Rows of ``images``, int64.
        batch_size: At most what the buffers were made for.
        rate: Learning rate.
        n_steps: Steps taken before this epoch.
        mask_key: Decides the dropout masks.
        losses: Shape (batches,).
    """
    for step in range(losses.shape[0]):
        batch = order[step * batch_size : (step + 1) * batch_size]
        prefetch_images(images, order[(step + 1) * batch_size : (step + 2) * batch_size])
        forward(network, images, batch, mask_key + step, True)
        losses[step] = loss_and_deltas(network, rule.loss, images, batch) / batch.shape[0]
        list_by_input(images, batch, lists)
        _backward(network, rule, images, lists, batch.shape[0], rate, n_steps + step + 1)


@kernel
def _backward(
    network: Network,
    rule: Rule,
    images: SparseImages,
    lists: PixelLists,
    n_images: int,
    rate: float,
    n_steps: int,
) -> None:
    """D_l and the update of W_l, from the last layer to the first."""
    for layer in range(network.widths.shape[0] - 1, -1, -1):
        n_rows, width = network.n_inputs[layer], network.widths[layer]
        if layer > 0:
            _deltas_of_inputs(network, layer, n_images)
        _sum_deltas(network, rule.gradients, layer, n_images)
        if layer == 0:
            network.row_sum[:] = f32(0.0)
            _gradient_of_black(network, rule.gradients, images.zero)
        for row in range(0, n_rows, ROWS_AT_ONCE):
            end = min(row + ROWS_AT_ONCE, n_rows)
            if layer > 0:
                _gradients_of_rows(network, rule.gradients, layer, row, end, n_images)
            else:
                _gradients_of_inputs(network, rule.gradients, images, lists, row, end)
            _update_rows(network, rule, layer, row, end, rule.gradients, rate, n_steps)
            if layer > 0:
                copy_transposed(network, layer, row, end)
            else:
                add_to_row_sum(network, row, end)
        bias_gradient = rule.gradients[ROWS_AT_ONCE * width :]
        _update_rows(network, rule, layer, n_rows, n_rows + 1, bias_gradient, rate, n_steps)


@kernel
def _deltas_of_inputs(network: Network, layer: int, n_images: int) -> None:
    """D_{l-1} = (D_l W_l^T) * mask * activation'."""
    below = layer - 1
    width, width_below = network.widths[layer], network.widths[below]
    at, at_below = network.outputs_at[layer], network.outputs_at[below]
    is_last = layer == network.widths.shape[0] - 1
    n_outputs = network.n_classes if is_last else network.n_inputs[layer + 1]
    end = at_below + n_images * width_below
    add_rows(
        out=network.deltas,
        out_at=at_below,
        n_rows=n_images,
        start=network.zeros,
        start_at=0,
        width=width_below,
        matrix=network.transposed,
        matrix_at=network.transposed_at[layer],
        factors=network.deltas,
        factors_at=at,
        row_step=width,
        term_step=1,
        n_terms=n_outputs,
    )
    deltas, outputs = network.deltas[at_below:end], network.outputs[at_below:end]
    if network.dropouts[below] > 0.0:
        multiply(deltas, network.masks[at_below:end])
    kept = 1.0 - network.dropouts[below]
    multiply_by_slope(deltas, outputs, network.activations[below], kept)


@kernel
def _sum_deltas(network: Network, gradients: Floats, layer: int, n_images: int) -> None:
    """The sum of D_l's rows, which is the bias's gradient, in the last row of the scratch."""
    width, at = network.widths[layer], network.outputs_at[layer]
    total = gradients[ROWS_AT_ONCE * width : (ROWS_AT_ONCE + 1) * width]
    total[:] = f32(0.0)
    for b in range(n_images):
        delta = network.deltas[at + b * width : at + (b + 1) * width]
        for j in range(width):
            total[j] += delta[j]


@kernel
def _gradient_of_black(network: Network, gradients: Floats, zero: float) -> None:
    """The gradient of a row of W_1 whose pixel is black in all images, in ``black``."""
    width = network.widths[0]
    for j in range(width):
        network.black[j] = f32(zero) * gradients[ROWS_AT_ONCE * width + j]


@kernel
def _gradients_of_rows(
    network: Network, gradients: Floats, layer: int, row: int, end: int, n_images: int
) -> None:
    """Rows ``row`` to ``end`` of A_{l-1}^T D_l, in the scratch."""
    width, below = network.widths[layer], layer - 1
    add_rows(
        out=gradients,
        out_at=0,
        n_rows=end - row,
        start=network.zeros,
        start_at=0,
        width=width,
        matrix=network.deltas,
        matrix_at=network.outputs_at[layer],
        factors=network.outputs,
        factors_at=network.outputs_at[below] + row,
        row_step=1,
        term_step=network.widths[below],
        n_terms=n_images,
    )


@kernel
def _gradients_of_inputs(
    network: Network,
    gradients: Floats,
    images: SparseImages,
    lists: PixelLists,
    row: int,
    end: int,
) -> None:
    """Rows ``row`` to ``end`` of A_0^T D_1, in the scratch: ``black`` plus the non-zero terms."""
    width = network.widths[0]
    for k in range(row, end):
        first = int(lists.starts[k])
        add_listed_rows(
            out=gradients,
            out_at=(k - row) * width,
            start=network.black,
            start_at=0,
            width=width,
            matrix=network.deltas,
            rows=lists.images,
            codes=lists.codes,
            first=first,
            n_terms=int(lists.starts[k + 1]) - first,
            table=images.table,
        )


@kernel
def _update_rows(
    network: Network,
    rule: Rule,
    layer: int,
    row: int,
    end: int,
    gradients: Floats,
    rate: float,
    n_steps: int,
) -> None:
    """The optimizer's step on rows ``row`` to ``end`` of W_l; the l1 penalty spares the bias."""
    at, width = network.weights_at[layer], network.widths[layer]
    l1 = rule.l1 if row < network.n_inputs[layer] else 0.0
    first, last = at + row * width, at + end * width
    update(rule, network.weights, gradients, first, last, l1, rate, n_steps)


@kernel
def copy_transposed(network: Network, layer: int, row: int, end: int) -> None:
    """Copy some rows of W_l to the columns of W_l^T.

    Args:
        network: Its ``transposed`` is changed.
        layer: l, above 0.
        row: The first row.
        end: The row after the last one, at most ``ROWS_AT_ONCE`` further.
    """
    width, width_below = network.widths[layer], network.widths[layer - 1]
    weights_at = network.weights_at[layer] + row * width
    transposed_at = network.transposed_at[layer] + row
    if end - row == LANES:
        for j in range(0, width, LANES):
            transpose_block(
                source=network.weights,
                source_at=weights_at + j,
                source_stride=width,
                target=network.transposed,
                target_at=transposed_at + j * width_below,
                target_stride=width_below,
            )
        return
    weights, transposed = network.weights[weights_at:], network.transposed[transposed_at:]
    for j in range(width):
        for k in range(end - row):
            transposed[j * width_below + k] = weights[k * width + j]


@kernel
def add_to_row_sum(network: Network, row: int, end: int) -> None:
    """Add some rows of W_1 to ``row_sum``.

    Args:
        network: Its ``row_sum`` is changed.
        row: The first row.
        end: The row after the last one.
    """
    width = network.widths[0]
    for k in range(row, end):
        weights = network.weights[k * width : (k + 1) * width]
        for j in range(width):
            network.row_sum[j] += weights[j]
