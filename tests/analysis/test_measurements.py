import json
import subprocess
import sys

import pytest

from clearfilters.analysis.measurements import MEASUREMENTS, measure
from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import GATE_ANALYSES

PARAMETERS = {
    "classification": {},
    "phi": {
        "a": 0.01,
        "s_density": 0.4,
        "init": 0.5,
        "tolerance": 1e-4,
        "window": 5,
        "max_iterations": 50,
    },
    "mis": {"n_neighbors": 3, "random_state": 0},
    "gate_statistics": {"threshold": 0.5},
    "leakage": {"random_gate_seed": 0},
    "correlation": {"filters_per_class": 2, "thresholds": 5},
    "masking": {"threshold": 0.5, "cases": [[0], [0, 2]]},
    "similarity": {},
    "clustering": {"seed": 0, "n_init": 2, "permutations": 10},
}
KEYS = {
    "classification": "accuracy cross_entropy gate_accuracy gate_cross_entropy confusion classes "
    "train_accuracy",
    "phi": "phi_train phi_test cross_entropy_test penalty fitted_density trained_density interval "
    "within_interval iterations converged fitted_gate trained_gate a s",
    "mis": "mis best_class best_information",
    "gate_statistics": "threshold source monopolized monopolized_total shared tightened_density "
    "tightened_gate_accuracy",
    "leakage": "source other_images other_images_random_gate other_images_blind noise_images "
    "noise_images_random_gate noise_images_blind per_class_other per_class_noise",
    "correlation": "matrix thresholds share_above share_above_absolute cic cic_absolute "
    "cic_distinct cic_absolute_distinct m groups",
    "masking": "threshold source cases",
    "similarity": "source lsg csg",
    "clustering": "source centers order match match_random",
}


@pytest.mark.parametrize("name", MEASUREMENTS)
@pytest.mark.parametrize("trained", [True, False])
def test_values_have_the_agreed_keys_and_are_json(name, trained, features, gated_features, gates):
    values = measure(
        name,
        gated_features if trained else features,
        gates if name in GATE_ANALYSES else None,
        PARAMETERS[name],
    )
    assert set(values) == set(KEYS[name].split())
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize("name", sorted(GATE_ANALYSES))
def test_missing_gates_are_an_error(name, features):
    with pytest.raises(ClearfiltersError, match="gates"):
        measure(name, features, None, PARAMETERS[name])


def test_an_unknown_analysis_is_named(features):
    with pytest.raises(ClearfiltersError, match="entropy"):
        measure("entropy", features, None, {})


def test_only_the_module_asked_for_is_imported_and_never_torch():
    program = (
        "import sys; from clearfilters.analysis import measurements as m; "
        "loaded = [name for name, module in m.MEASUREMENTS.items() if module in sys.modules]; "
        "from importlib import import_module; "
        "[import_module(module) for module in m.MEASUREMENTS.values()]; "
        "sys.exit(bool(loaded) or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
