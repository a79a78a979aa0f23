"""The processed store: one folder per split, the same for every data set.

- `<root>/meta.json`: classes, source, counts, mean and standard deviation of the training images,
  sha256 of the raw inputs, whether they were verified
- `<root>/<split>/images.npy`: uint8 (N, H, W, 3), memory-mapped when read
- `<root>/<split>/labels.npy`: int64 (N,)

Where rows repeat images, plain or mirrored (`StoreMeta.indexed`), images.npy holds each of them
once, uint8 (n, H, W, 3), and

- `<root>/<split>/image_of_row.npy`: int64 (N,) in [0, n)
- `<root>/<split>/mirrored.npy`: bool (N,)

and where the source has them (`StoreMeta.annotations` says which)

- `<root>/<split>/masks.npy`: bool (N, H, W), memory-mapped when read
- `<root>/<split>/parts.npz`: part -> bool (N, H, W), compressed; of an indexed store (n, H, W), the
  parts of each image of images.npy
- `<root>/<split>/landmarks.csv`: image, landmark, x, y, visible
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearfilters.artifacts import atomic_path, parameters_hash, read_json, write_json
from clearfilters.data.rows import RowImages, SplitImages, check_rows, held_once
from clearfilters.errors import ClearfiltersError

SPLITS = ("train", "test")
# A kind of annotation and its file, in the order of the fields of `Split`.
ANNOTATION_FILES = {"masks": "masks.npy", "parts": "parts.npz", "landmarks": "landmarks.csv"}
# The fields of `RowImages` beside the images, where a store is indexed.
ROW_FILES = ("image_of_row.npy", "mirrored.npy")
# The columns of landmarks.csv and the types they are read as, also from a table without rows.
LANDMARK_TYPES = {
    "image": "int64", "landmark": "str", "x": "float64", "y": "float64", "visible": "bool"
}  # fmt: skip
LANDMARK_COLUMNS = list(LANDMARK_TYPES)
# Bytes of images above which their values are counted, and images that are counted at once.
COUNTED_ABOVE = 256 * 2**20
COUNTED_AT_ONCE = 1024
# Below it, rounding: one pixel of 10^12 that differs by one step of 8 bits makes 4e-9.
LEAST_STD = 1e-10


@dataclass(frozen=True)
class Split:
    """Images, labels, and what the source annotates on them.

    Attributes:
        images: uint8 (N, H, W, 3); `RowImages`, which is read alike, where rows repeat images.
        labels: int64 (N,) in [0, C).
        masks: the object, bool (N, H, W); None where the source has none. A thin object may lose
            its last pixel when it is made smaller, so a mask may be empty.
        parts: name -> bool (N, H, W), empty where an object lacks the part, and all of them empty
            where no part of it is annotated; (n, H, W) of the distinct images where `images` are
            `RowImages`. `parts.rows_with_parts` gives them by row.
        landmarks: a row per landmark with the columns `LANDMARK_COLUMNS`: image (row in the split),
            landmark (its name), x, y (float, in pixels of the stored image; pixel i covers
            [i, i + 1], so its centre is i + 0.5) and visible (bool; where it is false, x and y mean
            nothing).
    """

    images: SplitImages
    labels: npt.NDArray[np.int64]
    masks: npt.NDArray[np.bool_] | None = None
    parts: Mapping[str, npt.NDArray[np.bool_]] | None = None
    landmarks: pd.DataFrame | None = None

    def annotations(self) -> list[str]:
        """The kinds of annotation it has: keys of ANNOTATION_FILES."""
        return [kind for kind in ANNOTATION_FILES if getattr(self, kind) is not None]


@dataclass(frozen=True)
class RawData:
    """What a reader of raw files found; `StoreMeta` says what each entry is."""

    splits: dict[str, Split]
    classes: list[str]
    source: str
    raw_sha256: dict[str, str]
    verified: bool
    skipped: dict[str, int] = field(default_factory=dict)
    masks_note: str = ""


@dataclass(frozen=True)
class StoreMeta:
    """What the store holds and where it comes from.

    `image_size` is the side of the square images in pixels; `mean` and `std` are per channel, in
    [0, 1]. `annotations` are the kinds that both splits have, `skipped` counts what the source
    holds and the store does not, by reason, and `masks_note` says how the masks were obtained.
    These three are left out of meta.json where they are empty. `parameters_hash` is that of the
    parameters it was prepared with. `indexed`: each image is stored once, and ROW_FILES say which
    rows show it.
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
    parameters_hash: str
    indexed: bool
    annotations: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    masks_note: str = ""


