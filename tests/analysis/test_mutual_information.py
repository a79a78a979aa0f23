import numpy as np
import pytest
from scipy.special import digamma

from clearfilters.analysis.mutual_information import measure, mutual_information_matrix


def naive_information(values, event, neighbors=3):
    """The estimator of Ross 2014 (PLoS ONE 9(2), equation 2 and its text), by loops."""
    terms = []
    for i, value in enumerate(values):
        same = [abs(value - v) for j, v in enumerate(values) if event[j] == event[i] and j != i]
        k = min(neighbors, len(same))
        radius = sorted(same)[k - 1]
        within = sum(abs(value - v) < radius for v in values)
        terms.append(digamma(k) - digamma(len(same) + 1) - digamma(within))
    return max(0.0, digamma(len(values)) + np.mean(terms))


def test_against_loops():
    generator = np.random.default_rng(3)
    labels = np.arange(48) % 3
    pooled = generator.normal(size=(48, 4))
    pooled[:, 0] += 3 * (labels == 1)
    pooled[:, 2] += labels
    information = mutual_information_matrix(pooled, labels, 3, neighbors=3, seed=0)
    for k in range(4):
        for c in range(3):
            expected = naive_information(pooled[:, k], labels == c)
            assert information[k, c] == pytest.approx(expected, abs=1e-6)


def test_a_filter_that_separates_one_class_knows_its_entropy():
    generator = np.random.default_rng(4)
    labels = np.arange(600) % 3
    pooled = generator.random((600, 2))
    pooled[:, 1] += 5 * (labels == 2)
    information = mutual_information_matrix(pooled, labels, 3, neighbors=3, seed=0)
    entropy = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    assert information[1].argmax() == 2
    assert information[1, 2] == pytest.approx(entropy, abs=0.02)
    assert information[0].max() < 0.05


def test_measure_takes_the_mean_of_the_maxima(features):
    values = measure(features, n_neighbors=3, random_state=0)
    information = mutual_information_matrix(
        features.test_pooled, features.test_labels, 3, neighbors=3, seed=0
    )
    assert values["mis"] == pytest.approx(np.mean([max(row) for row in information]))
    assert values["best_class"] == [int(np.argmax(row)) for row in information]
    assert values["best_class"][:3] == [0, 1, 2]
    assert values["best_information"] == [max(row) for row in information]
