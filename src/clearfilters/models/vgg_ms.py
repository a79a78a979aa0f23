"""VGG-M and VGG-S (Chatfield et al. 2014) as MatConvNet has them, K = 512."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.models.blocks import BlockNetwork

# MatConvNet's [N kappa alpha beta]: x / (kappa + alpha * sum over N channels of x^2)^beta.
LRN = (5, 2.0, 1e-4, 0.75)


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
    """

    filters: int
    kernel: int
    stride: int
    padding: int
    normalized: bool = False
    pool: tuple[int, int, int] | None = None


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
ARCHITECTURES = {"vgg-m": VGG_M, "vgg-s": VGG_S}


class CrossChannelNorm(nn.Module):
    """MatConvNet's local response normalisation with the constants `LRN`.

    That of torch has no deterministic gradient on a GPU; with alpha * N it gives the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        size, kappa, alpha, beta = LRN
        channels = x.shape[1]
        squares = F.pad(x.square(), (0, 0, 0, 0, size // 2, size // 2))
        total = sum(squares[:, shift : shift + channels] for shift in range(size))
        return x / (kappa + alpha * total) ** beta


def vgg(architecture: Sequence[Layers], num_classes: int) -> BlockNetwork:
    """VGG-M or VGG-S: each of the five convolutions is a block; the last pooling is left out."""
    blocks: list[tuple[str, nn.Module]] = []
    before = 3
    for number, block in enumerate(architecture, start=1):
        layers: list[nn.Module] = [
            nn.Conv2d(before, block.filters, block.kernel, block.stride, block.padding),
            nn.ReLU(inplace=True),
        ]
        if block.normalized:
            layers.append(CrossChannelNorm())
        if block.pool is not None:
            side, stride, zeros = block.pool
            # Zeros change no maximum: ReLU came before.
            layers += [nn.ZeroPad2d((0, zeros, 0, zeros)), nn.MaxPool2d(side, stride)]
        # The names that matconvnet.py gives.
        blocks.append((f"conv{number}.", nn.Sequential(*layers)))
        before = block.filters
    return BlockNetwork(blocks, num_classes)


vgg_m = partial(vgg, VGG_M)
vgg_s = partial(vgg, VGG_S)
