import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clearfilters.analysis.features import Gates
from clearfilters.analysis.gate_statistics import measure, monopolized_filters, tighten
from clearfilters.errors import ClearfiltersError

gate_matrices = arrays(
    np.float64, st.tuples(st.integers(2, 5), st.integers(1, 6)), elements=st.floats(0, 1)
)


def naive_tighten(gate, threshold):
    result = np.ones_like(gate)
    for k in range(gate.shape[1]):
        rows = [c for c in range(len(gate)) if gate[c, k] >= threshold]
        if len(rows) == 1:
            for c in range(len(gate)):
                result[c, k] = 1.0 if c == rows[0] else 0.0
    return result


def test_tightening_by_hand():
    gate = np.array([[1.0, 1.0, 0.5], [0.4, 0.5, 1.0], [0.0, 0.0, 0.49]])
    expected = [[1, 1, 1], [0, 1, 1], [0, 1, 1]]
    np.testing.assert_array_equal(tighten(gate, 0.5), expected)
    np.testing.assert_array_equal(monopolized_filters(gate, 0.5).sum(axis=1), [1, 0, 0])


@given(gate_matrices, st.floats(0.01, 1))
def test_tightening_against_loops(gate, threshold):
    np.testing.assert_array_equal(tighten(gate, threshold), naive_tighten(gate, threshold))


@given(gate_matrices, st.floats(0.01, 1))
def test_a_tightened_gate_is_binary_and_stays(gate, threshold):
    tightened = tighten(gate, threshold)
    assert set(np.unique(tightened)) <= {0.0, 1.0}
    assert set(tightened.sum(axis=0)) <= {1.0, float(len(gate))}
    np.testing.assert_array_equal(tighten(tightened, threshold), tightened)


def test_measure(features, gates):
    values = measure(features, gates, threshold=0.5)
    # Columns of the trained gate: 0, 1, 2 belong to one class each; 3 and 4 to several.
    assert values["source"] == "trained"
    assert values["monopolized"] == [1, 1, 1]
    assert values["monopolized_total"] == 3
    assert values["shared"] == 2
    assert values["tightened_density"] == pytest.approx((3 * 1 + 2 * 3) / 15)
    tightened = naive_tighten(gates.trained, 0.5)
    right = 0
    for pooled, label in zip(features.test_pooled, features.test_labels, strict=True):
        logits = features.weight @ (pooled * tightened[label]) + features.bias
        right += int(np.argmax(logits) == label)
    assert values["tightened_gate_accuracy"] == pytest.approx(right / len(features.test_labels))


def test_without_a_trained_gate_the_fitted_one_counts(features, gates):
    values = measure(features, Gates(gates.fitted, None), threshold=0.5)
    assert values["source"] == "fitted"
    assert values["shared"] == 5


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_threshold_out_of_range(features, gates, threshold):
    with pytest.raises(ClearfiltersError, match="threshold"):
        measure(features, gates, threshold=threshold)
