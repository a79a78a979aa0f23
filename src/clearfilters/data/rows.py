"""Images of a split whose rows repeat them, plain or mirrored: each is held once."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.errors import ClearfiltersError


@dataclass(frozen=True, eq=False)
class RowImages:
    """Images of N rows, read like an array uint8 (N, H, W, 3): `images[rows]`, `len(images)`.

    Attributes:
        distinct: uint8 (n, H, W, 3), none of them mirrored.
        image_of_row: which of `distinct` each row shows, int64 (N,) in [0, n).
        mirrored: whether left and right change sides in the row, bool (N,).
    """

    distinct: npt.NDArray[np.uint8]
    image_of_row: npt.NDArray[np.int64]
    mirrored: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image_of_row)

    @property
    def shape(self) -> tuple[int, ...]:
        """N, H, W, 3."""
        return (len(self), *self.distinct.shape[1:])

    @property
    def nbytes(self) -> int:
        """What an array of all rows would take."""
        return math.prod(self.shape)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.uint8]:
        """The images of a row, a slice, indices or a mask of rows, in an array of their own."""
        pixels = self.distinct[self.image_of_row[rows]]
        mirrored = self.mirrored[rows][..., None, None, None]
        return np.ascontiguousarray(np.where(mirrored, pixels[..., ::-1, :], pixels))


# What `Split.images` is: most data sets have an image per row.
SplitImages = npt.NDArray[np.uint8] | RowImages


def held_once(images: SplitImages) -> RowImages:
    """The same images with their index; the rows of an array are its images, in order."""
    if isinstance(images, RowImages):
        return images
    return RowImages(
        images, np.arange(len(images), dtype=np.int64), np.zeros(len(images), np.bool_)
    )


def check_rows(name: str, images: RowImages) -> None:
    """Refuse an index that does not fit the images.

    Raises:
        ClearfiltersError: for a wrong shape or type, or an image that there is not.
    """
    numbers, mirrored, count = images.image_of_row, images.mirrored, len(images.distinct)
    if (
        numbers.dtype != np.int64
        or mirrored.dtype != np.bool_
        or numbers.ndim != 1
        or mirrored.shape != numbers.shape
    ):
        raise ClearfiltersError(
            f"{name}: image_of_row is {numbers.dtype} {numbers.shape}, mirrored {mirrored.dtype} "
            f"{mirrored.shape}; expected int64 and bool, both (N,); prepare the data again"
        )
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < count:
        raise ClearfiltersError(
            f"{name}: rows show images {numbers.min()} to {numbers.max()}; expected 0 to "
            f"{count - 1}; prepare the data again"
        )
