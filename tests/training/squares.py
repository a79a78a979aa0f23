"""A store of two classes made by hand: bright squares with landmarks, and dark images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clearfilters.data.rows import RowImages
from clearfilters.data.store import LANDMARK_COLUMNS, Split, write_store

SIZE = 16


def split_of(count: int, seed: int) -> Split:
    """Objects (label 1) with a bright square, each plain and mirrored, and as many dark images."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (2 * count, SIZE, SIZE, 3)).astype(np.uint8)
    corners = rng.integers(0, SIZE - 4, (count, 2))
    square = np.zeros((2 * count, SIZE, SIZE), bool)
    for number, (row, column) in enumerate(corners):
        square[number, row : row + 4, column : column + 4] = True
    images[square] += 180
    # Rows: each object, then mirrored; then the dark images.
    image_of_row = np.concatenate([np.repeat(np.arange(count), 2), np.arange(count, 2 * count)])
    mirrored = np.zeros(3 * count, bool)
    mirrored[1 : 2 * count : 2] = True
    rows = 2 * np.arange(count)
    table = pd.DataFrame(
        [
            (row, "square", column + 2.0, top + 2.0, True)
            for row, (top, column) in zip(rows, corners, strict=True)
        ]
        # A landmark that is seen nowhere, and one that an object has twice.
        + [(row, "hidden", 0.0, 0.0, False) for row in rows]
        + [(rows[0], "twice", 1.0, 1.0, True), (rows[0], "twice", 9.0, 9.0, True)]
        + [(row, "twice", 3.0, 5.0, True) for row in rows[1:]],
        columns=LANDMARK_COLUMNS,
    )
    return Split(
        RowImages(images, image_of_row, mirrored),
        np.repeat([1, 0], [2 * count, count]),
        parts={"square": square},
        landmarks=table.astype({"image": np.int64, "x": float, "y": float, "visible": bool}),
    )


def write(root: Path, train: Split, test: Split, data: dict[str, Any]) -> Path:
    """A store of two classes."""
    write_store(
        root,
        {"train": train, "test": test},
        dataset="squares",
        source="made by hand",
        note="",
        classes=["background", "square"],
        raw_sha256={},
        verified=True,
        parameters=data,
    )
    return root
