"""Where the units of a square feature map look in the image."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class MapGeometry:
    """A feature map over an image (specification interpretable_cnn.md, section 5).

    Pixels of the image are continuous, rows and columns alike: pixel k covers [k, k + 1].

    Attributes:
        side: n of the map, n x n cells.
        stride: pixels from a receptive field's centre to that of the next cell.
        start: the centre of cell 0's receptive field in pixels; the specification's table counts
            pixel centres from 1, so it is half a pixel less than c0 there.
        image_size: side of the square image in pixels.
    """

    side: int
    stride: float
    start: float
    image_size: int

    @property
    def diagonal(self) -> float:
        """Of the image, in pixels."""
        return self.image_size * sqrt(2)

    def pixels(self, cells: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Pixel coordinates of map coordinates, cell 0 being 0; any shape."""
        return self.start + self.stride * cells.astype(np.float64)

    def cells(self, pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """The inverse of `pixels`, not rounded."""
        return (pixels.astype(np.float64) - self.start) / self.stride

    def centres(self) -> npt.NDArray[np.float64]:
        """(n,): the receptive fields' centres along one axis, in pixels."""
        return self.pixels(np.arange(self.side, dtype=np.float64))
