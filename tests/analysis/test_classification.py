import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

from clearfilters.analysis.classification import measure


def test_std_path_against_scikit_learn(features):
    values = measure(features)
    predicted = features.test_logits.argmax(axis=1)
    assert values["accuracy"] == pytest.approx(accuracy_score(features.test_labels, predicted))
    assert values["train_accuracy"] == pytest.approx(
        accuracy_score(features.train_labels, features.train_logits.argmax(axis=1))
    )
    assert values["cross_entropy"] == pytest.approx(
        log_loss(features.test_labels, softmax(features.test_logits.astype(float), axis=1)),
        rel=1e-5,
    )
    assert np.sum(values["confusion"]) == len(features.test_labels)
    assert np.trace(values["confusion"]) / len(features.test_labels) == values["accuracy"]
    assert values["gate_accuracy"] is None and values["gate_cross_entropy"] is None
    assert values["classes"] == ["ant", "bee", "cow"]


def test_gate_path_against_loops(gated_features):
    f = gated_features
    logits = np.array(
        [
            f.weight @ (pooled * f.trained_gate[label]) + f.bias
            for pooled, label in zip(f.test_pooled, f.test_labels, strict=True)
        ]
    )
    values = measure(f)
    assert values["gate_accuracy"] == pytest.approx(
        accuracy_score(f.test_labels, logits.argmax(axis=1))
    )
    assert values["gate_cross_entropy"] == pytest.approx(
        log_loss(f.test_labels, softmax(logits.astype(float), axis=1)), rel=1e-5
    )
