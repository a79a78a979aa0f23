"""What the writers of the three raw layouts share."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.io import savemat

from clearfilters.data.animals.canvas import Mask

Layout = Literal["voc", "cub", "ilsvrc", "negatives"]
# Each layout has its own images: this number is part of each image's seed.
LAYOUT_NUMBERS: dict[Layout, int] = {"voc": 0, "cub": 1, "ilsvrc": 2, "negatives": 3}
# The fixed text in place of the date with which scipy begins a file: same data, same bytes.
MAT_HEADER = b"MATLAB 5.0 MAT-file, rendered by clearfilters".ljust(116)


def scene_rng(seed: int, layout: Layout, group: int, index: int) -> np.random.Generator:
    """The random numbers of image `index` of a class or species: those of no other image."""
    entropy = [seed, LAYOUT_NUMBERS[layout], group, index]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def write_jpeg(path: Path, image: npt.NDArray[np.uint8], quality: int) -> None:
    """Write uint8 (H, W, 3) with colour at full resolution."""
    Image.fromarray(image).save(path, quality=quality, subsampling=0)


def write_mat(path: Path, content: dict[str, Any]) -> None:
    """Write a compressed MATLAB v5 file; the same content gives the same bytes."""
    stream = io.BytesIO()
    savemat(stream, content, do_compression=True, long_field_names=True)
    path.write_bytes(MAT_HEADER + stream.getvalue()[len(MAT_HEADER) :])


def struct_array(rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[Any]:
    """A MATLAB struct array, 1 x N, N at least 1; each row has the same keys."""
    array = np.empty((1, len(rows)), dtype=[(key, object) for key in rows[0]])
    for index, row in enumerate(rows):
        for key, value in row.items():
            array[0, index][key] = value
    return array


def pixel_box(mask: Mask) -> tuple[int, int, int, int]:
    """First and last column, first and last row (both inclusive, from 0) of a mask's pixels."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])
