"""A PyTorch network whose layers are chosen one by one, trained by a loop of its own."""
# Untyped, as other people write it.
# mypy: ignore-errors

import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

DEVICE = torch.device("cpu")
EPOCHS = 2


def make_model(trial):
    layers, width = [], 64
    for i in range(trial.suggest_int("n_layers", 1, 2)):
        out = trial.suggest_int(f"n_units_l{i}", 8, 32)
        layers += [nn.Linear(width, out), nn.ReLU()]
        layers.append(nn.Dropout(trial.suggest_float(f"dropout_l{i}", 0.1, 0.4)))
        width = out
    return nn.Sequential(*layers, nn.Linear(width, 10), nn.LogSoftmax(dim=1))


def objective(trial):
    digits = load_digits()
    images = torch.tensor(digits.data / 16, dtype=torch.float32, device=DEVICE)
    labels = torch.tensor(digits.target, device=DEVICE)
    model = make_model(trial).to(DEVICE)
    name = trial.suggest_categorical("optimizer", ["Adam", "SGD"])
    rate = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=rate)
    for epoch in range(EPOCHS):
        model.train()
        for rows in torch.arange(1400).split(100):
            optimizer.zero_grad()
            functional.nll_loss(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = (model(images[1400:]).argmax(dim=1) == labels[1400:]).float()
        trial.report(right.mean().item(), epoch)
        if trial.should_prune():
            raise optuna.exceptions.TrialPruned()
    return right.mean().item()


if __name__ == "__main__":
    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=100, timeout=600)
