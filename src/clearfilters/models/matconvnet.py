"""Weights of VGG-M and VGG-S from the .mat files that MatConvNet publishes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clearfilters.data.matfiles import read_mat
from clearfilters.errors import ClearfiltersError
from clearfilters.models.vgg_ms import ARCHITECTURES, LRN, Layers

Filters = npt.NDArray[np.floating[Any]]


def read_matconvnet(path: Path, name: str) -> tuple[dict[str, Tensor], list[float]]:
    """The convolutions of MatConvNet's `imagenet-vgg-m.mat` or `imagenet-vgg-s.mat`.

    The files take RGB images of 0 to 255 minus an average image. Its mean over pixels is used, as
    other sizes of image need it.

    Args:
        path: the file.
        name: of the network, a key of `ARCHITECTURES`.

    Returns:
        The tensors by published name, and the average colour (3,) in [0, 255].

    Raises:
        ClearfiltersError: if it is no such file, or its layers are not the network's.
    """
    content = read_mat(path)
    net = content.get("net", content)
    try:
        meta = net.get("meta", net)
        average = np.asarray(meta["normalization"]["averageImage"], np.float64).reshape(-1, 3)
        found = _convolutions(net["layers"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ClearfiltersError(
            f"{path}: not a network of MatConvNet ({type(error).__name__}: {error}); expected "
            f"imagenet-{name}.mat as published"
        ) from None
    expected = ARCHITECTURES[name]
    if len(found) != len(expected):
        raise ClearfiltersError(
            f"{path}: {len(found)} convolutions before the fully connected ones; expected "
            f"{len(expected)}, as `{name}` has; use imagenet-{name}.mat"
        )
    tensors: dict[str, Tensor] = {}
    for number, ((layers, filters, biases), wanted) in enumerate(
        zip(found, expected, strict=True), start=1
    ):
        if layers != wanted:
            raise ClearfiltersError(
                f"{path}: conv{number} is {layers}; `{name}` has {wanted}; use imagenet-{name}.mat"
            )
        # (height, width, channels, filters); neither MatConvNet nor torch flips a filter.
        turned = np.ascontiguousarray(filters.transpose(3, 2, 0, 1), np.float32)
        tensors[f"conv{number}.0.weight"] = torch.from_numpy(turned)
        tensors[f"conv{number}.0.bias"] = torch.from_numpy(np.array(biases, np.float32).ravel())
    return tensors, average.mean(axis=0).tolist()


def _convolutions(layers: list[dict[str, Any]]) -> list[tuple[Layers, Filters, Filters]]:
    """What each convolution before the fully connected ones is, its filters and its biases."""
    found: list[tuple[Layers, Filters, Filters]] = []
    for layer in layers:
        if layer["type"] == "conv":
            filters, biases = (
                layer["weights"]
                if "weights" in layer
                else (
                    layer["filters"],
                    layer["biases"],
                )
            )  # older files
            if layer["name"].startswith("fc"):
                break
            stride, padding = _same(layer["stride"]), _same(layer["pad"])
            kernel = _same(filters.shape[:2])
            found.append((Layers(filters.shape[3], kernel, stride, padding), filters, biases))
        elif layer["type"] in ("normalize", "lrn"):
            if not np.allclose(layer["param"], LRN):
                raise ValueError(f"normalisation with {layer['param']} instead of {LRN}")
            found[-1] = (replace(found[-1][0], normalized=True), *found[-1][1:])
        elif layer["type"] == "pool":
            found[-1] = (replace(found[-1][0], pool=_pool(layer)), *found[-1][1:])
    # The pooling after the last convolution is left out.
    found[-1] = (replace(found[-1][0], pool=None), *found[-1][1:])
    return found


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
