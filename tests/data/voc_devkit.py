"""A tiny VOC devkit with Pascal-Part, and what the reader of its objects makes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.io import savemat

from clearfilters.data.prepare import prepare
from clearfilters.data.store import ANNOTATION_FILES, Split, StoreMeta, read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import VocPartsParams

Mask = npt.NDArray[np.bool_]
HEIGHT, WIDTH = 20, 30
IMAGES = 10


def params(**changes: Any) -> VocPartsParams:
    content = {
        "format": "voc-parts",
        "note": "a note",
        "masks_note": "drawn here",
        "classes": ["cat", "cow"],
        "image_size": 8,
        "train_share": 0.7,
        "split_seed": 0,
    }
    return VocPartsParams.model_validate({**content, **changes})


def box(top: int, left: int, height: int, width: int) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def structs(*records: dict[str, Any]) -> Any:
    """A MATLAB struct array of size 1 x N; the empty matrix where there are none."""
    if not records:
        return np.zeros((0, 0))
    array = np.empty((1, len(records)), [(name, object) for name in records[0]])
    for index, record in enumerate(records):
        array[0, index] = tuple(
            value.astype(np.uint8)
            if isinstance(value, np.ndarray) and value.dtype == bool
            else value
            for value in record.values()
        )
    return array


def thing(name: str, mask: Mask, **parts: Mask) -> dict[str, Any]:
    """An object as Pascal-Part writes it."""
    found = [{"part_name": part, "mask": shape} for part, shape in parts.items()]
    return {"class": name, "class_ind": 1, "mask": mask, "parts": structs(*found)}


def annotate(raw: Path, image: str, *objects: dict[str, Any]) -> Path:
    path = raw / f"VOC2010/Annotations_Part/{image}.mat"
    savemat(path, {"anno": {"imname": image, "objects": structs(*objects)}})
    return path


def write_devkit(root: Path) -> Path:
    """Ten images, each with a cat, a cow and a person."""
    for folder in ("JPEGImages", "Annotations_Part", "ImageSets/Main"):
        (root / "VOC2010" / folder).mkdir(parents=True)
    names = [f"2010_{index:06d}" for index in range(IMAGES)]
    (root / "VOC2010/ImageSets/Main/trainval.txt").write_text("\n".join(names) + "\n")
    pixels = np.random.default_rng(0)
    for index, name in enumerate(names):
        image = pixels.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / f"VOC2010/JPEGImages/{name}.jpg", quality=95)
        annotate(
            root,
            name,
            thing("cat", box(2, index, 8, 6), head=box(2, index, 3, 3), tail=box(8, index, 2, 6)),
            thing("person", box(0, 0, 20, 30)),
            thing("cow", box(12, 14, 8, 16)),
        )
    return root


def path_of(raw: Path, image: int, kind: str) -> Path:
    folder, suffix = {"mat": ("Annotations_Part", "mat"), "jpg": ("JPEGImages", "jpg")}[kind]
    return raw / f"VOC2010/{folder}/2010_{image:06d}.{suffix}"


def prepared(raw: Path, **changes: Any) -> tuple[StoreMeta, dict[str, Split]]:
    store = raw.parent / "store"
    prepare(params(**changes), raw, store, download=False)
    return read_meta(store), {
        split: read_split(store, split, annotations=ANNOTATION_FILES) for split in ("train", "test")
    }


def refused(raw: Path, **changes: Any) -> str:
    """The message with which the devkit is refused; nothing may be written."""
    store = raw.parent / "store"
    with pytest.raises(ClearfiltersError) as caught:
        prepare(params(**changes), raw, store, download=False)
    assert not store.exists()
    return str(caught.value)
