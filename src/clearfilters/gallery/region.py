"""Where a filter looks in an image: the outline of its map, and words for it."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from contourpy import LineType, contour_generator

from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.analysis.upsampling import spread

# An image's side in the unit of outlines, and points of the map along it.
SIDE = 100
POINTS = 33
THIRDS = (("upper left", "top", "upper right"), ("left", "centre", "right"),
          ("lower left", "bottom", "lower right"))  # fmt: skip


@dataclass(frozen=True)
class Region:
    """A lit region.

    Attributes:
        outline: closed lines as an SVG path, in a square of SIDE.
        share: of the image that it covers, in (0, 1].
        place: where the map is largest, in words.
    """

    outline: str
    share: float
    place: str


def region_of(
    cells: npt.NDArray[np.floating], geometry: MapGeometry, region_share: float
) -> Region:
    """The region in which a map, over the whole image, is at least a share of its largest value.

    Args:
        cells: the map (n, n), with a largest value above 0.
        geometry: of it.
        region_share: in (0, 1].
    """
    fine = spread(cells, geometry, POINTS, POINTS)
    level = region_share * float(fine.max())
    row, column = (3 * np.array(np.unravel_index(fine.argmax(), fine.shape))) // POINTS
    return Region(_outline(fine, level), float((fine >= level).mean()), THIRDS[row][column])


def _outline(fine: npt.NDArray[np.float32], level: float) -> str:
    """The lines between what is above a level and what is not; the image's border closes them."""
    points = (np.arange(POINTS) + 0.5) * SIDE / POINTS
    # To the border the map goes on as it is; just outside it ends.
    along = np.concatenate([[-1.0, 0.0], points, [SIDE, SIDE + 1.0]])
    whole = np.pad(np.pad(fine, 1, mode="edge"), 1)
    lines = cast(
        "list[npt.NDArray[np.float64]]",
        contour_generator(along, along, whole, line_type=LineType.Separate).lines(level),
    )
    return "".join(_path(line) for line in lines)


def _path(line: npt.NDArray[np.floating]) -> str:
    """A closed line in whole numbers, relative, which is short; nothing of less than a triangle."""
    corners = np.round(line.clip(0, SIDE)).astype(int)[:-1]
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    corners = corners[turns]
    if len(corners) < 3:
        return ""
    steps = np.diff(corners, axis=0).ravel()
    numbers = "".join(_next(step) for step in steps).lstrip()
    return f"M{corners[0, 0]}{_next(corners[0, 1])}l{numbers}z"


def _next(number: int) -> str:
    """A number behind another: a minus parts them as well as a space."""
    return f"{number}" if number < 0 else f" {number}"
