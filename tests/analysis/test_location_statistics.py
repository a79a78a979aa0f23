"""The values of the location measurement: by hand, against loops, and where nothing is defined."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearfilters.analysis.defined import best_row, largest_of_defined, mean_of_defined
from clearfilters.analysis.json_values import values_or_null
from clearfilters.analysis.landmark_correlation import landmark_r2, shuffled_r2
from clearfilters.analysis.location_instability import (
    Peaks,
    central_peaks,
    fixed_peaks,
    landmark_peaks,
    location_instability,
    random_peaks,
)
from clearfilters.analysis.location_statistics import (
    filter_distance,
    location_statistics,
    oracle_statistics,
    position_spread,
)
from clearfilters.analysis.map_geometry import MapGeometry

GEOMETRY = MapGeometry(side=14, stride=16, start=8, image_size=224)
CHOICE = {"strongest": 20, "minimum_images": 2}
SHUFFLES = {"shuffles": 5, "seed": 0}


def random_positions(seed, images=12, filters=6, side=5):
    generator = np.random.default_rng(seed)
    positions = random_peaks(images, filters, side, seed).positions
    positions[generator.random((images, filters)) < 0.3] = np.nan
    return positions


def landmarks(seed=0, images=40):
    generator = np.random.default_rng(seed)
    head, leg = generator.uniform(0, 224, (2, images, 2))
    head[:5], leg[-10:] = np.nan, np.nan
    return {"head": head, "front legs": leg}


def test_summaries_of_what_is_defined():
    values = np.array([[1.0, np.nan, np.nan], [3.0, -2.0, np.nan]])
    np.testing.assert_array_equal(mean_of_defined(values, axis=0), [2, -2, np.nan])
    np.testing.assert_array_equal(largest_of_defined(values, axis=0), [3, -2, np.nan])
    np.testing.assert_array_equal(largest_of_defined(values, axis=1), [1, 3])
    np.testing.assert_array_equal(best_row(values), [1, -1, -1])
    np.testing.assert_array_equal(best_row(np.array([[0.0, 2.0], [0.0, 2.0]])), [-1, 0])
    assert values_or_null(np.array([1 / 3, np.nan]), 2) == [0.33, None]


def test_spread_and_distance_by_hand():
    # Two images, two filters: (0, 0) and (3, 4), then (0, 0) and (0, 0).
    positions = np.array([[[0, 0], [3, 4]], [[0, 0], [0, 0]]], dtype=np.float32)
    np.testing.assert_allclose(position_spread(positions), [0, np.sqrt(9 / 2 + 16 / 2)])
    assert filter_distance(positions, 5) == pytest.approx((5 + 0) / 2)
    positions[1, 1] = np.nan
    np.testing.assert_array_equal(position_spread(positions), [0, np.nan])
    assert filter_distance(positions, 5) == pytest.approx(5)
    assert filter_distance(positions[:, :1], 5) is None


@given(st.integers(0, 1000))
def test_spread_and_distance_against_loops(seed):
    positions = random_positions(seed)
    distances = [
        np.hypot(*(one - other))
        for image in positions
        for one, other in combinations(image[~np.isnan(image[:, 0])], 2)
    ]
    assert filter_distance(positions, 5) == pytest.approx(np.mean(distances))
    with np.errstate(invalid="ignore"):
        expected = [
            np.sqrt(np.nanvar(track[:, 0], ddof=1) + np.nanvar(track[:, 1], ddof=1))
            for track in positions.transpose(1, 0, 2).astype(np.float64)
        ]
    np.testing.assert_allclose(position_spread(positions), expected)


def test_the_distance_of_random_units_is_that_of_two_random_cells():
    cells = np.stack(np.divmod(np.arange(196), 14), axis=1)
    expected = np.hypot(*(cells[:, None] - cells).transpose(2, 0, 1)).mean()
    found = filter_distance(random_peaks(500, 64, 14, seed=0).positions, 14)
    assert found == pytest.approx(expected, rel=0.01)


def test_statistics_are_the_means_of_their_parts():
    places = landmarks()
    peaks = random_peaks(40, 5, 14, seed=0)
    peaks.positions[1:, 0] = np.nan
    values = location_statistics(peaks, places, GEOMETRY, **CHOICE, **SHUFFLES)
    found = {
        name: landmark_peaks(peaks, where, strongest=20, minimum=2)
        for name, where in places.items()
    }
    of = {name: location_instability(one, GEOMETRY) for name, one in found.items()}
    assert values["dead"] == 1 and np.isnan(of["head"][0])
    assert values["instability_of"]["head"] == pytest.approx(of["head"][1:].mean())
    per_filter = (of["head"] + of["front legs"])[1:] / 2
    assert values["instability"] == pytest.approx(per_filter.mean())
    assert values["instability_filters"][0] is None
    np.testing.assert_allclose(values["instability_filters"][1:], per_filter, atol=1e-6)
    r2 = {name: landmark_r2(one)[1:] for name, one in found.items()}
    floor = shuffled_r2(found["head"], shuffles=5, seed=0)[:, 1:]
    head = values["r2"]["head"]
    assert head["mean"] == pytest.approx(r2["head"].mean())
    assert head["best"] == pytest.approx(r2["head"].max())
    assert head["floor_mean"] == pytest.approx(floor.mean())
    assert head["floor_best"] == pytest.approx(floor.max(axis=1).mean())
    assert values["r2_filters"]["front legs"][0] is None
    follows_head = int((r2["head"] >= r2["front legs"]).sum())
    assert values["followed"] == {"head": follows_head, "front legs": 4 - follows_head}
    assert values["spread"] == pytest.approx(position_spread(peaks.positions)[1:].mean())
    assert values["difference"] == filter_distance(peaks.positions, 14)
    assert values == location_statistics(peaks, places, GEOMETRY, **CHOICE, **SHUFFLES)


def test_a_follower_of_the_head():
    places = landmarks()
    peaks = Peaks(np.floor(places["head"] / 16)[:, None], np.ones((40, 1)))
    values = location_statistics(peaks, places, GEOMETRY, **CHOICE, **SHUFFLES)
    assert values["instability_of"]["head"] < 0.02
    assert values["r2"]["head"]["mean"] > 0.98
    assert values["r2"]["head"]["floor_mean"] < 0.2
    assert values["followed"] == {"head": 1, "front legs": 0}


def test_a_unit_that_never_moves_follows_nothing():
    peaks = central_peaks(40, 3, 14, seed=0)
    values = location_statistics(peaks, landmarks(), GEOMETRY, **CHOICE, **SHUFFLES)
    assert values["instability"] > 0 and values["dead"] == 0
    assert values["spread"] == values["difference"] == 0
    assert values["r2"]["head"] == dict.fromkeys(("mean", "best", "floor_mean", "floor_best"), 0)
    assert values["followed"] == {"head": 0, "front legs": 0}


def test_the_oracle_is_placed_for_each_landmark():
    places = landmarks()
    values = oracle_statistics(places, GEOMETRY, 4, **CHOICE, seed=0)
    mean = np.nanmean(places["head"], axis=0)
    peaks = fixed_peaks(40, 4, (mean - 8) / 16, seed=0)
    found = landmark_peaks(peaks, places["head"], strongest=20, minimum=2)
    assert values["instability_of"]["head"] == pytest.approx(
        location_instability(found, GEOMETRY).mean()
    )
    trained = location_statistics(peaks, places, GEOMETRY, **CHOICE, **SHUFFLES)
    assert values.keys() == trained.keys()
    assert values["followed"] == {"head": 0, "front legs": 0}
    assert values["r2"]["head"] == trained["r2"]["head"]


def test_what_is_undefined_is_null_and_no_nan():
    places = {**landmarks(), "tail": np.full((40, 2), np.nan)}
    places["tail"][:4] = 100
    dead = Peaks(np.full((40, 2, 2), np.nan, np.float32), np.zeros((40, 2), np.float32))
    choice = {"strongest": 20, "minimum_images": 5}
    for values in (
        location_statistics(
            random_peaks(40, 2, 14, seed=0), places, GEOMETRY, **choice, **SHUFFLES
        ),
        oracle_statistics(places, GEOMETRY, 2, **choice, seed=0),
    ):
        json.dumps(values, allow_nan=False)
        assert values["instability_of"]["tail"] is None and values["instability"] is not None
        assert values["r2_filters"]["tail"] == [None, None]
        assert values["r2"]["tail"]["floor_best"] is None
    values = location_statistics(dead, places, GEOMETRY, **choice, **SHUFFLES)
    json.dumps(values, allow_nan=False)
    assert values["dead"] == 2 and values["instability"] is None
    assert values["spread"] is None and values["difference"] is None
    assert set(values["followed"].values()) == {0}
