"""A trained network taken apart for an explainer (ICLR 2020 submission, section 3.1).

    images -> below -> F -> top convolution, ReLU, pooling -> x -> first -> second -> logits

An explainer's encoder stands in the place of the top convolution, and its decoder starts as a copy
of the two layers `first` and `second`, whose outputs it is to give again. Of AlexNet and the VGGs
these are fc6 and fc7, before ReLU (resolution 3 of specification explainer.md); of a ResNet, the
last two residual blocks (section 7.5 there), which have nothing before them.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.part_filters import PartMask
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.torchvision_networks import Residual

# Blocks of a ResNet that an explainer reconstructs.
RECONSTRUCTED = 2


@dataclass(frozen=True)
class Reconstructed:
    """The two layers of a network that an explainer reconstructs, and what follows them."""

    first: nn.Module
    between: nn.Module
    second: nn.Module
    logits: Callable[[Tensor], Tensor]

    def outputs(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps x (B, D', l, l) -> outputs of the first and of the second layer."""
        first = self.first(maps)
        return first, self.second(self.between(first))


@dataclass(frozen=True)
class Place:
    """Where an encoder stands in a network of blocks.

    Attributes:
        below: how many blocks give F.
        above: how many blocks the decoder is made of; 0 where it is of fully connected layers.
        channels: D, of F.
        filters: D', of the maps that the first reconstructed layer reads.
        pool: from the map of the top convolution, after ReLU, to these; of a ResNet nothing.
        standardisation: of F, before the top convolution.
    """

    below: int
    above: int
    channels: int
    filters: int
    pool: nn.Module
    standardisation: nn.Module


def reconstructed(network: Classifier) -> Reconstructed:
    """The layers of a performer, or of an explainer's network, that stand above the encoder.

    Raises:
        ClearfiltersError: if it has others than an explainer can reconstruct.
    """
    if network.fc is None:
        blocks = _blocks(network)
        return Reconstructed(blocks[-2], nn.Identity(), blocks[-1], network.logits)
    layers = [layer for layer in network.fc.layers if not isinstance(layer, nn.Dropout)]
    kinds = [type(layer) for layer in layers]
    if kinds != [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.ReLU, nn.Conv2d]:
        raise ClearfiltersError(
            f"model.head.hidden: the performer has {kinds.count(nn.Conv2d) - 1} hidden layer(s), "
            "but an explainer reconstructs two; choose a performer with two"
        )
    first, between, second, *rest = layers
    return Reconstructed(
        first, between, second, lambda x: cast(Tensor, nn.Sequential(*rest)(x)).flatten(1)
    )


def place_of_encoder(performer: Classifier) -> Place:
    """Where an encoder stands in a performer.

    Raises:
        ClearfiltersError: if it has no top convolution between F and two layers to reconstruct.
    """
    blocks = _blocks(performer)
    if performer.fc is None:
        return _place_in_resnet(blocks)
    layers = list(blocks[-1].children())
    below = len(blocks) - 1
    if below and not any(isinstance(x, nn.Conv2d) for x in layers):
        # The top convolution is the trunk's own last.
        below -= 1
        layers = [*blocks[below].children(), *layers]
    own = [x for x in layers if isinstance(x, nn.Conv2d)]
    has_masks = any(isinstance(x, PartMask) for x in layers)
    if len(own) != 1 or own[0].stride != (1, 1) or has_masks:
        raise ClearfiltersError(
            "method: explainer, but the performer has no single top convolution below its pooling; "
            "its model.top needs interpretable: false, above a trunk that ends in a convolution or "
            "with model.top.convolution"
        )
    after = layers[layers.index(own[0]) + 1 :]
    pool = nn.Sequential(*(x for x in after if not isinstance(x, nn.BatchNorm2d | nn.ReLU)))
    named = dict(blocks[-1].named_children())
    standardisation = copy.deepcopy(named.get("standardisation", nn.Identity()))
    return Place(below, 0, own[0].in_channels, own[0].out_channels, pool, standardisation)


def _place_in_resnet(blocks: nn.Sequential) -> Place:
    if not all(isinstance(block, Residual) for block in blocks[-RECONSTRUCTED - 1 :]):
        raise ClearfiltersError(
            "method: explainer, but the performer has no fully connected layers and is no ResNet; "
            "choose a network with model.top, or a ResNet of ImageNet"
        )
    below = len(blocks) - RECONSTRUCTED
    # Of 18 layers, the first of the two blocks begins a stage: it has more channels than it reads.
    channels = next(x for x in blocks[below].modules() if isinstance(x, nn.Conv2d)).in_channels
    return Place(below, RECONSTRUCTED, channels, channels, nn.Identity(), nn.Identity())


def above_features(performer: Classifier, place: Place) -> Classifier:
    """A copy of what a performer has above F, frozen, without its dropout: F -> logits."""
    found = copy.deepcopy(performer)
    backbone = _backbone(found)
    backbone.blocks = backbone.blocks[place.below :]
    backbone.frozen = 0
    without_dropout(found)
    return found.requires_grad_(False).eval()


def with_encoder(performer: Classifier, place: Place, encoder: nn.Module) -> Classifier:
    """A copy of a performer with an encoder in the place of its top convolution."""
    found = copy.deepcopy(performer)
    backbone = _backbone(found)
    above = list(backbone.blocks[len(backbone.blocks) - place.above :])
    backbone.replace_above(place.below, encoder)
    for block in above:
        backbone.blocks.append(block)
        backbone.prefixes.append(None)
    without_dropout(found)
    found.factors = {}
    return found


def without_dropout(network: nn.Module) -> None:
    """Let nothing be dropped: a performer explained is a performer as it is tested."""
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0


@torch.no_grad()
def pooled_features(above: Classifier, maps: Tensor) -> Tensor:
    """What the first reconstructed layer reads of maps F (B, D, n, n): (B, D', l, l).

    Maps of frozen blocks in bf16 are taken for what they are.
    """
    own = maps.to(next(above.parameters()).dtype)
    return own if above.fc is None else above.parts.feature_maps(own)


def _backbone(network: Classifier) -> BlockNetwork:
    if not isinstance(network.backbone, BlockNetwork):
        raise ClearfiltersError(
            "method: explainer, but the performer is no sequence of blocks; choose a performer "
            "with model.top, or a ResNet of ImageNet"
        )
    return network.backbone


def _blocks(network: Classifier) -> nn.Sequential:
    return _backbone(network).blocks
