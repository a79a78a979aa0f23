from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clearfilters.analysis.clustering import best_match, cluster_centers, mean_matched, measure
from clearfilters.analysis.features import Gates
from clearfilters.errors import ClearfiltersError

SETTINGS = {"seed": 0, "n_init": 3, "permutations": 50}


def test_centers_of_separate_clumps():
    points = np.array([[0.0, 0.0], [0.0, 0.2], [5.0, 5.0], [5.2, 5.0]])
    centers = cluster_centers(points, 2, seed=0, starts=2)
    np.testing.assert_allclose(sorted(centers.tolist()), [[0, 0.1], [5.1, 5]])


@given(arrays(np.float64, (4, 4), elements=st.floats(0, 1)))
def test_best_match_against_all_permutations(similarity):
    best = max(
        np.mean([similarity[order[c], c] for c in range(4)]) for order in permutations(range(4))
    )
    order = best_match(similarity)
    assert sorted(order) == [0, 1, 2, 3]
    assert mean_matched(similarity, order) == pytest.approx(best)


def test_features_made_of_gate_rows_match_fully(features):
    gate = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]], dtype=np.float32)
    model = replace(features, test_pooled=gate[features.test_labels] * np.float32(2.0))
    values = measure(model, Gates(gate, None), **SETTINGS)
    assert values["match"] == pytest.approx(1.0)
    # Rows are orthogonal: a permutation's match is its share of fixed points, 1/3 on average.
    assert 0.1 < values["match_random"] < 0.6
    np.testing.assert_allclose(np.array(values["centers"])[values["order"]], 2 * gate, atol=1e-4)
    assert values["source"] == "fitted"


def test_same_seed_same_values(features, gates):
    first, second = (measure(features, gates, **SETTINGS) for _ in range(2))
    assert first == second
    assert first["match"] >= first["match_random"]


@pytest.mark.parametrize("key", ["n_init", "permutations"])
def test_parameters_out_of_range(features, gates, key):
    with pytest.raises(ClearfiltersError, match=key):
        measure(features, gates, **{**SETTINGS, key: 0})
