"""What a forest is trained and tested on: draws of images, and rows of made-up samples."""

from pathlib import Path

import numpy as np
from detection_samples import TEST_POOL, C, slice_of, write_samples
from hypothesis import given
from hypothesis import strategies as st

from clearfilters.attacks.adversarial_samples import load_attack, read_features
from clearfilters.attacks.random_forest import detector_rows, draw_images, held_out_rows


def test_twins_never_lie_on_both_sides(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    path = write_samples(tmp_path, slice_, "pgd", fails=lambda i: i % 5 == 0)
    samples = load_attack(path, "pgd", slice_)
    features = read_features(samples, "layers")  # the random rows name their image
    pool = samples.training_images()
    drawn = pool[draw_images(samples.label[pool], 8, 0, 0)]
    trained = {row.tobytes() for row in detector_rows(samples, features, drawn).features}
    tested = {row.tobytes() for row in held_out_rows(samples, features).features}
    # Features are not changed here: each image and its twin are one row.
    assert len(trained) == C * 8 and len(tested) == C * TEST_POOL
    assert not trained & tested


def test_draws() -> None:
    labels = np.tile(np.arange(C), 20)
    drawn = draw_images(labels, 5, seed=3, repetition=0)
    assert np.bincount(labels[drawn]).tolist() == [5] * C
    assert len(set(drawn)) == len(drawn)
    # A smaller draw lies within a larger one; another repetition is another draw.
    assert set(drawn) < set(draw_images(labels, 9, seed=3, repetition=0))
    assert set(drawn) != set(draw_images(labels, 5, seed=3, repetition=1))
    np.testing.assert_array_equal(drawn, draw_images(labels, 5, seed=3, repetition=0))


def test_draws_of_a_smaller_pool_stand_in_the_same_order() -> None:
    labels = np.tile(np.arange(C), 20)
    whole = draw_images(labels, 20, seed=3, repetition=1)
    for pool in (1, 7, 12):
        smaller = labels[: pool * C]
        kept = whole[whole < len(smaller)]
        np.testing.assert_array_equal(draw_images(smaller, pool, seed=3, repetition=1), kept)


@given(st.integers(0, 3), st.integers(0, 3))
def test_classes_and_repetitions_are_drawn_apart(seed: int, repetition: int) -> None:
    """Also at seed 0: numpy pads seeds with zeros."""
    labels = np.repeat([0, 1], 30)
    first, second = draw_images(labels, 30, seed, repetition).reshape(2, 30)
    assert not np.array_equal(first, second - 30)
    other = draw_images(labels, 30, seed, repetition + 1)
    assert not np.array_equal(first, other[:30]) and not np.array_equal(second, other[30:])
