"""Optimizers whose learning rate follows a schedule, also inside a captured step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clearfilters.params.methods import GateUpdateParams
from clearfilters.params.training import TrainingParams


@dataclass
class PathOptimizer:
    """An optimizer of theta with its learning rate before the schedule.

    Attributes:
        optimizer: the optimizer.
        lr: its learning rate before the schedule.
        on_device: on a GPU, the tensor that holds the current rate: a number would be frozen when
            a step is captured.
    """

    optimizer: torch.optim.Optimizer
    lr: float
    on_device: Tensor | None = None

    def set_factor(self, factor: float) -> None:
        """Set the current rate to this share of `lr`."""
        if self.on_device is not None:
            self.on_device.fill_(self.lr * factor)
            return
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * factor

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from the optimizer's saved state."""
        self.optimizer.load_state_dict(saved)
        if self.on_device is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = self.on_device


def theta_optimizer(model: nn.Module, training: TrainingParams, lr: float) -> PathOptimizer:
    """An optimizer of all parameters of a model, which lies on its device."""
    parameters = list(model.parameters())
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    rate = torch.tensor(lr, device=device) if on_gpu else None
    shared: dict[str, Any] = {
        "lr": lr if rate is None else rate,
        "weight_decay": training.weight_decay,
        # Fused: the only SGD that reads its rate from the device.
        "fused": True if on_gpu else None,
    }
    if training.optimizer == "adam":
        return PathOptimizer(torch.optim.Adam(parameters, capturable=on_gpu, **shared), lr, rate)
    sgd = torch.optim.SGD(parameters, momentum=training.momentum, **shared)
    if on_gpu and training.momentum > 0:
        # The first step would be captured as one without momentum.
        for parameter in parameters:
            if parameter.requires_grad:
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return PathOptimizer(sgd, lr, rate)


def gate_optimizer(
    parameters: Iterable[nn.Parameter], update: GateUpdateParams, device: torch.device
) -> torch.optim.Optimizer:
    """What moves a gate: plain gradient steps or Adam, at a constant rate."""
    if update.optimizer == "plain":
        return torch.optim.SGD(parameters, lr=update.lr)
    return torch.optim.Adam(parameters, lr=update.lr, capturable=device.type == "cuda")
