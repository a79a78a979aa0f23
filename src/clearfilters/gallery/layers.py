"""Which layers of a network a gallery shows, and what a forward pass tells of their filters.

How much a filter decides is what its map adds to the logit of the class that the network answers:
the sum of its activations times the logit's gradient. Of a linear head that is W_ck a_k, as
`predict` says it, and of an explainer what `explain` says. Of fully connected layers it is the
linear model that they are as long as no ReLU and no maximum changes sides; without each filter in
turn, as `predict` does it for one picture, a layer would need a pass for each of its filters.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clearfilters.methods.explainer import find_encoder
from clearfilters.methods.part_filters import PartMask
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.surgery import part_masks
from clearfilters.predict.answers import class_logits


@dataclass(frozen=True)
class Layer:
    """A layer whose filters are shown.

    Attributes:
        name: for a reader.
        reader: the module that reads its maps after ReLU; None for the head.
        mask: of its maps, there or further up.
        filters: how many are shown, the first ones: others are left ordinary beside part filters.
    """

    name: str
    reader: nn.Module | None
    mask: PartMask | None
    filters: int


@dataclass(frozen=True)
class Seen:
    """What a layer made of B images.

    Attributes:
        maps: after ReLU and mask, not pooled (B, K, n, n).
        contributions: of each filter to the logit of the answered class (B, K).
    """

    maps: Tensor
    contributions: Tensor


def layers_of(network: Classifier) -> list[Layer]:
    """The layers to show, the one nearest to the head first.

    Of an explainer they are conv-interp-2 and conv-interp-1, of a network with part filters its two
    interpretable layers, of any other its last convolution.
    """
    encoder = find_encoder(network)
    if encoder is not None:
        return [
            _masked("conv-interp-2", encoder.mask2, encoder.mask2),
            _masked("conv-interp-1", encoder.mask1, encoder.mask1),
        ]
    masks = part_masks(network)
    if masks:
        first, second = masks
        return [
            _masked("upper interpretable layer", _pooling(network), second),
            _masked("lower interpretable layer", first, first),
        ]
    filters = network.parts.last_conv.out_channels
    return [Layer("last convolution", _pooling(network), None, filters)]


def _masked(name: str, reader: nn.Module | None, mask: PartMask) -> Layer:
    return Layer(name, reader, mask, len(mask.beta))


def _pooling(network: Classifier) -> nn.Module | None:
    """What reads the last convolution's maps in a new top; None without one."""
    if network.fc is None or not isinstance(network.backbone, BlockNetwork):
        return None
    named = dict(network.backbone.blocks[-1].named_children())
    return named.get("zeros", named.get("pool"))


def see(
    network: Classifier, layers: Sequence[Layer], feature_maps: Callable[[Tensor], Tensor], x: Any
) -> tuple[Tensor, list[Seen]]:
    """Run a batch, forward and from the answer back to the layers.

    Args:
        network: in evaluation mode, its parameters without gradients.
        layers: of it.
        feature_maps: x -> maps A that the head gets.
        x: images (B, 3, H, W), or what frozen blocks made of them.

    Returns:
        The logit of each image's answer (B,), and what each layer made of the images.
    """
    with torch.enable_grad(), _watched(layers) as taken:
        maps = feature_maps(x)
        if None in [layer.reader for layer in layers]:
            maps = taken[None] = maps.detach().requires_grad_()
        answers = class_logits(network.logits(maps)).max(dim=1).values
        found = [taken[layer.reader] for layer in layers]
        gradients = torch.autograd.grad(answers.sum(), found)
    seen = []
    with torch.no_grad():
        for layer, own, gradient in zip(layers, found, gradients, strict=True):
            own, gradient = own[:, : layer.filters], gradient[:, : layer.filters]
            masked = own if layer.mask is None else layer.mask(own)
            seen.append(Seen(masked.detach(), (own * gradient).sum(dim=(2, 3))))
    return answers.detach(), seen


@contextmanager
def _watched(layers: Sequence[Layer]) -> Iterator[dict[nn.Module | None, Tensor]]:
    """What the layers' readers read of a batch; the lowest starts the graph."""
    taken: dict[nn.Module | None, Tensor] = {}

    def take(reader: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (maps,) = given
        taken[reader] = maps if maps.requires_grad else maps.detach().requires_grad_()
        return (taken[reader],)

    hooks = [
        layer.reader.register_forward_pre_hook(take) for layer in layers if layer.reader is not None
    ]
    try:
        yield taken
    finally:
        for hook in hooks:
            hook.remove()
