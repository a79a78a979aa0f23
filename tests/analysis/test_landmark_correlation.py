"""R² by hand, against SciPy filter by filter, and for followers, still units and chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from clearfilters.analysis.landmark_correlation import landmark_r2, shuffled_r2
from clearfilters.analysis.location_instability import (
    Peaks,
    central_peaks,
    landmark_peaks,
    random_peaks,
)


def found_for(peaks, places, strongest=100, minimum=2):
    return landmark_peaks(peaks, places, strongest=strongest, minimum=minimum)


def random_case(seed, images=60, filters=7):
    generator = np.random.default_rng(seed)
    peaks = random_peaks(images, filters, 7, seed)
    peaks.positions[generator.random((images, filters)) < 0.2] = np.nan
    peaks.positions[:, 0] = np.nan
    peaks.positions[~np.isnan(peaks.positions[:, 1, 0]), 1, 0] = 3
    places = generator.uniform(0, 112, (images, 2))
    places[generator.random(images) < 0.2] = np.nan
    return peaks, places


def naive(peaks, places, strongest):
    results = []
    for f in range(peaks.scores.shape[1]):
        both = ~np.isnan(places[:, 0]) & ~np.isnan(peaks.positions[:, f, 0])
        valid = np.flatnonzero(both)
        best = valid[np.argsort(-peaks.scores[valid, f], kind="stable")[:strongest]]
        if len(best) < 2:
            results.append(np.nan)
            continue
        by_axis = []
        for axis in (0, 1):
            moves = peaks.positions[best, f, axis]
            still = moves.min() == moves.max()
            by_axis.append(0 if still else pearsonr(moves, places[best, axis]).statistic ** 2)
        results.append(np.mean(by_axis))
    return results


def test_r2_by_hand():
    # Rows: 0, 1, 2 against 0, 10, 50: covariance sum 50, squares 2 and 1400. Columns stay.
    positions = np.array([[[0, 4]], [[1, 4]], [[2, 4]]])
    places = np.array([[0.0, 3.0], [10.0, 7.0], [50.0, 1.0]])
    found = found_for(Peaks(positions.astype(np.float32), np.ones((3, 1))), places)
    assert landmark_r2(found)[0] == pytest.approx(50**2 / (2 * 1400) / 2)
    # The two first, of equal scores: all of the row's variation, none of the column's.
    two = found_for(Peaks(positions.astype(np.float32), np.ones((3, 1))), places, strongest=2)
    assert landmark_r2(two)[0] == pytest.approx(0.5)


@given(st.integers(0, 1000), st.integers(2, 70))
def test_r2_against_scipy(seed, strongest):
    peaks, places = random_case(seed)
    found = found_for(peaks, places, strongest)
    np.testing.assert_allclose(landmark_r2(found), naive(peaks, places, strongest), atol=1e-7)


def test_shuffles_are_r2_of_permuted_landmarks():
    peaks, places = random_case(3)
    visible = ~np.isnan(places[:, 0])
    floors = shuffled_r2(found_for(peaks, places, 20), shuffles=4, seed=5)
    generator = np.random.default_rng(5)
    for floor in floors:
        permuted = places.copy()
        permuted[visible] = generator.permutation(places[visible])
        np.testing.assert_allclose(floor, naive(peaks, permuted, 20), atol=1e-7)


def test_a_follower_has_one_and_a_mirrored_one_too():
    places = np.random.default_rng(0).uniform(0, 224, (50, 2))
    positions = np.stack([places / 16 - 0.5, 14 - places / 16], axis=1)
    found = found_for(Peaks(positions, np.ones((50, 2))), places)
    np.testing.assert_allclose(landmark_r2(found), 1, atol=1e-12)
    assert shuffled_r2(found, shuffles=20, seed=0).mean() < 0.05


def test_a_still_unit_or_a_still_landmark_has_none():
    places = np.random.default_rng(0).uniform(0, 224, (50, 2))
    still = found_for(central_peaks(50, 3, 14, seed=0), places, 20)
    np.testing.assert_array_equal(landmark_r2(still), 0)
    # A third of a pixel is not exact in binary, and only 20 of the images have the same place.
    places[:20] = 100 / 3
    peaks = random_peaks(50, 3, 14, seed=0)
    peaks.scores[:20] += 1
    np.testing.assert_array_equal(landmark_r2(found_for(peaks, places, 20)), 0)


def test_chance_is_at_its_floor():
    # The squared correlation of n independent pairs is 1 / (n - 1) on average.
    places = np.random.default_rng(1).uniform(0, 224, (300, 2))
    found = found_for(random_peaks(300, 400, 14, seed=0), places, 100)
    assert landmark_r2(found).mean() == pytest.approx(1 / 99, rel=0.15)
    floors = shuffled_r2(found, shuffles=10, seed=0)
    assert floors.shape == (10, 400)
    assert floors.mean() == pytest.approx(1 / 99, rel=0.15)