def check_split(name: str, split: Split, num_classes: int) -> None:
    """Refuse arrays that do not fit together.

    Raises:
        ClearfiltersError: for a wrong shape or type, an empty split, labels out of range, rows
            without an image or landmarks outside their image.
    """
    images, labels = split.images, split.labels
    stored = images.distinct if isinstance(images, RowImages) else images
    if stored.dtype != np.uint8 or stored.ndim != 4 or stored.shape[3] != 3:
        raise ClearfiltersError(
            f"{name}: images are {stored.dtype} {stored.shape}; expected uint8 (N, H, W, 3)"
        )
    if isinstance(images, RowImages):
        check_rows(name, images)
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
    if split.masks is not None:
        _check_masks(f"{name}: masks", split.masks, images.shape[:3])
    for part, masks in (split.parts or {}).items():
        _check_masks(f"{name}: part `{part}`", masks, stored.shape[:3])
    if split.landmarks is not None:
        _check_landmarks(f"{name}: landmarks", split.landmarks, images.shape[:3])


def _check_masks(name: str, masks: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if masks.dtype != np.bool_ or masks.shape != shape:
        raise ClearfiltersError(
            f"{name} are {masks.dtype} {masks.shape}; expected bool {shape}, as the images; "
            "prepare the data again"
        )


def _check_landmarks(name: str, table: pd.DataFrame, shape: tuple[int, ...]) -> None:
    if list(table.columns) != LANDMARK_COLUMNS or table["visible"].dtype != np.bool_:
        raise ClearfiltersError(
            f"{name} have the columns {dict(table.dtypes)}; expected {LANDMARK_COLUMNS}, the last "
            "of them bool; prepare the data again"
        )
    count, height, width = shape
    if not table["image"].isin(range(count)).all():
        raise ClearfiltersError(
            f"{name} name images {table['image'].min()} to {table['image'].max()}; expected rows "
            f"of the split, 0 to {count - 1}; prepare the data again"
        )
    shown = table[table["visible"]]
    outside = shown[~(shown["x"].between(0, width) & shown["y"].between(0, height))]
    if len(outside):
        first = outside.iloc[0]
        raise ClearfiltersError(
            f"{name}: {len(outside)} visible ones lie outside their image, the first is "
            f"`{first['landmark']}` of image {first['image']} at ({first['x']}, {first['y']}); "
            f"expected 0 to {width} and 0 to {height}; check the raw files"
        )


def channel_statistics(images: SplitImages) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over all rows, of values in [0, 1].

    A channel of one value everywhere has a deviation of 1: divided by it, it stays 0 in training,
    where 0 would make every image NaN.

    Args:
        images: uint8 (N, H, W, 3). Where they are memory-mapped or larger than COUNTED_ABOVE,
            values are counted a few images at a time, since NumPy's deviation takes eight bytes a
            pixel.
    """
    if not isinstance(images, np.memmap) and images.nbytes <= COUNTED_ABOVE:
        pixels = images[:]
        return (
            [float(pixels[..., c].mean(dtype=np.float64)) / 255 for c in range(3)],
            [_divisor(float(pixels[..., c].std(dtype=np.float64)) / 255) for c in range(3)],
        )
    counts = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), COUNTED_AT_ONCE):
        some = images[start : start + COUNTED_AT_ONCE]
        for c in range(3):
            counts[c] += np.bincount(some[..., c].ravel(), minlength=256)
    values, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    std = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
    return mean.tolist(), [_divisor(value) for value in std.tolist()]


def _divisor(std: float) -> float:
    return std if std > LEAST_STD else 1.0


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
    parameters: Mapping[str, Any],
    skipped: dict[str, int] | None = None,
    masks_note: str = "",
) -> None:
    """Check and write all splits; `meta.json` comes last, so it marks a complete store.

    `parameters` are those that the data were prepared with; the rest is as `StoreMeta` has it.

    Raises:
        ClearfiltersError: see `check_split`; also if the splits are annotated differently.
    """
    for name in SPLITS:
        check_split(f"{dataset} {name}", splits[name], len(classes))
    annotations = splits["train"].annotations()
    if splits["test"].annotations() != annotations:
        raise ClearfiltersError(
            f"{dataset}: the training split has {annotations}, the test split "
            f"{splits['test'].annotations()}; expected the same; check the raw files"
        )
    indexed = any(isinstance(splits[name].images, RowImages) for name in SPLITS)
    (root / "meta.json").unlink(missing_ok=True)
    for name in SPLITS:
        _write_split(root / name, splits[name], indexed)
    mean, std = channel_statistics(splits["train"].images)
    meta = asdict(
        StoreMeta(
            dataset=dataset,
            source=source,
            note=note,
            classes=classes,
            counts={name: len(splits[name].labels) for name in SPLITS},
            image_size=splits["train"].images.shape[1],
            mean=mean,
            std=std,
            raw_sha256=raw_sha256,
            verified=verified,
            parameters_hash=parameters_hash(parameters),
            indexed=indexed,
            annotations=annotations,
            skipped=skipped or {},
            masks_note=masks_note,
        )
    )
    for key in ("annotations", "skipped", "masks_note"):
        if not meta[key]:
            del meta[key]
    write_json(root / "meta.json", meta)


def _write_split(folder: Path, split: Split, indexed: bool) -> None:
    held = held_once(split.images)
    arrays: dict[str, npt.NDArray[Any]] = {"images.npy": held.distinct, "labels.npy": split.labels}
    if indexed:
        arrays |= dict(zip(ROW_FILES, (held.image_of_row, held.mirrored), strict=True))
    if split.masks is not None:
        arrays[ANNOTATION_FILES["masks"]] = split.masks
    for file, array in arrays.items():
        if not _lies_at(array, folder / file):
            with atomic_path(folder / file) as temporary:
                np.save(temporary, array)
    if split.parts is not None:
        with atomic_path(folder / ANNOTATION_FILES["parts"]) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **split.parts)
    if split.landmarks is not None:
        with atomic_path(folder / ANNOTATION_FILES["landmarks"]) as temporary:
            split.landmarks.to_csv(temporary, index=False)
    # Of a store that lay here before.
    unused = [file for kind, file in ANNOTATION_FILES.items() if kind not in split.annotations()]
    for file in (*unused, *(() if indexed else ROW_FILES)):
        (folder / file).unlink(missing_ok=True)


def _lies_at(array: npt.NDArray[Any], path: Path) -> bool:
    """Whether an array is the memory-mapped file itself, as a reader of big data wrote it."""
    return (
        isinstance(array, np.memmap)
        and array.filename is not None
        and path.exists()
        and os.path.samefile(array.filename, path)
    )


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


def check_store(root: Path, parameters: Mapping[str, Any]) -> StoreMeta:
    """The meta data of a store that must have been prepared with these parameters.

    Raises:
        ClearfiltersError: if it was prepared with others; also as `read_meta`.
    """
    meta, expected = read_meta(root), parameters_hash(parameters)
    if meta.parameters_hash != expected:
        raise ClearfiltersError(
            f"{root / 'meta.json'}: prepared with parameters {meta.parameters_hash[:12]}, but the "
            f"current parameters are {expected[:12]}; prepare the data again "
            "(`snakemake --cores 8 data`) or restore params.yaml"
        )
    return meta


def image_files(meta: StoreMeta) -> list[str]:
    """The files of a split that its images are read from."""
    return ["images.npy", *(ROW_FILES if meta.indexed else ())]


def read_split(root: Path, name: str, *, annotations: Collection[str] = ()) -> Split:
    """One split, images and masks memory-mapped.

    Args:
        root: the store's folder.
        name: of the split.
        annotations: the kinds to read, too (keys of ANNOTATION_FILES), of those that the store
            has. All parts are held in memory.

    Raises:
        ClearfiltersError: if a file is missing or truncated, or the arrays do not fit together.
    """
    meta = read_meta(root)
    kinds = [kind for kind in meta.annotations if kind in annotations]
    folder = root / name
    arrays = [_read(folder / file, root) for file in image_files(meta)]
    split = Split(
        images=RowImages(*arrays) if meta.indexed else arrays[0],
        labels=_read(folder / "labels.npy", root),
        **{kind: _read(folder / ANNOTATION_FILES[kind], root) for kind in kinds},
    )
    check_split(f"{folder}", split, len(meta.classes))
    return split


def _read(path: Path, root: Path) -> Any:
    """An array, a dictionary of arrays or a table of landmarks, by the file's suffix."""
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype=LANDMARK_TYPES)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as content:
                return dict(content)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged file may raise anything
        raise ClearfiltersError(
            f"{path}: cannot be read ({error}); delete {root} and run `snakemake data` again"
        ) from None
