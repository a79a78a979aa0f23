"""Classification losses, and what each counts as correct.

Labels are the number of a sample's class, y (N,) in [0, C), whatever the loss makes of them.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class ClassificationLoss(Protocol):
    """What a method asks of a classification loss."""

    def outputs(self, num_classes: int) -> int:
        """How many outputs a network has for C classes."""

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean cost of samples, a scalar in nats; logits (N, outputs), labels (N,)."""

    def correct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """How many of the samples are classified correctly, a scalar."""

    def agree(self, logits: Tensor, others: Tensor) -> Tensor:
        """How many of the samples two networks decide alike, a scalar; logits (N, outputs) each."""


@dataclass(frozen=True)
class Softmax:
    """Cross entropy of C outputs."""

    def outputs(self, num_classes: int) -> int:
        """C."""
        return num_classes

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """-log p_y."""
        return F.cross_entropy(logits, labels)

    def correct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Those whose label has the largest output."""
        return (logits.argmax(dim=1) == labels).sum()

    def agree(self, logits: Tensor, others: Tensor) -> Tensor:
        """Those whose largest output is of the same class."""
        return (logits.argmax(dim=1) == others.argmax(dim=1)).sum()


@dataclass(frozen=True)
class Logistic:
    """log(1 + exp(-y z)) of one output z: class 1 (y = 1) against class 0 (y = -1)."""

    def outputs(self, num_classes: int) -> int:
        """1.

        Raises:
            ValueError: unless there are two classes.
        """
        if num_classes != 2:
            raise ValueError(f"the logistic loss is for two classes, not {num_classes}")
        return 1

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over samples."""
        return F.softplus(-(2 * labels - 1) * logits[:, 0]).mean()

    def correct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Those with an output of the label's sign."""
        return ((logits[:, 0] > 0) == (labels == 1)).sum()

    def agree(self, logits: Tensor, others: Tensor) -> Tensor:
        """Those with outputs of one sign."""
        return ((logits[:, 0] > 0) == (others[:, 0] > 0)).sum()


@dataclass(frozen=True)
class MultiLabelLogistic:
    """sum over classes of log(1 + exp(-y_c z_c)), y_c = 1 for the label and -1 for the others."""

    def outputs(self, num_classes: int) -> int:
        """C."""
        return num_classes

    def cost(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The sum over classes, its mean over samples."""
        signs = 2 * F.one_hot(labels, logits.shape[1]) - 1
        return F.softplus(-signs * logits).sum(dim=1).mean()

    def correct(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of each sample the share of outputs with the right sign, summed over samples."""
        right = (logits > 0) == F.one_hot(labels, logits.shape[1]).bool()
        return right.mean(dim=1, dtype=torch.float32).sum()

    def agree(self, logits: Tensor, others: Tensor) -> Tensor:
        """Of each sample the share of outputs with one sign, summed over samples."""
        return ((logits > 0) == (others > 0)).mean(dim=1, dtype=torch.float32).sum()


LOSSES: dict[str, ClassificationLoss] = {
    "softmax": Softmax(),
    "logistic": Logistic(),
    "multi-label-logistic": MultiLabelLogistic(),
}
