"""CIFAR ResNets against the numbers of He et al. 2016 and a naive shortcut."""

import numpy as np
import pytest
import torch
from torch import nn

from clearfilters.models.resnet_cifar import BasicBlock, CifarResNet


@pytest.mark.parametrize(
    ("depth", "millions"),
    [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)],  # He et al. 2016, table 6
)
def test_parameters_by_depth(depth: int, millions: float) -> None:
    count = sum(parameter.numel() for parameter in CifarResNet(depth, 10).parameters())
    decimals = len(str(millions).split(".")[1])
    assert round(count / 1e6, decimals) == millions


def test_parameters_of_resnet20_layer_by_layer() -> None:
    first = 3 * 16 * 9 + 2 * 16
    stage1 = 6 * (16 * 16 * 9 + 2 * 16)
    stage2 = (16 * 32 * 9 + 2 * 32) + 5 * (32 * 32 * 9 + 2 * 32)
    stage3 = (32 * 64 * 9 + 2 * 64) + 5 * (64 * 64 * 9 + 2 * 64)
    linear = 64 * 10 + 10
    count = sum(parameter.numel() for parameter in CifarResNet(20, 10).parameters())
    assert count == first + stage1 + stage2 + stage3 + linear == 269_722


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_depth_counts_convolutions_and_the_linear_layer(depth: int) -> None:
    layers = [
        module
        for module in CifarResNet(depth, 10, width=2).modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    assert len(layers) == depth
    assert all(layer.kernel_size == (3, 3) for layer in layers if isinstance(layer, nn.Conv2d))


def test_maps_of_each_stage() -> None:
    model = CifarResNet(20, 10).eval()
    shapes = []
    for block in model.blocks:
        block.register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape[1:])))
    model.feature_maps(torch.rand(1, 3, 32, 32))
    assert shapes == [(16, 32, 32)] * 3 + [(32, 16, 16)] * 3 + [(64, 8, 8)] * 3


@pytest.mark.parametrize(("before", "after", "stride"), [(4, 8, 2), (3, 8, 2), (4, 4, 1)])
def test_option_a_shortcut_against_a_naive_loop(before: int, after: int, stride: int) -> None:
    """Every `stride`-th pixel; the first channels are zero, as are the last; no parameters."""
    block = BasicBlock(before, after, stride)
    x = torch.rand(2, before, 6, 6)
    side = 6 // stride
    expected = np.zeros((2, after, side, side), np.float32)
    first = (after - before) // 2
    for image in range(2):
        for channel in range(before):
            for row in range(side):
                for column in range(side):
                    expected[image, first + channel, row, column] = x[
                        image, channel, row * stride, column * stride
                    ]
    np.testing.assert_array_equal(block.shortcut(x).numpy(), expected)
    assert sum(p.numel() for p in block.parameters()) == 9 * after * (before + after) + 4 * after


def test_a_block_with_silent_convolutions_is_its_shortcut() -> None:
    block = BasicBlock(4, 8, 2).eval()
    nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 4, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(block(x.clone()), block.shortcut(x).clamp(min=0))
