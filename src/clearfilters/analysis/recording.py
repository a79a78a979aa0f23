"""One measurement of one model: from recorded features to a JSON with its provenance."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.analysis.features import FEATURE_ARRAYS, FeatureSet, load_gates
from clearfilters.artifacts import (
    atomic_path,
    file_sha256,
    parameters_hash,
    read_json,
    write_json,
)
from clearfilters.registry import MEASUREMENTS, load

PACKAGES = ("numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Model:
    """A trained model as measurements of features read it.

    Attributes:
        experiment: its name.
        seed: of the training.
        features: folder of its recorded features.
        gates: the file of its gates, which `phi` writes.
    """

    experiment: str
    seed: int
    features: Path
    gates: Path

    def inputs(self, analysis: str) -> dict[str, Path]:
        """The files that a measurement is made from, by the name to record them under."""
        inputs = {f"features/{name}": self.features / name for name in FEATURE_ARRAYS}
        return {**inputs, "gates": self.gates} if MEASUREMENTS[analysis].reads_gates else inputs


def record_measurement(
    analysis: str, slice_: dict[str, Any], model: Model, feature_set: FeatureSet, out: Path
) -> None:
    """Measure a model and write the JSON; `phi` also writes the gates that other analyses read.

    Args:
        analysis: a measurement of features (registry.MEASUREMENTS).
        slice_: everything that shapes the measurement (params.measurement_slice).
        model: where its files are.
        feature_set: its features.
        out: the JSON.

    Raises:
        ClearfiltersError: if the gates are missing or damaged, or a parameter is out of range.
    """
    entry = MEASUREMENTS[analysis]
    if analysis == "phi":
        values = _measure_phi(feature_set, slice_, model.gates)
    else:
        gates = load_gates(model.gates) if entry.reads_gates else None
        values = load(entry.measure)(feature_set, gates, **slice_["analysis"][analysis])
    write_measurement(
        out,
        values,
        analysis=analysis,
        experiment=model.experiment,
        seed=model.seed,
        slice_=slice_,
        inputs=model.inputs(analysis),
        meta=read_json(model.features / "meta.json"),
    )


def write_measurement(
    out: Path,
    values: dict[str, Any],
    *,
    analysis: str,
    experiment: str,
    seed: int,
    slice_: dict[str, Any],
    inputs: dict[str, Path],
    meta: dict[str, Any],
) -> None:
    """Write a measurement with its provenance.

    Args:
        out: the JSON.
        values: plain numbers, strings, lists and dictionaries.
        analysis: its name.
        experiment: name of the experiment.
        seed: of the training.
        slice_: everything that shapes the measurement.
        inputs: the files it was made from, by the name to record them under.
        meta: of what was measured: the `device` it was made on, its `training`, and where others
            made it than those of the training, the `packages`.
    """
    provenance = {
        "analysis": analysis,
        "experiment": experiment,
        "seed": seed,
        "parameters": slice_,
        "parameters_hash": parameters_hash(slice_),
        "inputs": {name: file_sha256(path) for name, path in inputs.items()},
        "packages": {
            **meta["training"]["packages"],
            **meta.get("packages", {}),
            **{name: version(name) for name in PACKAGES},
            "python": platform.python_version(),
        },
        "device": meta["device"],
        "training": meta["training"],
    }
    write_json(out, {"values": values, "provenance": provenance})


def _measure_phi(features: FeatureSet, slice_: dict[str, Any], gates_out: Path) -> dict[str, Any]:
    from clearfilters.analysis.phi import evaluate_phi, phi_values

    phi = evaluate_phi(features, **slice_["analysis"]["phi"])
    gates: dict[str, Any] = {"fitted": phi.fitted_gate}
    if features.trained_gate is not None:
        gates["trained"] = features.trained_gate
    with atomic_path(gates_out) as temporary:
        np.savez(temporary, **gates)
    objective = slice_["method"].get("objective", {})
    return phi_values(phi, features, objective.get("g_density"))
