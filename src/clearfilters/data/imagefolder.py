"""Images in one folder per class below `train` and `val`, as torchvision reads ImageNet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from clearfilters.artifacts import atomic_path
from clearfilters.data.folder_landmarks import LANDMARKS, Point, Points, read_landmarks
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.store import LANDMARK_COLUMNS, LANDMARK_TYPES, RawData, Split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import ImageFolderParams

FOLDERS = {"train": "train", "test": "val"}
# torchvision.datasets.folder.IMG_EXTENSIONS
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

OUTSIDE_CROP = "landmarks outside their crop"


class CentreCrop(NamedTuple):
    """The size that an image is resized to, and where the crop's first column and row lie in it."""

    width: int
    height: int
    left: int
    top: int


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a system or editor put it there, as `.ipynb_checkpoints`, `._a.png`, `__MACOSX`."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ClearfiltersError(
            f"{str(path)!r}: the name is not UTF-8; rename the file or folder"
        ) from None


def list_images(folder: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """The classes (folders) in alphabetical order, and each image's name below `folder` and label.

    Hidden files and folders are left out.

    Raises:
        ClearfiltersError: if the folder is missing, has no classes, a class has no image, or a name
            is not UTF-8.
    """
    if not folder.is_dir():
        raise ClearfiltersError(
            f"{folder}: no such folder; expected one folder per class in it (docs/data.md)"
        )
    folders = [path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path, folder)]
    for path in folders:
        _check_name(path)
    classes = sorted(path.name for path in folders)
    if not classes:
        raise ClearfiltersError(f"{folder}: no folders in it; expected one per class")
    samples = []
    for label, name in enumerate(classes):
        paths = sorted(
            path
            for path in (folder / name).rglob("*")
            if path.suffix.lower() in SUFFIXES and not _is_hidden(path, folder)
        )
        for path in paths:
            _check_name(path)
        if not paths:
            raise ClearfiltersError(
                f"{folder / name}: no images in it; expected files that end in "
                f"{', '.join(SUFFIXES)}; add some or remove the folder"
            )
        samples += [(path.relative_to(folder).as_posix(), label) for path in paths]
    return classes, samples


def crop_of(height: int, width: int, resize: int, size: int) -> CentreCrop:
    """The centre crop of an image, as torchvision does it; see `centre_crop`."""
    shorter = min(height, width)
    # Multiplied first: torchvision rounds the longer side down.
    new_width, new_height = int(resize * width / shorter), int(resize * height / shorter)
    left, top = round((new_width - size) / 2), round((new_height - size) / 2)
    return CentreCrop(new_width, new_height, left, top)


def centre_crop(image: npt.NDArray[np.uint8], resize: int, size: int) -> npt.NDArray[np.uint8]:
    """Resize the shorter side (bilinear) and cut the centre out, as torchvision does.

    Args:
        image: uint8 (H, W, 3).
        resize: the shorter side afterwards.
        size: of the crop, at most `resize`.

    Returns:
        uint8 (size, size, 3).
    """
    width, height, left, top = crop_of(image.shape[0], image.shape[1], resize, size)
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def place_landmarks(
    points: Sequence[Point], height: int, width: int, data: ImageFolderParams, path: Path
) -> list[tuple[str, float, float, bool]]:
    """An image's landmarks in its centre crop: name, x, y, and whether the crop shows it.

    Args:
        points: of the image, in pixels of it.
        height: of the image.
        width: of the image.
        data: how it is resized and cropped.
        path: its file.

    Raises:
        ClearfiltersError: if a landmark lies outside the image.
    """
    crop, size = crop_of(height, width, data.resize, data.image_size), data.image_size
    placed = []
    for name, x, y in points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise ClearfiltersError(
                f"{path}: its landmark `{name}` lies at ({x:g}, {y:g}), outside the image of "
                f"{width} x {height} pixels as it is displayed; correct {LANDMARKS}"
            )
        column, row = x * crop.width / width - crop.left, y * crop.height / height - crop.top
        placed.append((name, column, row, 0 <= column <= size and 0 <= row <= size))
    return placed


