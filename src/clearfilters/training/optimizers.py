"""Optimizers whose learning rate follows a schedule, also inside a captured step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clearfilters.methods.method import OptimizerSpec, ParameterGroup


@dataclass
class ScheduledOptimizer:
    """An optimizer with the learning rates of its groups before the schedule.

    Attributes:
        optimizer: the optimizer.
        rates: of each group, before the schedule.
        on_device: on a GPU, the tensors that hold the current rates: numbers would be frozen when
            a step is captured. None where the rates are numbers.
    """

    optimizer: torch.optim.Optimizer
    rates: list[float]
    on_device: list[Tensor] | None

    def set_factor(self, factor: float) -> None:
        """Set the current rates to this share of those before the schedule."""
        if self.on_device is not None:
            for tensor, rate in zip(self.on_device, self.rates, strict=True):
                tensor.fill_(rate * factor)
            return
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from the optimizer's saved state."""
        self.optimizer.load_state_dict(saved)
        if self.on_device is not None:
            for group, tensor in zip(self.optimizer.param_groups, self.on_device, strict=True):
                group["lr"] = tensor


@dataclass(frozen=True)
class Optimizers:
    """The optimizers of a training by name, and the phases in which each moves."""

    specs: Mapping[str, OptimizerSpec]
    built: Mapping[str, ScheduledOptimizer]

    def of_phase(self, phase: str) -> dict[str, torch.optim.Optimizer]:
        """Those that move in the epochs of a phase."""
        return {
            name: self.built[name].optimizer
            for name, spec in self.specs.items()
            if spec.moves_in(phase)
        }

    def lr(self, phase: str) -> float:
        """The rate, before the schedule, of the first optimizer that moves in a phase."""
        return next(spec.lr for spec in self.specs.values() if spec.moves_in(phase))

    def set_factor(self, factor: float) -> None:
        """Set the scheduled rates to this share of those before the schedule."""
        for name, spec in self.specs.items():
            if spec.scheduled:
                self.built[name].set_factor(factor)

    def state_dict(self) -> dict[str, Any]:
        """The states by name."""
        return {name: found.optimizer.state_dict() for name, found in self.built.items()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue from saved states."""
        for name, found in self.built.items():
            found.load_state_dict(saved[name])


def build_optimizers(specs: Mapping[str, OptimizerSpec]) -> Optimizers:
    """The optimizers of a method whose parameters lie on their device."""
    return Optimizers(specs, {name: build_optimizer(spec) for name, spec in specs.items()})


def build_optimizer(spec: OptimizerSpec) -> ScheduledOptimizer:
    """One optimizer, on the device of its parameters."""
    on_gpu = spec.groups[0].parameters[0].device.type == "cuda"
    rates = [spec.lr * group.lr_factor for group in spec.groups]
    # A constant rate may be frozen in a captured step.
    on_device: list[Tensor] | None = None
    if on_gpu and spec.scheduled:
        device = spec.groups[0].parameters[0].device
        on_device = [torch.tensor(rate, device=device) for rate in rates]
    current: Sequence[float | Tensor] = rates if on_device is None else on_device
    groups = [_group(spec, group, lr) for group, lr in zip(spec.groups, current, strict=True)]
    # Fused: the only SGD that reads its rate from the device.
    fused = True if on_device is not None else None
    if spec.rule == "adam":
        adam = torch.optim.Adam(groups, lr=groups[0]["lr"], capturable=on_gpu, fused=fused)
        return ScheduledOptimizer(adam, rates, on_device)
    sgd = torch.optim.SGD(groups, lr=groups[0]["lr"], momentum=spec.momentum, fused=fused)
    if on_gpu and spec.momentum > 0:
        # The first step would be captured as one without momentum.
        for group in spec.groups:
            for parameter in group.parameters:
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return ScheduledOptimizer(sgd, rates, on_device)


def _group(spec: OptimizerSpec, group: ParameterGroup, lr: float | Tensor) -> dict[str, Any]:
    return {
        "params": list(group.parameters),
        "lr": lr,
        "weight_decay": spec.weight_decay * group.weight_decay_factor,
    }
