import math

import numpy as np
import pytest
import scipy.special
from sklearn.metrics import confusion_matrix as reference_confusion
from sklearn.metrics import log_loss

from clearfilters.analysis.gate_path import (
    accuracy,
    confusion_matrix,
    cross_entropy,
    gated_logits,
    head_logits,
    l1_density,
)


def test_gated_logits_by_hand():
    pooled = np.array([[1.0, 2.0], [3.0, 4.0]])
    gate = np.array([[1.0, 0.5], [0.0, 1.0]])
    weight = np.array([[1.0, 10.0], [2.0, -1.0]])
    bias = np.array([0.5, 0.0])
    # Image 0 passes row 0: (1, 1); image 1 passes row 1: (0, 4).
    expected = [[11.5, 1.0], [40.5, -4.0]]
    np.testing.assert_allclose(gated_logits(pooled, np.array([0, 1]), gate, weight, bias), expected)


def test_gating_the_features_equals_gating_the_maps():
    generator = np.random.default_rng(0)
    maps = generator.random((6, 4, 5, 5))
    gate = generator.random((3, 4))
    labels = np.array([0, 1, 2, 0, 1, 2])
    weight, bias = generator.normal(size=(3, 4)), generator.normal(size=3)
    gated_maps = maps * gate[labels][:, :, None, None]
    np.testing.assert_allclose(
        gated_logits(maps.mean(axis=(2, 3)), labels, gate, weight, bias),
        head_logits(gated_maps.mean(axis=(2, 3)), weight, bias),
    )


def test_cross_entropy_against_scikit_learn():
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(50, 4))
    labels = generator.integers(0, 4, 50)
    expected = log_loss(labels, scipy.special.softmax(logits, axis=1), labels=range(4))
    assert cross_entropy(logits, labels) == pytest.approx(expected)
    assert cross_entropy(logits.astype(np.float32), labels) == pytest.approx(expected, rel=1e-5)


def test_cross_entropy_by_hand_and_for_large_logits():
    assert cross_entropy(np.array([[0.0, 0.0]]), np.array([1])) == pytest.approx(math.log(2))
    large = np.array([[1e4, 0.0]], dtype=np.float32)
    assert cross_entropy(large, np.array([0])) == 0.0
    assert cross_entropy(large, np.array([1])) == pytest.approx(1e4)


def test_accuracy_and_confusion():
    logits = np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    labels = np.array([0, 1, 1])
    assert accuracy(logits, labels) == pytest.approx(2 / 3)
    np.testing.assert_array_equal(confusion_matrix(logits, labels), [[1, 0], [1, 1]])


def test_confusion_against_scikit_learn_with_a_class_without_samples():
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(30, 4))
    labels = generator.integers(0, 3, 30)
    np.testing.assert_array_equal(
        confusion_matrix(logits, labels),
        reference_confusion(labels, logits.argmax(axis=1), labels=range(4)),
    )


def test_density_by_hand():
    assert l1_density(np.array([[1.0, 0.0], [0.5, 1.0]])) == 0.625
    assert l1_density(np.eye(10, dtype=np.float32)) == pytest.approx(0.1)
    assert l1_density(np.ones((3, 7))) == 1.0