def read_raw(data: ImageFolderParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """Write the images of both splits straight to the store `out`, one image in memory at a time.

    Raises:
        ClearfiltersError: if a folder or file is missing or damaged, or the splits have different
            classes; with landmarks also as `read_landmarks` and `place_landmarks`, and if neither
            split has any. Then no file is left in the store.
    """
    root = raw / data.folder
    found = {split: list_images(root / folder) for split, folder in FOLDERS.items()}
    classes, _ = found["train"]
    if found["test"][0] != classes:
        odd = sorted(set(classes) ^ set(found["test"][0]))
        raise ClearfiltersError(
            f"{root}: train and val have different classes, first `{odd[0]}` ({len(odd)} in all); "
            "expected the same folders in both"
        )
    samples = {split: listed for split, (_, listed) in found.items()}
    files = {split: RawFiles(root / folder) for split, folder in FOLDERS.items()}
    points: dict[str, Points] = {split: {} for split in FOLDERS}
    if data.landmarks:
        points = {split: read_landmarks(files[split], dict(samples[split])) for split in FOLDERS}
        if not any(points.values()):
            raise ClearfiltersError(
                f"{root}: the {LANDMARKS} of train and val have no line below the columns' names; "
                "expected at least one landmark; add some or set `landmarks: false`"
            )
    tables = {}
    with ExitStack() as stack:
        for split in FOLDERS:
            temporary = stack.enter_context(atomic_path(out / split / "images.npy"))
            tables[split] = _write_images(
                temporary, files[split], samples[split], points[split], data
            )
    splits = {
        split: Split(
            images=np.load(out / split / "images.npy", mmap_mode="r"),
            labels=np.array([label for _, label in samples[split]], np.int64),
            landmarks=tables[split] if data.landmarks else None,
        )
        for split in FOLDERS
    }
    return RawData(
        splits=splits,
        classes=classes,
        source=f"image folder {data.folder}",
        raw_sha256={f"{data.folder}/{FOLDERS[split]}": files[split].sha256() for split in FOLDERS},
        verified=False,
        skipped=_left_out(splits) if data.landmarks else {},
    )


def _write_images(
    path: Path,
    files: RawFiles,
    samples: Sequence[tuple[str, int]],
    points: Points,
    data: ImageFolderParams,
) -> pd.DataFrame:
    """Write a split's images, cropped, to the memory-mapped array `path`; their landmarks.

    Raises:
        ClearfiltersError: if an image is missing or damaged; see `place_landmarks`.
    """
    images = np.lib.format.open_memmap(
        path,
        mode="w+",
        dtype=np.uint8,
        shape=(len(samples), data.image_size, data.image_size, 3),
    )
    placed: list[tuple[int, str, float, float, bool]] = []
    for row, (name, _) in enumerate(samples):
        image = files.read_image(name, turn=True)
        images[row] = centre_crop(image, data.resize, data.image_size)
        height, width = image.shape[:2]
        marks = place_landmarks(points.get(name, []), height, width, data, files.folder / name)
        placed += [(row, *mark) for mark in marks]
    images.flush()
    return pd.DataFrame(placed, columns=LANDMARK_COLUMNS).astype(LANDMARK_TYPES)


def _left_out(splits: Mapping[str, Split]) -> dict[str, int]:
    """How many landmarks lie outside their crop, and how many classes have none, if any do."""
    counts: Counter[str] = Counter()
    for split, folder in FOLDERS.items():
        table, labels = splits[split].landmarks, splits[split].labels
        if table is not None:
            counts[OUTSIDE_CROP] += int((~table["visible"]).sum())
            without = len(np.unique(labels)) - len(np.unique(labels[table["image"]]))
            counts[f"classes without landmarks in {folder}/{LANDMARKS}"] += without
    return {reason: count for reason, count in sorted(counts.items()) if count}
