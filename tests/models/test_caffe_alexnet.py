"""Caffe's AlexNet: published sizes, its layers written out in NumPy, and MatConvNet's files.

And MatConvNet's file of VGG-16 against torchvision's layers.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision
from matconvnet_files import AVERAGE, mat_layers, write_mat
from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import Classifier
from clearfilters.models.matconvnet import read_matconvnet
from clearfilters.models.pretrained import load_pretrained
from clearfilters.models.vgg_ms import (
    ALEXNET,
    ALEXNET_LRN,
    ARCHITECTURES,
    VGG_16,
    VGG_M,
    CrossChannelNorm,
    Layers,
    vgg,
)
from clearfilters.registry import BLOCK_NETWORKS, load

Maps = npt.NDArray[np.float64]
# Even, so that there are two groups of them.
FEW = tuple(
    replace(layers, filters=filters)
    for layers, filters in zip(ALEXNET, (8, 12, 6, 10, 4), strict=True)
)
VGG_16_NAMES = [
    f"conv{stage}_{number}"
    for stage, count in enumerate((2, 2, 3, 3, 3), start=1)
    for number in range(1, count + 1)
]


def test_maps_and_filters_of_a_published_image() -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS["caffe-alexnet"])(num_classes=3)
        image = torch.empty(1, 3, 227, 227)
        sides = [network.blocks[: count + 1](image).shape[-1] for count in range(5)]
        maps = network.feature_maps(image)
    assert maps.shape == (1, 256, 13, 13) and network.head.in_features == 256
    assert sides == [27, 13, 13, 13, 13]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    # Krizhevsky et al. 2012, section 3.5: 48 and 192 are half of the maps before.
    assert [tuple(conv.weight.shape) for conv in convolutions] == [
        (96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3)
    ]  # fmt: skip
    assert [conv.groups for conv in convolutions] == [1, 2, 1, 2, 2]
    assert isinstance(network.blocks[-1][-1], nn.ReLU) and len(network.activations) == 5
    assert set(network.published_names.values()) == {
        f"conv{number}.0.{part}" for number in range(1, 6) for part in ("weight", "bias")
    }


def test_normalisation_against_the_formula() -> None:
    """x / (kappa + alpha * sum over 5 channels of x^2)^.75 with kappa 1 and alpha 2e-5."""
    layer = next(m for m in load_alexnet().modules() if isinstance(m, CrossChannelNorm))
    x = torch.rand(2, 7, 3, 2) * 300
    np.testing.assert_allclose(layer(x)[1], normalised(x[1].double().numpy()), rtol=1e-5)
    # torch divides alpha by the 5 channels.
    torch.testing.assert_close(layer(x), nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)(x))
    assert layer(x).sum() < 0.8 * x.sum()


def load_alexnet(architecture: tuple[Layers, ...] = FEW) -> Any:
    """A small network."""
    return vgg(architecture, 3, ALEXNET_LRN)


def test_groups_see_their_half_of_the_channels() -> None:
    network = load_alexnet()
    for index, grouped in enumerate((False, True, False, True, True)):
        conv = network.blocks[index][0]
        x = torch.rand(1, conv.in_channels, 11, 11)
        other = x.clone()
        other[:, conv.in_channels // 2 :] += 1
        same = (conv(x) == conv(other)).flatten(2).all(dim=2)[0]
        half = conv.out_channels // 2
        assert bool(same[:half].all()) == grouped and not same[half:].any()


def windows(maps: Maps, side: int, stride: int) -> Maps:
    """(C, H, W) -> (C, h, w, side, side)."""
    found = np.lib.stride_tricks.sliding_window_view(maps, (side, side), axis=(1, 2))
    return found[:, ::stride, ::stride]


def normalised(maps: Maps) -> Maps:
    """The formula of the interpretable CNNs' spec, section 1.1, channel by channel."""
    found = np.empty_like(maps)
    for channel in range(len(maps)):
        total = np.zeros(maps.shape[1:])
        for neighbour in range(max(0, channel - 2), min(len(maps), channel + 3)):
            total += maps[neighbour] ** 2
        found[channel] = maps[channel] / (1 + 2e-5 * total) ** 0.75
    return found


def convolved(maps: Maps, layer: dict[str, Any], stride: int, pad: int, groups: int) -> Maps:
    """MatConvNet's convolution from its filters (h, w, channels of a group, filters), with ReLU."""
    filters, biases = (array.astype(np.float64) for array in layer["weights"][0])
    maps = np.pad(maps, ((0, 0), (pad, pad), (pad, pad)))
    parts = [
        np.einsum("cyxhw,hwcf->fyx", windows(part, len(filters), stride), share)
        for part, share in zip(
            np.split(maps, groups), np.split(filters, groups, axis=3), strict=True
        )
    ]
    return np.maximum(np.concatenate(parts) + biases[:, :, None], 0)


def alexnet_maps(layers: list[dict[str, Any]], image: Maps) -> Maps:
    """Caffe's AlexNet up to ReLU 5, of an image (3, 227, 227) less the average."""
    convs = [layer for layer in layers if layer["name"].startswith("conv")]
    x = normalised(convolved(image, convs[0], 4, 0, 1))
    x = windows(x, 3, 2).max(axis=(3, 4))
    x = normalised(convolved(x, convs[1], 1, 2, 2))
    x = windows(x, 3, 2).max(axis=(3, 4))
    x = convolved(x, convs[2], 1, 1, 1)
    x = convolved(x, convs[3], 1, 1, 2)
    return convolved(x, convs[4], 1, 1, 2)


