"""ILSVRC 2013 DET Animal-Part (Zhang et al. 2017): one animal an image, its head and front legs.

Prepared as in the interpretable-CNN papers (specification interpretable_cnn.md, sections 3.1, 3.3
and 6.2). Boxes in data.mat count pixels from 1, the last one included. The truth files give centres
of parts in the box resized to 224 x 224, whatever the size of the image, so they hold for a copy of
the images in another size too; the boxes that they repeat are in pixels of the original images.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.artifacts import file_sha256
from clearfilters.data.icnn_crops import (
    Box,
    BoxedObject,
    Landmark,
    build_task,
    task_classes,
)
from clearfilters.data.matfiles import read_mat
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.store import RawData
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import IlsvrcCropParams

FOLDER = "ilsvrc_animal_part"
# Landmark -> its truth file. The goldfish has only a head.
TRUTH_FILES = {"head": "truth_part01.mat", "front legs": "truth_part02.mat"}
HEAD_ONLY = "n01443537"
# The bird has no data.mat: its boxes are those that its truth files repeat.
WITHOUT_BOXES = "n01503061"
# Side of the resized box that the truth files' coordinates are in.
TRUTH_SIDE = 224

REFETCH = "fetch the release again (docs/data.md)"


def read_raw(data: IlsvrcCropParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """The animals below `raw`/ilsvrc_animal_part, for the processed store.

    Args:
        data: which categories, size of the crops, least area of a box, and the task.
        raw: the folder of all raw data.
        out: unused.
        download: unused: the release is a repository without checksums (docs/data.md).

    Raises:
        ClearfiltersError: see `read_category` and `icnn_crops.build_task`.
    """
    root = raw / FOLDER
    categories: dict[str, list[BoxedObject]] = {}
    sha256: dict[str, str] = {}
    skipped: Counter[str] = Counter()
    classes = task_classes(data.task, list(data.categories))
    first = len(classes) - len(data.categories)
    for label, (name, wnid) in enumerate(data.categories.items(), start=first):
        categories[name], without_box = read_category(root, wnid, label)
        skipped["images without a box"] += without_box
        for path in (_boxes_path(root, wnid), *_truth_paths(root, wnid).values()):
            if path.exists():
                sha256[path.relative_to(raw).as_posix()] = file_sha256(path)
    splits, images_sha256 = build_task(categories, data, raw, skipped)
    return RawData(
        splits=splits,
        classes=classes,
        source="ILSVRC 2013 DET Animal-Part",
        raw_sha256={**sha256, **images_sha256},
        verified=False,
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
    )


def read_category(root: Path, wnid: str, label: int) -> tuple[list[BoxedObject], int]:
    """The animals of one category, in the order of their numbers; images are not read yet.

    Args:
        root: the folder that holds `<wnid>_obj` and `truth`.
        wnid: WordNet's number of the category.
        label: that they get.

    Returns:
        The animals, and how many images are left out because the release has no box for them.

    Raises:
        ClearfiltersError: if a file is missing or damaged, its content has another form, files do
            not fit together, a box has no area or a part lies outside its box.
    """
    files = RawFiles(root / f"{wnid}_obj/img/img")
    boxes_path, paths = _boxes_path(root, wnid), _truth_paths(root, wnid)
    boxed = boxes_path.exists() or wnid != WITHOUT_BOXES
    truth = {
        name: _structs(path, "truth", ("pHW_center",) if boxed else ("pHW_center", "obj"))
        for name, path in paths.items()
    }
    if boxed:
        boxes: list[Box | None] = [
            _box(sample.get("obj"), f"{boxes_path}: samples({number})")
            for number, sample in enumerate(_structs(boxes_path, "samples", ("obj",)), start=1)
        ]
    else:
        boxes = _boxes_of_truth(paths, truth)
    for name, path in paths.items():
        if len(truth[name]) != len(boxes):
            raise ClearfiltersError(
                f"{path}: {len(truth[name])} entries, but there are {len(boxes)} objects; expected "
                f"as many; {REFETCH}"
            )
    objects = []
    for index, box in enumerate(boxes):
        image = f"{index + 1:05d}.jpg"
        if not (files.folder / image).is_file():
            raise ClearfiltersError(
                f"{files.folder / image}: no such file, though object {index + 1} of {len(boxes)} "
                f"is in it; {REFETCH}"
            )
        if box is not None:
            landmarks: list[Landmark] = []
            for name, path in paths.items():
                centres = truth[name][index].get("pHW_center")
                landmarks += _landmarks(name, centres, box, f"{path}: truth({index + 1})")
            objects.append(BoxedObject(files, image, label, box, landmarks))
    return objects, len(boxes) - len(objects)


def _boxes_path(root: Path, wnid: str) -> Path:
    return root / f"{wnid}_obj/img/data.mat"


def _truth_paths(root: Path, wnid: str) -> dict[str, Path]:
    """The truth file of each landmark that the category has."""
    return {
        name: root / "truth" / wnid / file
        for name, file in TRUTH_FILES.items()
        if name == "head" or wnid != HEAD_ONLY
    }


def _structs(path: Path, name: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """The struct array `name` of a MATLAB file, those fields of it.

    Raises:
        ClearfiltersError: if the file cannot be read or holds no such array.
    """
    found = read_mat(path, fields).get(name)
    structs = [found] if isinstance(found, dict) else found
    if not isinstance(structs, list) or not all(isinstance(entry, dict) for entry in structs):
        raise ClearfiltersError(
            f"{path}: no struct array `{name}` in it; expected the file of the release; {REFETCH}"
        )
    return structs


def _boxes_of_truth(
    paths: dict[str, Path], truth: dict[str, list[dict[str, Any]]]
) -> list[Box | None]:
    """The box that an object's first annotated part repeats; none where no part is annotated."""
    boxes: list[Box | None] = [None] * max(len(entries) for entries in truth.values())
    for name, entries in truth.items():
        for index, entry in enumerate(entries):
            if boxes[index] is None and isinstance(entry.get("obj"), dict):
                boxes[index] = _box(entry["obj"], f"{paths[name]}: truth({index + 1})")
    return boxes


