"""A plain convolutional network for small images, with maps of a quarter of their side (ours)."""

from torch import nn

from clearfilters.models.blocks import BlockNetwork

WIDTH = 16  # filters of the first block


def convnet(num_classes: int, width: int = WIDTH) -> BlockNetwork:
    """Three blocks of convolution 3x3, BatchNorm and ReLU; the first two end in max pooling by 2.

    Args:
        num_classes: C.
        width: filters of the first block; twice and four times as many follow.
    """
    blocks: list[tuple[str, nn.Module]] = []
    before = 3
    for number in range(3):
        filters = width * 2**number
        layers: list[nn.Module] = [
            nn.Conv2d(before, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
        ]
        if number < 2:
            layers.append(nn.MaxPool2d(2))
        blocks.append((f"block{number + 1}.", nn.Sequential(*layers)))
        before = filters
    return BlockNetwork(blocks, num_classes)
