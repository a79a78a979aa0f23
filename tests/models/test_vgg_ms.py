"""VGG-M and VGG-S: published sizes, MatConvNet's layers written out, and its files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from matconvnet_files import AVERAGE, mat_layers, write_mat
from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models import matconvnet
from clearfilters.models.classifier import Classifier
from clearfilters.models.pretrained import load_pretrained
from clearfilters.models.vgg_ms import (
    ARCHITECTURES,
    LRN,
    VGG_M,
    VGG_S,
    CrossChannelNorm,
    Layers,
    vgg,
)
from clearfilters.registry import BLOCK_NETWORKS, load


@pytest.mark.parametrize(("name", "side"), [("vgg-m", 13), ("vgg-s", 17)])
def test_maps_of_a_published_image(name: str, side: int) -> None:
    with torch.device("meta"):
        network = load(BLOCK_NETWORKS[name])(num_classes=3)
        maps = network.feature_maps(torch.empty(1, 3, 224, 224))
    assert maps.shape == (1, 512, side, side)
    assert (network.head.in_features, len(network.blocks)) == (512, 5)
    assert network.last_conv.out_channels == 512 and len(network.activations) == 5


def test_normalisation_against_matconvnet_written_out() -> None:
    size, kappa, alpha, beta = LRN
    layer = next(m for m in vgg(VGG_M, 3).modules() if isinstance(m, CrossChannelNorm))
    x = torch.rand(1, 9, 2, 2) * 100
    expected = np.zeros((9, 2, 2))
    for channel in range(9):
        around = x[0, max(0, channel - 2) : channel + 3].double().numpy()
        scale = (kappa + alpha * (around**2).sum(axis=0)) ** beta
        expected[channel] = x[0, channel].numpy() / scale
    assert (size, kappa) == (5, 2)
    np.testing.assert_allclose(layer(x)[0], expected, rtol=1e-5)
    # torch divides alpha by the number of channels, MatConvNet does not.
    torch.testing.assert_close(layer(x), nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)(x))


@pytest.mark.parametrize(("architecture", "index"), [(VGG_M, 0), (VGG_S, 0), (VGG_S, 1)])
def test_pooling_pads_at_the_bottom_and_right(architecture: tuple[Layers, ...], index: int) -> None:
    pool = architecture[index].pool
    assert pool is not None
    side, stride, zeros = pool
    block: Any = vgg(architecture, 3).blocks[index]
    x = torch.rand(1, 1, 10, 10)
    padded = np.zeros((10 + zeros, 10 + zeros), np.float32)
    padded[:10, :10] = x[0, 0]
    count = (10 + zeros - side) // stride + 1
    expected = np.zeros((count, count), np.float32)
    for row in range(count):
        for column in range(count):
            top, left = row * stride, column * stride
            expected[row, column] = padded[top : top + side, left : left + side].max()
    np.testing.assert_array_equal(block[-1](block[-2](x))[0, 0], expected)


def small(architecture: tuple[Layers, ...]) -> tuple[Layers, ...]:
    """The same geometry with few filters."""
    return tuple(replace(layers, filters=6 + i) for i, layers in enumerate(architecture))


def build(architecture: tuple[Layers, ...]) -> Classifier:
    """A small network in eval mode."""
    return Classifier(vgg(architecture, 3), [0.5] * 3, [0.5] * 3).eval()


@pytest.mark.parametrize("average", [None, np.float32(AVERAGE).reshape(1, 1, 3)])
@pytest.mark.parametrize(("name", "published"), [("vgg-m", VGG_M), ("vgg-s", VGG_S)])
def test_a_file_of_matconvnet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, published: Any, average: Any
) -> None:
    architecture = small(published)
    monkeypatch.setitem(ARCHITECTURES, name, architecture)
    layers = mat_layers(architecture)
    write_mat(tmp_path / "net.mat", layers, average)
    model = build(architecture)
    assert load_pretrained(model, name, "net.mat", tmp_path).startswith("net.mat, sha256 ")
    # The first convolution on pixels of 0 to 255, red first, minus the average colour.
    pixels = np.random.default_rng(1).integers(0, 256, (11, 11, 3))
    filters, biases = layers[0]["weights"][0]
    centred = pixels - np.float64(AVERAGE)
    expected = np.zeros((3, 3, 6))
    for row in range(3):
        for column in range(3):
            patch = centred[2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
            expected[row, column] = np.einsum("hwc,hwcf->f", patch, filters) + biases[:, 0]
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    block: Any = model.parts.blocks[0]  # type: ignore[attr-defined]
    with torch.no_grad():
        found = block[0]((image - model.mean) / model.std)[0].permute(1, 2, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    for number, layer in enumerate(layer for layer in layers if layer["name"].startswith("conv")):
        conv: Any = model.parts.blocks[number][0]  # type: ignore[attr-defined]
        filters, biases = layer["weights"][0]
        assert conv.weight[3, 2, 1, 0] == filters[1, 0, 2, 3]
        assert conv.bias[3] == biases[3, 0]


def test_older_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    architecture = small(VGG_M)
    monkeypatch.setitem(ARCHITECTURES, "vgg-m", architecture)
    layers = mat_layers(architecture)
    for layer in layers:
        if "weights" in layer:
            layer["filters"], layer["biases"] = layer.pop("weights")[0]
    cell = np.empty((1, len(layers)), object)
    cell[0, :] = layers
    image = np.broadcast_to(np.float32(AVERAGE), (4, 4, 3))
    content = {"layers": cell, "normalization": {"averageImage": image}}
    scipy.io.savemat(tmp_path / "old.mat", {"net": content})
    tensors, average = matconvnet.read_matconvnet(tmp_path / "old.mat", "vgg-m")
    assert tensors["conv5.0.weight"].shape == (10, 9, 3, 3)
    assert average == pytest.approx(AVERAGE, rel=1e-5)


def refused(path: Path, name: str = "vgg-m") -> str:
    """The message of an import that fails."""
    with pytest.raises(ClearfiltersError) as caught:
        matconvnet.read_matconvnet(path, name)
    message = str(caught.value)
    assert str(path) in message and f"imagenet-{name}.mat" in message
    return message


def test_files_of_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.mat"
    monkeypatch.setitem(ARCHITECTURES, "vgg-m", small(VGG_M))
    # VGG-S has filters of the same shapes: only strides and pooling tell them apart.
    write_mat(path, mat_layers(small(VGG_S)))
    assert "conv1 is" in refused(path)
    write_mat(path, mat_layers(small(VGG_M)[:4]))
    assert "4 convolutions" in refused(path)
    layers = mat_layers(small(VGG_M))
    layers[2]["param"] = [5.0, 1.0, 2e-5, 0.75]
    write_mat(path, layers)
    assert "normalisation with" in refused(path)
    layers = mat_layers(small(VGG_M))
    layers[3]["pad"] = [1.0, 1.0, 1.0, 1.0]
    write_mat(path, layers)
    assert "pooling `max` with padding" in refused(path)
    scipy.io.savemat(path, {"anno": 1})
    assert "not a network of MatConvNet" in refused(path)
