"""The engine for a CPU: numba kernels over flat buffers; see `hpo.training.engine.Engine`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hpo.training.compiled import network as passes
from hpo.training.compiled import step
from hpo.training.compiled.compiling import Floats
from hpo.training.compiled.elementwise import ACTIVATION_CODES
from hpo.training.compiled.head import LOSS_CODES
from hpo.training.compiled.sparse import MAX_INPUTS, pixel_lists, sparse_images
from hpo.training.compiled.updates import OPTIMIZER_CODES, Rule
from hpo.training.compiled.vector_code import BLOCK_ROWS, LANES
from hpo.training.data import Dataset, Rows
from hpo.training.engine import Evaluation
from hpo.training.mlp import MLP
from hpo.training.settings import MLPSettings

CACHE_LINE = 64  # bytes
EVALUATION_BATCH = 256
MAX_BATCH = 2**16  # places in a batch are counted in 16 bits


def why_not_covered(settings: MLPSettings, dataset: Dataset) -> str:
    """What the kernels do not cover, in words; empty when they cover everything.

    Args:
        settings: The run's.
        dataset: What it trains on.
    """
    unknown = sorted(set(settings.activations) - set(ACTIVATION_CODES))
    if unknown:
        return f"the activation {unknown[0]} is not covered"
    if dataset.train.images.dtype != np.uint8:
        return "images that are not uint8 are not covered"
    if dataset.n_inputs >= MAX_INPUTS:
        return f"{dataset.n_inputs} inputs are more than {MAX_INPUTS - 1}"
    if settings.batch_size >= MAX_BATCH:
        return f"a batch of {settings.batch_size} is more than {MAX_BATCH - 1}"
    return ""


class CompiledEngine:
    """Trains on one CPU thread, without the interpreter's lock."""

    name = "compiled"

    def __init__(self, settings: MLPSettings, dataset: Dataset, model: MLP) -> None:
        self.settings = settings
        self.model = model
        self.splits = {split: sparse_images(dataset, split) for split in ("train", "test")}
        self.network = _network(settings, dataset, model)
        self.rule = _rule(settings, self.network)
        n_train = len(dataset.train.labels)
        batch_size = min(settings.batch_size, n_train)
        self.lists = pixel_lists(self.splits["train"], dataset.n_inputs, batch_size)
        self.n_steps = 0

    def train_epoch(
        self, order: Rows, learning_rate: float, dropout_seed: int
    ) -> npt.NDArray[np.float32]:
        """One step for each batch of ``order``; see `Engine`."""
        losses = np.empty(-(-len(order) // self.settings.batch_size), np.float32)
        step.train_epoch(
            self.network,
            self.rule,
            self.splits["train"],
            self.lists,
            order,
            self.settings.batch_size,
            learning_rate,
            self.n_steps,
            dropout_seed % 2**40 << 16,
            losses,
        )
        self.n_steps += len(losses)
        return losses

    def evaluate(self, split: str, rows: Rows) -> Evaluation:
        """Loss and accuracy on rows of a split; see `Engine`."""
        loss, n_right = passes.evaluate(
            self.network, LOSS_CODES[self.settings.loss], self.splits[split], rows, EVALUATION_BATCH
        )
        return Evaluation(loss / len(rows), n_right / len(rows))

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the weights, as the `MLP` names them."""
        state = {}
        for layer in range(len(self.network.widths)):
            block = _block(self.network, layer)
            n_outputs = self.model.layers()[layer].out_features
            whole = torch.from_numpy(block[:, :n_outputs].T.copy())
            state[f"linears.{layer}.weight"] = whole[:, :-1].contiguous()
            state[f"linears.{layer}.bias"] = whole[:, -1].contiguous()
        return state


def _network(settings: MLPSettings, dataset: Dataset, model: MLP) -> passes.Network:
    outputs = np.array([*settings.hidden_layers, dataset.n_classes], np.int64)
    inputs = np.array([dataset.n_inputs, *settings.hidden_layers], np.int64)
    widths = -(-outputs // LANES) * LANES
    batch = max(min(settings.batch_size, len(dataset.train.labels)), EVALUATION_BATCH)
    batch = -(-batch // BLOCK_ROWS) * BLOCK_ROWS
    weights_at, n_weights = _places((inputs + 1) * widths)
    transposed_at, n_transposed = _places(np.concatenate(([0], widths[1:] * widths[:-1])))
    outputs_at, n_outputs = _places(batch * widths)
    network = passes.Network(
        n_inputs=inputs,
        widths=widths,
        n_classes=dataset.n_classes,
        weights_at=weights_at,
        transposed_at=transposed_at,
        outputs_at=outputs_at,
        activations=np.array([ACTIVATION_CODES[name] for name in settings.activations], np.int64),
        dropouts=np.array(settings.dropouts, np.float64),
        weights=_aligned(n_weights),
        transposed=_aligned(n_transposed),
        outputs=_aligned(n_outputs),
        deltas=_aligned(n_outputs),
        masks=_aligned(n_outputs if any(settings.dropouts) else 0),
        row_sum=_aligned(int(widths[0])),
        black=_aligned(int(widths[0])),
        zeros=_aligned(int(widths.max())),
    )
    _load_weights(network, model)
    return network


def _load_weights(network: passes.Network, model: MLP) -> None:
    for layer, linear in enumerate(model.layers()):
        block = _block(network, layer)
        n_outputs, n_inputs = linear.weight.shape
        block[:n_inputs, :n_outputs] = linear.weight.detach().numpy().T
        block[n_inputs, :n_outputs] = linear.bias.detach().numpy()
        for row in range(0, n_inputs, step.ROWS_AT_ONCE):
            end = min(row + step.ROWS_AT_ONCE, n_inputs)
            if layer > 0:
                step.copy_transposed(network, layer, row, end)
            else:
                step.add_to_row_sum(network, row, end)


def _block(network: passes.Network, layer: int) -> Floats:
    """W_l with its bias as the last row, shape (n_inputs + 1, width), a view."""
    at, width = network.weights_at[layer], network.widths[layer]
    n_rows = network.n_inputs[layer] + 1
    return network.weights[at : at + n_rows * width].reshape(n_rows, width)


def _rule(settings: MLPSettings, network: passes.Network) -> Rule:
    return Rule(
        loss=LOSS_CODES[settings.loss],
        optimizer=OPTIMIZER_CODES[settings.optimizer],
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        l1=settings.l1,
        first=_aligned(len(network.weights)),
        second=_aligned(len(network.weights)),
        gradients=_aligned((step.ROWS_AT_ONCE + 1) * int(network.widths.max())),
    )


def _places(sizes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """Where each of several blocks begins in one buffer, and the buffer's size."""
    ends = np.cumsum(sizes)
    return ends - sizes, int(ends[-1])


def _aligned(n_floats: int) -> Floats:
    """Zeros that begin at a cache line: vectors across two lines cost twice."""
    n_bytes = n_floats * 4
    raw = np.zeros(n_bytes + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + n_bytes].view(np.float32)