def _box(found: Any, where: str) -> Box:
    """A box from the struct `obj` of data.mat or of a truth file, where it is text.

    Raises:
        ClearfiltersError: if it has another form or no area.
    """
    try:
        xmin, ymin, xmax, ymax = (
            float(found["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")
        )
    except (KeyError, TypeError, ValueError):
        raise ClearfiltersError(
            f"{where}: no obj.bndbox with numbers xmin, ymin, xmax and ymax; {REFETCH}"
        ) from None
    if not (xmin < xmax and ymin < ymax):
        raise ClearfiltersError(
            f"{where}: the box from ({xmin:g}, {ymin:g}) to ({xmax:g}, {ymax:g}) has no area; "
            f"correct it or {REFETCH}"
        )
    return Box(xmin - 1, ymin - 1, xmax, ymax)


def _landmarks(name: str, centres: Any, box: Box, where: str) -> list[Landmark]:
    """The instances of a part in the image; a part that is not annotated is not visible.

    Args:
        name: of the part.
        centres: rows (first) and columns (second) in the resized box, (2,) or (2, instances), or
            empty.
        box: of the object.
        where: what to call it in messages.

    Raises:
        ClearfiltersError: if the centres have another form or lie outside the box.
    """
    if np.size(centres) == 0:
        return [Landmark(name, 0.0, 0.0, False)]
    shares = np.asarray(centres) / TRUTH_SIDE if isinstance(centres, np.ndarray) else np.empty(0)
    if shares.shape[0] != 2 or not ((shares >= 0) & (shares <= 1)).all():
        raise ClearfiltersError(
            f"{where}: the centre of part `{name}` is {centres}; expected row and column, 0 to "
            f"{TRUTH_SIDE}; {REFETCH}"
        )
    rows, columns = shares.reshape(2, -1)
    return [
        Landmark(
            name,
            box.left + float(column) * (box.right - box.left),
            box.top + float(row) * (box.bottom - box.top),
            True,
        )
        for row, column in zip(rows, columns, strict=True)
    ]
