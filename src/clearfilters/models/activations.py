"""The pooled activations of every convolution, read with hooks during a forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from clearfilters.models.classifier import Classifier


@contextmanager
def pooled_activations(model: Classifier) -> Iterator[list[Tensor]]:
    """Read the activations of every convolution while the context is open.

    An activation is what follows BatchNorm, residual sum and ReLU (`Backbone.activations`). What
    the network returns does not change, and the hooks are gone afterwards, whatever happened.

    Yields:
        A list that each forward pass of N images fills anew: per convolution, in order, the global
        average pooling of its activation, (N, channels), float32 where the network computes in it.
    """
    modules = model.parts.activations
    pooled: list[Tensor] = []

    def read(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if module is modules[0]:
            pooled.clear()
        pooled.append(output.mean(dim=(2, 3)))

    handles = [module.register_forward_hook(read) for module in modules]
    try:
        yield pooled
    finally:
        for handle in handles:
            handle.remove()
