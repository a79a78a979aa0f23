"""How far filters of the last convolution repeat each other (LSG, section 4.3)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.class_means import class_means
from clearfilters.analysis.features import FeatureSet, Gates
from clearfilters.analysis.gate_path import Floats
from clearfilters.analysis.json_values import nested
from clearfilters.errors import ClearfiltersError

Matrix = npt.NDArray[np.float64]
Groups = npt.NDArray[np.integer]


def filter_correlation(weights: Floats) -> Matrix:
    """C (K, K) in [-1, 1]: inner products of filters (K, I, h, w) of unit norm.

    A filter that is all zeros correlates 0 with every filter, itself included.
    """
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = np.divide(flat, norms, out=np.zeros_like(flat), where=norms > 0)
    correlation: Matrix = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(correlation, norms[:, 0] > 0)
    return correlation


def share_above(correlation: Matrix, thresholds: Matrix) -> Matrix:
    """(T,): the share of all K² elements strictly above each threshold (figure 7e).

    The diagonal counts, as in the paper ("for each element of the correlation matrix"), so a curve
    ends near 1/K and not near 0 as the threshold nears 1.
    """
    elements = np.sort(correlation, axis=None)
    return 1 - np.searchsorted(elements, thresholds, side="right") / elements.size


def dominant_filters(means: Matrix, count: int) -> Groups:
    """A_c (C, m): the m filters that each class activates most on average, strongest first.

    Args:
        means: class means of the features (C, K).
        count: m; of equally strong filters the one of lower index comes first.
    """
    return np.argsort(-means, axis=1, kind="stable")[:, :count]


def inter_class_correlation(correlation: Matrix, groups: Groups) -> float:
    """CIC: the mean of C_kk' over k in A_c and k' in A_c' of all ordered pairs c ≠ c'.

    A filter in the groups of two classes pairs with itself, as in the paper's formula.

    Args:
        correlation: (K, K); its absolute values give the absolute CIC.
        groups: A (C, m), C at least 2.
    """
    classes, count = groups.shape
    pairs = int(classes * (classes - 1) * count**2)
    return _inter_class_sum(correlation, groups) / pairs


def distinct_inter_class_correlation(correlation: Matrix, groups: Groups) -> float | None:
    """CIC over pairs of different filters, k ≠ k'; None if the groups have no such pair."""
    pairs = np.ones_like(correlation) - np.eye(len(correlation))
    number = _inter_class_sum(pairs, groups)
    return _inter_class_sum(correlation * pairs, groups) / number if number else None


def _inter_class_sum(matrix: Matrix, groups: Groups) -> float:
    members = np.zeros((len(groups), len(matrix)))
    np.put_along_axis(members, groups, 1.0, axis=1)
    between = members @ matrix @ members.T
    return float(between.sum() - np.trace(between))


def measure(
    features: FeatureSet,
    gates: Gates | None = None,
    *,
    filters_per_class: int,
    thresholds: int,
) -> dict[str, Any]:
    """Correlation matrix and threshold curve (figure 7), and inter-class correlation (table 2).

    Args:
        features: the model; the groups A_c come from its test features.
        gates: not used.
        filters_per_class: m (ResNet20: 6, AlexNet: 25), from 1 to K.
        thresholds: how many thresholds, evenly spaced over [0, 1], at least 2.

    Returns:
        matrix (rounded to 3 decimals), thresholds [T], share_above [T], share_above_absolute [T],
        cic, cic_absolute, cic_distinct, cic_absolute_distinct, m, groups (C, m).

    Raises:
        ClearfiltersError: if a parameter is out of range, or a class has no test image.
    """
    filters = features.weight.shape[1]
    if not 1 <= filters_per_class <= filters:
        raise ClearfiltersError(
            f"correlation.filters_per_class: {filters_per_class} given, 1 to {filters} (the "
            "filters of the last convolution) expected"
        )
    if thresholds < 2:
        raise ClearfiltersError(f"correlation.thresholds: {thresholds} given, 2 or more expected")
    means = class_means(features.test_pooled, features.test_labels, len(features.classes))
    if np.isnan(means).any():
        raise ClearfiltersError(
            "correlation: a class has no test image, so its filters cannot be found; use more data"
        )
    correlation = filter_correlation(features.last_conv)
    grid = np.linspace(0.0, 1.0, thresholds)
    groups = dominant_filters(means, filters_per_class)
    absolute = np.abs(correlation)
    return {
        "matrix": nested(correlation, 3),
        "thresholds": grid.tolist(),
        "share_above": share_above(correlation, grid).tolist(),
        "share_above_absolute": share_above(absolute, grid).tolist(),
        "cic": inter_class_correlation(correlation, groups),
        "cic_absolute": inter_class_correlation(absolute, groups),
        "cic_distinct": distinct_inter_class_correlation(correlation, groups),
        "cic_absolute_distinct": distinct_inter_class_correlation(absolute, groups),
        "m": filters_per_class,
        "groups": groups.tolist(),
    }
