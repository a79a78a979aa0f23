"""Pascal VOC 2010 with Pascal-Part, prepared as in the interpretable-CNN papers.

One stretched box per object (specification interpretable_cnn.md, sections 3.1 and 3.3): the
smallest box around its mask. Its landmarks are the centres of the boxes around its parts' masks
(sections 4.1 and 6.1), and its parts are merged (section 4.2). The papers' code lists fewer objects
than Pascal-Part has; all are taken here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clearfilters.data.archives import fetch
from clearfilters.data.crops import bounding_box
from clearfilters.data.icnn_crops import Box, BoxedObject, Landmark, build_task, task_classes
from clearfilters.data.pascal_part import (
    EMPTY_MASK,
    FOLDER,
    IMAGES,
    LANDMARKS,
    NOT_LISTED,
    AnnotatedObject,
    Devkit,
    landmark_centres,
)
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.store import RawData
from clearfilters.data.voc_parts import PARTS, merge_parts, unmerged_parts
from clearfilters.params.datasets import VocIcnnParams

PartMap = npt.NDArray[np.uint8]

# The papers' merged parts have the members of the gate papers' ones; a bird's limbs are its legs.
PART_NAMES = {
    "HEAD": "head",
    "TORSO": "torso",
    "FLIMB": "front legs",
    "BLIMB": "back legs",
    "TAIL": "tail",
}
BIRD_PART_NAMES = {**PART_NAMES, "BLIMB": "legs"}


def read_raw(data: VocIcnnParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """The objects below `raw`/VOC2010, for the processed store.

    Args:
        data: which classes, size of the crops, least area of a box, and the task.
        raw: the folder of all raw data.
        out: unused.
        download: fetch the images if they are absent.

    Raises:
        ClearfiltersError: if a file is missing or damaged, or sizes differ; see
            `icnn_crops.build_task` and `archives.fetch`.
    """
    if download and not (raw / FOLDER / IMAGES).exists():
        fetch(FOLDER, raw)
    devkit = Devkit(raw / FOLDER)
    classes, parts = task_classes(data.task, list(data.classes)), part_names(data.classes)
    categories: dict[str, list[BoxedObject]] = {name: [] for name in data.classes}
    skipped: Counter[str] = Counter()
    for name in devkit.names:
        objects = devkit.objects(name, data.classes)
        for found in objects:
            if found.mask.any():
                alike = [other for other in objects if other.name == found.name]
                shown, label = parts_around(found, alike, parts), classes.index(found.name)
                boxed = boxed_object(found, devkit.images, f"{name}.jpg", label, shown)
                categories[found.name].append(boxed)
                skipped.update(unmerged_parts(found))
            else:
                skipped[EMPTY_MASK] += 1
    splits, images_sha256 = build_task(categories, data, raw, skipped, parts)
    skipped[NOT_LISTED] = devkit.not_listed
    return RawData(
        splits=splits,
        classes=classes,
        source=devkit.source,
        raw_sha256={**devkit.annotations_sha256(), **images_sha256},
        verified=devkit.full,
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
        masks_note=data.masks_note,
    )


def part_names(classes: Iterable[str]) -> list[str]:
    """The names of the merged parts that objects of some classes can have, each once."""
    return list(dict.fromkeys(part_name(kind, group) for kind in classes for group in PARTS[kind]))


def part_name(kind: str, group: str) -> str:
    """The papers' name of a merged part of `voc_parts.PARTS`, of objects of the class `kind`."""
    return (BIRD_PART_NAMES if kind == "bird" else PART_NAMES)[group]


def part_map(objects: Sequence[AnnotatedObject], names: Sequence[str]) -> PartMap:
    """Which part of some objects in one image each of its pixels shows.

    Where parts overlap, the last of them in the order of `names` is shown, as in the authors' code.

    Args:
        objects: at least one, all masks of one size (H, W).
        names: of the parts; see `part_names`.

    Returns:
        uint8 (H, W): 0 for none, k for names[k - 1].
    """
    masks = [
        (names.index(part_name(found.name, group)) + 1, mask)
        for found in objects
        for group, mask in merge_parts(found).items()
    ]
    shown = np.zeros(objects[0].mask.shape, np.uint8)
    for number, mask in sorted(masks, key=lambda pair: pair[0]):
        shown[mask] = number
    return shown


def parts_around(
    found: AnnotatedObject, alike: Sequence[AnnotatedObject], names: Sequence[str]
) -> PartMap | None:
    """The `part_map` of an object and, behind it, of all objects `alike` of its class in its image.

    The authors' code, too, takes every object's parts that lie in the box.

    Returns:
        None where no part of the object itself is annotated: others' parts that reach into its box
        would stand for its own.
    """
    own = part_map([found], names)
    return np.where(own > 0, own, part_map(alike, names)) if own.any() else None


def boxed_object(
    found: AnnotatedObject, images: RawFiles, name: str, label: int, shown: PartMap | None
) -> BoxedObject:
    """The box around an object's mask, not empty, in the image `name`, and what is annotated in it.

    The landmarks are LANDMARKS; one whose part is not annotated is not visible. The parts are what
    of `shown`, which is as large as the image, lies in the box.
    """
    landmarks = [
        Landmark(part, 0.0, 0.0, False) if np.isnan(x) else Landmark(part, float(x), float(y), True)
        for part, (x, y) in zip(LANDMARKS, landmark_centres(found), strict=True)
    ]
    left, top, width, height = bounding_box(found.mask)
    right, bottom = left + width, top + height
    return BoxedObject(
        files=images,
        name=name,
        label=label,
        box=Box(left, top, right, bottom),
        landmarks=landmarks,
        image_shape=(found.mask.shape[0], found.mask.shape[1]),
        # A copy: all objects are held until they are cut out, their images' maps are not.
        part_map=None if shown is None else shown[top:bottom, left:right].copy(),
    )
