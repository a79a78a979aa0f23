"""Weights from the .mat files that MatConvNet publishes, as of VGG-M and Caffe's AlexNet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clearfilters.data.matfiles import read_mat
from clearfilters.errors import ClearfiltersError
from clearfilters.models.vgg_ms import ARCHITECTURES, FILES, NORMALIZATIONS, Layers

Filters = npt.NDArray[np.floating[Any]]


def read_matconvnet(path: Path, name: str) -> tuple[dict[str, Tensor], list[float]]:
    """The convolutions of one of MatConvNet's `FILES`.

    The files take RGB images of 0 to 255 minus an average image. Its mean over pixels is used, as
    other sizes of image need it.

    Args:
        path: the file.
        name: of the network, a key of `ARCHITECTURES`.

    Returns:
        The tensors by name in order, weights and biases of `conv1.0`, `conv2.0` and so on, and the
        average colour (3,) in [0, 255].

    Raises:
        ClearfiltersError: if it is no such file, or its layers are not the network's.
    """
    content = read_mat(path)
    net = content.get("net", content)
    try:
        meta = net.get("meta", net)
        average = np.asarray(meta["normalization"]["averageImage"], np.float64).reshape(-1, 3)
        found = _convolutions(net["layers"], NORMALIZATIONS.get(name))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ClearfiltersError(
            f"{path}: not a network of MatConvNet ({type(error).__name__}: {error}); expected "
            f"{FILES[name]} as published"
        ) from None
    expected = ARCHITECTURES[name]
    if len(found) != len(expected):
        raise ClearfiltersError(
            f"{path}: {len(found)} convolutions before the fully connected ones; expected "
            f"{len(expected)}, as `{name}` has; use {FILES[name]}"
        )
    tensors: dict[str, Tensor] = {}
    for number, ((layers, filters, biases, layer_name), wanted) in enumerate(
        zip(found, expected, strict=True), start=1
    ):
        if _without_idle_zeros(layers, wanted) != wanted:
            raise ClearfiltersError(
                f"{path}: {layer_name} is {layers}; `{name}` has {wanted}; use {FILES[name]}"
            )
        # (height, width, channels, filters); neither MatConvNet nor torch flips a filter.
        turned = np.ascontiguousarray(filters.transpose(3, 2, 0, 1), np.float32)
        tensors[f"conv{number}.0.weight"] = torch.from_numpy(turned)
        tensors[f"conv{number}.0.bias"] = torch.from_numpy(np.array(biases, np.float32).ravel())
    return tensors, average.mean(axis=0).tolist()


def _convolutions(
    layers: list[dict[str, Any]], normalization: tuple[float, ...] | None
) -> list[tuple[Layers, Filters, Filters, str]]:
    """What each convolution before the fully connected ones is, its filters, biases and name."""
    found: list[tuple[Layers, Filters, Filters, str]] = []
    for layer in layers:
        if layer["type"] == "conv":
            if layer["name"].startswith("fc"):
                break
            channels = found[-1][0].filters if found else 3
            found.append(_convolution(layer, channels))
        elif layer["type"] in ("normalize", "lrn"):
            if normalization is None or not np.allclose(layer["param"], normalization):
                raise ValueError(f"normalisation with {layer['param']} instead of {normalization}")
            if found[-1][0].pool is not None:  # as in Caffe's "reference" network
                raise ValueError(f"`{layer['name']}` comes after the pooling instead of before it")
            found[-1] = (replace(found[-1][0], normalized=True), *found[-1][1:])
        elif layer["type"] == "pool":
            found[-1] = (replace(found[-1][0], pool=_pool(layer)), *found[-1][1:])
    # The pooling after the last convolution is left out.
    found[-1] = (replace(found[-1][0], pool=None), *found[-1][1:])
    return found


def _convolution(layer: dict[str, Any], channels: int) -> tuple[Layers, Filters, Filters, str]:
    """A convolution of so many channels, alone: what it is, its filters, biases and name."""
    if "weights" in layer:
        filters, biases = layer["weights"]
    else:  # older files
        filters, biases = layer["filters"], layer["biases"]
    # (height, width, channels that a filter sees, filters): groups show in the third alone.
    groups, rest = divmod(channels, filters.shape[2])
    if rest:
        raise ValueError(f"filters of {filters.shape[2]} channels for {channels}")
    stride, padding = _same(layer["stride"]), _same(layer["pad"])
    kernel = _same(filters.shape[:2])
    found = Layers(filters.shape[3], kernel, stride, padding, groups=groups)
    return found, filters, biases, layer["name"]


def _without_idle_zeros(found: Layers, wanted: Layers) -> Layers:
    """What was found, without the zeros of its pooling where the network has none.

    MatConvNet's later importer of Caffe's networks (its utils/layers.py) adds stride - 1 zeros at
    the bottom and right for every pooling; in images of the published size no window reaches them.
    """
    if found.pool is None or wanted.pool is None or wanted.pool[2] > 0:
        return found
    side, stride, zeros = found.pool
    return replace(found, pool=(side, stride, 0)) if zeros == stride - 1 else found


def _same(values: Any) -> int:
    """The one value of a number, or of a vector of equal numbers."""
    first, *others = np.unique(values).tolist()
    if others:
        raise ValueError(f"{values} are not equal")
    return int(first)


def _pool(layer: dict[str, Any]) -> tuple[int, int, int]:
    """Side, stride and zeros at the bottom and right of a max pooling."""
    # MatConvNet: top, bottom, left, right.
    top, bottom, left, right = np.broadcast_to(layer["pad"], 4).tolist()
    if layer["method"] != "max" or (top, left) != (0, 0):
        raise ValueError(f"pooling `{layer['method']}` with padding {layer['pad']}")
    return _same(layer["pool"]), _same(layer["stride"]), _same([bottom, right])
