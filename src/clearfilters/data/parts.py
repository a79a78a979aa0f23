"""The parts of a split's objects, by row."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clearfilters.data.rows import held_once
from clearfilters.data.store import Split
from clearfilters.errors import ClearfiltersError


class PartRows(NamedTuple):
    """Rows of a split, int64 (m,), and the masks of each part in them, name -> bool (m, H, W).

    A mask is empty where the object lacks the part.
    """

    rows: npt.NDArray[np.int64]
    masks: dict[str, npt.NDArray[np.bool_]]


def rows_with_parts(split: Split) -> PartRows:
    """The rows that parts can be measured on: of each image that has any, the first not mirrored.

    Images without parts (background, and objects of which none is annotated) are left out, so a
    mask that is empty says that the object lacks the part. The rows ascend.

    Raises:
        ClearfiltersError: if the split was read without parts, or its source has none.
    """
    if split.parts is None:
        raise ClearfiltersError(
            "the split has no parts; expected one of a data set with masks of parts "
            "(docs/data.md), read with its annotations"
        )
    images = held_once(split.images)
    plain = np.flatnonzero(~images.mirrored)
    plain = plain[np.sort(np.unique(images.image_of_row[plain], return_index=True)[1])]
    has_part = np.any([masks.any(axis=(1, 2)) for masks in split.parts.values()], axis=0)
    rows = plain[has_part[images.image_of_row[plain]]]
    shown = images.image_of_row[rows]
    return PartRows(rows, {name: masks[shown] for name, masks in split.parts.items()})
