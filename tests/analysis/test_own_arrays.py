"""What the measurements read, made from arrays of one's own."""

import numpy as np
import pytest

from clearfilters.analysis.own_arrays import features_of, peaks_of
from clearfilters.errors import ClearfiltersError

WEIGHT, BIAS = np.eye(2, 3), np.array([0.0, 1.0])
SPLIT = (np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([0, 1]))


def test_features_of_a_network_have_its_logits() -> None:
    features = features_of(SPLIT, SPLIT, WEIGHT, BIAS)
    assert features.test_logits.tolist() == [[1.0, 3.0], [4.0, 6.0]]
    assert features.train_pooled.dtype == np.float32
    assert features.classes == ("0", "1")


@pytest.mark.parametrize(
    ("split", "bias", "message"),
    [
        (SPLIT, np.zeros(3), r"\(C, K\) and \(C,\) expected"),
        ((SPLIT[0][:, :2], SPLIT[1]), BIAS, r"train has features \(2, 2\)"),
        ((SPLIT[0], np.array([0])), BIAS, "and 1 labels"),
        ((SPLIT[0], np.array([0, 2])), BIAS, "labels from 0 to 2, but the head has 2 classes"),
    ],
)
def test_what_does_not_fit_together_is_named(
    split: tuple[np.ndarray, np.ndarray], bias: np.ndarray, message: str
) -> None:
    with pytest.raises(ClearfiltersError, match=message):
        features_of(split, SPLIT, WEIGHT, bias)


def test_peaks_are_row_and_column_of_the_first_maximum() -> None:
    maps = np.zeros((1, 3, 2, 2))
    maps[0, 0, 1, 0] = 2.0
    maps[0, 1] = [[0.0, 1.0], [1.0, 1.0]]
    peaks = peaks_of(maps)
    assert peaks.positions[0, :2].tolist() == [[1, 0], [0, 1]]
    assert np.isnan(peaks.positions[0, 2]).all()
    assert peaks.scores.tolist() == [[2.0, 1.0, 0.0]]


def test_maps_that_are_not_square_are_refused() -> None:
    with pytest.raises(ClearfiltersError, match=r"\(N, D, n, n\) expected"):
        peaks_of(np.zeros((1, 1, 2, 3)))
