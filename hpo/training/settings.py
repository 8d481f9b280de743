"""Settings of one training run: a mapping goes in, a checked and frozen `MLPSettings` comes out."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from hpo.errors import UserError

Activation = Literal["relu", "sigmoid", "tanh", "gelu", "leaky_relu", "elu"]
Loss = Literal["nll", "cross_entropy", "mse", "brier"]
Optimizer = Literal["adadelta", "sgd", "adam", "adamw", "rmsprop"]
Schedule = Literal["none", "step", "cosine"]
EngineChoice = Literal["auto", "torch", "compiled"]

NAMED_DATASETS = ("mnist", "fashion_mnist")
OPTIMIZERS_WITH_MOMENTUM = ("sgd", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class MLPSettings:
    """Everything that decides the outcome of one training run of the MLP.

    The defaults are the article's baseline, except that the training images are shuffled and that
    the evaluation uses images held out of the training set, never the test split.

    Attributes:
        dataset: ``mnist``, ``fashion_mnist``, or a path ending in ``.npz``.
        hidden_layers: Width of each hidden layer; empty for a linear model.
        activation: One name, or one for each hidden layer.
        dropout: Probability of dropping a hidden unit: one number, or one for each hidden layer.
        loss: ``nll``, ``cross_entropy`` (the same value over log-softmax), ``mse`` (mean square of
            log-probabilities minus one-hot, as the article did) or ``brier`` (mean square of
            probabilities minus one-hot).
        optimizer: Torch's optimizer of that name with its default constants.
        learning_rate: Of the first epoch; see ``schedule``.
        momentum: Of ``sgd`` and ``rmsprop``; the others have none.
        weight_decay: L2 penalty as torch.optim applies it, to weights and biases.
        l1: Factor of the sum of the absolute weights (biases excluded) added to the loss.
        batch_size: Images in one step; the last step of an epoch may have fewer.
        test_batch_size: Images evaluated at once; changes memory, not results.
        epochs: Passes over the training images.
        schedule: ``none``, ``step`` (times ``schedule_gamma`` every ``schedule_step_size`` epochs)
            or ``cosine`` (to zero at the end of ``epochs``).
        schedule_step_size: Epochs between two steps of the ``step`` schedule.
        schedule_gamma: Factor of one step of the ``step`` schedule.
        shuffle: A new order of the training images each epoch.
        seed: Decides the initial weights, the orders and the dropout masks.
        validation_size: Training images held out for evaluation; 0 evaluates on the test split.
        split_seed: Decides which images are held out.
        log_interval: Batches between two points of the training-loss curve.
        engine: ``auto``, ``torch`` or ``compiled``; the same numbers up to rounding.
    """

    dataset: str = "mnist"
    hidden_layers: tuple[int, ...] = (128,)
    activation: Activation | tuple[Activation, ...] = "relu"
    dropout: float | tuple[float, ...] = 0.0
    loss: Loss = "nll"
    optimizer: Optimizer = "adadelta"
    learning_rate: float = 1.0
    momentum: float = 0.0
    weight_decay: float = 0.0
    l1: float = 0.0
    batch_size: int = 64
    test_batch_size: int = 1000
    epochs: int = 14
    schedule: Schedule = "none"
    schedule_step_size: int = 1
    schedule_gamma: float = 0.7
    shuffle: bool = True
    seed: int = 1
    validation_size: int = 10_000
    split_seed: int = 1
    log_interval: int = 40
    engine: EngineChoice = "auto"

    def __post_init__(self) -> None:
        """Replace each value by its checked form.

        Raises:
            UserError: Every value that breaks its rule, one a line.
        """
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        checked, faults = _check_values(given)
        faults += _check_together(checked)
        if faults:
            raise UserError("\n".join(faults))
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> MLPSettings:
        """Settings from plain data, with the defaults for what is not given.

        Raises:
            UserError: Every unknown key (with its near miss) and every value that breaks its rule.
        """
        names = [field.name for field in fields(cls)]
        faults = [_unknown(key, names) for key in values if key not in names]
        known = {key: value for key, value in values.items() if key in names}
        if faults:
            raise UserError("\n".join(faults + _check_values(known)[1]))
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain data that JSON and YAML can hold; lists, no tuples."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activation of each hidden layer."""
        if isinstance(self.activation, tuple):
            return self.activation
        return (self.activation,) * len(self.hidden_layers)

    @property
    def dropouts(self) -> tuple[float, ...]:
        """The dropout probability of each hidden layer."""
        if isinstance(self.dropout, tuple):
            return self.dropout
        return (self.dropout,) * len(self.hidden_layers)

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of a 1-based epoch under the schedule."""
        if self.schedule == "step":
            return self.learning_rate * self.schedule_gamma ** (
                (epoch - 1) // self.schedule_step_size
            )
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / self.epochs)) / 2
        return self.learning_rate


# The value's checked form, or ValueError(rule it breaks[, near miss]).
Rule = Callable[[Any], Any]


def _integer(minimum: int, maximum: int = 2**63 - 1) -> Rule:
    limit = f"an integer >= {minimum}" if maximum == 2**63 - 1 else f"{minimum} to {maximum}"

    def check(value: Any) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole or not minimum <= value <= maximum:
            raise ValueError(f"must be {limit}")
        return int(value)

    return check


def _number(rule: str, accepts: Callable[[float], bool]) -> Rule:
    def check(value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not accepts(value):
            raise ValueError(f"must be {rule}")
        return float(value)

    return check


def _choice(options: Sequence[str]) -> Rule:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            raise ValueError(f"must be one of {', '.join(options)}", _near_miss(value, options))
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - one kind of error for all rules
    return value


def _list_of(rule: Rule) -> Rule:
    def check(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ValueError("must be a list")  # noqa: TRY004 - as above
        return tuple(rule(item) for item in value)

    return check


def _one_or_list_of(rule: Rule) -> Rule:
    def check(value: Any) -> Any:
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return _list_of(rule)(value) if is_list else rule(value)

    return check


def _dataset(value: Any) -> str:
    if isinstance(value, str) and (value in NAMED_DATASETS or value.endswith(".npz")):
        return value
    rule = f"must be {', '.join(NAMED_DATASETS)} or a path ending in .npz"
    raise ValueError(rule, _near_miss(value, NAMED_DATASETS))


_PROBABILITY = _number("at least 0 and below 1", lambda x: 0 <= x < 1)
_POSITIVE = _number("a number above 0", lambda x: x > 0)
_NOT_NEGATIVE = _number("a number >= 0", lambda x: x >= 0)

_RULES: dict[str, Rule] = {
    "dataset": _dataset,
    "hidden_layers": _list_of(_integer(1)),
    "activation": _one_or_list_of(_choice(get_args(Activation))),
    "dropout": _one_or_list_of(_PROBABILITY),
    "loss": _choice(get_args(Loss)),
    "optimizer": _choice(get_args(Optimizer)),
    "learning_rate": _POSITIVE,
    "momentum": _PROBABILITY,
    "weight_decay": _NOT_NEGATIVE,
    "l1": _NOT_NEGATIVE,
    "batch_size": _integer(1),
    "test_batch_size": _integer(1),
    "epochs": _integer(1),
    "schedule": _choice(get_args(Schedule)),
    "schedule_step_size": _integer(1),
    "schedule_gamma": _POSITIVE,
    "shuffle": _flag,
    "seed": _integer(0),
    "validation_size": _integer(0),
    "split_seed": _integer(0, 2**32 - 1),
    "log_interval": _integer(1),
    "engine": _choice(get_args(EngineChoice)),
}


def _check_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    checked, faults = {}, []
    for name, value in values.items():
        try:
            checked[name] = _RULES[name](value)
        except ValueError as fault:
            rule, near = (*fault.args, "")[:2]
            faults.append(f"{name}: {rule}, but got {value!r}{near}")
    return checked, faults


def _check_together(checked: Mapping[str, Any]) -> list[str]:
    """Rules that join several settings; only over those that are right by themselves."""
    faults = []
    for name in ("activation", "dropout"):
        value, layers = checked.get(name), checked.get("hidden_layers")
        if isinstance(value, tuple) and layers is not None and len(value) != len(layers):
            faults.append(
                f"{name}: a list must have one entry for each hidden layer; "
                f"got {len(value)} for {len(layers)} hidden layers"
            )
    if checked.get("momentum") and checked.get("optimizer") not in OPTIMIZERS_WITH_MOMENTUM:
        faults.append(
            f"momentum: only {' and '.join(OPTIMIZERS_WITH_MOMENTUM)} have momentum; "
            f"got momentum {checked['momentum']} with optimizer {checked.get('optimizer')}"
        )
    return faults


def _unknown(key: object, names: Sequence[str]) -> str:
    return f"{key}: the trainer has no such setting{_near_miss(key, names)}"


def _near_miss(value: object, options: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(value).lower(), options, n=1)
    return f". Did you mean {close[0]!r}?" if close else ""
