"""The whole network over flat buffers: its shape, the forward pass and the evaluation.

Layer l has the weights W_l of shape (n_inputs + 1, width): row i belongs to input i, the last row
is the bias; widths are rounded up to vectors, and the columns added stay 0 all along. With the
activations A_0 = images, for a batch of B images:

    Z_l = A_{l-1} W_l + bias        A_l = activation(Z_l) * mask
    D_L = dloss/dZ_L                D_{l-1} = (D_l W_l^T) * mask * activation'
    dloss/dW_l = A_{l-1}^T D_l      dloss/dbias = sum of D_l's rows

W_l^T is kept as a copy, so that every inner loop runs along a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hpo.training.compiled.compiling import Floats, Indices, kernel
from hpo.training.compiled.elementwise import (
    activate,
    draw_mask,
    multiply,
)
from hpo.training.compiled.head import likeliest, loss_and_gradient
from hpo.training.compiled.sparse import SparseImages
from hpo.training.compiled.vector_code import add_listed_rows, add_rows

f32 = np.float32


class Network(NamedTuple):
    """Shape and buffers of a network; layer l of L is entry l of each array.

    Attributes:
        n_inputs: Inputs of each layer, int64, shape (L,).
        widths: Outputs of each layer, rounded up to a multiple of 16, int64, shape (L,).
        n_classes: Outputs of the last layer that count.
        weights_at: Where W_l begins in ``weights``, int64, shape (L,).
        transposed_at: Where W_l^T begins in ``transposed``, int64, shape (L,).
        outputs_at: Where A_l begins in ``outputs`` and D_l in ``deltas``, int64, shape (L,).
        activations: Code of each hidden layer's activation, int64, shape (L - 1,).
        dropouts: Probability for each hidden layer, float64, shape (L - 1,).
        weights: All W_l, float32, flat.
        transposed: All W_l^T but the first, float32, flat.
        outputs: All A_l of a batch, float32, flat.
        deltas: All D_l of a batch, float32, flat.
        masks: The dropout masks of a batch, in the places of the activations, float32, flat.
        row_sum: Sum of the rows of W_1 without its bias, float32, shape (widths[0],).
        black: Scratch: what a black pixel or image contributes, float32, shape (widths[0],).
        zeros: Float32, as long as the widest layer.
    """

    n_inputs: Indices
    widths: Indices
    n_classes: int
    weights_at: Indices
    transposed_at: Indices
    outputs_at: Indices
    activations: Indices
    dropouts: np.ndarray[tuple[int], np.dtype[np.float64]]
    weights: Floats
    transposed: Floats
    outputs: Floats
    deltas: Floats
    masks: Floats
    row_sum: Floats
    black: Floats
    zeros: Floats


@kernel
def evaluate(
    network: Network, loss: int, images: SparseImages, rows: Indices, batch_size: int
) -> tuple[float, int]:
    """Sum of the losses, and how many images are classified correctly.

    Args:
        network: Its weights are left alone.
        loss: One of ``LOSS_CODES``.
        images: Of one split.
        rows: Which of them.
        batch_size: At most what the buffers were made for.
    """
    last = network.widths.shape[0] - 1
    width, at = network.widths[last], network.outputs_at[last]
    total, n_right = 0.0, 0
    for first in range(0, rows.shape[0], batch_size):
        batch = rows[first : first + batch_size]
        forward(network, images, batch, 0, False)
        for b in range(batch.shape[0]):
            scores = network.outputs[at + b * width : at + (b + 1) * width]
            n_right += likeliest(scores, network.n_classes) == images.labels[batch[b]]
        total += loss_and_deltas(network, loss, images, batch)
    return total, n_right


@kernel
def forward(
    network: Network, images: SparseImages, batch: Indices, mask_key: int, is_training: bool
) -> None:
    """Fill ``outputs``: activations of the hidden layers, scores of the last.

    Args:
        network: Its ``outputs`` and ``masks`` are filled.
        images: Of one split.
        batch: Rows of them.
        mask_key: Decides the dropout masks.
        is_training: Whether units are dropped.
    """
    n_images = batch.shape[0]
    _forward_images(network, images, batch)
    for layer in range(network.widths.shape[0]):
        if layer > 0:
            _forward_dense(network, layer, n_images)
        if layer < network.activations.shape[0]:
            first = network.outputs_at[layer]
            end = first + n_images * network.widths[layer]
            activate(network.outputs[first:end], network.activations[layer])
            if is_training and network.dropouts[layer] > 0.0:
                key = (mask_key * 64 + layer) * 0x9E3779B97F4A7C15 & 0x7FFFFFFFFFFFFFFF
                draw_mask(network.masks[first:end], network.dropouts[layer], key)
                multiply(network.outputs[first:end], network.masks[first:end])


@kernel
def _forward_images(network: Network, images: SparseImages, batch: Indices) -> None:
    """Z_1, a block of inputs at a time for all images, so that its weights stay in the cache."""
    width, z, black = network.widths[0], network.outputs, network.black
    bias_at = network.n_inputs[0] * width
    for j in range(width):
        black[j] = network.weights[bias_at + j] + f32(images.zero) * network.row_sum[j]
    for block in range(images.blocks.shape[1] - 1):
        for b in range(batch.shape[0]):
            image = batch[b]
            first = int(images.starts[image]) + int(images.blocks[image, block])
            n = int(images.blocks[image, block + 1]) - int(images.blocks[image, block])
            add_listed_rows(
                out=z,
                out_at=b * width,
                start=black if block == 0 else z,
                start_at=0 if block == 0 else b * width,
                width=width,
                matrix=network.weights,
                rows=images.inputs,
                codes=images.codes,
                first=first,
                n_terms=n,
                table=images.table,
            )


@kernel
def _forward_dense(network: Network, layer: int, n_images: int) -> None:
    """Z_l = A_{l-1} W_l + bias."""
    width, n_inputs = network.widths[layer], network.n_inputs[layer]
    weights_at, z_at = network.weights_at[layer], network.outputs_at[layer]
    a_at, a_width = network.outputs_at[layer - 1], network.widths[layer - 1]
    add_rows(
        out=network.outputs,
        out_at=z_at,
        n_rows=n_images,
        start=network.weights,
        start_at=weights_at + n_inputs * width,
        width=width,
        matrix=network.weights,
        matrix_at=weights_at,
        factors=network.outputs,
        factors_at=a_at,
        row_step=a_width,
        term_step=1,
        n_terms=n_inputs,
    )


@kernel
def loss_and_deltas(network: Network, loss: int, images: SparseImages, batch: Indices) -> float:
    """Sum of the batch's losses; D_L = gradient of their mean by the scores.

    Args:
        network: Its ``deltas`` of the last layer are filled from its ``outputs``.
        loss: One of ``LOSS_CODES``.
        images: Of one split.
        batch: Rows of them, as in the forward pass.
    """
    last = network.widths.shape[0] - 1
    width, at = network.widths[last], network.outputs_at[last]
    total, weight = 0.0, f32(1.0 / batch.shape[0])
    for b in range(batch.shape[0]):
        delta = network.deltas[at + b * width : at + (b + 1) * width]
        for c in range(network.n_classes):
            delta[c] = network.outputs[at + b * width + c]
        label = images.labels[batch[b]]
        total += loss_and_gradient(delta, network.n_classes, label, loss, weight)
    return total
