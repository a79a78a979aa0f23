"""The interpretable-CNN papers' preparation (specification interpretable_cnn.md, section 3).

Each object's box, cut out and stretched to a square; one category against background images, or
several categories; training and validation chosen by index, evenly spaced. The validation images
are what the papers test on, so they are the split `test`.

Coordinates are in pixels and continuous: pixel i covers [i, i + 1], its centre is i + 0.5.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from clearfilters.data.raw_files import RawFiles
from clearfilters.data.rows import RowImages
from clearfilters.data.store import LANDMARK_COLUMNS, SPLITS, Split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import CategoriesParams, MultiCategoryParams, SingleCategoryParams

IMAGE_SUFFIXES = (".jpg", ".jpeg")

OUTSIDE_BOX = "landmarks outside their object's box"
TOO_SMALL = "objects whose box is too small"


class Box(NamedTuple):
    """Columns left to right and rows top to bottom; it may reach beyond the image."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """In square pixels; 0 for a box whose sides are the wrong way round."""
        return max(self.right - self.left, 0.0) * max(self.bottom - self.top, 0.0)


class Landmark(NamedTuple):
    """A point of the image; where it is not visible, x and y mean nothing."""

    name: str
    x: float
    y: float
    visible: bool


class Row(NamedTuple):
    """A row of a split: the index of its object, and whether it is mirrored."""

    object_index: int
    flipped: bool


@dataclass(frozen=True)
class BoxedObject:
    """An object of class `label` in the image `name` of `files`; no box means the whole image.

    A landmark with several instances stands in `landmarks` once for each. `image_shape` is the
    image's height and width where its annotation says so. `part_map` says which part each pixel of
    the box shows, uint8: 0 for none, k for the k-th of the data set's parts; None where no part is
    annotated.
    """

    files: RawFiles
    name: str
    label: int
    box: Box | None = None
    landmarks: list[Landmark] = field(default_factory=list)
    image_shape: tuple[int, int] | None = None
    part_map: npt.NDArray[np.uint8] | None = None

    @property
    def path(self) -> Path:
        """The image's file."""
        return self.files.folder / self.name


def round_half_up(value: float) -> int:
    """MATLAB's round, of numbers that are not negative."""
    return math.floor(value + 0.5)


