"""How well a method's network classifies."""

import torch

from clearfilters.methods.method import Method
from clearfilters.training.inputs import Inputs, in_order


@torch.no_grad()
def evaluate(method: Method, data: Inputs) -> float:
    """Accuracy of a method's network on a split."""
    method.eval()
    correct = torch.zeros((), device=data.labels.device)
    for inputs, labels in in_order(data):
        correct += method.loss.correct(method(inputs), labels)
    return float(correct) / len(data.labels)
