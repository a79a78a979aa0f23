"""scikit-learn's handwritten digits, enlarged, as RGB images: the embedded data set."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from clearfilters.data.store import RawData, Split
from clearfilters.params.datasets import DigitsParams

CLASSES = [str(digit) for digit in range(10)]

# The originals are 8x8 with grey values 0 to 16.
GREYEST = 16


def read_raw(data: DigitsParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """The digits for the processed store; nothing is read from `raw`."""
    return RawData(
        splits=read_digits(
            test_fraction=data.test_fraction,
            split_seed=data.split_seed,
            enlargement=data.enlargement,
        ),
        classes=CLASSES,
        source="scikit-learn load_digits",
        raw_sha256={},
        verified=True,
    )


def read_digits(*, test_fraction: float, split_seed: int, enlargement: int) -> dict[str, Split]:
    """The 1,797 digits, enlarged from 8x8 by pixel repetition, grey on three channels.

    Args:
        test_fraction: share of each class that is held out, in (0, 1).
        split_seed: seed of the stratified split.
        enlargement: how many times each pixel is repeated; 4 makes 32x32.
    """
    digits = load_digits()
    grey = np.round(digits.images * (255 / GREYEST)).astype(np.uint8)
    large = grey.repeat(enlargement, axis=1).repeat(enlargement, axis=2)
    images = np.repeat(large[..., None], 3, axis=3)
    train_x, test_x, train_y, test_y = train_test_split(
        images,
        digits.target.astype(np.int64),
        test_size=test_fraction,
        random_state=split_seed,
        stratify=digits.target,
    )
    return {"train": Split(train_x, train_y), "test": Split(test_x, test_y)}
