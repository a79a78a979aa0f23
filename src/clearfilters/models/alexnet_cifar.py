"""AlexNet (Krizhevsky et al. 2012) in its CIFAR form: five convolutions, K = 256, one linear layer.

The LSG paper gives neither the strides nor the head. A class activation map needs one linear layer
after global average pooling, so the fully connected layers give way to it (docs/decisions.md).
"""

from torch import Tensor, nn

# Channels of the five convolutions for 32x32 images; the last is K.
CHANNELS = (64, 192, 384, 256, 256)


class CifarAlexNet(nn.Module):
    """AlexNet for 32x32 images.

    `width` is the number of channels of the first convolution (64 in the CIFAR form); the others
    scale with it.
    """

    def __init__(self, num_classes: int, width: int = 64) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (channels * width // CHANNELS[0] for channels in CHANNELS)
        self.features = nn.Sequential(
            nn.Conv2d(3, c1, 5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(c1, c2, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(c2, c3, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, c4, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c4, c5, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(c5, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Without BatchNorm only He's initialisation keeps the signal alive.
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    @property
    def last_conv(self) -> nn.Conv2d:
        """The convolution whose filters the gate assigns to classes."""
        last = self.features[-2]
        assert isinstance(last, nn.Conv2d)
        return last

    @property
    def activations(self) -> list[nn.Module]:
        """The ReLU of each convolution, in order."""
        return [layer for layer in self.features if isinstance(layer, nn.ReLU)]

    def feature_maps(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, 32, 32) -> maps A (N, K, 4, 4) after the last ReLU."""
        maps: Tensor = self.features(images)
        return maps
