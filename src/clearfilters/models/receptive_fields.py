"""Which pixels a position of a map sees: spacing, place and size of its receptive field."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer import Encoder
from clearfilters.models.efficientnet_lite import InvertedBottleneck, SamePadded, same_padding
from clearfilters.models.torchvision_networks import Residual
from clearfilters.models.vgg_ms import CrossChannelNorm

# Kernel side, stride, and zeros at the top and at the left. Those at the bottom and at the right
# move nothing.
Layer = tuple[int, int, int]
# What leaves every position where it is.
POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, CrossChannelNorm)


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive fields of a map's positions: squares, the same in rows and columns.

    In pixels, of which pixel k, from 0, covers [k, k + 1). Position i, from 0, sees from
    start + i * stride - size / 2 to start + i * stride + size / 2. Near the border that reaches
    beyond the image, into padding.

    Attributes:
        stride: between the centres of neighbours.
        start: the centre of position 0. Where pixels are counted from 1 and lie at whole numbers,
            as in MATLAB, it is c0 = start + 0.5.
        size: the side.
    """

    stride: float
    start: float
    size: float


def receptive_field(layers: Iterable[Layer]) -> ReceptiveField:
    """The receptive fields behind layers that run one after the other (interpretable CNNs, spec 5).

    Args:
        layers: first to last; none for the image itself.
    """
    stride, start, size = 1.0, 0.5, 1.0
    for kernel, step, pad in layers:
        start += ((kernel - 1) / 2 - pad) * stride
        size += (kernel - 1) * stride
        stride *= step
    return ReceptiveField(stride, start, size)


def geometry_of(blocks: Iterable[nn.Module], image_size: int) -> ReceptiveField:
    """The receptive fields behind modules that run one after the other.

    Args:
        blocks: of a `BlockNetwork`, all or the first of them, and further layers if need be.
        image_size: side of the images in pixels, which decides how TensorFlow's "SAME" pads.

    Raises:
        ClearfiltersError: naming a module whose geometry is not known.
    """
    return receptive_field(layers_of(blocks, image_size))


def top_field(blocks: nn.Sequential, image_size: int) -> ReceptiveField:
    """The receptive fields of the last convolution's map, where the last block is a new top.

    What follows that convolution, pooling above all, is left out (models/surgery.py). Where the top
    has none, it is the trunk's last. Of an explainer it is conv-interp-2, of a ResNet that is
    explained its last block.

    Args:
        blocks: of a `BlockNetwork`, all of them.
        image_size: see `geometry_of`, whose errors are this function's.
    """
    for index, block in enumerate(blocks):
        if isinstance(block, Encoder):
            own = [block.conv_interp1, block.conv_interp2]
            return geometry_of([*blocks[:index], *own], image_size)
    if isinstance(blocks[-1], Residual):
        return geometry_of(blocks, image_size)
    top = [layer for layer in blocks[-1].children() if isinstance(layer, nn.Conv2d | nn.ReLU)]
    trunk = list(blocks[:-1])
    last = trunk[-1]
    if isinstance(last, nn.Sequential) and not any(isinstance(x, nn.Conv2d) for x in top):
        layers = list(last.children())
        end = max(n for n, layer in enumerate(layers) if isinstance(layer, nn.Conv2d))
        trunk[-1:] = layers[: end + 1]
    return geometry_of([*trunk, *top], image_size)


def layers_of(blocks: Iterable[nn.Module], image_size: int) -> list[Layer]:
    """The layers of modules, for `receptive_field`; arguments and errors are `geometry_of`'s."""
    found: list[Layer] = []
    side = image_size
    for block in blocks:
        for layer in _main_path(block):
            kernel, stride, before, after = _window(layer, side)
            found.append((kernel, stride, before))
            side = (side + before + after - kernel) // stride + 1
    return found


def _main_path(module: nn.Module) -> Iterator[nn.Module]:
    """The layers that are not pointwise, in order; a shortcut sees no more than its block."""
    if isinstance(module, Residual | InvertedBottleneck):
        yield from _main_path(module.body)
    elif isinstance(module, nn.Sequential):
        for child in module:
            yield from _main_path(child)
    elif not isinstance(module, POINTWISE):
        yield module


def _window(layer: nn.Module, side: int) -> tuple[int, int, int, int]:
    """Kernel side, stride, zeros before and zeros after, of a layer on maps of that side."""
    if isinstance(layer, nn.ZeroPad2d):
        left, right, top, bottom = layer.padding
        if (left, right) == (top, bottom):
            return 1, 1, top, bottom
    elif isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        kernel, stride = _same(layer.kernel_size), _same(layer.stride)
        padding, dilation = _same(layer.padding), _same(layer.dilation)
        # Rounding up would add positions without moving any, but then `side` were wrong.
        ceil_mode = isinstance(layer, nn.MaxPool2d) and layer.ceil_mode
        if kernel and stride and padding is not None and dilation == 1 and not ceil_mode:
            if isinstance(layer, SamePadded):
                return kernel, stride, *same_padding(side, kernel, stride)
            return kernel, stride, padding, padding
    raise ClearfiltersError(
        f"{layer}: its receptive field is not known; expected a convolution or a max pooling with "
        "square windows that have no holes, zero padding that is the same for rows and columns, "
        f"or a block of the networks in BLOCK_NETWORKS; extend {__name__}"
    )


def _same(values: int | str | tuple[int, ...]) -> int | None:
    """The number for rows and columns; None if they differ, or for words."""
    if isinstance(values, int):
        return values
    return values[0] if not isinstance(values, str) and len(set(values)) == 1 else None
