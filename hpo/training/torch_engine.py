"""The engine for any device: autograd over the `MLP`, all parameters views of one flat buffer.

The host never waits for the device inside an epoch: losses stay on the device until its end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hpo.training.data import Dataset, Rows, Split
from hpo.training.engine import Evaluation
from hpo.training.mlp import LOSSES, MLP
from hpo.training.optimizers import FlatOptimizer
from hpo.training.settings import MLPSettings


class DeviceImages:
    """One split of a data set on a device.

    On a CPU the images stay raw, and a batch is normalized when it is taken: bytes cost a quarter
    of the memory, and they are the dataset's own arrays. On other devices they are normalized once.
    """

    def __init__(self, split: Split, dataset: Dataset, device: torch.device) -> None:
        self.dataset = dataset
        self.labels = torch.from_numpy(split.labels).to(device)
        images = torch.from_numpy(split.images).to(device)
        self.is_raw = device.type == "cpu"
        self.images = images if self.is_raw else self._normalized(images)

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Normalized images (rows, inputs) and labels (rows)."""
        images = self.images.index_select(0, rows)
        if self.is_raw:
            images = self._normalized(images)
        return images, self.labels.index_select(0, rows)

    def _normalized(self, raw: Tensor) -> Tensor:
        """The same bits as torchvision's ToTensor and Normalize."""
        x = raw.to(torch.float32, copy=True)
        if self.dataset.unit != 1:
            x = x.div_(self.dataset.unit)
        return x.sub_(self.dataset.mean).div_(self.dataset.std)


class TorchEngine:
    """Trains with autograd on any device; see `hpo.training.engine.Engine`.

    Products have the precision that torch is set to: float32's own, unless the caller's program
    has asked for a lower one (``torch.set_float32_matmul_precision``).
    """

    name = "torch"

    def __init__(
        self, settings: MLPSettings, dataset: Dataset, device: torch.device, model: MLP
    ) -> None:
        self.settings, self.device = settings, device
        self.model = model.to(device)
        self.loss = LOSSES[settings.loss]
        self.splits = {
            name: DeviceImages(dataset.split(name), dataset, device) for name in ("train", "test")
        }
        weights, biases = (_named(model, kind) for kind in ("weight", "bias"))
        self.tensors = weights + biases  # weights first: the l1 penalty is theirs alone
        self.n_weights = sum(weight.numel() for weight in weights)
        self.parameters = _flatten(self.tensors)
        self.gradient = torch.empty_like(self.parameters)
        self.optimizer = FlatOptimizer(self.parameters, settings)

    def train_epoch(
        self, order: Rows, learning_rate: float, dropout_seed: int
    ) -> npt.NDArray[np.float32]:
        """One step for each batch of ``order``; see `Engine`."""
        self.model.train()
        rows = torch.from_numpy(order).to(self.device)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(dropout_seed)
            batches = torch.split(rows, self.settings.batch_size)
            losses = [self._step(batch, learning_rate) for batch in batches]
        # The only place where the host waits for the device.
        return torch.stack(losses).cpu().numpy()

    def _step(self, rows: Tensor, learning_rate: float) -> Tensor:
        images, labels = self.splits["train"].batch(rows)
        loss = self.loss(self.model(images), labels)
        gradients = torch.autograd.grad(loss, self.tensors)
        torch.cat([gradient.reshape(-1) for gradient in gradients], out=self.gradient)
        if self.settings.l1:
            signs = self.parameters[: self.n_weights].sign()
            self.gradient[: self.n_weights].add_(signs, alpha=self.settings.l1)
        self.optimizer.step(self.gradient, learning_rate)
        return loss.detach()

    @torch.no_grad()
    def evaluate(self, split: str, rows: Rows) -> Evaluation:
        """Loss and accuracy on rows of a split; see `Engine`."""
        self.model.eval()
        images_of = self.splits[split]
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        on_device = torch.from_numpy(rows).to(self.device)
        for batch in torch.split(on_device, self.settings.test_batch_size):
            images, labels = images_of.batch(batch)
            output = self.model(images)
            totals[0] += self.loss(output, labels) * len(batch)
            totals[1] += (output.argmax(dim=1) == labels).sum()
        loss, n_right = totals.tolist()
        return Evaluation(loss / len(rows), n_right / len(rows))

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the weights on the CPU."""
        return {name: value.cpu().clone() for name, value in self.model.state_dict().items()}


def _named(model: MLP, kind: str) -> list[torch.nn.Parameter]:
    return [tensor for name, tensor in model.named_parameters() if name.endswith(kind)]


def _flatten(tensors: list[torch.nn.Parameter]) -> Tensor:
    """Move parameters into one new flat buffer, of which they become views."""
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    start = 0
    for tensor in tensors:
        tensor.data = flat[start : start + tensor.numel()].view_as(tensor)
        start += tensor.numel()
    return flat