def training_indices(count: int, share: float) -> list[int]:
    """Which of `count` things are for training: round(linspace(1, count, round(share count))).

    Returns:
        Ascending indices, counted from 0, the last one included; all others are for validation.
    """
    chosen = round_half_up(share * count)
    if chosen <= 1:
        return [count - 1] * chosen
    # In whole numbers, so that halves are exact: i (count - 1) / (chosen - 1), rounded half up.
    steps = chosen - 1
    return [(2 * i * (count - 1) + steps) // (2 * steps) for i in range(chosen)]


def positives_for(negatives: int, share: float) -> int:
    """How many positive images make up `share` of all beside so many negative ones."""
    return round_half_up(share / (1 - share) * negatives)


def tile(count: int, minimum: int, maximum: int | None) -> list[Row]:
    """Each of `count` objects plain and mirrored, in order, and this list again and again.

    Args:
        count: of objects, at least 1.
        minimum: images; a shorter list is repeated and cut off there.
        maximum: images; a longer list is cut off there. None for no limit.
    """
    once = [Row(index, flipped) for index in range(count) for flipped in (False, True)]
    wanted = max(len(once), minimum)
    if maximum is not None:
        wanted = min(wanted, maximum)
    return [once[i % len(once)] for i in range(wanted)]


def split_rows(rows: Iterable[Row], training: Iterable[int]) -> dict[str, list[Row]]:
    """All images of the objects `training` in the split `train`, all others in `test`."""
    chosen = set(training)
    found: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for row in rows:
        found["train" if row.object_index in chosen else "test"].append(row)
    return found


def single_category_rows(
    objects: int, negatives: int, *, positive_share: float, train_share: float
) -> dict[str, list[Row]]:
    """The images of one category against background images (section 3.1).

    Objects are tiled until they make up `positive_share` of all; with more objects than that, the
    last ones are lost, as in the authors' code. Negatives are taken once, not mirrored.

    Returns:
        Split -> rows; indices run over the objects, then over the negatives.
    """
    wanted = positives_for(negatives, positive_share)
    positive = split_rows(
        tile(objects, wanted, wanted) if objects else [], training_indices(objects, train_share)
    )
    negative = split_rows(
        [Row(index, False) for index in range(negatives)], training_indices(negatives, train_share)
    )
    return {split: positive[split] + shifted(negative[split], objects) for split in SPLITS}


def multi_category_rows(
    counts: Sequence[int], *, minimum: int, maximum: int | None, train_share: float
) -> dict[str, list[Row]]:
    """The images of several categories (section 3.3), `minimum` to `maximum` of each.

    The authors split the tiled list, so that validation images are copies and mirror images of
    training images; here each category's objects are split before they are tiled.

    Args:
        counts: objects of each category.
        minimum: see `tile`.
        maximum: see `tile`.
        train_share: of each category's objects.

    Returns:
        Split -> rows; indices run over the objects of the first category, then of the second, ...
    """
    found: dict[str, list[Row]] = {split: [] for split in SPLITS}
    first = 0
    for count in counts:
        rows = split_rows(tile(count, minimum, maximum), training_indices(count, train_share))
        for split in SPLITS:
            found[split] += shifted(rows[split], first)
        first += count
    return found


def shifted(rows: Iterable[Row], by: int) -> list[Row]:
    """The same rows of objects whose indices start at `by`."""
    return [Row(row.object_index + by, row.flipped) for row in rows]


def task_classes(task: SingleCategoryParams | MultiCategoryParams, names: list[str]) -> list[str]:
    """The classes of a task by label: background stands before a single category."""
    return ["background", *names] if isinstance(task, SingleCategoryParams) else names


def build_task(
    categories: Mapping[str, Sequence[BoxedObject]],
    data: CategoriesParams,
    raw: Path,
    skipped: Counter[str],
    part_names: Sequence[str] = (),
) -> tuple[dict[str, Split], dict[str, str]]:
    """The images of a task: one category against background images, or several categories.

    Args:
        categories: name -> objects; those whose box is too small are left out.
        data: size of the images, least area, share for training, and the task.
        raw: the folder of all raw data.
        skipped: what is left out is added to it.
        part_names: see `build_split`.

    Returns:
        The splits, and the SHA-256 of each folder of images that was read.

    Raises:
        ClearfiltersError: if a category has no object of the least area; see `read_negatives` and
            `build_split`.
    """
    objects: list[BoxedObject] = []
    counts = []
    for name, found in categories.items():
        kept = large_enough(found, data.min_area)
        if not kept:
            where = found[0].files.folder if found else raw
            raise ClearfiltersError(
                f"{where}: none of {len(found)} objects of category `{name}` has {data.min_area:g} "
                "square pixels; lower min_area or leave the category out"
            )
        skipped[TOO_SMALL] += len(found) - len(kept)
        objects += kept
        counts.append(len(kept))
    if isinstance(data.task, SingleCategoryParams):
        negatives = read_negatives(raw / data.task.negatives)
        rows = single_category_rows(
            len(objects),
            len(negatives),
            positive_share=data.task.positive_share,
            train_share=data.train_share,
        )
        objects += negatives
    else:
        rows = multi_category_rows(
            counts,
            minimum=data.task.min_images,
            maximum=data.task.max_images,
            train_share=data.train_share,
        )
    splits = {}
    for split in SPLITS:
        splits[split], left_out = build_split(objects, rows[split], data.image_size, part_names)
        skipped.update(left_out)
    folders = {found.files.folder: found.files for found in objects}
    return splits, {
        folder.relative_to(raw).as_posix(): files.sha256() for folder, files in folders.items()
    }


def large_enough(objects: Sequence[BoxedObject], min_area: float) -> list[BoxedObject]:
    """The objects whose box, as annotated, has at least `min_area` square pixels."""
    return [found for found in objects if found.box is None or found.box.area >= min_area]


def read_negatives(folder: Path) -> list[BoxedObject]:
    """The background images (JPEG) of a folder by name, whole, with label 0.

    Raises:
        ClearfiltersError: if there are none.
    """
    files = RawFiles(folder)
    names = sorted(path.name for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not names:
        raise ClearfiltersError(
            f"{folder}: no images in it; expected background images that end in "
            f"{' or '.join(IMAGE_SUFFIXES)}; docs/data.md says where they come from"
        )
    return [BoxedObject(files, name, label=0) for name in names]


def pixels_of(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """First column and row, and the ones after the last, of a box cut off at the image's edges.

    Raises:
        ClearfiltersError: if an edge is not finite or nothing is left.
    """
    if not all(map(math.isfinite, box)):
        raise ClearfiltersError(
            f"the box {tuple(box)} (left, top, right, bottom) has an edge that is not finite; "
            "expected four numbers in pixels; correct it"
        )
    left, right = max(round_half_up(box.left), 0), min(round_half_up(box.right), width)
    top, bottom = max(round_half_up(box.top), 0), min(round_half_up(box.bottom), height)
    if left >= right or top >= bottom:
        raise ClearfiltersError(
            f"the box {tuple(box)} (left, top, right, bottom) has no area in an image of {width} x "
            f"{height} pixels; expected at least one pixel each way; correct it"
        )
    return left, top, right, bottom


def stretch(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """An image uint8 (H, W, 3) resized to (size, size, 3), its proportions not kept.

    Bilinear, with a triangle as wide as a pixel of the coarser of both grids, as MATLAB's imresize.
    """
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def stretch_nearest(values: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """An array (H, W) resized to (size, size), its proportions not kept, to the nearest pixel."""
    return np.array(Image.fromarray(values).resize((size, size), Image.Resampling.NEAREST))


def build_split(
    objects: Sequence[BoxedObject], rows: Sequence[Row], size: int, part_names: Sequence[str] = ()
) -> tuple[Split, Counter[str]]:
    """Read and cut the objects that the rows name, each once.

    Args:
        objects: all that the rows may name.
        rows: of the split.
        size: side of the crops in pixels.
        part_names: of the data set's parts, whose masks move with the crop (nearest pixel).

    Returns:
        The split, with one image per object, and counts of what was left out. An object's landmarks
        stand at its first row that is not mirrored, and at no copy, so that what is measured on
        landmarks sees each object once; one outside the box is not visible.

    Raises:
        ClearfiltersError: if an image is absent, damaged or of another size than its annotation
            says, a box has no area or a visible landmark lies outside the image.
    """
    labels = np.array([objects[row.object_index].label for row in rows], np.int64)
    landmarks: list[tuple[int, str, float, float, bool]] = []
    skipped: Counter[str] = Counter()
    uses: dict[int, list[int]] = {}
    for position, row in enumerate(rows):
        uses.setdefault(row.object_index, []).append(position)
    images = np.empty((len(uses), size, size, 3), np.uint8)
    # Untouched where an object lacks a part, so that background images cost no memory.
    parts = {name: np.zeros(images.shape[:3], np.bool_) for name in part_names}
    image_of_row = np.empty(len(rows), np.int64)
    for number, (index, positions) in enumerate(uses.items()):
        found = objects[index]
        image = found.files.read_image(found.name)
        height, width = image.shape[:2]
        if found.image_shape not in (None, (height, width)):
            raise ClearfiltersError(
                f"{found.path}: the image is {(height, width)} pixels (rows, columns), its "
                f"annotation's masks are {found.image_shape}; expected the same; take both from "
                "the same release"
            )
        _check_landmarks(found, width, height)
        box = found.box or Box(0, 0, width, height)
        try:
            left, top, right, bottom = pixels_of(box, width, height)
        except ClearfiltersError as error:
            raise ClearfiltersError(f"{found.path}: {error}") from None
        images[number] = stretch(image[top:bottom, left:right], size)
        image_of_row[positions] = number
        if found.part_map is not None:
            shown = stretch_nearest(found.part_map, size)
            for k in np.unique(shown[shown > 0]):
                parts[part_names[k - 1]][number] = shown == k
        first = next((position for position in positions if not rows[position].flipped), None)
        if first is None:
            continue
        for name, x, y, visible in found.landmarks:
            inside = left <= x <= right and top <= y <= bottom
            skipped[OUTSIDE_BOX] += visible and not inside
            x, y = (x - left) * size / (right - left), (y - top) * size / (bottom - top)
            landmarks.append((first, name, x, y, visible and inside))
    table = pd.DataFrame(landmarks, columns=LANDMARK_COLUMNS)
    table = table.astype({"image": np.int64, "x": float, "y": float, "visible": bool})
    mirrored = np.array([row.flipped for row in rows], np.bool_)
    rows_of_images = RowImages(images, image_of_row, mirrored)
    return Split(rows_of_images, labels, parts=parts or None, landmarks=table), skipped


def _check_landmarks(found: BoxedObject, width: int, height: int) -> None:
    for name, x, y, visible in found.landmarks:
        if visible and not (0 <= x <= width and 0 <= y <= height):
            raise ClearfiltersError(
                f"{found.path}: its landmark `{name}` lies at ({x:g}, {y:g}), outside the image of "
                f"{width} x {height} pixels; take images and annotations from the same release"
            )
