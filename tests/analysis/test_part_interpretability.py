"""Part interpretability by hand and against loops over filters, images and parts."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.analysis.part_interpretability import (
    activation_thresholds,
    active_units,
    central_units,
    discs,
    part_overlap,
    part_scores,
    part_statistics,
    random_units,
)
from clearfilters.errors import ClearfiltersError

# 29 pixels: neither rows nor images fill words of 64 bits.
SMALL = MapGeometry(side=4, stride=7, start=3.5, image_size=29)
VGG16 = MapGeometry(side=14, stride=16, start=8, image_size=224)


@cache
def naive_disc(geometry, row, column, radius):
    mask = np.zeros((geometry.image_size, geometry.image_size), bool)
    for y in range(geometry.image_size):
        for x in range(geometry.image_size):
            down = y + 0.5 - (geometry.start + geometry.stride * row)
            across = x + 0.5 - (geometry.start + geometry.stride * column)
            mask[y, x] = down**2 + across**2 <= radius**2
    return mask


def naive_overlap(active, parts, geometry, radius):
    """The specification's section 4.2, pair by pair."""
    images, filters, side, _ = active.shape
    unit_discs = {
        (i, j): naive_disc(geometry, i, j, radius) for i in range(side) for j in range(side)
    }
    found = np.full((len(parts), images, filters), np.nan)
    for k, masks in enumerate(parts.values()):
        for n in range(images):
            if not masks[n].any():
                continue
            for f in range(filters):
                region = np.zeros_like(masks[n])
                for i, j in zip(*np.nonzero(active[n, f]), strict=True):
                    region |= unit_discs[i, j]
                shared, together = (region & masks[n]).sum(), (region | masks[n]).sum()
                found[k, n, f] = shared / together if region.any() else 0
    return found


def random_case(seed, images=6, filters=9):
    """Maps with silent filters and filters that are alike; parts that are absent here and there."""
    generator = np.random.default_rng(seed)
    maps = np.maximum(generator.normal(size=(images, filters, 4, 4)), 0).astype(np.float32)
    maps[:, 1] = maps[:, 0]
    maps[:, 2] = 0
    maps[:, 3] = 1.5
    parts = {name: generator.random((images, 29, 29)) < 0.4 for name in ("head", "torso", "tail")}
    parts["head"][:2] = False
    parts["tail"][:] = False
    return maps, parts


def test_discs_by_hand():
    # Around (1, 1) and (1, 3) in pixels; centres of pixels lie at halves.
    geometry = MapGeometry(side=2, stride=2, start=1, image_size=4)
    found = discs(geometry, radius=0.8)
    expected = np.zeros((4, 4), bool)
    expected[:2, :2] = True
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], np.roll(expected, 2, axis=1))
    np.testing.assert_array_equal(found[2], np.roll(expected, 2, axis=0))
    # The edge belongs to the disc.
    edge = discs(MapGeometry(side=1, stride=1, start=1.5, image_size=3), radius=1.0)
    np.testing.assert_array_equal(edge[0], [[0, 1, 0], [1, 1, 1], [0, 1, 0]])


