"""ILSVRC 2013 DET Animal-Part (Zhang et al. 2017): one animal an image, head and front legs."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.data.animals.canvas import Mask
from clearfilters.data.animals.layout import (
    pixel_box,
    scene_rng,
    struct_array,
    write_jpeg,
    write_mat,
)
from clearfilters.data.animals.scene import (
    CLASSES,
    AnimalObject,
    render_background,
    render_scene,
)
from clearfilters.params.datasets import StyleParams

WNIDS = {
    "bird": "n01503061",
    "cat": "n02121808",
    "cow": "n02402425",
    "dog": "n02084071",
    "horse": "n02374451",
    "sheep": "n02411705",
}
# Parts 1 and 2 of the truth files. A bird has no front legs: its two legs stand for them.
HEAD = frozenset({"head"})
FRONT_LEGS = frozenset(
    side + part for side in "lr" for part in ("fleg", "fpa", "fuleg", "flleg", "fho", "leg", "foot")
)
# Truth coordinates are in the object's box, resized to this side.
TRUTH_SIDE = 224

Box = tuple[int, int, int, int]


def _box(mask: Mask) -> Box:
    """First and last column, first and last row, counted from 1."""
    left, right, top, bottom = pixel_box(mask)
    return left + 1, right + 1, top + 1, bottom + 1


def _bndbox(box: Box, *, as_text: bool) -> dict[str, Any]:
    """In data.mat the numbers are doubles, in the truth files text."""
    fields = zip(("xmin", "xmax", "ymin", "ymax"), box, strict=True)
    return {name: str(value) if as_text else float(value) for name, value in fields}


def _truth(
    animal: AnimalObject, part_names: frozenset[str], wnid: str, index: int
) -> dict[str, Any]:
    """An entry of truth_part*.mat; all fields are empty where the part cannot be seen."""
    masks = [mask for part, mask in animal.parts.items() if part in part_names]
    if not masks:
        empty = np.zeros((0, 0))
        return {"pHW_center": empty, "pHW_scale": empty, "obj": empty}
    box = _box(animal.mask)
    xmin, xmax, ymin, ymax = box
    left, right, top, bottom = _box(np.logical_or.reduce(masks))
    size = np.array([[ymax - ymin], [xmax - xmin]], dtype=np.float64)
    corner = np.array([[ymin], [xmin]])
    middle = np.array([[top + bottom], [left + right]]) / 2
    extent = np.array([[bottom - top], [right - left]])
    return {
        "pHW_center": (middle - corner) / size * TRUTH_SIDE,
        "pHW_scale": extent / size * TRUTH_SIDE,
        "obj": {
            "folder": wnid,
            "filename": f"{wnid}_{index}",
            "name": wnid,
            "bndbox": _bndbox(box, as_text=True),
            "ID": np.uint8(1),
        },
    }


def write_ilsvrc(
    root: Path,
    *,
    seed: int,
    style: StyleParams,
    images_per_class: int,
    negatives: int,
    jpeg_quality: int,
    classes: Collection[str] = CLASSES,
) -> None:
    """Write `<root>/ilsvrc_animal_part`: `<wnid>_obj`, `truth` and `neg`, all MATLAB v5.

    Args:
        root: folder that holds raw data sets, and no such one yet.
        seed: of everything random.
        style: how varied and hard the images are.
        images_per_class: one animal each.
        negatives: images without animals.
        jpeg_quality: 1 to 95.
        classes: only these of CLASSES; an image is the same whichever others are written.
    """
    folder = root / "ilsvrc_animal_part"
    folder.mkdir(parents=True)
    for number, name in enumerate(CLASSES):
        if name not in classes:
            continue
        wnid = WNIDS[name]
        images = folder / f"{wnid}_obj/img/img"
        images.mkdir(parents=True)
        (folder / "truth" / wnid).mkdir(parents=True)
        boxes, heads, legs = [], [], []
        for index in range(images_per_class):
            scene = render_scene(name, style, scene_rng(seed, "ilsvrc", number, index))
            animal = scene.objects[0]
            write_jpeg(images / f"{index + 1:05d}.jpg", scene.image, jpeg_quality)
            boxes.append({"obj": {"bndbox": _bndbox(_box(animal.mask), as_text=False)}})
            heads.append(_truth(animal, HEAD, wnid, index + 1))
            legs.append(_truth(animal, FRONT_LEGS, wnid, index + 1))
        write_mat(images.parent / "data.mat", {"samples": struct_array(boxes)})
        for part, entries in ((1, heads), (2, legs)):
            path = folder / f"truth/{wnid}/truth_part{part:02d}.mat"
            write_mat(path, {"truth": struct_array(entries)})
    write_negatives(
        folder / "neg", seed=seed, style=style, count=negatives, jpeg_quality=jpeg_quality
    )


def write_negatives(
    folder: Path, *, seed: int, style: StyleParams, count: int, jpeg_quality: int
) -> None:
    """Write images without animals into a new folder.

    Args:
        folder: as `data/neg` of the interpretable-CNN papers' code; it must not exist.
        seed: of everything random.
        style: how varied and hard the images are.
        count: of images.
        jpeg_quality: 1 to 95.
    """
    folder.mkdir(parents=True)
    for index in range(count):
        image = render_background(style, scene_rng(seed, "negatives", 0, index))
        write_jpeg(folder / f"{index + 1:05d}.jpg", image, jpeg_quality)
