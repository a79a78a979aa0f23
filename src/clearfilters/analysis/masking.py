"""What a model still recognises without a class's filters (LSG, figure 5)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.features import FeatureSet, Gates, require_gates
from clearfilters.analysis.gate_path import Floats, accuracy, confusion_matrix, head_logits
from clearfilters.analysis.json_values import mean_or_null
from clearfilters.errors import ClearfiltersError


def filters_of_classes(
    gate: Floats, classes: Sequence[int], threshold: float
) -> npt.NDArray[np.bool_]:
    """(K,): filters whose gate element is above the threshold for any of the classes."""
    belongs = gate[list(classes)] > threshold
    return np.asarray(belongs.any(axis=0))


def recall_per_class(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(C,): the share of each class's samples answered right; NaN for a class without samples."""
    counts = confusion.sum(axis=1)
    return np.where(counts > 0, confusion.diagonal() / np.maximum(counts, 1), np.nan)


def measure(
    features: FeatureSet,
    gates: Gates | None,
    *,
    threshold: float,
    cases: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """Confusion on the STD path (test) after zeroing the channels of some classes.

    Args:
        features: the model.
        gates: its gates.
        threshold: a filter belongs to class c when G_ck > threshold, in [0, 1).
        cases: for each case, the classes whose channels are zeroed.

    Returns:
        threshold, source, and cases: masked_classes, masked_filters, confusion (row = true class),
        accuracy, recall_masked and recall_other (mean recall of the masked and of the other
        classes; None where there is no such class).

    Raises:
        ClearfiltersError: if a parameter is out of range or there are no gates.
    """
    gates = require_gates(gates, "masking")
    if not 0 <= threshold < 1:
        raise ClearfiltersError(
            f"masking.threshold: {threshold} given, a value from 0 and below 1 expected"
        )
    classes = len(features.classes)
    unknown = sorted({c for case in cases for c in case if not 0 <= c < classes})
    if unknown:
        raise ClearfiltersError(
            f"masking.cases: class {unknown[0]} given, numbers from 0 to {classes - 1} expected"
        )
    return {
        "threshold": threshold,
        "source": gates.source,
        "cases": [_masked(features, gates.used, case, threshold) for case in cases],
    }


def _masked(
    features: FeatureSet, gate: Floats, classes: Sequence[int], threshold: float
) -> dict[str, Any]:
    masked = filters_of_classes(gate, classes, threshold)
    logits = head_logits(features.test_pooled * ~masked, features.weight, features.bias)
    confusion = confusion_matrix(logits, features.test_labels)
    recall = recall_per_class(confusion)
    chosen = np.isin(np.arange(len(recall)), list(classes))
    return {
        "masked_classes": list(classes),
        "masked_filters": int(masked.sum()),
        "confusion": confusion.tolist(),
        "accuracy": accuracy(logits, features.test_labels),
        "recall_masked": mean_or_null(recall[chosen]),
        "recall_other": mean_or_null(recall[~chosen]),
    }
