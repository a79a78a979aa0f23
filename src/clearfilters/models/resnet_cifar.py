"""CIFAR ResNets (He et al. 2016, section 4.2): 16-32-64 channels, option-A shortcuts."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a parameter-free (option A) shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        # One module per activation, so that hooks find each of them.
        self.relu1 = nn.ReLU(inplace=True)
        self.relu2 = nn.ReLU(inplace=True)
        self.stride = stride
        self.missing = out_channels - in_channels

    def shortcut(self, x: Tensor) -> Tensor:
        """Option A: subsample, and pad the missing channels with zeros on both sides."""
        if self.stride == 1 and self.missing == 0:
            return x
        before = self.missing // 2
        return F.pad(
            x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.missing - before)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H/stride, W/stride), after the last ReLU."""
        out = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        activation: Tensor = self.relu2(out)
        return activation


class CifarResNet(nn.Module):
    """ResNet-`depth` for 32x32 images.

    `width` is the number of channels of the first stage: 16 in the paper, so that the last
    convolution has K = 4 * width filters.
    """

    def __init__(self, depth: int, num_classes: int, width: int = 16) -> None:
        super().__init__()
        blocks_per_stage = (depth - 2) // 6
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        stages: list[BasicBlock] = []
        channels = width
        for stage in range(3):
            for block in range(blocks_per_stage):
                out_channels = width * 2**stage
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(BasicBlock(channels, out_channels, stride))
                channels = out_channels
        self.blocks = nn.Sequential(*stages)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def last_conv(self) -> nn.Conv2d:
        """The convolution whose filters the gate assigns to classes."""
        last = self.blocks[-1]
        assert isinstance(last, BasicBlock)
        return last.conv2

    @property
    def activations(self) -> list[nn.Module]:
        """The ReLU of each convolution, in order; that of a second one follows the shortcut."""
        found: list[nn.Module] = [self.relu]
        for block in self.blocks:
            assert isinstance(block, BasicBlock)
            found += [block.relu1, block.relu2]
        return found

    def feature_maps(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> maps A (N, K, H/4, W/4) after the last ReLU."""
        maps: Tensor = self.blocks(self.relu(self.bn(self.conv(images))))
        return maps


resnet8 = partial(CifarResNet, 8)
resnet20 = partial(CifarResNet, 20)
resnet32 = partial(CifarResNet, 32)
resnet44 = partial(CifarResNet, 44)
resnet56 = partial(CifarResNet, 56)
resnet110 = partial(CifarResNet, 110)
