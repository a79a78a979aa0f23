"""A small model's features, made of known random numbers."""

from dataclasses import replace

import numpy as np
import pytest

from clearfilters.analysis.features import FeatureSet, Gates


def _features(trained_gate):
    generator = np.random.default_rng(7)
    classes, filters, train, test, noise = 3, 5, 60, 45, 20

    def split(count):
        labels = np.arange(count) % classes
        pooled = generator.random((count, filters))
        pooled[np.arange(count), labels] += 1.0
        return pooled.astype(np.float32), labels

    weight = generator.normal(size=(classes, filters)).astype(np.float32)
    weight[:, :classes] += 2 * np.eye(classes, dtype=np.float32)
    bias = generator.normal(size=classes).astype(np.float32)
    train_pooled, train_labels = split(train)
    test_pooled, test_labels = split(test)
    return FeatureSet(
        train_pooled=train_pooled,
        train_logits=train_pooled @ weight.T + bias,
        train_labels=train_labels,
        test_pooled=test_pooled,
        test_logits=test_pooled @ weight.T + bias,
        test_labels=test_labels,
        noise_pooled=generator.random((noise, filters)).astype(np.float32),
        weight=weight,
        bias=bias,
        last_conv=generator.normal(size=(filters, 4, 3, 3)).astype(np.float32),
        trained_gate=trained_gate,
        classes=("ant", "bee", "cow"),
    )


GATE = np.array(
    [[1.0, 0.2, 0.0, 1.0, 0.4], [0.1, 1.0, 0.3, 1.0, 1.0], [0.0, 0.0, 1.0, 0.7, 0.5]],
    dtype=np.float32,
)


@pytest.fixture
def features():
    """A model trained without a gate: C = 3, K = 5."""
    return _features(None)


@pytest.fixture
def gated_features(features):
    """The same model with a trained gate."""
    return replace(features, trained_gate=GATE)


@pytest.fixture
def gates():
    """A fitted and a trained gate that differ."""
    return Gates(fitted=np.ones_like(GATE), trained=GATE)
