"""Pascal VOC 2010 with Pascal-Part, prepared as in the interpretable-CNN papers.

One stretched box per object (specification interpretable_cnn.md, sections 3.1 and 3.3): the
smallest box around its mask. Its landmarks are the centres of the boxes around its parts' masks
(sections 4.1 and 6.1). The papers' code lists fewer objects than Pascal-Part has; all are taken
here.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from clearfilters.artifacts import file_sha256
from clearfilters.data.archives import fetch
from clearfilters.data.crops import bounding_box
from clearfilters.data.icnn_crops import Box, BoxedObject, Landmark, build_task, task_classes
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.store import RawData
from clearfilters.data.voc_parts import (
    ANNOTATIONS,
    EMPTY_MASK,
    FOLDER,
    IMAGES,
    LANDMARKS,
    LISTED,
    NOT_LISTED,
    RELEASE_IMAGES,
    AnnotatedObject,
    landmark_centres,
    listed_images,
    read_annotation,
)
from clearfilters.params.datasets import VocIcnnParams


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
    root = raw / FOLDER
    annotations, images = RawFiles(root / ANNOTATIONS), RawFiles(root / IMAGES)
    names = listed_images(root)
    classes = task_classes(data.task, list(data.classes))
    categories: dict[str, list[BoxedObject]] = {name: [] for name in data.classes}
    skipped: Counter[str] = Counter()
    for name in names:
        annotations.read(f"{name}.mat")
        for found in read_annotation(annotations.folder / f"{name}.mat", data.classes):
            if found.mask.any():
                boxed = boxed_object(found, images, f"{name}.jpg", classes.index(found.name))
                categories[found.name].append(boxed)
            else:
                skipped[EMPTY_MASK] += 1
    splits, images_sha256 = build_task(categories, data, raw, skipped)
    annotated = len(list(annotations.folder.glob("*.mat")))
    skipped[NOT_LISTED] = annotated - len(names)
    full = len(names) == annotated == RELEASE_IMAGES
    return RawData(
        splits=splits,
        classes=classes,
        source="Pascal VOC 2010 with Pascal-Part" + ("" if full else ", not the full release"),
        raw_sha256={
            f"{FOLDER}/{LISTED}": file_sha256(root / LISTED),
            f"{FOLDER}/{ANNOTATIONS}": annotations.sha256(),
            **images_sha256,
        },
        verified=full,
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
    )


def boxed_object(found: AnnotatedObject, images: RawFiles, name: str, label: int) -> BoxedObject:
    """The box around an object's mask, not empty, in the image `name`, and its landmarks.

    They are LANDMARKS; one whose part is not annotated is not visible.
    """
    landmarks = [
        Landmark(part, 0.0, 0.0, False) if np.isnan(x) else Landmark(part, float(x), float(y), True)
        for part, (x, y) in zip(LANDMARKS, landmark_centres(found), strict=True)
    ]
    left, top, width, height = bounding_box(found.mask)
    return BoxedObject(
        files=images,
        name=name,
        label=label,
        box=Box(left, top, left + width, top + height),
        landmarks=landmarks,
        image_shape=(found.mask.shape[0], found.mask.shape[1]),
    )
