"""The picture of an explanation: where both networks look, and where each part's filters fire."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.explain.explanation import Cells, Explanation
from clearfilters.predict.linear_heads import overlay
from clearfilters.predict.sheets import shrunk, side_by_side
from clearfilters.predict.views import View


def draw(view: View, found: Explanation) -> Image.Image:
    """What the network sees, Grad-CAM of performer and explainer, and a heat map of each part.

    Each map is in its own scale, from its least to its largest value.
    """
    picture = shrunk(view.shown())
    maps = [
        (f"performer {found.performer_score:+.2f}", found.cams["performer"]),
        (f"explainer {found.score:+.2f}", found.cams["explainer"]),
        *((f"{part.label} {part.contribution:+.2f}", part.cells) for part in found.parts),
    ]
    panels = [
        overlay(picture, spread(cells, found.geometry, picture.height, picture.width))
        for _, cells in maps
    ]
    return side_by_side([picture, *panels], [found.category, *(line for line, _ in maps)])


def spread(cells: Cells, geometry: MapGeometry, height: int, width: int) -> npt.NDArray[np.float32]:
    """A map (n, n) over the whole image, in (height, width) pixels of it.

    Between the centres of the cells' receptive fields it is bilinear; beyond the outer ones it
    stays as it is there.
    """
    down, across = (_weights(geometry, pixels) for pixels in (height, width))
    return (down @ cells @ across.T).astype(np.float32)


def _weights(geometry: MapGeometry, pixels: int) -> npt.NDArray[np.float64]:
    """(pixels, n): how much each cell of a row counts for each of its pixels."""
    centres = (np.arange(pixels) + 0.5) * geometry.image_size / pixels
    at = geometry.cells(centres).clip(0, geometry.side - 1)
    apart = np.abs(at[:, None] - np.arange(geometry.side))
    return np.asarray(np.maximum(1 - apart, 0))
