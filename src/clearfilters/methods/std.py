"""Ordinary training (STD): the method that adds nothing."""

from typing import Self

from torch import Tensor

from clearfilters.methods.method import Batch, Method
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice


class Std(Method):
    """A network trained by its classification loss."""

    @classmethod
    def build(cls, network: Classifier, parameters: TrainingSlice) -> Self:
        """Around a network."""
        return cls(network, parameters.training)

    def cost(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """The classification loss, and its logits (B, outputs)."""
        logits = self(batch.inputs)
        return self.loss.cost(logits, batch.labels), logits
