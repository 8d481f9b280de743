"""Settings of one training run: a mapping goes in, a checked and frozen `MLPSettings` comes out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hpo.errors import SettingsFaults
from hpo.near_miss import near_miss
from hpo.yaml_files.faults import BRANCH, Path, findings_of, shown

Activation = Literal["relu", "sigmoid", "tanh", "gelu", "leaky_relu", "elu"]
Loss = Literal["nll", "cross_entropy", "mse", "brier"]
Optimizer = Literal["adadelta", "sgd", "adam", "adamw", "rmsprop"]
Schedule = Literal["none", "step", "cosine"]
EngineChoice = Literal["auto", "torch", "compiled"]

NAMED_DATASETS = ("mnist", "fashion_mnist")
OPTIMIZERS_WITH_MOMENTUM = ("sgd", "rmsprop")


def _whole(value: Any) -> Any:
    """32.0 is a whole number, as samplers and JSON may write one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _dataset(value: str) -> str:
    if value in NAMED_DATASETS or value.endswith(".npz"):
        return value
    names, hint = ", ".join(NAMED_DATASETS), near_miss(value, NAMED_DATASETS)
    raise ValueError(f"must be {names} or a path ending in .npz, but got {shown(value)}.{hint}")


def _one_or_each(value: Any) -> str:
    return f"{BRANCH}{'each' if isinstance(value, list | tuple) else 'one'}"


T = TypeVar("T")
Whole = Annotated[int, BeforeValidator(_whole), Field(le=2**63 - 1)]
Count = Annotated[Whole, Field(ge=1)]
NotNegative = Annotated[Whole, Field(ge=0)]
SplitSeed = Annotated[NotNegative, Field(le=2**32 - 1)]  # what numpy's RandomState takes
Dataset = Annotated[str, AfterValidator(_dataset)]
Positive = Annotated[float, Field(gt=0)]
Penalty = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Each = Annotated[tuple[T, ...], BeforeValidator(_tuple)]
OneOrEach = Annotated[
    Annotated[T, Tag(f"{BRANCH}one")] | Annotated[Each[T], Tag(f"{BRANCH}each")],
    Discriminator(_one_or_each),
]


class MLPSettings(BaseModel):
    """Everything that decides the outcome of one training run of the MLP.

    The defaults are the article's baseline, except that the training images are shuffled and that
    the evaluation uses images held out of the training set, never the test split.

    Raises:
        SettingsFaults: Every unknown key and every value that breaks its rule.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    dataset: Dataset = Field("mnist", description="mnist, fashion_mnist, or a path ending in .npz.")
    hidden_layers: Each[Count] = Field((128,), description="Width of each; none: a linear model.")
    activation: OneOrEach[Activation] = Field("relu", description="One, or one a hidden layer.")
    dropout: OneOrEach[Probability] = Field(0.0, description="Share dropped; one, or one a layer.")
    loss: Loss = Field("nll", description="See docs/trainer.md; of the batch's mean.")
    optimizer: Optimizer = Field("adadelta", description="Torch's, with its default constants.")
    learning_rate: Positive = Field(1.0, description="Of the first epoch; see `schedule`.")
    momentum: Probability = Field(0.0, description="Of sgd and rmsprop; the others have none.")
    weight_decay: Penalty = Field(0.0, description="L2 penalty as torch.optim applies it.")
    l1: Penalty = Field(0.0, description="Times the sum of absolute weights, biases excluded.")
    batch_size: Count = Field(64, description="Images in one step; an epoch's last may have fewer.")
    test_batch_size: Count = Field(1000, description="Images evaluated at once; for memory only.")
    epochs: Count = Field(14, description="Passes over the training images.")
    schedule: Schedule = Field("none", description="none, step or cosine (to 0 after `epochs`).")
    schedule_step_size: Count = Field(1, description="Epochs between two steps of `step`.")
    schedule_gamma: Positive = Field(0.7, description="Factor of one step of `step`.")
    shuffle: bool = Field(True, description="A new order of the training images each epoch.")
    seed: NotNegative = Field(1, description="Decides initial weights, orders and dropout masks.")
    validation_size: NotNegative = Field(10_000, description="Images held out; 0: test's images.")
    split_seed: SplitSeed = Field(1, description="Decides which images are held out.")
    log_interval: Count = Field(40, description="Batches between two points of the loss curve.")
    engine: EngineChoice = Field("auto", description="auto, torch or compiled: the same numbers.")

    @field_validator("activation", "dropout")
    @classmethod
    def _one_for_each_layer(cls, value: Any, info: ValidationInfo) -> Any:
        layers = info.data.get("hidden_layers")
        if isinstance(value, tuple) and layers is not None and len(value) != len(layers):
            raise ValueError(
                "a list must have one entry for each hidden layer, "
                f"but got {len(value)} for {len(layers)} hidden layers."
            )
        return value

    @field_validator("momentum")
    @classmethod
    def _momentum_needs_its_optimizer(cls, value: float, info: ValidationInfo) -> float:
        optimizer = info.data.get("optimizer")
        if value and optimizer is not None and optimizer not in OPTIMIZERS_WITH_MOMENTUM:
            names = " and ".join(OPTIMIZERS_WITH_MOMENTUM)
            raise ValueError(f"only {names} have momentum, but got {value} with {optimizer}.")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _every_fault_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            known: Mapping[Path, Iterable[str]] = {(): tuple(cls.model_fields)}
            raise SettingsFaults(findings_of(error, known, what="setting")) from None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain data, with the defaults for what is not given.

        Raises:
            SettingsFaults: Every unknown key and every value that breaks its rule.
        """
        return cls.model_validate(dict(values))

    def with_seed(self, seed: int) -> Self:
        """The same settings under another seed."""
        return self.from_mapping({**self.to_dict(), "seed": seed})

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain data that JSON and YAML can hold; lists, no tuples."""
        return self.model_dump(mode="json")

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activation of each hidden layer."""
        return self._spread(self.activation)

    @property
    def dropouts(self) -> tuple[float, ...]:
        """The dropout probability of each hidden layer."""
        return self._spread(self.dropout)

    def _spread(self, value: T | tuple[T, ...]) -> tuple[T, ...]:
        return value if isinstance(value, tuple) else (value,) * len(self.hidden_layers)

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of a 1-based epoch under the schedule."""
        if self.schedule == "step":
            n_steps = (epoch - 1) // self.schedule_step_size
            return self.learning_rate * self.schedule_gamma**n_steps
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / self.epochs)) / 2
        return self.learning_rate
