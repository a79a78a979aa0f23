"""ResNet, AlexNet and VGG-16 as torchvision has them, as sequences of blocks.

They are built here, layer by layer: a hook needs a ReLU of its own for each convolution, and where
no weights are fetched torchvision, which is slow to import, is not needed. ResNet: He et al. 2016
with the stride at the 3x3 convolution of a bottleneck ("v1.5"); AlexNet: Krizhevsky 2014 (one
tower); VGG-16: Simonyan and Zisserman 2015, configuration D.
"""

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork

# Depth -> blocks of each stage, and whether they are bottlenecks (He et al. 2016, table 1).
STAGES = {
    18: ((2, 2, 2, 2), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
# A bottleneck's last convolution has so many times the channels of its others.
EXPANSION = 4
# Channels of the 3x3 convolutions of VGG-16 between its poolings (configuration D).
VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# The ImageNet weights of the networks' papers; torchvision's later recipes (V2) are its own.
TORCHVISION_WEIGHTS = {
    "resnet18": "ResNet18_Weights.IMAGENET1K_V1",
    "resnet50": "ResNet50_Weights.IMAGENET1K_V1",
    "resnet101": "ResNet101_Weights.IMAGENET1K_V1",
    "resnet152": "ResNet152_Weights.IMAGENET1K_V1",
    "alexnet-imagenet": "AlexNet_Weights.IMAGENET1K_V1",
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
}


class Residual(nn.Module):
    """A residual block, basic or bottleneck, with a projection where the shapes differ."""

    def __init__(self, in_channels: int, channels: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        # Kernel side, channels and stride of each convolution.
        if bottleneck:
            shapes = [(1, channels, 1), (3, channels, stride), (1, EXPANSION * channels, 1)]
        else:
            shapes = [(3, channels, stride), (3, channels, 1)]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = in_channels
        for number, (kernel, after, step) in enumerate(shapes, start=1):
            if number > 1:
                layers[f"relu{number - 1}"] = nn.ReLU(inplace=True)
            layers[f"conv{number}"] = nn.Conv2d(
                before, after, kernel, step, padding=kernel // 2, bias=False
            )
            layers[f"bn{number}"] = nn.BatchNorm2d(after)
            before = after
        self.body = nn.Sequential(layers)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != before:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, before, 1, stride, bias=False), nn.BatchNorm2d(before)
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H/stride, W/stride), after the last ReLU."""
        out = self.body(x)
        out += self.downsample(x)
        activation: Tensor = self.relu(out)
        return activation


def resnet(depth: int, num_classes: int) -> BlockNetwork:
    """ResNet-`depth`: the first convolution with its pooling is a block, so is each residual block.

    Args:
        depth: a key of `STAGES`.
        num_classes: C.
    """
    counts, bottleneck = STAGES[depth]
    stem = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(64),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
    )
    blocks: list[tuple[str, nn.Module]] = [("", nn.Sequential(stem))]
    before = 64
    for stage, count in enumerate(counts):
        channels = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            block = Residual(before, channels, stride, bottleneck)
            blocks.append((f"layer{stage + 1}.{index}.", block))
            before = channels * (EXPANSION if bottleneck else 1)
    return BlockNetwork(blocks, num_classes)


resnet18 = partial(resnet, 18)
resnet50 = partial(resnet, 50)
resnet101 = partial(resnet, 101)
resnet152 = partial(resnet, 152)


def _numbered_blocks(layers: list[nn.Module]) -> list[tuple[str, nn.Module]]:
    """A block per convolution, with what follows it; its layers keep their published numbers."""
    blocks: list[OrderedDict[str, nn.Module]] = []
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.Conv2d):
            blocks.append(OrderedDict())
        blocks[-1][str(index)] = layer
    return [("features.", nn.Sequential(block)) for block in blocks]


def alexnet(num_classes: int) -> BlockNetwork:
    """AlexNet, K = 256: each of the five convolutions is a block; the last pooling is left out."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
    ]
    for before, after in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return BlockNetwork(_numbered_blocks(layers), num_classes)


def vgg16(num_classes: int) -> BlockNetwork:
    """VGG-16, K = 512: each of the 13 convolutions is a block; the last pooling is left out."""
    layers: list[nn.Module] = []
    before = 3
    for stage in VGG16:
        if layers:
            layers.append(nn.MaxPool2d(2, stride=2))
        for channels in stage:
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
            before = channels
    return BlockNetwork(_numbered_blocks(layers), num_classes)


def torchvision_tensors(name: str) -> dict[str, Tensor]:
    """The published ImageNet weights of a network, downloaded unless torch's cache has them.

    torchvision compares the file with the hash in its name.

    Raises:
        ClearfiltersError: if torchvision has none for it, or they cannot be fetched.
    """
    if name not in TORCHVISION_WEIGHTS:
        raise ClearfiltersError(
            f"finetune.weights: torchvision has none for `{name}`, only for "
            f"{', '.join(TORCHVISION_WEIGHTS)}"
        )
    from torchvision.models import get_weight  # slow to import, and seldom needed

    weights = get_weight(TORCHVISION_WEIGHTS[name])
    try:
        found: dict[str, Tensor] = weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True, map_location="cpu"
        )
    except Exception as error:  # no network, no such file, another hash: many libraries' errors
        raise ClearfiltersError(
            f"{weights.url}: cannot be fetched ({error}); fetch the file elsewhere, put it into "
            "the folder of the raw data and name it in finetune.weights"
        ) from None
    return found
