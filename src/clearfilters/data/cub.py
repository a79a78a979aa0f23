"""CUB-200-2011 in its official folder (Wah et al. 2011): bird species, boxes and 15 landmarks.

Boxes are cut out and stretched as in the interpretable-CNN papers (specification
interpretable_cnn.md, sections 3.2 and 6.3). Landmarks and boxes are taken to count from the image's
left and top edges: there are boxes that start at 0.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearfilters.data.archives import fetch
from clearfilters.data.icnn_crops import (
    TOO_SMALL,
    Box,
    BoxedObject,
    Landmark,
    Row,
    build_split,
    large_enough,
    read_negatives,
    round_half_up,
)
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.store import SPLITS, RawData
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import CubBackgroundParams, CubCropParams

FOLDER = "CUB_200_2011"
IMAGES = "images"
LABELS = "image_class_labels.txt"
TRAINING = "train_test_split.txt"
BOXES = "bounding_boxes.txt"
PLACES = "parts/part_locs.txt"
SINGLE_CLASSES = ["background", "bird"]

# The full release.
RELEASE_SPLITS = {"train": 5994, "test": 5794}

REFETCH = "fetch the release again (docs/data.md)"


@dataclass(frozen=True)
class Release:
    """The classes by label, the birds of each split in the order of images.txt, and their files."""

    classes: list[str]
    splits: dict[str, list[BoxedObject]]
    tables: RawFiles
    images: RawFiles


def read_raw(data: CubCropParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """The birds below `raw`/CUB_200_2011, for the processed store.

    Args:
        data: size of the crops, least area of a box, and the background images, if any.
        raw: the folder of all raw data.
        out: unused.
        download: fetch the release if its images are absent.

    Raises:
        ClearfiltersError: see `read_release`, `archives.fetch`, `icnn_crops.read_negatives` and
            `icnn_crops.build_split`.
    """
    if download and not (raw / FOLDER / IMAGES).exists():
        fetch(FOLDER, raw)
    release = read_release(raw / FOLDER)
    classes, sha256 = release.classes, {}
    negatives: dict[str, list[BoxedObject]] = {split: [] for split in SPLITS}
    if data.background is not None:
        classes = SINGLE_CLASSES
        background = read_negatives(raw / data.background.folder)
        negatives = _split_negatives(background, data.background)
    splits, skipped = {}, Counter[str]()
    for split in SPLITS:
        birds = large_enough(release.splits[split], data.min_area)
        skipped[TOO_SMALL] += len(release.splits[split]) - len(birds)
        rows = [Row(index, False) for index in range(len(birds))]
        if data.background is not None:
            birds = [replace(bird, label=1) for bird in birds]
            rows += [
                Row(len(birds) + index, False)
                for index in range(len(negatives[split]))
                for _ in range(data.background.copies)
            ]
        splits[split], left_out = build_split(birds + negatives[split], rows, data.image_size)
        skipped += left_out
    if data.background is not None:
        sha256[data.background.folder] = background[0].files.sha256()
    full = {split: len(birds) for split, birds in release.splits.items()} == RELEASE_SPLITS
    return RawData(
        splits=splits,
        classes=classes,
        source="CUB-200-2011" + ("" if full else ", not the full release"),
        raw_sha256={
            f"{FOLDER}/*.txt": release.tables.sha256(),
            f"{FOLDER}/{IMAGES}": release.images.sha256(),
            **sha256,
        },
        verified=full,
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
    )


def _split_negatives(
    negatives: list[BoxedObject], background: CubBackgroundParams
) -> dict[str, list[BoxedObject]]:
    """The first ones for training, the others for validation, as in the authors' code."""
    chosen = round_half_up(background.train_share * len(negatives))
    return {"train": negatives[:chosen], "test": negatives[chosen:]}


def read_release(root: Path) -> Release:
    """The tables of the official folder; images are not read yet.

    Raises:
        ClearfiltersError: if a table is missing or malformed, the tables do not fit together, a
            listed image is absent or a box has no area.
    """
    tables, images = RawFiles(root), RawFiles(root / IMAGES)
    classes = {number: name for number, name in _rows(tables, "classes.txt", (int, str))}
    names = {number: name for number, name in _rows(tables, "images.txt", (int, str))}
    labels = {image: number for image, number in _rows(tables, LABELS, (int, int))}
    training = {image: number for image, number in _rows(tables, TRAINING, (int, int))}
    boxes = {row[0]: row[1:] for row in _rows(tables, BOXES, (int, float, float, float, float))}
    parts = {number: name for number, name in _rows(tables, "parts/parts.txt", (int, str))}
    for table, content in ((LABELS, labels), (TRAINING, training), (BOXES, boxes)):
        if content.keys() != names.keys():
            raise ClearfiltersError(
                f"{root / table}: image {min(content.keys() ^ names.keys())} stands only here or "
                f"only in images.txt; {REFETCH}"
            )
    labels_of_classes = {number: label for label, number in enumerate(classes)}
    landmarks: dict[int, list[Landmark]] = {image: [] for image in names}
    for image, part, x, y, visible in _rows(tables, PLACES, (int, int, float, float, int)):
        if image not in names or part not in parts or visible not in (0, 1):
            raise ClearfiltersError(
                f"{root / PLACES}: the row of image {image}, part {part}, visible {visible}; "
                f"expected an image of images.txt, a part of parts.txt, and 0 or 1; {REFETCH}"
            )
        landmarks[image].append(Landmark(parts[part], x, y, visible == 1))
    splits: dict[str, list[BoxedObject]] = {split: [] for split in SPLITS}
    for image, name in names.items():
        if labels[image] not in classes or training[image] not in (0, 1):
            raise ClearfiltersError(
                f"{root}: image {image} has class {labels[image]} and {TRAINING} {training[image]};"
                f" expected a class of classes.txt, and 0 or 1; {REFETCH}"
            )
        if not (images.folder / name).is_file():
            raise ClearfiltersError(
                f"{images.folder / name}: no such file, though images.txt lists it; {REFETCH}"
            )
        x, y, width, height = boxes[image]
        if not (width > 0 and height > 0):
            raise ClearfiltersError(
                f"{root / BOXES}: the box of image {image} ({name}) is {width:g} x {height:g} "
                f"pixels; expected positive numbers; {REFETCH}"
            )
        splits["train" if training[image] else "test"].append(
            BoxedObject(
                files=images,
                name=name,
                label=labels_of_classes[labels[image]],
                box=Box(x, y, x + width, y + height),
                landmarks=landmarks[image],
            )
        )
    return Release(list(classes.values()), splits, tables, images)


def _rows(files: RawFiles, name: str, types: tuple[type, ...]) -> list[tuple[Any, ...]]:
    """The rows of a table; the last column may hold spaces.

    Raises:
        ClearfiltersError: if it is missing, empty or has a row of another form.
    """
    path = files.folder / name
    found = []
    for number, line in enumerate(files.read(name).decode(errors="replace").splitlines(), start=1):
        fields = line.strip().split(" ", len(types) - 1)
        try:
            found.append(tuple(kind(text) for kind, text in zip(types, fields, strict=True)))
        except ValueError:
            raise ClearfiltersError(
                f"{path}: line {number} is `{line}`; expected "
                f"{' '.join(kind.__name__ for kind in types)}; {REFETCH}"
            ) from None
    if not found:
        raise ClearfiltersError(f"{path}: no rows in it; {REFETCH}")
    return found
