"""Pascal VOC 2010 with Pascal-Part (Chen et al. 2014): images and one annotation each."""

from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.data.animals.layout import (
    scene_rng,
    struct_array,
    write_jpeg,
    write_mat,
)
from clearfilters.data.animals.scene import CLASSES, AnimalObject, Scene, render_scene
from clearfilters.params.datasets import StyleParams

# Position of each class in VOC's list of twenty.
CLASS_IND = {"bird": 3, "cat": 8, "cow": 10, "dog": 12, "horse": 13, "sheep": 17}


def voc_scene(name: str, index: int, seed: int, style: StyleParams) -> Scene:
    """Image `index` of a class: the same whatever else is rendered."""
    rng = scene_rng(seed, "voc", CLASSES.index(name), index)
    return render_scene(name, style, rng, company=True)


def _annotation(animal: AnimalObject) -> dict[str, Any]:
    parts = [
        {"part_name": part, "mask": mask.astype(np.uint8)} for part, mask in animal.parts.items()
    ]
    return {
        "class": animal.name,
        "class_ind": float(CLASS_IND[animal.name]),
        "mask": animal.mask.astype(np.uint8),
        "parts": struct_array(parts),
    }


def write_voc(
    root: Path, *, seed: int, style: StyleParams, images_per_class: int, jpeg_quality: int
) -> None:
    """Write `<root>/VOC2010`: JPEGImages, Annotations_Part and ImageSets/Main/trainval.txt.

    Image ids are `2010_<class number><five digits>`. Some images hold a second animal, so that
    there are more objects than images.

    Args:
        root: folder that holds raw data sets, and no such one yet.
        seed: of everything random.
        style: how varied and hard the images are.
        images_per_class: at most 100,000.
        jpeg_quality: 1 to 95.
    """
    folder = root / "VOC2010"
    folder.mkdir(parents=True)
    for part in ("JPEGImages", "Annotations_Part", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    names = []
    for number, name in enumerate(CLASSES):
        for index in range(images_per_class):
            image_name = f"2010_{number}{index:05d}"
            scene = voc_scene(name, index, seed, style)
            write_jpeg(folder / f"JPEGImages/{image_name}.jpg", scene.image, jpeg_quality)
            objects = struct_array([_annotation(animal) for animal in scene.objects])
            annotation = {"imname": image_name, "objects": objects}
            write_mat(folder / f"Annotations_Part/{image_name}.mat", {"anno": annotation})
            names.append(image_name)
    listing = folder / "ImageSets/Main/trainval.txt"
    listing.write_text("".join(f"{name}\n" for name in names))
