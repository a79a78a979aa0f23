"""The leakage probe: does the head read the class off the open channels, not off the image?

The gate row is chosen by the true label, so on the gate path the label is part of the input. A
head that uses it answers c to anything that passes row G_c. The papers do not measure this; Φ
alone rewards it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.features import FeatureSet, Gates, require_gates
from clearfilters.analysis.gate_path import Floats, Labels, accuracy, head_logits

Shares = npt.NDArray[np.float64]


def gate_answers(
    pooled: Floats, gate: Floats, weight: Floats, bias: Floats
) -> npt.NDArray[np.bool_]:
    """(C, N): whether image i is answered c when it passes gate row c.

    Args:
        pooled: features (N, K).
        gate: (C, K).
        weight: head (C, K).
        bias: head (C,).
    """
    return np.stack(
        [head_logits(pooled, weight * gate[c], bias).argmax(axis=1) == c for c in range(len(gate))]
    )


def other_image_shares(
    pooled: Floats, labels: Labels, gate: Floats, weight: Floats, bias: Floats
) -> Shares:
    """(C,): the share of images of classes other than c answered c through row G_c.

    NaN where there is no image of another class.
    """
    answers = gate_answers(pooled, gate, weight, bias)
    other = labels[None, :] != np.arange(len(gate))[:, None]
    counts = other.sum(axis=1)
    hits = (answers & other).sum(axis=1)
    shares: Shares = np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)
    return shares


def noise_image_shares(pooled: Floats, gate: Floats, weight: Floats, bias: Floats) -> Shares:
    """(C,): the share of noise images answered c through row G_c."""
    shares: Shares = gate_answers(pooled, gate, weight, bias).mean(axis=1)
    return shares


def random_gate_like(gate: Floats, seed: int) -> Floats:
    """A gate of equal density: each column's entries dealt to the classes anew."""
    return np.random.default_rng(seed).permuted(gate, axis=0)


def measure(features: FeatureSet, gates: Gates | None, *, random_gate_seed: int) -> dict[str, Any]:
    """Leakage of the model's gate, beside a random gate and what a head blind to the gate gives.

    Args:
        features: the model.
        gates: its gates.
        random_gate_seed: seed of the random gate.

    Returns:
        source; per_class_other [C] and per_class_noise [C], shares in [0, 1]; other_images and
        noise_images, their means; other_images_random_gate and noise_images_random_gate, the same
        with the random gate; other_images_blind = STD test error / (C - 1) and
        noise_images_blind = 1 / C.

    Raises:
        ClearfiltersError: if there are no gates.
    """
    gates = require_gates(gates, "leakage")
    classes = len(features.classes)
    head = (features.weight, features.bias)
    images = (features.test_pooled, features.test_labels)
    shuffled = random_gate_like(gates.used, random_gate_seed)
    other = other_image_shares(*images, gates.used, *head)
    noise = noise_image_shares(features.noise_pooled, gates.used, *head)
    error = 1 - accuracy(features.test_logits, features.test_labels)
    return {
        "source": gates.source,
        "other_images": float(other.mean()),
        "other_images_random_gate": float(other_image_shares(*images, shuffled, *head).mean()),
        "other_images_blind": error / (classes - 1),
        "noise_images": float(noise.mean()),
        "noise_images_random_gate": float(
            noise_image_shares(features.noise_pooled, shuffled, *head).mean()
        ),
        "noise_images_blind": 1 / classes,
        "per_class_other": other.tolist(),
        "per_class_noise": noise.tolist(),
    }
