"""Pascal VOC 2010 with Pascal-Part, prepared as in the interpretable-CNN papers.

One stretched box per object (specification interpretable_cnn.md, sections 3.1 and 3.3): the
smallest box around its mask. Its landmarks are the centres of the boxes around its parts' masks
(sections 4.1 and 6.1). The papers' code lists fewer objects than Pascal-Part has; all are taken
here.
"""

from collections import Counter
from pathlib import Path

import numpy as np

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
    devkit = Devkit(raw / FOLDER)
    classes = task_classes(data.task, list(data.classes))
    categories: dict[str, list[BoxedObject]] = {name: [] for name in data.classes}
    skipped: Counter[str] = Counter()
    for name in devkit.names:
        for found in devkit.objects(name, data.classes):
            if found.mask.any():
                boxed = boxed_object(found, devkit.images, f"{name}.jpg", classes.index(found.name))
                categories[found.name].append(boxed)
            else:
                skipped[EMPTY_MASK] += 1
    splits, images_sha256 = build_task(categories, data, raw, skipped)
    skipped[NOT_LISTED] = devkit.not_listed
    return RawData(
        splits=splits,
        classes=classes,
        source=devkit.source,
        raw_sha256={**devkit.annotations_sha256(), **images_sha256},
        verified=devkit.full,
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
