"""The gate papers' square crop, applied to an image, its masks and its landmarks alike.

Coordinates are in pixels and continuous: pixel i covers [i, i + 1], its centre is i + 0.5.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from clearfilters.errors import ClearfiltersError

Mask = npt.NDArray[np.bool_]


class Square(NamedTuple):
    """Columns left to left + side and rows top to top + side; it may reach beyond the image."""

    left: int
    top: int
    side: int


def bounding_box(mask: Mask) -> tuple[int, int, int, int]:
    """Left, top, width and height of the smallest box that holds a mask, bool (H, W).

    Raises:
        ClearfiltersError: if the mask is empty.
    """
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise ClearfiltersError(
            f"a mask of shape {mask.shape} is empty; expected at least one pixel; leave the object "
            "out or correct its mask"
        )
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def square_around(left: int, top: int, width: int, height: int) -> Square:
    """The square around a box: same centre, side as its longer side.

    Where the sides differ by an odd number, the centre lies half a pixel to the right or below.

    Raises:
        ClearfiltersError: if the box has no area.
    """
    if width < 1 or height < 1:
        raise ClearfiltersError(
            f"the box at ({left}, {top}) is {width} x {height} pixels and has no area; expected at "
            "least one pixel each way; correct it"
        )
    side = max(width, height)
    return Square(left - (side - width) // 2, top - (side - height) // 2, side)


def square_box(mask: Mask) -> Square:
    """The square around the bounding box of a mask, bool (H, W).

    Raises:
        ClearfiltersError: if the mask is empty.
    """
    return square_around(*bounding_box(mask))


def crop_image(image: npt.NDArray[np.uint8], square: Square, size: int) -> npt.NDArray[np.uint8]:
    """The square of an image (H, W, 3), black outside it, resized (Lanczos) to `size` x `size`."""
    return np.array(_cut(image, square).resize((size, size), Image.Resampling.LANCZOS))


def crop_mask(mask: Mask, square: Square, size: int) -> Mask:
    """The square of a mask (H, W), empty outside it, resized (nearest) to `size` x `size`."""
    cut = _cut(mask.view(np.uint8), square)
    return np.array(cut.resize((size, size), Image.Resampling.NEAREST)).astype(np.bool_)


def _cut(array: npt.NDArray[np.uint8], square: Square) -> Image.Image:
    left, top, side = square
    # PIL fills what lies outside the image with zeros.
    return Image.fromarray(array).crop((left, top, left + side, top + side))


def crop_points(
    points: npt.NDArray[np.float64], square: Square, size: int
) -> npt.NDArray[np.float64]:
    """Where points (..., 2) as x, y of the image lie in its crop of `size` x `size`."""
    return (points - (square.left, square.top)) * (size / square.side)
