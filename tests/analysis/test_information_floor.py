from dataclasses import replace

import numpy as np
import pytest

from clearfilters.analysis import mutual_information
from clearfilters.analysis.information_floor import measure
from clearfilters.analysis.mutual_information import mutual_information_matrix

ESTIMATOR = {"n_neighbors": 3, "random_state": 0}


@pytest.fixture
def many_features(features):
    """400 images: two filters that know the class, one of noise, one dead."""
    generator = np.random.default_rng(1)
    labels = np.arange(400) % 4
    pooled = generator.random((400, 4))
    pooled[:, 0] += 3 * (labels == 0)
    pooled[:, 1] += 3 * (labels == 2)
    pooled[:, 3] = 0
    return replace(
        features,
        test_pooled=pooled.astype(np.float32),
        test_labels=labels,
        classes=("ant", "bee", "cow", "dog"),
    )


def test_the_floor_is_what_a_dead_filter_and_noise_are_estimated_at(many_features):
    floor = measure(many_features, shuffles=4, seed=0, **ESTIMATOR)["floor"]
    mis = mutual_information.measure(many_features, **ESTIMATOR)
    knowing, noise, dead = np.split(np.array(mis["best_information"]), [2, 3])
    assert floor > 0
    assert 0.3 * floor < noise < 3 * floor
    assert 0.3 * floor < dead < 3 * floor
    assert (knowing > 10 * floor).all()


def test_features_without_any_relation_to_the_labels_reach_the_floor_only(many_features):
    generator = np.random.default_rng(2)
    blind = replace(many_features, test_pooled=generator.random((400, 40)).astype(np.float32))
    floor = measure(blind, shuffles=3, seed=0, **ESTIMATOR)["floor"]
    assert mutual_information.measure(blind, **ESTIMATOR)["mis"] == pytest.approx(floor, rel=0.3)


def test_each_permutation_keeps_the_features_and_the_class_sizes(many_features):
    uneven = replace(many_features, test_labels=np.minimum(np.arange(400) // 10, 3))
    values = measure(uneven, shuffles=2, seed=5, **ESTIMATOR)
    assert values["floor"] == pytest.approx(np.mean(values["shuffled"]))
    generator = np.random.default_rng(5)
    for found in values["shuffled"]:
        labels = uneven.test_labels[generator.permutation(400)]
        information = mutual_information_matrix(uneven.test_pooled, labels, 4, neighbors=3, seed=0)
        assert found == pytest.approx(information.max(axis=1).mean())


def test_the_seed_decides(many_features):
    first, again, other = (
        measure(many_features, shuffles=1, seed=s, **ESTIMATOR) for s in (0, 0, 1)
    )
    assert first == again != other
