"""A small network that can be fine-tuned, and its frozen part."""

from pathlib import Path

import torch
from torch import nn

from clearfilters.data.store import read_meta, read_split
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.torchvision_networks import Residual
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import frozen, inputs
from clearfilters.training.checkpoint import build_network

CPU = torch.device("cpu")


def tiny(num_classes: int) -> BlockNetwork:
    """A first convolution and three residual blocks, K = 32."""
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
    return BlockNetwork(
        [
            ("stem.", stem),
            ("layer1.", Residual(8, 8, 1, False)),
            ("layer2.", Residual(8, 16, 2, False)),
            ("layer3.", Residual(16, 8, 1, True)),
        ],
        num_classes,
    )


def small_residual(num_classes: int) -> BlockNetwork:
    """A first convolution and three residual blocks, the last two of 16 channels."""
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
    blocks = [Residual(8, 4, 2, True), Residual(16, 4, 1, True), Residual(16, 4, 1, True)]
    named: list[tuple[str, nn.Module]] = [("", stem)]
    return BlockNetwork([*named, *((f"{n}.", x) for n, x in enumerate(blocks))], num_classes)


def images(parameters: TrainingSlice, store: Path, split: str = "train") -> inputs.Images:
    """A split, augmented as the slice says if it is the training split."""
    augmentation = parameters.training if split == "train" else None
    return inputs.to_device(read_split(store, split), CPU, augmentation)


def network_of(parameters: TrainingSlice, store: Path) -> Classifier:
    """A fresh network."""
    meta = read_meta(store)
    return build_network(parameters, meta.classes, meta.mean, meta.std, meta.image_size)


def frozen_part(parameters: TrainingSlice, store: Path) -> frozen.FrozenPart:
    """The frozen blocks of a fresh network, with BatchNorm in training mode before."""
    torch.manual_seed(0)
    network = network_of(parameters, store).train()
    return frozen.freeze(network, "tiny", 2, parameters.training.precision)
