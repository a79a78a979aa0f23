"""A feature map over the whole image that it was made of."""

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.map_geometry import MapGeometry


def spread(
    cells: npt.NDArray[np.floating], geometry: MapGeometry, height: int, width: int
) -> npt.NDArray[np.float32]:
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
