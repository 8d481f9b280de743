"""What the trainer is measured against: an MLP trained the usual way, from a DataLoader.

Prints the CPU seconds of each epoch, evaluation included, as JSON. All it uses of hpo are the
settings and the folder of verified images.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader

from hpo.training.data import load_data
from hpo.training.settings import MLPSettings
from hpo.training.sources import data_folder

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
DATASETS = {"mnist": torchvision.datasets.MNIST, "fashion_mnist": torchvision.datasets.FashionMNIST}
NORMALIZATION = {"mnist": (0.1307, 0.3081), "fashion_mnist": (0.2860, 0.3530)}


def loaders(chosen: MLPSettings) -> tuple[DataLoader[Any], DataLoader[Any]]:
    mean, std = NORMALIZATION[chosen.dataset]
    steps = [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize((mean,), (std,))]
    transform = torchvision.transforms.Compose(steps)
    kind, root = DATASETS[chosen.dataset], data_folder()
    train = kind(root, train=True, transform=transform)
    test = kind(root, train=False, transform=transform)
    return (
        DataLoader(train, batch_size=chosen.batch_size, shuffle=chosen.shuffle),
        DataLoader(test, batch_size=chosen.test_batch_size),
    )


def network(chosen: MLPSettings) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    n_inputs = 28 * 28
    hidden = zip(chosen.hidden_layers, chosen.activations, chosen.dropouts, strict=True)
    for width, name, dropout in hidden:
        layers += [nn.Linear(n_inputs, width), ACTIVATIONS[name]()]
        layers += [nn.Dropout(dropout)] if dropout else []
        n_inputs = width
    return nn.Sequential(*layers, nn.Linear(n_inputs, 10), nn.LogSoftmax(dim=1))


def loss_of(chosen: MLPSettings, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if chosen.loss == "mse":
        return nn.functional.mse_loss(output, nn.functional.one_hot(target, 10).float())
    if chosen.loss == "cross_entropy":
        return nn.functional.cross_entropy(output, target)
    return nn.functional.nll_loss(output, target)


def train(chosen: MLPSettings) -> list[float]:
    """Seconds of each epoch."""
    train_loader, test_loader = loaders(chosen)
    model = network(chosen)
    optimizer = torch.optim.Adadelta(
        model.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay
    )
    weights = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    seconds = []
    for _ in range(chosen.epochs):
        start = time.process_time()
        model.train()
        for images, target in train_loader:
            optimizer.zero_grad()
            loss = loss_of(chosen, model(images), target)
            if chosen.l1:
                loss = loss + chosen.l1 * sum(w.abs().sum() for w in weights)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        model.eval()
        n_right, total = 0, 0.0
        with torch.no_grad():
            for images, target in test_loader:
                output = model(images)
                total += loss_of(chosen, output, target).item()
                n_right += int((output.argmax(dim=1) == target).sum())
        seconds.append(time.process_time() - start)
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=json.loads)
    torch.set_num_threads(1)
    given = MLPSettings.from_mapping(parser.parse_args().settings)
    load_data(given.dataset)
    print(json.dumps(train(given)))
