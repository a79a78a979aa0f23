"""Files as MatConvNet publishes them, with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from clearfilters.models.vgg_ms import LRN, Layers

AVERAGE = [122.8, 114.9, 101.6]


def mat_layers(
    architecture: tuple[Layers, ...],
    seed: int = 0,
    normalization: tuple[float, ...] = LRN,
    names: list[str] | None = None,
) -> list[dict[str, Any]]:
    """The layers as MatConvNet's files have them, the fully connected ones included.

    `names` are those of the convolutions; None for conv1, conv2 and so on.
    """
    generator = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    before = 3
    for number, layers in enumerate(architecture, start=1):
        shape = (layers.kernel, layers.kernel, before // layers.groups, layers.filters)
        weights = np.empty((1, 2), object)
        weights[0, 0] = generator.normal(0, 0.05, shape).astype(np.float32)
        weights[0, 1] = generator.normal(0, 0.05, (layers.filters, 1)).astype(np.float32)
        stride, pad = float(layers.stride), float(layers.padding)
        found.append(
            {
                "type": "conv", "name": names[number - 1] if names else f"conv{number}",
                "weights": weights,
                "stride": [stride, stride], "pad": [pad] * 4 if number % 2 else pad,
            }
        )  # fmt: skip
        found.append({"type": "relu", "name": f"relu{number}"})
        if layers.normalized:
            found.append(
                {"type": "normalize", "name": f"norm{number}", "param": list(normalization)}
            )
        pool = layers.pool or ((3, 2, 0) if number == len(architecture) else None)
        if pool is not None:
            side, step, zeros = map(float, pool)
            found.append(
                {
                    "type": "pool", "name": f"pool{number}", "method": "max",
                    "pool": [side, side], "stride": step, "pad": [0.0, zeros, 0.0, zeros],
                }
            )  # fmt: skip
        before = layers.filters
    fully = np.empty((1, 2), object)
    fully[0, 0], fully[0, 1] = np.zeros((6, 6, before, 4), np.float32), np.zeros((4, 1), np.float32)
    found.append({"type": "conv", "name": "fc6", "weights": fully, "stride": 1.0, "pad": 0.0})
    return found


def write_mat(path: Path, layers: list[dict[str, Any]], average: Any = None) -> None:
    """A file as MatConvNet publishes it."""
    cell = np.empty((1, len(layers)), object)
    cell[0, :] = layers
    image = np.broadcast_to(np.float32(AVERAGE), (4, 4, 3)) if average is None else average
    scipy.io.savemat(path, {"layers": cell, "meta": {"normalization": {"averageImage": image}}})
