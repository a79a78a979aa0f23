"""The processed store: one folder per split, the same for every data set.

- `<root>/meta.json`: classes, source, counts, mean and standard deviation of the training images,
  sha256 of the raw inputs, whether they were verified
- `<root>/<split>/images.npy`: uint8 (N, H, W, 3), memory-mapped when read
- `<root>/<split>/labels.npy`: int64 (N,)
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import atomic_path, read_json, write_json
from clearfilters.errors import ClearfiltersError

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Split:
    """Images uint8 (N, H, W, 3) and labels int64 (N,) in [0, C)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class StoreMeta:
    """What the store holds and where it comes from.

    `image_size` is the side of the square images in pixels; `mean` and `std` are per channel, in
    [0, 1].
    """

    dataset: str
    source: str
    note: str
    classes: list[str]
    counts: dict[str, int]
    image_size: int
    mean: list[float]
    std: list[float]
    raw_sha256: dict[str, str]
    verified: bool


def check_split(name: str, split: Split, num_classes: int) -> None:
    """Refuse arrays that do not fit together.

    Raises:
        ClearfiltersError: for a wrong shape or type, an empty split or labels out of range.
    """
    images, labels = split.images, split.labels
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ClearfiltersError(
            f"{name}: images are {images.dtype} {images.shape}; expected uint8 (N, H, W, 3)"
        )
    if len(images) == 0 or labels.shape != (len(images),):
        raise ClearfiltersError(
            f"{name}: {len(images)} images but labels of shape {labels.shape}; expected as many "
            "labels as images, and at least one"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        bad = labels[(labels < 0) | (labels >= num_classes)]
        raise ClearfiltersError(
            f"{name}: {len(bad)} labels out of range, the first is {bad[0]}; expected 0 to "
            f"{num_classes - 1}; check the raw files"
        )


def write_store(
    root: Path,
    splits: dict[str, Split],
    *,
    dataset: str,
    source: str,
    note: str,
    classes: list[str],
    raw_sha256: dict[str, str],
    verified: bool,
) -> None:
    """Check and write all splits; `meta.json` comes last, so it marks a complete store."""
    for name in SPLITS:
        check_split(f"{dataset} {name}", splits[name], len(classes))
    for name in SPLITS:
        for part, array in (("images", splits[name].images), ("labels", splits[name].labels)):
            with atomic_path(root / name / f"{part}.npy") as temporary:
                np.save(temporary, array)
    pixels = splits["train"].images
    meta = StoreMeta(
        dataset=dataset,
        source=source,
        note=note,
        classes=classes,
        counts={name: len(splits[name].labels) for name in SPLITS},
        image_size=pixels.shape[1],
        mean=[float(pixels[..., c].mean(dtype=np.float64)) / 255 for c in range(3)],
        std=[float(pixels[..., c].std(dtype=np.float64)) / 255 for c in range(3)],
        raw_sha256=raw_sha256,
        verified=verified,
    )
    write_json(root / "meta.json", asdict(meta))


def read_meta(root: Path) -> StoreMeta:
    """The store's meta data.

    Raises:
        ClearfiltersError: if it is missing or has other keys than expected.
    """
    content: dict[str, Any] = read_json(root / "meta.json")
    try:
        return StoreMeta(**content)
    except TypeError as error:
        raise ClearfiltersError(
            f"{root / 'meta.json'}: {error}; delete the folder and run `snakemake data` again"
        ) from None


def read_split(root: Path, name: str) -> Split:
    """One split, images memory-mapped.

    Raises:
        ClearfiltersError: if a file is missing or truncated, or the arrays do not fit together.
    """
    arrays = []
    for part in ("images", "labels"):
        path = root / name / f"{part}.npy"
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise ClearfiltersError(
                f"{path}: cannot be read ({error}); delete {root} and run `snakemake data` again"
            ) from None
    split = Split(*arrays)
    check_split(f"{root / name}", split, len(read_meta(root).classes))
    return split
