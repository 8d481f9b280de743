"""Both engines against autograd in double precision, torch.optim, and each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hpo.errors import UserError
from hpo.training.data import Dataset, Split
from hpo.training.engine import Engine
from hpo.training.mlp import LOSSES, initial_model
from hpo.training.settings import MLPSettings
from hpo.training.trainer import choose_engine, fit

CPU = torch.device("cpu")
ENGINES = ("torch", "compiled")
OPTIMIZERS: dict[str, Any] = {
    "adadelta": torch.optim.Adadelta,
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}


def settings(**changes: Any) -> MLPSettings:
    base: dict[str, Any] = {"hidden_layers": [40, 20], "optimizer": "sgd", "learning_rate": 1.0}
    return MLPSettings.from_mapping(base | {"batch_size": 50, "validation_size": 0} | changes)


def make_engine(chosen: MLPSettings, data: Dataset) -> Engine:
    model = initial_model(chosen, data.n_inputs, data.n_classes)
    return choose_engine(chosen, data, CPU, model)[0]


def normalized(data: Dataset, rows: np.ndarray[Any, Any]) -> Tensor:
    raw = torch.from_numpy(data.train.images[rows]).double()
    return (raw / data.unit - data.mean) / data.std


def exact_gradients(chosen: MLPSettings, data: Dataset, rows: np.ndarray[Any, Any]) -> list[Tensor]:
    """Autograd's gradients in double precision at the initial weights, by state-dict order."""
    model = initial_model(chosen, data.n_inputs, data.n_classes).double().eval()
    labels = torch.from_numpy(data.train.labels[rows])
    loss = LOSSES[chosen.loss](model(normalized(data, rows)), labels)
    if chosen.l1:
        weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
        loss = loss + chosen.l1 * torch.stack([w.abs().sum() for w in weights]).sum()
    return list(torch.autograd.grad(loss, list(model.parameters())))


def check_gradients(chosen: MLPSettings, data: Dataset) -> None:
    """One SGD step with learning rate 1 changes the weights by the gradient."""
    rows = np.arange(chosen.batch_size)
    engine = make_engine(chosen, data)
    before = engine.state_dict()
    engine.train_epoch(rows, 1.0, 0)
    after = engine.state_dict()
    for name, exact in zip(before, exact_gradients(chosen, data, rows), strict=True):
        # Weights of size 0.1 hold their change to 1e-8.
        torch.testing.assert_close(
            before[name].double() - after[name].double(),
            exact,
            rtol=1e-5,
            atol=1e-5 * float(exact.abs().max()) + 2e-8,
        )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("loss", ["nll", "cross_entropy", "mse", "brier"])
def test_gradients_of_each_loss_are_autograds(engine: str, loss: str, made: Dataset) -> None:
    check_gradients(settings(engine=engine, loss=loss), made)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "leaky_relu", "elu"])
def test_gradients_of_each_activation_are_autograds(
    engine: str, activation: str, made: Dataset
) -> None:
    check_gradients(settings(engine=engine, activation=activation), made)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "hidden_layers", [[], [1], [16], [33], [128, 64, 64], [200], [256, 128, 128, 64, 64]]
)
def test_gradients_of_each_shape_are_autograds(
    engine: str, hidden_layers: list[int], made: Dataset
) -> None:
    check_gradients(settings(engine=engine, hidden_layers=hidden_layers), made)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [1, 16, 64, 300])
def test_gradients_of_each_batch_size_are_autograds(
    engine: str, batch_size: int, made: Dataset
) -> None:
    check_gradients(settings(engine=engine, batch_size=batch_size), made)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_l1_penalty_spares_the_biases(engine: str, made: Dataset) -> None:
    check_gradients(settings(engine=engine, l1=0.01), made)


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {"weight_decay": decay}) for name in OPTIMIZERS for decay in (0.0, 0.01)),
    *((name, {"momentum": 0.9}) for name in ("sgd", "rmsprop")),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_updates_are_torch_optims(
    engine: str, name: str, options: dict[str, Any], made: Dataset
) -> None:
    rate = {"adadelta": 1.0, "sgd": 0.1}.get(name, 1e-3)
    chosen = settings(
        engine=engine, optimizer=name, learning_rate=rate, activation="tanh", **options
    )
    trained = make_engine(chosen, made)
    model = initial_model(chosen, made.n_inputs, made.n_classes)
    optimizer = OPTIMIZERS[name](model.parameters(), lr=rate, **options)
    for step in range(3):
        rows = np.arange(step * 50, step * 50 + 50)
        trained.train_epoch(rows, rate, 0)
        optimizer.zero_grad()
        labels = torch.from_numpy(made.train.labels[rows])
        loss = LOSSES["nll"](model(normalized(made, rows).float()), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for key, value in trained.state_dict().items():
        # Adam and RMSprop divide by |gradient|: where it is nearly 0, its rounding shows.
        close = (value - model.state_dict()[key]).abs() <= 1e-6 + 1e-6 * value.abs()
        assert close.float().mean() > 0.995, key
        torch.testing.assert_close(value, model.state_dict()[key], rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adadelta", "learning_rate": 1.0},
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"optimizer": "adam", "learning_rate": 1e-3},
    ],
    ids=lambda options: str(options["optimizer"]),
)
def test_200_steps_on_mnist_have_the_same_losses(mnist: Dataset, options: dict[str, Any]) -> None:
    rows = np.arange(200 * 64)
    losses = []
    for engine in ENGINES:
        chosen = settings(engine=engine, hidden_layers=[128], batch_size=64, **options)
        rate = chosen.learning_rate
        losses.append(make_engine(chosen, mnist).train_epoch(rows, rate, 0))
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4, rtol=1e-4)


