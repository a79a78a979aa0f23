import json
import subprocess
import sys

import pytest

from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import of_kind
from clearfilters.registry import MEASUREMENTS, load

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
    "mis_floor": {"shuffles": 2, "seed": 0, "n_neighbors": 3, "random_state": 0},
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
    "mis_floor": "floor shuffled",
    "clustering": "source centers order match match_random",
}


READS_GATES = [name for name in of_kind("features") if MEASUREMENTS[name].reads_gates]


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("trained", [True, False])
def test_values_have_the_agreed_keys_and_are_json(name, trained, features, gated_features, gates):
    measure = load(MEASUREMENTS[name].measure)
    values = measure(
        gated_features if trained else features,
        gates if name in READS_GATES else None,
        **PARAMETERS[name],
    )
    assert set(values) == set(KEYS[name].split())
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_every_measurement_of_features_is_tried():
    assert set(KEYS) == set(PARAMETERS) == set(of_kind("features"))


@pytest.mark.parametrize("name", READS_GATES)
def test_missing_gates_are_an_error(name, features):
    with pytest.raises(ClearfiltersError, match="gates"):
        load(MEASUREMENTS[name].measure)(features, None, **PARAMETERS[name])


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_an_entry_names_what_there_is(name):
    assert callable(load(MEASUREMENTS[name].measure))
    assert load(MEASUREMENTS[name].params).model_fields is not None


def test_no_measurement_of_features_imports_torch():
    program = (
        "import sys; from clearfilters.registry import MEASUREMENTS, load; "
        "[load(e.measure) for e in MEASUREMENTS.values() if e.kind == 'features']; "
        "import clearfilters.measuring; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
