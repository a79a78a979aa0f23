"""Similarity between the features of a class and the gate rows (LSG, figure 6; CSG, appendix C)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.class_means import class_means
from clearfilters.analysis.features import FeatureSet, Gates, require_gates
from clearfilters.analysis.gate_path import Floats
from clearfilters.analysis.json_values import mean_or_null, nested_or_null

Matrix = npt.NDArray[np.float64]


def inner_products(means: Matrix, gate: Floats) -> Matrix:
    """LSG: S_yc = mean over the images of class y of a · G_c.

    Args:
        means: class means of the features (C, K), which give the mean of the products, since they
            are linear in a; NaN rows stay NaN.
        gate: (C, K).
    """
    return means @ gate.T.astype(np.float64)


def cosines(vectors: Floats, gate: Floats) -> Matrix:
    """CSG: S_yc = cos(mean feature of class y, G_c).

    A vector of zeros has no direction and gets 0; a NaN row stays NaN.

    Args:
        vectors: class means of the features, or any other vectors (C, K).
        gate: (C, K).
    """
    return _unit_rows(vectors) @ _unit_rows(gate).T


def _unit_rows(matrix: Floats) -> Matrix:
    rows = matrix.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1.0, norms)


def diagonal_dominance(similarity: Matrix) -> float | None:
    """How far each class's features point to their own gate row, in [-1, 1].

    The mean over rows y of (S_yy - mean over c ≠ y of S_yc) / max_c S_yc: 1 when the diagonal alone
    is above 0, 0 when rows are flat, below 0 when other gate rows are closer. The division makes
    the inner products, whose scale is the features', comparable with cosines and between models.

    Args:
        similarity: (C, C), elements at least 0 (features after a ReLU, gates in [0, 1]); rows with
            NaN are left out, and a row of zeros counts as flat.

    Returns:
        The dominance, or None if every row is NaN.
    """
    classes = len(similarity)
    largest = similarity.max(axis=1)
    diagonal = similarity.diagonal()
    off_diagonal = (similarity.sum(axis=1) - diagonal) / (classes - 1)
    return mean_or_null((diagonal - off_diagonal) / np.where(largest == 0, 1.0, largest))


def measure(features: FeatureSet, gates: Gates | None) -> dict[str, Any]:
    """Both similarities over the true positives and over the false negatives of the test split.

    Args:
        features: the model; true positives of class y are its images that the STD path answers y,
            false negatives its other images.
        gates: its gates.

    Returns:
        source, lsg and csg, each with true_positive, false_negative (C x C, row = class of the
        images, None for a class without such images), dominance_true_positive,
        dominance_false_negative.

    Raises:
        ClearfiltersError: if there are no gates.
    """
    gates = require_gates(gates, "similarity")
    right = features.test_logits.argmax(axis=1) == features.test_labels
    classes = len(features.classes)
    positive, negative = (
        class_means(features.test_pooled[chosen], features.test_labels[chosen], classes)
        for chosen in (right, ~right)
    )
    return {
        "source": gates.source,
        "lsg": _summary(inner_products(positive, gates.used), inner_products(negative, gates.used)),
        "csg": _summary(cosines(positive, gates.used), cosines(negative, gates.used)),
    }


def _summary(true_positive: Matrix, false_negative: Matrix) -> dict[str, Any]:
    return {
        "true_positive": nested_or_null(true_positive),
        "false_negative": nested_or_null(false_negative),
        "dominance_true_positive": diagonal_dominance(true_positive),
        "dominance_false_negative": diagonal_dominance(false_negative),
    }
