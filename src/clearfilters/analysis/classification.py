"""How well a model classifies, on the STD path and on the gate path (LSG, table 1)."""

from typing import Any

from clearfilters.analysis.features import FeatureSet, Gates
from clearfilters.analysis.gate_path import (
    accuracy,
    confusion_matrix,
    cross_entropy,
    gated_logits,
)


def measure(features: FeatureSet, gates: Gates | None = None) -> dict[str, Any]:
    """Accuracy and cross entropy per sample (nats).

    Args:
        features: the model.
        gates: not used; the gate path is measured for the gate that the model was trained with.

    Returns:
        accuracy, cross_entropy, confusion (C x C counts, row = true class): STD path, test;
        train_accuracy; gate_accuracy, gate_cross_entropy: gate path, test, None without a trained
        gate; classes.
    """
    gate_accuracy = gate_cross_entropy = None
    if features.trained_gate is not None:
        gated = gated_logits(
            features.test_pooled,
            features.test_labels,
            features.trained_gate,
            features.weight,
            features.bias,
        )
        gate_accuracy = accuracy(gated, features.test_labels)
        gate_cross_entropy = cross_entropy(gated, features.test_labels)
    return {
        "accuracy": accuracy(features.test_logits, features.test_labels),
        "cross_entropy": cross_entropy(features.test_logits, features.test_labels),
        "gate_accuracy": gate_accuracy,
        "gate_cross_entropy": gate_cross_entropy,
        "confusion": confusion_matrix(features.test_logits, features.test_labels).tolist(),
        "classes": list(features.classes),
        "train_accuracy": accuracy(features.train_logits, features.train_labels),
    }
