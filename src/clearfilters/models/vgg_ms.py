"""VGG-M and VGG-S (Chatfield et al. 2014; K = 512) and Caffe's AlexNet as MatConvNet has them.

Caffe's AlexNet (Krizhevsky et al. 2012; K = 256) has groups of filters and local response
normalisation, which torchvision's AlexNet has not; it takes images of 227 pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.models.blocks import BlockNetwork

# MatConvNet's [N kappa alpha beta]: x / (kappa + alpha * sum over N channels of x^2)^beta.
LRN = (5, 2.0, 1e-4, 0.75)
ALEXNET_LRN = (5, 1.0, 2e-5, 0.75)  # Caffe has alpha = 1e-4 and divides it by N


@dataclass(frozen=True)
class Layers:
    """A convolution, its ReLU and what follows.

    Attributes:
        filters: number of filters.
        kernel: side of a filter.
        stride: of the convolution.
        padding: of the convolution, on each side.
        normalized: whether local response normalisation follows.
        pool: side, stride, and zeros at the bottom and at the right, of the max pooling that
            follows; None for none.
        groups: of filters, each of which sees its share of the channels.
    """

    filters: int
    kernel: int
    stride: int
    padding: int
    normalized: bool = False
    pool: tuple[int, int, int] | None = None
    groups: int = 1


VGG_M = (
    Layers(96, 7, 2, 0, normalized=True, pool=(3, 2, 1)),
    Layers(256, 5, 2, 1, normalized=True, pool=(3, 2, 1)),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
)
VGG_S = (
    Layers(96, 7, 2, 0, normalized=True, pool=(3, 3, 2)),
    Layers(256, 5, 1, 0, pool=(2, 2, 1)),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
)
ALEXNET = (
    Layers(96, 11, 4, 0, normalized=True, pool=(3, 2, 0)),
    Layers(256, 5, 1, 2, normalized=True, pool=(3, 2, 0), groups=2),
    Layers(384, 3, 1, 1),
    Layers(384, 3, 1, 1, groups=2),
    Layers(256, 3, 1, 1, groups=2),
)
# Of VGG-16, which torchvision_networks.py builds, and MatConvNet has too.
VGG_16 = (
    Layers(64, 3, 1, 1),
    Layers(64, 3, 1, 1, pool=(2, 2, 0)),
    Layers(128, 3, 1, 1),
    Layers(128, 3, 1, 1, pool=(2, 2, 0)),
    Layers(256, 3, 1, 1),
    Layers(256, 3, 1, 1),
    Layers(256, 3, 1, 1, pool=(2, 2, 0)),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1, pool=(2, 2, 0)),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
    Layers(512, 3, 1, 1),
)
# The networks of which MatConvNet publishes weights, their normalisations and the files.
ARCHITECTURES = {"vgg-m": VGG_M, "vgg-s": VGG_S, "caffe-alexnet": ALEXNET, "vgg16": VGG_16}
NORMALIZATIONS = {"vgg-m": LRN, "vgg-s": LRN, "caffe-alexnet": ALEXNET_LRN}
FILES = {
    "vgg-m": "imagenet-vgg-m.mat",
    "vgg-s": "imagenet-vgg-s.mat",
    "caffe-alexnet": "imagenet-caffe-alex.mat",
    "vgg16": "imagenet-vgg-verydeep-16.mat",
}


class CrossChannelNorm(nn.Module):
    """MatConvNet's local response normalisation.

    That of torch has no deterministic gradient on a GPU; with alpha * N it gives the same.
    """

    def __init__(self, constants: tuple[int, float, float, float]) -> None:
        """With [N kappa alpha beta], as of `LRN`."""
        super().__init__()
        self.constants = constants

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        size, kappa, alpha, beta = self.constants
        channels = x.shape[1]
        squares = F.pad(x.square(), (0, 0, 0, 0, size // 2, size // 2))
        total = sum(squares[:, shift : shift + channels] for shift in range(size))
        return x / (kappa + alpha * total) ** beta


def vgg(
    architecture: Sequence[Layers],
    num_classes: int,
    normalization: tuple[int, float, float, float] = LRN,
) -> BlockNetwork:
    """VGG-M, VGG-S or AlexNet: each of the five convolutions is a block.

    The last pooling is left out.

    Args:
        architecture: its layers.
        num_classes: C.
        normalization: the constants of its local response normalisation, as of `LRN`.
    """
    blocks: list[tuple[str, nn.Module]] = []
    before = 3
    for number, block in enumerate(architecture, start=1):
        layers: list[nn.Module] = [
            nn.Conv2d(
                before,
                block.filters,
                block.kernel,
                block.stride,
                block.padding,
                groups=block.groups,
            ),
            nn.ReLU(inplace=True),
        ]
        if block.normalized:
            layers.append(CrossChannelNorm(normalization))
        if block.pool is not None:
            side, stride, zeros = block.pool
            if zeros:  # they change no maximum: ReLU came before
                layers.append(nn.ZeroPad2d((0, zeros, 0, zeros)))
            layers.append(nn.MaxPool2d(side, stride))
        # The names that matconvnet.py gives.
        blocks.append((f"conv{number}.", nn.Sequential(*layers)))
        before = block.filters
    return BlockNetwork(blocks, num_classes)


vgg_m = partial(vgg, VGG_M)
vgg_s = partial(vgg, VGG_S)
caffe_alexnet = partial(vgg, ALEXNET, normalization=ALEXNET_LRN)
