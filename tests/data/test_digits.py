"""The embedded digits, against scikit-learn's originals."""

import numpy as np
from sklearn.datasets import load_digits

from clearfilters.data.digits import CLASSES, read_digits


def test_each_digit_is_enlarged_and_stands_in_one_split() -> None:
    splits = read_digits(test_fraction=0.2, split_seed=0, enlargement=4)
    images = np.concatenate([splits["train"].images, splits["test"].images])
    labels = np.concatenate([splits["train"].labels, splits["test"].labels])
    assert images.shape == (1797, 32, 32, 3) and images.dtype == np.uint8
    # One pixel of each 4x4 block says it all.
    assert (images == images[:, ::4, ::4, :1].repeat(4, 1).repeat(4, 2)).all()
    original = load_digits()
    small = np.round(images[:, 1::4, 2::4, 0].reshape(1797, 64) * (16 / 255)).astype(int)
    found = sorted((*row, label) for row, label in zip(small.tolist(), labels, strict=True))
    expected = sorted(
        (*row, label)
        for row, label in zip(original.data.astype(int).tolist(), original.target, strict=True)
    )
    assert found == expected
    assert images.max() == 255 and images.min() == 0


def test_the_split_is_stratified_and_follows_its_seed() -> None:
    first = read_digits(test_fraction=0.25, split_seed=3, enlargement=4)
    again = read_digits(test_fraction=0.25, split_seed=3, enlargement=4)
    other = read_digits(test_fraction=0.25, split_seed=4, enlargement=4)
    np.testing.assert_array_equal(first["test"].images, again["test"].images)
    assert not np.array_equal(first["test"].images, other["test"].images)
    for label in range(len(CLASSES)):
        held_out = (first["test"].labels == label).sum()
        total = held_out + (first["train"].labels == label).sum()
        assert abs(held_out - 0.25 * total) <= 1
