"""Interpretable CNNs as a method: what part_filters.py does to a network with part masks."""

from collections.abc import Mapping
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.filter_categories import image_categories
from clearfilters.methods.method import Batch, Method
from clearfilters.methods.part_filters import (
    FilterLoss,
    PaperFilterLoss,
    PartMask,
    Pull,
    beta_targets,
)
from clearfilters.models.classifier import Classifier
from clearfilters.models.surgery import part_masks
from clearfilters.params.methods import PartFilterParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.inputs import Inputs


class PartTraining(Method):
    """A network with part masks, its filter losses and category memories.

    Attributes:
        params: the experiment's.
        factor: of the epoch, on the strength of the losses, a scalar on the device.
        alive: whether each filter was ever above 0 in this epoch, bool (masks, D).
        targets: what beta is drawn to since the latest batch, (masks, D).
    """

    factor: Tensor
    alive: Tensor
    targets: Tensor

    def __init__(self, network: Classifier, parameters: TrainingSlice) -> None:
        """A method before its first epoch.

        Raises:
            ClearfiltersError: if the network has no places for part masks.
        """
        super().__init__(network, parameters.training)
        params = parameters.method
        assert isinstance(params, PartFilterParams)
        self.params = params
        if not part_masks(network):
            raise ClearfiltersError(
                "method: part-filters, but the network has no layers of part filters; set "
                "model.top.interpretable: true"
            )
        outputs = network.outputs
        filters = len(self.masks[0].beta)
        self._losses = nn.ModuleList([build_loss(params, filters, outputs) for _ in self.masks])
        shape = (len(self.masks), filters)
        self.register_buffer("factor", torch.ones(()), persistent=False)
        self.register_buffer("alive", torch.zeros(shape, dtype=torch.bool), persistent=False)
        self.register_buffer("targets", torch.zeros(shape), persistent=False)
        self.latest: Batch | None = None

    @classmethod
    def build(cls, network: Classifier, parameters: TrainingSlice) -> Self:
        """Around a network with part masks; raises as the constructor does."""
        return cls(network, parameters)

    @property
    def masks(self) -> list[PartMask]:
        """The network's, from the bottom."""
        return part_masks(self.network)

    @property
    def losses(self) -> list[FilterLoss]:
        """The filter loss of each mask."""
        return [cast(FilterLoss, loss) for loss in self._losses]

    def begin(self, data: Inputs) -> None:
        """Take the scale of the maps, and the share of each category's images."""
        super().begin(data)
        shares = self.categories(data.labels).float().mean(dim=0)
        for loss in self.losses:
            loss.shares.copy_(shares)

    def start_epoch(self, epoch: int) -> None:
        """Set the strength of the losses."""
        weight = 1.0 if self.params.ratio is not None else self.params.weight
        self.factor.fill_(weight / (epoch + 1) if self.params.falling else weight)
        self.alive.fill_(False)

    def categories(self, labels: Tensor) -> Tensor:
        """Which category an image is of, bool (B, C)."""
        return image_categories(labels, self.network.outputs)

    def cost(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """The classification loss and the logits (B, outputs).

        The gradient is that of the filter losses, too.
        """
        logits = self(batch.inputs)
        task = self.loss.cost(logits, batch.labels)
        pulls = self.pulls(batch.labels)
        self.latest = batch
        for pull in self.weighed(pulls, task):
            # Only the gradient of the term has a meaning.
            term = pull.term()
            task = task + (term - term.detach())
        return task, logits

    def pulls(self, labels: Tensor) -> list[Pull]:
        """The gradient of each mask's filter loss, after a forward pass in training mode."""
        categories = self.categories(labels)
        found = []
        own = self.params.beta
        layers = zip(self.masks, self.losses, self.targets, self.alive, strict=True)
        for mask, loss, targets, alive in layers:
            seen = mask.take_seen()
            alive.logical_or_((seen.means > 0).any(dim=0))
            if own is not None:
                positive = loss.positive(categories)
                targets.copy_(beta_targets(seen, positive, own.spread, own.least, own.greatest))
            found.append(loss.pull(seen, categories, self.factor))
        return found

    def weighed(self, pulls: list[Pull], task: Tensor) -> list[Pull]:
        """Those of the layers that have a filter loss, at the ratio where one is given."""
        params = self.params
        chosen = [pulls[layer - 1] for layer in params.layers]
        if params.ratio is None or not chosen:
            return chosen
        maps = [pull.maps for pull in chosen]
        gradients = torch.autograd.grad(task, maps, retain_graph=True)
        return [
            pull.held(gradient, self.factor * params.ratio, per_filter=params.per_filter)
            for pull, gradient in zip(chosen, gradients, strict=True)
        ]

    def step(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Let beta go towards its targets with the optimizer of the network (authors' code)."""
        if self.params.beta is not None:
            assert self.latest is not None
            gain = self.params.beta.gain / len(self.latest.labels)
            for mask, targets in zip(self.masks, self.targets, strict=True):
                mask.beta.grad = gain * (mask.beta.detach() - targets)
        super().step(optimizers)

    def facts(self) -> dict[str, float]:
        """Of each mask (a, b), of the epoch's last batch unless said otherwise.

        `filter_loss`: the norm of the filter loss's gradient over that of the task's, for the maps
        before the mask; 0 where the layer has none; `beta`: mean slope; `activation`: mean of the
        maps; `dead`: the share of filters that were above 0 in no image of the epoch.
        """
        assert self.latest is not None
        was_training = self.training
        self.train()
        # Category memory, and the statistics of BatchNorm.
        before = {name: buffer.clone() for name, buffer in self.named_buffers()}
        with torch.random.fork_rng(devices=[]):
            task = self.loss.cost(self(self.latest.inputs), self.latest.labels)
        pulls = self.pulls(self.latest.labels)
        for name, buffer in self.named_buffers():
            buffer.copy_(before[name])
        self.train(was_training)
        gradients = torch.autograd.grad(task, [pull.maps for pull in pulls], retain_graph=True)
        weighed = dict(zip(self.params.layers, self.weighed(pulls, task), strict=True))
        found = {}
        for number, (pull, gradient) in enumerate(zip(pulls, gradients, strict=True), start=1):
            layer = "ab"[number - 1]
            norm = float(gradient.norm())
            own = float(weighed[number].gradient.norm()) if number in weighed else 0.0
            found[f"filter_loss_{layer}"] = own / norm if norm > 0 else 0.0
            found[f"beta_{layer}"] = float(self.masks[number - 1].beta.detach().mean())
            found[f"activation_{layer}"] = float(pull.maps.detach().mean())
            found[f"dead_{layer}"] = float((~self.alive[number - 1]).float().mean())
        return found

    def likely_cause(self, phase: str) -> str:
        """The weight of the filter loss."""
        return "the filter loss's weight (method.weight, method.ratio) is"


def build_loss(params: PartFilterParams, filters: int, categories: int) -> FilterLoss:
    """The filter loss of an experiment for a mask of D filters."""
    common: dict[str, Any] = {"strength": params.strength, "keep": params.memory}
    if params.variant == "paper":
        return PaperFilterLoss(filters, categories, tau=params.tau, **common)
    return FilterLoss(filters, categories, alpha=params.alpha, **common)
