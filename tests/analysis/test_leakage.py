from dataclasses import replace

import numpy as np
import pytest

from clearfilters.analysis.features import Gates
from clearfilters.analysis.leakage import measure, other_image_shares, random_gate_like


def naive_shares(pooled, labels, gate, weight, bias):
    shares = []
    for c in range(len(gate)):
        chosen = [i for i in range(len(pooled)) if labels is None or labels[i] != c]
        hits = sum(np.argmax(weight @ (pooled[i] * gate[c]) + bias) == c for i in chosen)
        shares.append(hits / len(chosen))
    return shares


def test_against_loops(features, gates):
    values = measure(features, gates, random_gate_seed=3)
    head = (features.weight, features.bias)
    other = naive_shares(features.test_pooled, features.test_labels, gates.trained, *head)
    noise = naive_shares(features.noise_pooled, None, gates.trained, *head)
    shuffled = random_gate_like(gates.trained, 3)
    other_random = naive_shares(features.test_pooled, features.test_labels, shuffled, *head)
    noise_random = naive_shares(features.noise_pooled, None, shuffled, *head)
    assert values["per_class_other"] == pytest.approx(other)
    assert values["per_class_noise"] == pytest.approx(noise)
    assert values["other_images"] == pytest.approx(np.mean(other))
    assert values["noise_images"] == pytest.approx(np.mean(noise))
    assert values["other_images_random_gate"] == pytest.approx(np.mean(other_random))
    assert values["noise_images_random_gate"] == pytest.approx(np.mean(noise_random))
    error = np.mean(features.test_logits.argmax(axis=1) != features.test_labels)
    assert values["other_images_blind"] == pytest.approx(error / 2)
    assert values["noise_images_blind"] == pytest.approx(1 / 3)
    assert values["source"] == "trained"


def test_a_head_that_reads_only_the_gate_leaks_everything(features):
    one_hot = np.eye(3, 5, dtype=np.float32)
    one_hot[0, 3:] = 1
    model = replace(
        features,
        weight=np.eye(3, 5, dtype=np.float32),
        bias=np.zeros(3, dtype=np.float32),
        test_pooled=np.ones_like(features.test_pooled),
        noise_pooled=np.ones_like(features.noise_pooled),
    )
    values = measure(model, Gates(one_hot, None), random_gate_seed=0)
    assert values["other_images"] == 1.0
    assert values["noise_images"] == 1.0


def test_an_open_gate_leaks_as_little_as_the_model_errs(features, gates):
    values = measure(features, Gates(gates.fitted, None), random_gate_seed=0)
    predicted = features.test_logits.argmax(axis=1)
    expected = [np.mean(predicted[features.test_labels != c] == c) for c in range(3)]
    assert values["per_class_other"] == pytest.approx(expected)
    # An all-open gate is the same dealt anew.
    assert values["other_images_random_gate"] == values["other_images"]
    # With equally many images per class the blind reference is exact on average.
    assert values["other_images"] == pytest.approx(values["other_images_blind"])


def test_a_random_gate_keeps_each_columns_entries(gates):
    shuffled = random_gate_like(gates.trained, 1)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(gates.trained, axis=0))
    np.testing.assert_array_equal(shuffled, random_gate_like(gates.trained, 1))
    assert not np.array_equal(shuffled, random_gate_like(gates.trained, 2))


def test_no_image_of_another_class(features, gates):
    labels = np.zeros(len(features.test_labels), dtype=np.int64)
    shares = other_image_shares(
        features.test_pooled, labels, gates.trained, features.weight, features.bias
    )
    assert np.isnan(shares[0]) and not np.isnan(shares[1:]).any()
