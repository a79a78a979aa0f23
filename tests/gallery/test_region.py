"""Lit regions against the map itself, pixel by pixel."""

import re

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.analysis.upsampling import spread
from clearfilters.gallery.region import POINTS, SIDE, region_of

GEOMETRY = MapGeometry(8, 4.0, 2.0, 32)


def polygons(outline: str) -> list[np.ndarray]:
    """The corners of each closed line of an SVG path."""
    found = []
    for start, steps in re.findall(r"M([^l]+)l([^z]+)z", outline):
        numbers = [np.array(re.findall(r"-?\d+", text), float) for text in (start, steps)]
        moves = np.vstack([numbers[0], numbers[1].reshape(-1, 2)])
        found.append(np.cumsum(moves, axis=0))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_point_is_within_the_outline_where_the_map_is_above_the_level(seed: int) -> None:
    cells = np.random.default_rng(seed).random((8, 8)) ** 3
    region = region_of(cells, GEOMETRY, 0.5)
    fine = spread(cells, GEOMETRY, POINTS, POINTS)
    centres = (np.arange(POINTS) + 0.5) * SIDE / POINTS
    points = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
    crossings = sum(
        Polygon(p).contains_points(points).astype(int) for p in polygons(region.outline)
    )
    inside = (np.asarray(crossings) % 2 == 1).reshape(POINTS, POINTS)
    above = fine >= 0.5 * fine.max()
    # Corners are whole numbers: what is near to the line may fall on its other side.
    assert (inside != above).mean() < 0.03
    assert region.share == pytest.approx(above.mean())


@pytest.mark.parametrize(
    ("cell", "place"), [((0, 0), "upper left"), ((4, 4), "centre"), ((7, 3), "bottom")]
)
def test_the_place_is_where_the_map_is_largest(cell: tuple[int, int], place: str) -> None:
    cells = np.zeros((8, 8))
    cells[cell] = 2.0
    assert region_of(cells, GEOMETRY, 0.5).place == place


def test_a_map_that_is_the_same_everywhere_lights_the_whole_image() -> None:
    region = region_of(np.ones((8, 8)), GEOMETRY, 0.5)
    assert region.share == 1.0
    (corners,) = polygons(region.outline)
    assert {tuple(corner) for corner in corners} == {
        (0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE),
    }  # fmt: skip
