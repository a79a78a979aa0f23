"""What a network's outputs say, whichever loss it was trained with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Answer:
    """What a network takes a picture for.

    Attributes:
        index: the class c, in [0, C).
        label: its name.
        confidence: the probability of c that the loss goes with, in (0, 1]: softmax, or of a
            logistic loss the sigmoid. That of several logistic outputs may be small for every c.
        logit: of c; see `class_logits`.
    """

    index: int
    label: str
    confidence: float
    logit: float

    def __str__(self) -> str:
        return f"{self.label} (confidence {self.confidence:.3f})"


def class_logits(outputs: Tensor) -> Tensor:
    """For each class the number that speaks for it, (N, outputs) -> (N, C).

    It is the class's output; of a single one z, which tells class 1 from class 0, -z and z.
    """
    return torch.cat([-outputs, outputs], dim=1) if outputs.shape[1] == 1 else outputs


def answer_of(outputs: Tensor, meta: Mapping[str, Any]) -> Answer:
    """The class with the largest logit.

    Args:
        outputs: of one picture (1, outputs).
        meta: of the checkpoint, which says how it was trained.
    """
    logits = class_logits(outputs)[0]
    index = int(logits.argmax())
    softmax = meta["parameters"]["training"].get("loss", "softmax") == "softmax"
    probabilities = logits.softmax(dim=0) if softmax else logits.sigmoid()
    return Answer(index, meta["classes"][index], float(probabilities[index]), float(logits[index]))
