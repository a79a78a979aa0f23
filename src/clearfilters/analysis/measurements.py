"""The analyses by name.

The registry holds module names, and only the one asked for is imported, so that a workflow rule can
depend on exactly the module that computes its measurement.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from clearfilters.analysis.features import FeatureSet, Gates
from clearfilters.errors import ClearfiltersError

# Each module offers measure(features, gates, **parameters) -> values.
MEASUREMENTS: dict[str, str] = {
    "classification": "clearfilters.analysis.classification",
    "phi": "clearfilters.analysis.phi",
    "mis": "clearfilters.analysis.mutual_information",
    "mis_floor": "clearfilters.analysis.information_floor",
    "gate_statistics": "clearfilters.analysis.gate_statistics",
    "leakage": "clearfilters.analysis.leakage",
    "correlation": "clearfilters.analysis.correlation",
    "masking": "clearfilters.analysis.masking",
    "similarity": "clearfilters.analysis.similarity",
    "clustering": "clearfilters.analysis.clustering",
}


def measure(
    name: str, features: FeatureSet, gates: Gates | None, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of one analysis of one model, ready for JSON.

    Args:
        name: a key of `MEASUREMENTS`.
        features: the model.
        gates: its gates; None for an analysis outside `params.GATE_ANALYSES`.
        parameters: keyword arguments of the module's `measure`.

    Raises:
        ClearfiltersError: if there is no such analysis, or a parameter is out of range.
    """
    if name not in MEASUREMENTS:
        raise ClearfiltersError(
            f"analysis `{name}` is not known; known: {', '.join(sorted(MEASUREMENTS))}"
        )
    values: dict[str, Any] = import_module(MEASUREMENTS[name]).measure(
        features, gates, **parameters
    )
    return values
