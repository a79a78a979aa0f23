"""A small network with the last three blocks of a ResNet."""

from torch import nn

from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.torchvision_networks import Residual


def tiny_residual(num_classes: int) -> BlockNetwork:
    """A first convolution and three residual blocks, of which the last two do not change D = 16."""
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
    blocks = [Residual(8, 4, 2, True), Residual(16, 4, 1, True), Residual(16, 4, 1, True)]
    return BlockNetwork(
        [("", stem), *((f"{n}.", block) for n, block in enumerate(blocks))], num_classes
    )
