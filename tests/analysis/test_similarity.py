from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine

from clearfilters.analysis.class_means import class_means
from clearfilters.analysis.similarity import (
    cosines,
    diagonal_dominance,
    inner_products,
    measure,
)


def test_class_means_by_hand():
    means = class_means(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([2, 0, 2]), 3)
    np.testing.assert_array_equal(means, [[3, 4], [np.nan, np.nan], [3, 4]])


def test_both_similarities_by_hand():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, np.nan]])
    gate = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(inner_products(vectors, gate)[:2], [[3, 7, 4], [0, 0, 0]])
    np.testing.assert_allclose(
        cosines(vectors, gate)[:2], [[0.6, 7 / (5 * np.sqrt(2)), 0.8], [0, 0, 0]]
    )
    assert np.isnan(inner_products(vectors, gate)[2]).all()
    assert np.isnan(cosines(vectors, gate)[2]).all()


def test_measure_against_loops(features, gates):
    values = measure(features, gates)
    predicted = features.test_logits.argmax(axis=1)
    assert values["source"] == "trained"
    for key, right in (("true_positive", True), ("false_negative", False)):
        for y in range(3):
            images = [
                features.test_pooled[i]
                for i in range(len(predicted))
                if features.test_labels[i] == y and (predicted[i] == y) == right
            ]
            if not images:
                assert values["lsg"][key][y] is None and values["csg"][key][y] is None
                continue
            for c in range(3):
                products = [float(np.dot(a, gates.trained[c])) for a in images]
                assert values["lsg"][key][y][c] == pytest.approx(np.mean(products), abs=1e-4)
                direction = 1 - cosine(np.mean(images, axis=0), gates.trained[c])
                assert values["csg"][key][y][c] == pytest.approx(direction, abs=1e-4)


def test_a_model_without_errors_has_no_false_negatives(features, gates):
    perfect = replace(features, test_logits=np.eye(3, dtype=np.float32)[features.test_labels])
    values = measure(perfect, gates)
    for kind in ("lsg", "csg"):
        assert values[kind]["false_negative"] == [None, None, None]
        assert values[kind]["dominance_false_negative"] is None
        assert values[kind]["dominance_true_positive"] is not None


def test_dominance_by_hand():
    assert diagonal_dominance(np.eye(4)) == 1.0
    assert diagonal_dominance(np.ones((4, 4))) == 0.0
    assert diagonal_dominance(np.zeros((4, 4))) == 0.0
    assert diagonal_dominance(np.ones((3, 3)) - np.eye(3)) == -1.0
    # Rows: (2 - 1.5) / 2 and (4 - 1) / 4, the third undefined.
    matrix = np.array([[2.0, 1.0, 2.0], [0.0, 4.0, 2.0], [np.nan] * 3])
    assert diagonal_dominance(matrix) == pytest.approx((0.25 + 0.75) / 2)
    assert diagonal_dominance(np.full((2, 2), np.nan)) is None


@given(
    arrays(np.float64, (3, 3), elements=st.floats(0.01, 100)),
    st.floats(0.01, 100),
    st.permutations(range(3)),
)
def test_dominance_ignores_scale_and_order_of_classes(similarity, scale, order):
    dominance = diagonal_dominance(similarity)
    assert -1 <= dominance <= 1
    assert diagonal_dominance(scale * similarity) == pytest.approx(dominance)
    assert diagonal_dominance(similarity[np.ix_(order, order)]) == pytest.approx(dominance)