@torch.no_grad()
@pytest.mark.parametrize("idle", [0.0, 1.0])
def test_a_file_gives_the_maps_of_the_layers_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: float
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "caffe-alexnet", FEW)
    layers = mat_layers(FEW, normalization=ALEXNET_LRN)
    for layer in layers:
        if layer["type"] == "pool":  # of the later of MatConvNet's importers
            layer["pad"] = [0.0, idle, 0.0, idle]
    write_mat(tmp_path / "alex.mat", layers)
    model = Classifier(load_alexnet(), [0.5] * 3, [0.5] * 3).eval()
    assert load_pretrained(model, "caffe-alexnet", "alex.mat", tmp_path).startswith("alex.mat, sha")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 227, 227))
    expected = alexnet_maps(layers, pixels - np.float64(AVERAGE)[:, None, None])
    assert expected.shape == (4, 13, 13) and expected.std() > 0
    found = model.feature_maps(torch.from_numpy(pixels)[None].float() / 255)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4 * expected.max())


def refused(path: Path, name: str, published: str) -> str:
    """The message of an import that fails."""
    with pytest.raises(ClearfiltersError) as caught:
        read_matconvnet(path, name)
    message = str(caught.value)
    assert str(path) in message and published in message
    return message


def test_files_of_another_network_than_alexnet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ARCHITECTURES, "caffe-alexnet", FEW)
    path, name, published = tmp_path / "net.mat", "caffe-alexnet", "imagenet-caffe-alex.mat"
    write_mat(path, mat_layers(VGG_M))
    assert "normalisation with" in refused(path, name, published)
    whole = tuple(replace(layers, groups=1) for layers in FEW)
    write_mat(path, mat_layers(whole, normalization=ALEXNET_LRN))
    assert "conv2 is" in refused(path, name, published)
    # Caffe's "reference" network normalises after the pooling; else it is the same.
    layers = mat_layers(FEW, normalization=ALEXNET_LRN)
    layers[2], layers[3] = layers[3], layers[2]
    write_mat(path, layers)
    assert "`norm1` comes after the pooling" in refused(path, name, published)
    layers = mat_layers(FEW, normalization=ALEXNET_LRN)
    layers[4]["weights"][0, 0] = np.zeros((5, 5, 3, 12), np.float32)
    write_mat(path, layers)
    assert "filters of 3 channels for 8" in refused(path, name, published)
    layers = mat_layers(FEW, normalization=ALEXNET_LRN)
    layers[3]["pad"] = [0.0, 2.0, 0.0, 2.0]
    write_mat(path, layers)
    assert "pool=(3, 2, 2)" in refused(path, name, published)
    with pytest.raises(ClearfiltersError, match=r"MatConvNet's imagenet-caffe-alex\.mat only"):
        load_pretrained(Classifier(load_alexnet(), [0.5] * 3, [0.5] * 3), name, "a.pth", tmp_path)


@torch.no_grad()
def test_matconvnets_file_of_vgg16(tmp_path: Path) -> None:
    layers = mat_layers(VGG_16, names=VGG_16_NAMES)
    write_mat(tmp_path / "vgg16.mat", layers)
    with torch.device("meta"):
        theirs: Any = torchvision.models.vgg16().features
    theirs = theirs.to_empty(device="cpu")[:-1]
    convolutions = [layer for layer in theirs if isinstance(layer, nn.Conv2d)]
    written = [layer for layer in layers if layer["name"].startswith("conv")]
    for conv, layer in zip(convolutions, written, strict=True):
        filters, biases = layer["weights"][0]
        conv.weight.copy_(torch.from_numpy(filters).permute(3, 2, 0, 1))
        conv.bias.copy_(torch.from_numpy(biases[:, 0]))
    model = Classifier(load(BLOCK_NETWORKS["vgg16"])(num_classes=3), [0.5] * 3, [0.5] * 3).eval()
    assert load_pretrained(model, "vgg16", "vgg16.mat", tmp_path).startswith("vgg16.mat, sha256 ")
    pixels = torch.randint(0, 256, (1, 3, 48, 48)).float()
    expected = theirs(pixels - torch.tensor(AVERAGE).view(3, 1, 1))
    found = model.feature_maps(pixels / 255)
    assert expected.std() > 0
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def test_files_of_another_network_than_vgg16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = tuple(replace(layers, filters=2) for layers in VGG_16)
    monkeypatch.setitem(ARCHITECTURES, "vgg16", few)
    path, published = tmp_path / "net.mat", "imagenet-vgg-verydeep-16.mat"
    write_mat(path, mat_layers(few, names=VGG_16_NAMES))
    assert list(read_matconvnet(path, "vgg16")[0])[-1] == "conv13.0.bias"
    # VGG-19 has a fourth convolution in three of the stages.
    write_mat(path, mat_layers(few[:6] + few[5:9] + few[8:12] + few[11:]))
    assert "16 convolutions" in refused(path, "vgg16", published)
    write_mat(path, mat_layers(VGG_M))
    assert "normalisation with" in refused(path, "vgg16", published)
    other = list(few)
    other[3] = replace(other[3], pool=(3, 2, 0))
    write_mat(path, mat_layers(tuple(other), names=VGG_16_NAMES))
    assert "conv2_2 is" in refused(path, "vgg16", published)
