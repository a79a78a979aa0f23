"""LSG and CSG as a method: which epochs train which path, and what moves the gate (gate.py)."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from clearfilters.errors import ClearfiltersError
from clearfilters.methods import gate as gates
from clearfilters.methods.method import (
    THETA,
    Batch,
    Method,
    OptimizerSpec,
    ParameterGroup,
    as_trained,
    network_groups,
)
from clearfilters.models.classifier import Classifier
from clearfilters.params.methods import CsgParams, GateParams, LsgParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.training import TrainingParams

# The optimizers of the gate, and in fine-tuning of the network in gate epochs.
GATE = "gate"
GATE_PATH = "gate_path"


class GateTraining(Method):
    """A network and its class-specific gate, trained in turns or jointly.

    Attributes:
        params: the experiment's.
        gate: the gate.
        gate_path_lr: the rate of the network's own optimizer in gate epochs; None where one
            optimizer moves it in all epochs.
    """

    def __init__(self, network: Classifier, parameters: TrainingSlice) -> None:
        """A gate that fits the network, before its first step.

        Raises:
            ClearfiltersError: if the network has no linear head, the gate does not fit it, no epoch
                would train the gate, or the gate should become sparser than it can.
        """
        super().__init__(network, parameters.training)
        params = parameters.method
        assert isinstance(params, GateParams)
        if parameters.training.loss != "softmax":
            raise ClearfiltersError(
                f"training.loss: {parameters.training.loss}, but the gate papers' objective is "
                "softmax; leave it out"
            )
        num_classes, num_filters = network.head.weight.shape
        check_gate(params, num_classes, parameters.training.epochs)
        self.params = params
        self.gate = build_gate(params, num_classes, num_filters)
        finetune = parameters.finetune
        self.gate_path_lr = None if finetune is None else finetune.gate_path_lr

    @classmethod
    def build(cls, network: Classifier, parameters: TrainingSlice) -> Self:
        """Around a network with a linear head; raises as the constructor does."""
        return cls(network, parameters)

    def phase(self, epoch: int) -> gates.Path:
        """The path that an epoch trains: std, gate or joint."""
        return path_of(epoch, self.params)

    def cost(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """The cost of the path, and its logits (joint: of the STD path)."""
        head = self.network.head
        pooled = self.network.pool(self.maps(batch.inputs))
        if phase == "std":
            logits = head(pooled)
            return self.loss.cost(logits, batch.labels), logits
        cost, logits = self.gate.cost(pooled, batch.labels, head, batch.draws)
        if phase == "joint":
            logits = head(pooled)
            cost = cost + self.loss.cost(logits, batch.labels)
        return cost, logits

    def optimizers(self, training: TrainingParams) -> dict[str, OptimizerSpec]:
        """One of the network, one of the gate; in fine-tuning a third, of the network's gate path.

        The third one's momentum is its own.
        """
        theta = network_groups(self.network)
        if self.gate_path_lr is None:
            found = {THETA: as_trained(training, theta)}
        else:
            found = {
                THETA: as_trained(training, theta, phases=["std", "joint"]),
                GATE_PATH: as_trained(training, theta, lr=self.gate_path_lr, phases=["gate"]),
            }
        update = self.params.update
        if update is not None:
            found[GATE] = OptimizerSpec(
                [ParameterGroup([self.gate.values])],
                "sgd" if update.optimizer == "plain" else "adam",
                update.lr,
                scheduled=False,
                phases=["gate", "joint"],
            )
        return found

    def step(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Move the network, and the gate within its solution space."""
        for name, optimizer in optimizers.items():
            if name == GATE:
                self.gate.step(optimizer)
            else:
                optimizer.step()

    def facts(self) -> dict[str, float]:
        """The gate's L1-density, in [1/C, 1] once it has moved."""
        return {"density": float(gates.l1_density(self.gate.values.detach()))}

    def arrays(self) -> dict[str, Tensor]:
        """G (C, K)."""
        return {"gate": self.gate.values.detach()}

    def name_in_file(self, name: str) -> str:
        """The gate is `gate`."""
        return "gate" if name == "gate.values" else super().name_in_file(name)

    def likely_cause(self, phase: str) -> str:
        """The weight of the gate path."""
        return "" if phase == "std" else "the gate objective's weight (lambda, lambda1) is"


def build_gate(params: GateParams, num_classes: int, num_filters: int) -> gates.ClassSpecificGate:
    """The gate of an experiment before its first step, for C classes and K filters.

    Raises:
        ClearfiltersError: if a fixed gate does not have K columns.
    """
    match params.objective:
        case LsgParams(lambda_=lambda_, a=a, s_density=density):
            objective: gates.Lsg | gates.Csg = gates.Lsg(lambda_, a, density)
        case CsgParams(lambda1=lambda1, lambda2=lambda2, g_density=density, psi=psi):
            objective = gates.Csg(lambda1, lambda2, density, psi)
    if params.fixed is None:
        assert params.update is not None
        options: dict[str, Any] = {"init": params.update.init}
    else:
        counts = (params.fixed.monopolized, params.fixed.shared)
        options = {"fixed": gates.fixed_gate(num_classes, num_filters, *counts)}
    return gates.ClassSpecificGate(
        num_classes, num_filters, objective, negative_weight=params.negative_weight, **options
    )


def check_gate(params: GateParams, num_classes: int, epochs: int) -> None:
    """Refuse a gate that no epoch would train, or that should become sparser than it can.

    Args:
        params: the gate experiment.
        num_classes: C.
        epochs: of the training.

    Raises:
        ClearfiltersError: if every epoch trains the STD path, or a weighted sparsity term aims
            below density 1/C: s, g >= K (LSG Eq. 2, CSG appendix A).
    """
    if all(path_of(epoch, params) == "std" for epoch in range(epochs)):
        raise ClearfiltersError(
            f"method.path: none of {epochs} epochs trains the gate path ({params.path}); raise "
            "training.epochs, or correct method.path"
        )
    match params.objective:
        case LsgParams(a=weight, s_density=density):
            key = "s_density"
        case CsgParams(lambda2=weight, g_density=density):
            key = "g_density"
    if params.fixed is None and weight > 0 and density < 1 / num_classes:
        raise ClearfiltersError(
            f"method.objective.{key}: {density:g} given, but with {num_classes} classes no gate "
            f"has a density below {1 / num_classes:.4g}, as each column holds a 1; raise it"
        )


def path_of(epoch: int, params: GateParams) -> gates.Path:
    """The path that an epoch trains."""
    return gates.path_of_epoch(
        epoch,
        scheme=params.path.scheme,
        period=params.path.period,
        gate_phases=tuple(params.path.gate_phases),
        warmup_epochs=params.path.warmup_epochs,
    )
