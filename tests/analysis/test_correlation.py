import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from clearfilters.analysis.correlation import (
    distinct_inter_class_correlation,
    dominant_filters,
    filter_correlation,
    inter_class_correlation,
    measure,
    share_above,
)
from clearfilters.errors import ClearfiltersError


def naive_cic(correlation, groups, distinct):
    terms = []
    for c, group in enumerate(groups):
        for other, other_group in enumerate(groups):
            if c == other:
                continue
            for k in group:
                for other_k in other_group:
                    if not (distinct and k == other_k):
                        terms.append(correlation[k, other_k])
    return np.mean(terms) if terms else None


def random_case(seed, filters=8, classes=4, count=3):
    generator = np.random.default_rng(seed)
    correlation = filter_correlation(generator.normal(size=(filters, 2, 3, 3)))
    groups = np.stack([generator.permutation(filters)[:count] for _ in range(classes)])
    return correlation, groups


def test_correlation_by_hand():
    weights = np.zeros((4, 1, 1, 2))
    weights[:, 0, 0] = [[3, 4], [-6, -8], [4, -3], [0, 0]]
    expected = [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(filter_correlation(weights), expected, atol=1e-15)


def test_correlation_against_scipy():
    weights = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    correlation = filter_correlation(weights)
    for i in range(5):
        for j in range(5):
            expected = 1 - cosine(weights[i].ravel(), weights[j].ravel())
            assert correlation[i, j] == pytest.approx(expected, abs=1e-6)
    assert (np.diag(correlation) == 1).all()


def test_threshold_curve_by_hand_counts_the_diagonal_and_is_strict():
    correlation = np.array([[1.0, 0.3], [0.3, 1.0]])
    np.testing.assert_array_equal(
        share_above(correlation, np.array([0.0, 0.29, 0.3, 0.99, 1.0])), [1, 1, 0.5, 0.5, 0]
    )


@given(st.integers(0, 1000))
def test_threshold_curve_against_loops_and_falling(seed):
    correlation, _ = random_case(seed)
    grid = np.linspace(0, 1, 11)
    shares = share_above(correlation, grid)
    expected = [sum(e > s for e in correlation.ravel()) / correlation.size for s in grid]
    np.testing.assert_allclose(shares, expected)
    assert (np.diff(shares) <= 0).all()


def test_dominant_filters():
    means = np.array([[0.1, 0.9, 0.5], [0.7, 0.7, 0.2]])
    np.testing.assert_array_equal(dominant_filters(means, 2), [[1, 2], [0, 1]])


def test_cic_by_hand():
    correlation = np.array([[1.0, 0.5, -0.2], [0.5, 1.0, 0.1], [-0.2, 0.1, 1.0]])
    # Groups {0} and {0}: only the self pair. {0} and {2}: -0.2 both ways.
    assert inter_class_correlation(correlation, np.array([[0], [0]])) == 1.0
    assert distinct_inter_class_correlation(correlation, np.array([[0], [0]])) is None
    assert inter_class_correlation(correlation, np.array([[0], [2]])) == pytest.approx(-0.2)
    # {0, 1} and {1, 2}: C01 + C02 + C11 + C12 = 0.5 - 0.2 + 1 + 0.1 over 4 pairs.
    groups = np.array([[0, 1], [1, 2]])
    assert inter_class_correlation(correlation, groups) == pytest.approx(0.35)
    assert distinct_inter_class_correlation(correlation, groups) == pytest.approx(0.4 / 3)


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(2, 5))
def test_cic_against_loops(seed, count, classes):
    correlation, groups = random_case(seed, classes=classes, count=count)
    assert inter_class_correlation(correlation, groups) == pytest.approx(
        naive_cic(correlation, groups, False)
    )
    assert distinct_inter_class_correlation(correlation, groups) == pytest.approx(
        naive_cic(correlation, groups, True)
    )


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_cic_does_not_depend_on_the_order_of_filters_or_classes(seed, order_seed):
    correlation, groups = random_case(seed)
    generator = np.random.default_rng(order_seed)
    order = generator.permutation(len(correlation))
    position = np.argsort(order)
    permuted = correlation[np.ix_(order, order)]
    permuted_groups = generator.permutation(position[groups], axis=0)
    for function in (inter_class_correlation, distinct_inter_class_correlation):
        assert function(permuted, permuted_groups) == pytest.approx(function(correlation, groups))


def test_measure(features):
    values = measure(features, filters_per_class=2, thresholds=3)
    correlation = filter_correlation(features.last_conv)
    means = [features.test_pooled[features.test_labels == c].mean(axis=0) for c in range(3)]
    groups = [list(np.argsort(-mean)[:2]) for mean in means]
    assert values["groups"] == groups
    assert values["m"] == 2
    assert values["thresholds"] == [0.0, 0.5, 1.0]
    assert values["cic"] == pytest.approx(naive_cic(correlation, groups, False))
    assert values["cic_absolute"] == pytest.approx(naive_cic(abs(correlation), groups, False))
    assert values["cic_distinct"] == pytest.approx(naive_cic(correlation, groups, True))
    assert values["cic_absolute_distinct"] == pytest.approx(
        naive_cic(abs(correlation), groups, True)
    )
    assert values["share_above_absolute"][0] == 1.0
    np.testing.assert_allclose(values["matrix"], correlation, atol=5.1e-4)


def test_parameters_out_of_range(features):
    with pytest.raises(ClearfiltersError, match="filters_per_class"):
        measure(features, filters_per_class=6, thresholds=3)
    with pytest.raises(ClearfiltersError, match="thresholds"):
        measure(features, filters_per_class=2, thresholds=1)
