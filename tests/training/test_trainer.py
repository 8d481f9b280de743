"""A whole run: curves, seeds, the article's accuracy, and what an epoch must not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hpo.errors import DeviceError
from hpo.training.data import Dataset
from hpo.training.mlp import MLP, initial_model
from hpo.training.settings import MLPSettings
from hpo.training.trainer import fit

ENGINES = ("torch", "compiled")


def settings(**changes: Any) -> MLPSettings:
    base = {"hidden_layers": [20], "epochs": 3, "batch_size": 50, "validation_size": 100}
    return MLPSettings.from_mapping(base | {"log_interval": 4} | changes)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_articles_baseline_ends_at_its_accuracy(mnist: Dataset, seed: int) -> None:
    baseline = MLPSettings(shuffle=False, validation_size=0, seed=seed)
    *_, last = fit(baseline, mnist)
    assert 0.974 <= last.evaluation_accuracy <= 0.979


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_hold_what_was_yielded(engine: str, made: Dataset) -> None:
    run = fit(settings(engine=engine), made)
    yielded = list(run)
    epochs, batches = run.curves["epochs"], run.curves["batches"]
    assert epochs["epoch"] == [1, 2, 3]
    assert epochs["samples"] == [600, 1200, 1800]
    assert epochs["train_loss"] == [metrics.train_loss for metrics in yielded]
    assert epochs["evaluation_accuracy"] == [metrics.evaluation_accuracy for metrics in yielded]
    assert epochs["seconds"] == sorted(epochs["seconds"])
    assert batches["samples"] == [0, 200, 400, 600, 800, 1000, 1200, 1400, 1600]
    assert len(batches["train_loss"]) == 9


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_repeats_a_run_and_another_changes_it(engine: str, made: Dataset) -> None:
    def losses(seed: int) -> list[float]:
        run = fit(settings(engine=engine, dropout=0.3, seed=seed), made)
        found = []
        for metrics in run:
            found.append(metrics.train_loss)
            torch.rand(7)  # an objective may draw numbers between epochs
        return found

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_leaves_torchs_generator_and_threads_alone(engine: str, made: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    list(fit(settings(engine=engine, dropout=0.2), made))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert torch.tensor(1e-40) / 2 > 0, "subnormal numbers are still numbers"


def test_the_initial_weights_are_the_second_draw_after_seeding() -> None:
    model = initial_model(MLPSettings(seed=7), 784, 10)
    torch.manual_seed(7)
    for _ in range(2):
        hidden, output = torch.nn.Linear(784, 128), torch.nn.Linear(128, 10)
    assert torch.equal(model.layers()[0].weight, hidden.weight)
    assert torch.equal(model.layers()[1].bias, output.bias)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_last_batch_of_an_epoch_may_be_smaller(engine: str, made: Dataset) -> None:
    run = fit(settings(engine=engine, batch_size=64, log_interval=1, epochs=1), made)
    (metrics,) = run
    losses = run.curves["batches"]["train_loss"]
    assert metrics.samples == 600
    assert metrics.train_loss == pytest.approx(np.average(losses, weights=[64] * 9 + [24]))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dry_run_learns_one_batch(engine: str, made: Dataset) -> None:
    (metrics,) = fit(settings(engine=engine), made, dry_run=True)
    assert (metrics.epoch, metrics.samples) == (1, 50)


@pytest.mark.parametrize("engine", ENGINES)
def test_saved_weights_load_into_a_plain_module(engine: str, made: Dataset, tmp_path: Path) -> None:
    run = fit(settings(engine=engine, activation="tanh", hidden_layers=[20, 9]), made)
    list(run)
    run.save(tmp_path / "weights.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pt"]
    model = MLP(81, 7, [20, 9], ["tanh", "tanh"], [0.0, 0.0])
    model.load_state_dict(torch.load(tmp_path / "weights.pt"))
    x = (torch.from_numpy(made.test.images) / 255.0 - made.mean) / made.std
    right = model(x).argmax(dim=1) == torch.from_numpy(made.test.labels)
    assert right.double().mean().item() == pytest.approx(run.test().accuracy)
    assert run.n_parameters == 81 * 20 + 20 + 20 * 9 + 9 + 9 * 7 + 7


@pytest.mark.parametrize("engine", ENGINES)
def test_a_schedule_changes_the_steps(engine: str, made: Dataset) -> None:
    def end(schedule: str) -> float:
        chosen = settings(engine=engine, schedule=schedule, schedule_gamma=1e-9, optimizer="sgd")
        epochs = [metrics.evaluation_loss for metrics in fit(chosen, made)]
        return epochs[-1] - epochs[0]

    assert end("step") == pytest.approx(0, abs=1e-6)
    assert abs(end("none")) > 1e-3


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_is_off_when_evaluating(engine: str, made: Dataset) -> None:
    run = fit(settings(engine=engine, dropout=0.5), made, dry_run=True)
    list(run)
    assert run.test() == run.test()


def test_a_device_this_machine_does_not_have_is_refused(made: Dataset) -> None:
    with pytest.raises(DeviceError, match="'cuda:99' cannot be used here"):
        fit(settings(), made, "cuda:99")
    with pytest.raises(DeviceError, match="'gpu' cannot be used here"):
        fit(settings(), made, "gpu")


class CountWaits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations for which a host waits for its device."""

    WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.n_waits = self.n_operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n_operations += 1
        self.n_waits += func.overloadpacket.__name__ in self.WAITS
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", ["adadelta", "sgd", "adam", "adamw", "rmsprop"])
def test_the_host_does_not_wait_for_the_device_inside_an_epoch(
    optimizer: str, made: Dataset
) -> None:
    chosen = settings(engine="torch", optimizer=optimizer, l1=0.1, weight_decay=0.1, dropout=0.1)
    run = fit(chosen, made)
    with CountWaits() as counted:
        run._engine.train_epoch(np.arange(600), 0.1, 1)
    assert counted.n_operations > 12 * 10  # of each of 12 batches
    assert counted.n_waits == 0


def test_the_counter_of_waits_counts_them() -> None:
    with CountWaits() as counted:
        torch.ones(1).item()
    assert counted.n_waits == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["adadelta", "adam"])
def test_training_does_not_import_dynamo(engine: str, optimizer: str, made_file: Path) -> None:
    code = (
        "import sys\n"
        "from hpo.training.settings import MLPSettings\n"
        "from hpo.training.trainer import fit\n"
        f"chosen = MLPSettings(dataset={str(made_file)!r}, epochs=1, validation_size=0,\n"
        f"    engine={engine!r}, optimizer={optimizer!r})\n"
        "run = fit(chosen)\n"
        "list(run)\n"
        "print(run.engine, 'torch._dynamo' in sys.modules, 'torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [engine, "False", "False"]
