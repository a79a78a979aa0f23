"""Which filters a class has to itself, and what is left of the model when its gate is tightened."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.features import FeatureSet, Gates, require_gates
from clearfilters.analysis.gate_path import Floats, accuracy, gated_logits, l1_density
from clearfilters.errors import ClearfiltersError


def monopolized_filters(gate: Floats, threshold: float) -> npt.NDArray[np.bool_]:
    """(C, K): whether class c is the only one whose gate element for filter k is ≥ threshold."""
    open_elements = gate >= threshold
    monopolized: npt.NDArray[np.bool_] = open_elements & (open_elements.sum(axis=0) == 1)
    return monopolized


def tighten(gate: Floats, threshold: float) -> npt.NDArray[np.float32]:
    """The binary gate (C, K) of LSG, section 3.3.

    A column with exactly one element ≥ threshold becomes one-hot there, any other all ones.
    """
    monopolized = monopolized_filters(gate, threshold)
    shared = ~monopolized.any(axis=0)
    return (monopolized | shared).astype(np.float32)


def measure(features: FeatureSet, gates: Gates | None, *, threshold: float) -> dict[str, Any]:
    """Filters monopolised per class and shared (LSG, section 4.3), and the tightened gate.

    Args:
        features: the model.
        gates: its gates.
        threshold: h, in (0, 1].

    Returns:
        threshold, source, monopolized [C], monopolized_total, shared, tightened_density,
        tightened_gate_accuracy (gate path, test).

    Raises:
        ClearfiltersError: if the threshold is out of range or there are no gates.
    """
    gates = require_gates(gates, "gate_statistics")
    if not 0 < threshold <= 1:
        raise ClearfiltersError(
            f"gate_statistics.threshold: {threshold} given, a value above 0 and up to 1 expected"
        )
    monopolized = monopolized_filters(gates.used, threshold).sum(axis=1)
    tightened = tighten(gates.used, threshold)
    logits = gated_logits(
        features.test_pooled, features.test_labels, tightened, features.weight, features.bias
    )
    return {
        "threshold": threshold,
        "source": gates.source,
        "monopolized": monopolized.tolist(),
        "monopolized_total": int(monopolized.sum()),
        "shared": int(gates.used.shape[1] - monopolized.sum()),
        "tightened_density": l1_density(tightened),
        "tightened_gate_accuracy": accuracy(logits, features.test_labels),
    }
