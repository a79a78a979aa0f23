"""One measurement of one model: from recorded features to a JSON with its provenance."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.analysis.features import FEATURE_ARRAYS, FeatureSet, load_features, load_gates
from clearfilters.analysis.measurements import measure
from clearfilters.artifacts import (
    atomic_path,
    file_sha256,
    parameters_hash,
    read_json,
    write_json,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import GATE_ANALYSES

PACKAGES = ("numpy", "scipy", "scikit-learn")


def record_measurement(
    analysis: str,
    slice_: dict[str, Any],
    *,
    experiment: str,
    seed: int,
    features: Path,
    gates: Path | None,
    gates_out: Path | None,
    out: Path,
) -> None:
    """Measure a model and write the JSON; `phi` also writes the gates that other analyses read.

    Args:
        analysis: one of `params.FEATURE_ANALYSES`.
        slice_: everything that shapes the measurement (params.measurement_slice).
        experiment: name of the experiment.
        seed: of the training.
        features: folder of the model's recorded features.
        gates: the model's gates, for the analyses of `params.GATE_ANALYSES`.
        gates_out: where `phi` writes the gates.
        out: the JSON.

    Raises:
        ClearfiltersError: if there is no such analysis, or the features are missing, damaged or
            of other parameters.
    """
    meta = read_json(features / "meta.json")
    expected = parameters_hash({key: value for key, value in slice_.items() if key != "analysis"})
    if meta.get("parameters_hash") != expected:
        raise ClearfiltersError(
            f"{features}: recorded with parameters {str(meta.get('parameters_hash'))[:12]}, but "
            f"the current parameters are {expected[:12]}; run the `features` target again"
        )
    feature_set = load_features(features)
    inputs = {f"features/{name}": features / name for name in FEATURE_ARRAYS}
    if analysis == "phi":
        if gates_out is None:
            raise ClearfiltersError("measure phi: --gates-out is missing; name the file to write")
        values = _measure_phi(feature_set, slice_, gates_out)
    else:
        found = None
        if analysis in GATE_ANALYSES:
            if gates is None:
                raise ClearfiltersError(
                    f"measure {analysis}: --gates is missing; give the file that `phi` wrote"
                )
            found = load_gates(gates)
            inputs["gates"] = gates
        values = measure(analysis, feature_set, found, slice_["analysis"][analysis])
    write_measurement(
        out,
        values,
        analysis=analysis,
        experiment=experiment,
        seed=seed,
        slice_=slice_,
        inputs=inputs,
        meta=meta,
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