def test_engines_end_alike_over_seeds(mnist: Dataset) -> None:
    ends = {engine: [] for engine in ENGINES}  # type: dict[str, list[float]]
    for engine in ENGINES:
        for seed in range(1, 6):
            chosen = MLPSettings.from_mapping({"engine": engine, "epochs": 1, "seed": seed})
            (metrics,) = fit(chosen, mnist)
            ends[engine].append(metrics.evaluation_accuracy)
    difference = np.array(ends["torch"]) - np.array(ends["compiled"])
    spread = np.std(ends["torch"] + ends["compiled"], ddof=1)
    assert abs(difference.mean()) < 3 * spread / np.sqrt(5) + 1e-3


@pytest.mark.parametrize("loss", ["nll", "cross_entropy", "mse", "brier"])
def test_engines_evaluate_alike(loss: str, made: Dataset) -> None:
    rows = np.arange(len(made.test.labels))
    first, second = (
        make_engine(settings(engine=engine, loss=loss), made).evaluate("test", rows)
        for engine in ENGINES
    )
    assert first.accuracy == second.accuracy
    assert first.loss == pytest.approx(second.loss, rel=1e-5)


def test_the_compiled_engine_returns_the_weights_it_got(made: Dataset) -> None:
    chosen = settings(engine="compiled", hidden_layers=[33, 5])
    model = initial_model(chosen, made.n_inputs, made.n_classes)
    state = choose_engine(chosen, made, CPU, model)[0].state_dict()
    torch.testing.assert_close(state, dict(model.state_dict()), rtol=0, atol=0)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "elu"])
def test_gradients_under_dropout_are_those_of_the_units_kept(
    activation: str, made: Dataset
) -> None:
    """The masks are read back from the engine's buffers and given to autograd."""
    chosen = settings(engine="compiled", activation=activation, dropout=0.4)
    engine: Any = make_engine(chosen, made)
    before = engine.state_dict()
    engine.train_epoch(np.arange(50), 1.0, 7)
    after = engine.state_dict()
    model = initial_model(chosen, made.n_inputs, made.n_classes).double()
    h = normalized(made, np.arange(50))
    for layer, width in enumerate((40, 20)):
        padded, at = engine.network.widths[layer], engine.network.outputs_at[layer]
        mask = engine.network.masks[at : at + 50 * padded].reshape(50, padded)[:, :width]
        np.testing.assert_allclose(np.unique(mask), [0.0, 1 / 0.6], rtol=1e-6)
        h = model.activations[layer](model.linears[layer](h)) * torch.from_numpy(mask).double()
    output = torch.log_softmax(model.linears[2](h), dim=1)
    loss = LOSSES["nll"](output, torch.from_numpy(made.train.labels[:50]))
    exact = torch.autograd.grad(loss, list(model.parameters()))
    for name, gradient in zip(before, exact, strict=True):
        torch.testing.assert_close(
            before[name].double() - after[name].double(), gradient, rtol=1e-4, atol=1e-6
        )


def test_compiled_dropout_drops_its_share(made: Dataset) -> None:
    engine: Any = make_engine(settings(engine="compiled", dropout=[0.2, 0.7]), made)
    engine.train_epoch(np.arange(50), 1.0, 7)
    network = engine.network
    masks = [
        network.masks[network.outputs_at[i] : network.outputs_at[i] + 50 * network.widths[i]]
        for i in range(2)
    ]
    assert np.mean(masks[0] == 0) == pytest.approx(0.2, abs=0.04)
    assert np.mean(masks[1] == 0) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverged_run_has_a_loss_that_is_not_finite(engine: str, made: Dataset) -> None:
    chosen = settings(engine=engine, learning_rate=1e30, epochs=2, loss="mse")
    assert not all(metrics.is_finite for metrics in fit(chosen, made))


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "leaky_relu", "elu"])
def test_not_a_number_passes_every_activation(activation: str, made: Dataset) -> None:
    engine: Any = make_engine(settings(engine="compiled", activation=activation), made)
    engine.network.weights[:] = np.nan
    engine.network.row_sum[:] = np.nan
    assert np.isnan(engine.evaluate("test", np.arange(50)).loss)


def test_what_the_kernels_do_not_cover_is_said(made: Dataset) -> None:
    gelu = fit(settings(activation="gelu"), made)
    assert (gelu.engine, gelu.engine_reason) == ("torch", "the activation gelu is not covered")
    covered = fit(settings(), made)
    assert covered.engine == "compiled"
    with pytest.raises(UserError, match="compiled cannot train this: the activation gelu"):
        fit(settings(activation="gelu", engine="compiled"), made)


def test_float_images_are_trained_by_torch(made: Dataset) -> None:
    train, test = (
        Split(split.images.astype(np.float32) / 255, split.labels)
        for split in (made.train, made.test)
    )
    floats = Dataset("floats", train, test, 1.0, made.mean, made.std, made.n_classes)
    chosen = settings(epochs=2, learning_rate=0.1)
    run = fit(chosen, floats)
    losses = [metrics.train_loss for metrics in run]
    assert run.engine == "torch"
    expected = [metrics.train_loss for metrics in fit(chosen, made)]
    assert losses == pytest.approx(expected, rel=1e-4)