@given(st.sampled_from([0.5, 6.0, 9.5, 40.0]), st.integers(0, 15))
def test_discs_pixel_by_pixel(radius, unit):
    expected = naive_disc(SMALL, unit // 4, unit % 4, radius)
    np.testing.assert_array_equal(discs(SMALL, radius)[unit], expected)


def test_thresholds_by_hand():
    maps = np.arange(200, dtype=np.float32).reshape(2, 1, 10, 10)
    # 199 * 0.995 = 198.005: of 200 values the largest alone is above.
    np.testing.assert_array_equal(activation_thresholds(maps, 0.995), [198])
    active = active_units(maps, 0.995)
    assert active.sum() == 1 and active[1, 0, 9, 9]


@given(st.integers(0, 1000), st.sampled_from([0.5, 0.9, 0.995]))
def test_active_units_are_those_above_the_interpolated_quantile(seed, quantile):
    maps, _ = random_case(seed)
    for f in range(maps.shape[1]):
        limit = np.quantile(maps[:, f].astype(np.float64), quantile)
        np.testing.assert_array_equal(active_units(maps, quantile)[:, f], maps[:, f] > limit)


def test_overlap_by_hand():
    # The disc of the middle unit covers 5 pixels; the part has 4 pixels, 3 of them there.
    geometry = MapGeometry(side=1, stride=1, start=2.5, image_size=5)
    part = np.zeros((3, 5, 5), bool)
    part[:2, 0:4, 2] = True
    active = np.ones((3, 1, 1, 1), bool)
    active[1] = False
    overlap = part_overlap(active, {"part": part}, geometry, 1.0)
    np.testing.assert_array_equal(overlap[0, :, 0], [3 / 6, 0, np.nan])
    # Of two images with the part one is a hit, unless the IoU has to be more than it is.
    assert part_scores(overlap, 0.2)[0, 0] == 0.5
    assert part_scores(overlap, 0.5)[0, 0] == 0


@given(st.integers(0, 1000), st.sampled_from([0.4, 4.0, 9.0, 30.0]))
def test_overlap_against_loops(seed, radius):
    maps, parts = random_case(seed)
    active = active_units(maps, 0.7)
    expected = naive_overlap(active, parts, SMALL, radius)
    np.testing.assert_array_equal(part_overlap(active, parts, SMALL, radius), expected)
    scores = part_scores(expected, 0.2)
    for k, name in enumerate(parts):
        shown = parts[name].any(axis=(1, 2))
        if shown.any():
            np.testing.assert_allclose(scores[k], (expected[k, shown] > 0.2).mean(axis=0))
        else:
            assert np.isnan(scores[k]).all()


def test_a_region_that_is_the_part_is_always_a_hit():
    active = random_units(20, 3, 14, seed=0)
    parts = {"head": discs(VGG16, 32)[np.nonzero(active[:, 0].reshape(20, -1))[1]]}
    overlap = part_overlap(active, parts, VGG16, 32)
    assert (overlap[0, :, 0] == 1).all() and overlap[0, :, 1].mean() < 0.3


def test_baselines():
    active = random_units(400, 2, 5, seed=0)
    assert (active.sum(axis=(2, 3)) == 1).all()
    assert active.any(axis=(0, 1)).all()
    assert (active[:, 0] != active[:, 1]).any()
    still = central_units(3, 2, 5)
    assert still.shape == (3, 2, 5, 5) and (still.sum(axis=(2, 3)) == 1).all()
    assert still[:, :, 2, 2].all() and central_units(1, 1, 4)[0, 0, 2, 2]


def test_statistics_are_the_means_of_their_parts():
    maps, parts = random_case(1)
    active = active_units(maps, 0.7)
    values = part_statistics(active, parts, SMALL, radii=[4.0, 9.0], primary=9.0, least_iou=0.2)
    json.dumps(values, allow_nan=False)
    scores = {
        radius: part_scores(naive_overlap(active, parts, SMALL, radius), 0.2)[:2]
        for radius in (4.0, 9.0)
    }
    best = scores[9.0].max(axis=0)
    assert list(values["radius"]) == ["4", "9"]
    assert values["radius"]["4"] == pytest.approx(scores[4.0].max(axis=0).mean())
    assert values["radius"]["9"] == values["primary"] == pytest.approx(best.mean())
    np.testing.assert_allclose(values["filters"], best, atol=1e-6)
    first = scores[9.0].argmax(axis=0)
    assert values["best_part"] == {
        "head": int(((first == 0) & (best > 0)).sum()),
        "torso": int(((first == 1) & (best > 0)).sum()),
        "tail": 0,
    }
    # Filters 2 and 3 never change.
    assert values["dead"] == 2 and values["filters"][2:4] == [0, 0]


def test_no_part_anywhere():
    maps, parts = random_case(0)
    values = part_statistics(
        active_units(maps, 0.7),
        {"tail": parts["tail"]},
        SMALL,
        radii=[9.0],
        primary=9.0,
        least_iou=0.2,
    )
    assert values["primary"] is None and values["filters"] == [None] * 9
    json.dumps(values, allow_nan=False)


def test_masks_of_another_size_are_refused():
    maps, parts = random_case(0)
    with pytest.raises(ClearfiltersError, match=r"part `head`: masks .* expected 6 of 28 x 28"):
        part_overlap(maps > 1, parts, MapGeometry(4, 7, 3.5, 28), 9.0)
