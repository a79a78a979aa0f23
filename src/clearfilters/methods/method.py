"""What a method is: a network, what is added to it, and how both are trained.

The training loop knows only this. Ordinary training is the method that adds nothing (std.py). One
of your own is a subclass and a line in registry.py: docs/extending.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from clearfilters.methods.losses import LOSSES
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.standardisation import Standardisation
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.training import TrainingParams
from clearfilters.training.inputs import Inputs, autocast, in_order

# The optimizer of the network's parameters, in `Method.optimizers`.
THETA = "theta"


@dataclass(frozen=True)
class Batch:
    """Samples as a method takes them.

    Attributes:
        inputs: images in [0, 1], (B, 3, H, W), or what the frozen part makes of them.
        labels: y, (B,).
        rows: the samples' numbers in their split, (B,), to look up what else is known of them.
        draws: the random stream of the epoch.
    """

    inputs: Tensor
    labels: Tensor
    rows: Tensor
    draws: torch.Generator


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that move alike; the factors are on their optimizer's rate and decay."""

    parameters: Sequence[nn.Parameter]
    lr_factor: float = 1.0
    weight_decay_factor: float = 1.0


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimizer before it is built.

    Attributes:
        groups: what it moves.
        rule: plain SGD without momentum is `sgd` with momentum 0.
        lr: the rate before the schedule.
        momentum: of SGD, in [0, 1).
        weight_decay: at least 0.
        scheduled: whether the rate follows the training's schedule, or is constant.
        phases: the phases in whose epochs it moves; None for all.
    """

    groups: Sequence[ParameterGroup]
    rule: Literal["sgd", "adam"]
    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    scheduled: bool = True
    phases: Sequence[str] | None = None

    def moves_in(self, phase: str) -> bool:
        """Whether it moves in the epochs of a phase."""
        return self.phases is None or phase in self.phases


def as_trained(
    training: TrainingParams,
    groups: Sequence[ParameterGroup],
    *,
    lr: float | None = None,
    phases: Sequence[str] | None = None,
) -> OptimizerSpec:
    """An optimizer as `training` says, with another rate if one is given."""
    return OptimizerSpec(
        groups,
        training.optimizer,
        training.lr if lr is None else lr,
        training.momentum,
        training.weight_decay,
        phases=phases,
    )


class Method(nn.Module, ABC):
    """A network and what a method adds to it. All of its tensors are the checkpoint.

    A training first lets it `begin`, then asks, in this order: which `phase` an epoch is; of each
    batch the `cost`; and after the backward pass for a `step`. After the epoch it asks for `facts`,
    and now and then evaluates the logits of `forward`.

    Attributes:
        network: what is tested, attacked and measured.
        loss: of the classification.
        precision: bf16 or float32, of the convolutions.
    """

    def __init__(self, network: Classifier, training: TrainingParams) -> None:
        """A method before its first epoch."""
        super().__init__()
        self.network = network
        self.loss = LOSSES[training.loss]
        self.precision = training.precision
        self.take(network.feature_maps, compiled=training.compile)

    @classmethod
    @abstractmethod
    def build(cls, network: Classifier, parameters: TrainingSlice) -> Self:
        """The method that `parameters.method` describes, around a network.

        Raises:
            ClearfiltersError: where the two do not fit.
        """

    @abstractmethod
    def cost(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor | None]:
        """What an epoch of this phase minimises, and the logits of its classification, if any.

        It must not wait for the device: no Python number comes from a tensor.
        """

    def phase(self, epoch: int) -> str:
        """The phase of an epoch, counted from 0; what it says stands in history.csv."""
        return "std"

    def optimizers(self, training: TrainingParams) -> dict[str, OptimizerSpec]:
        """What moves the parameters, in the order of the steps; the first moves the network."""
        return {THETA: as_trained(training, network_groups(self.network))}

    def begin(self, data: Inputs) -> None:
        """Take from the training data what must be known before the first epoch.

        Here it is the scale of the maps that a network standardises. It is not called again where a
        training is resumed.
        """
        for layer in self.network.modules():
            if isinstance(layer, Standardisation):
                layer.fit(inputs for inputs, _ in in_order(data))

    def prepare(self, data: Inputs) -> None:
        """Take from the training data what is kept nowhere: before a training starts or goes on."""

    def take_given(self, trained: "Method") -> None:
        """Take from the same method after its training what the training did not change.

        Here they are the frozen blocks and the scale of the maps above them.
        """
        own, others = self.network.parts, trained.network.parts
        if not (isinstance(own, BlockNetwork) and isinstance(others, BlockNetwork)):
            return
        own.freeze(others.frozen)
        own.blocks[: own.frozen].load_state_dict(others.blocks[: own.frozen].state_dict())
        for mine, theirs in zip(own.modules(), others.modules(), strict=True):
            if isinstance(mine, Standardisation):
                mine.load_state_dict(theirs.state_dict())

    def start_epoch(self, epoch: int) -> None:
        """Before an epoch, counted from 0; what a step reads of it must lie in a tensor."""

    def step(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Move all that moves after a backward pass.

        A method with projections or moving averages does them here, too.

        Args:
            optimizers: those of the epoch's phase, by name.
        """
        for optimizer in optimizers.values():
            optimizer.step()

    def facts(self) -> dict[str, float]:
        """Numbers for history.csv after an epoch."""
        return {}

    def arrays(self) -> dict[str, Tensor]:
        """What measurements read beside the features, by name."""
        return {}

    def name_in_file(self, name: str) -> str:
        """The name in checkpoint files of a tensor of `state_dict`.

        The network's tensors have there the names that they have in the network.
        """
        return name.removeprefix("network.")

    def likely_cause(self, phase: str) -> str:
        """What else than the learning rate makes a loss of this phase infinite, for a message."""
        return ""

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, outputs) of what the method is trained on, as it is tested."""
        return self.network.logits(self.maps(inputs))

    def maps(self, inputs: Tensor) -> Tensor:
        """Maps A (B, K, h, w) of what the method is trained on; see `Batch.inputs`."""
        with autocast(inputs.device, self.precision):
            return self._maps(inputs)

    def take(self, feature_maps: Callable[[Tensor], Tensor], *, compiled: bool) -> None:
        """Let `inputs` be what this function makes maps A of: images, or frozen outputs."""
        self._maps: Any = torch.compile(feature_maps) if compiled else feature_maps


def network_groups(network: Classifier) -> list[ParameterGroup]:
    """The parameters of a network that are not frozen, grouped by their factors."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(network.factors.get(name, (1.0, 1.0)), []).append(parameter)
    return [ParameterGroup(found, *factors) for factors, found in groups.items()]


def trained_parameters(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of a module that are not frozen."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
