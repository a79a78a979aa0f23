"""AlexNet's CIFAR form: five convolutions and one linear layer after pooling."""

import torch
from torch import nn

from clearfilters.models.alexnet_cifar import CifarAlexNet


def test_layers_and_maps() -> None:
    model = CifarAlexNet(10)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 192, 384, 256, 256]
    assert model.feature_maps(torch.rand(2, 3, 32, 32)).shape == (2, 256, 4, 4)
    assert (model.head.in_features, model.head.out_features) == (256, 10)


def test_width_scales_every_convolution() -> None:
    model = CifarAlexNet(10, width=8)
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [8, 24, 48, 32, 32]


def test_the_signal_survives_initialisation() -> None:
    torch.manual_seed(0)
    model = CifarAlexNet(10)
    maps = model.feature_maps(torch.randn(64, 3, 32, 32))
    assert 0.1 < float(maps.std().detach()) < 10
