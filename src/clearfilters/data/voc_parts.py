"""Pascal VOC 2010 with Pascal-Part: a square crop of each object, its mask and its merged parts.

The gate papers' preparation (specification, "VOC preparation"; Pascal-Part: Chen et al. 2014).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearfilters.data.archives import fetch
from clearfilters.data.crops import Mask, crop_image, crop_mask, crop_points, square_box
from clearfilters.data.pascal_part import (
    EMPTY_MASK,
    FOLDER,
    IMAGES,
    LANDMARKS,
    LISTED,
    NOT_LISTED,
    AnnotatedObject,
    Devkit,
    landmark_centres,
)
from clearfilters.data.store import LANDMARK_COLUMNS, SPLITS, RawData, Split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import ObjectCropParams, VocPartsParams

# Merged part -> Pascal-Part's names, by class. Tails of cow, horse and sheep belong to none.
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "bird": {
        "HEAD": ("head", "leye", "reye", "beak"),
        "TORSO": ("torso", "neck", "lwing", "rwing"),
        "BLIMB": ("lleg", "rleg", "lfoot", "rfoot"),
        "TAIL": ("tail",),
    },
    "cat": {
        "HEAD": ("head", "leye", "reye", "lear", "rear", "nose"),
        "TORSO": ("torso", "neck"),
        "FLIMB": ("lfleg", "rfleg", "lfpa", "rfpa"),
        "BLIMB": ("lbleg", "rbleg", "lbpa", "rbpa"),
        "TAIL": ("tail",),
    },
    "cow": {
        "HEAD": ("head", "leye", "reye", "lear", "rear", "muzzle", "lhorn", "rhorn"),
        "TORSO": ("torso", "neck"),
        "FLIMB": ("lfuleg", "lflleg", "rfuleg", "rflleg"),
        "BLIMB": ("lbuleg", "lblleg", "rbuleg", "rblleg"),
    },
    "dog": {
        "HEAD": ("head", "leye", "reye", "lear", "rear", "nose", "muzzle"),
        "TORSO": ("torso", "neck"),
        "FLIMB": ("lfleg", "rfleg", "lfpa", "rfpa"),
        "BLIMB": ("lbleg", "rbleg", "lbpa", "rbpa"),
        "TAIL": ("tail",),
    },
    "horse": {
        "HEAD": ("head", "leye", "reye", "lear", "rear", "muzzle"),
        "TORSO": ("torso", "neck"),
        "FLIMB": ("lfuleg", "lflleg", "lfho", "rfuleg", "rflleg", "rfho"),
        "BLIMB": ("lbuleg", "lblleg", "lbho", "rbuleg", "rblleg", "rbho"),
    },
    "sheep": {
        "HEAD": ("head", "leye", "reye", "lear", "rear", "muzzle", "lhorn", "rhorn"),
        "TORSO": ("torso", "neck"),
        "FLIMB": ("lfuleg", "lflleg", "rfuleg", "rflleg"),
        "BLIMB": ("lbuleg", "lblleg", "rbuleg", "rblleg"),
    },
}
MERGED_PARTS = ("HEAD", "TORSO", "FLIMB", "BLIMB", "TAIL")

# What the full release has, and what it gives with six classes, a share of 0.7 and seed 0.
RELEASE_OBJECTS = {"bird": 978, "cat": 1132, "cow": 480, "dog": 1416, "horse": 624, "sheep": 714}
RELEASE_SHARE, RELEASE_SEED = 0.7, 0
RELEASE_SPLITS = {"train": 3644, "test": 1700}


@dataclass(frozen=True)
class ObjectCrop:
    """An object's square: image uint8 (S, S, 3), mask and merged parts bool (S, S).

    `landmarks` has a row x, y for each of LANDMARKS, not finite where the object has none.
    """

    label: int
    image: npt.NDArray[np.uint8]
    mask: Mask
    parts: dict[str, Mask]
    landmarks: npt.NDArray[np.float64]


def read_raw(data: VocPartsParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """The objects below `raw`/VOC2010, for the processed store.

    Args:
        data: which classes, size of the crops and split.
        raw: the folder of all raw data.
        out: unused.
        download: fetch the images if they are absent; Pascal-Part publishes no checksum, so it is
            never fetched.

    Raises:
        ClearfiltersError: see `read_devkit` and `archives.fetch`.
    """
    if download and not (raw / FOLDER / IMAGES).exists():
        fetch(FOLDER, raw)
    return read_devkit(raw / FOLDER, data)


def read_devkit(root: Path, data: ObjectCropParams) -> RawData:
    """Every object of the chosen classes in a VOC devkit with `Annotations_Part`.

    Args:
        root: the folder that holds JPEGImages, Annotations_Part and ImageSets.
        data: which classes (their order gives the labels), size of the crops and split.

    Returns:
        Splits with masks, the parts MERGED_PARTS and the landmarks LANDMARKS, in the order of
        trainval.txt; objects with an empty mask, and parts that belong to no merged part, are
        skipped and counted.

    Raises:
        ClearfiltersError: if a file is missing or damaged, sizes differ, a class has no object in a
            split, or the full release does not give its known numbers of objects.
    """
    devkit = Devkit(root)
    chosen = training_images(devkit.names, data.train_share, data.split_seed)
    members = {
        "train": [name for name in devkit.names if name in chosen],
        "test": [name for name in devkit.names if name not in chosen],
    }
    skipped: Counter[str] = Counter()
    splits, counts = {}, {}
    for split in SPLITS:
        splits[split] = stack_crops(read_crops(devkit, members[split], data, skipped))
        counts[split] = Counter(str(data.classes[label]) for label in splits[split].labels)
    skipped[NOT_LISTED] = devkit.not_listed
    if devkit.full:
        _check_release(root, counts, data)
    return RawData(
        splits=splits,
        classes=list(data.classes),
        source=devkit.source,
        raw_sha256={
            **devkit.annotations_sha256(),
            f"{FOLDER}/{IMAGES}": devkit.images.sha256(),
        },
        verified=devkit.full,
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
        masks_note=data.masks_note,
    )


def read_crops(
    devkit: Devkit, names: Sequence[str], data: ObjectCropParams, skipped: Counter[str]
) -> list[ObjectCrop]:
    """The objects of some images, cropped; what is left out is counted in `skipped`.

    Raises:
        ClearfiltersError: if a file is missing or damaged, sizes differ, or a class has no object.
    """
    crops = []
    labels = {str(name): label for label, name in enumerate(data.classes)}
    for name in names:
        objects = devkit.objects(name, list(labels))
        kept = [found for found in objects if found.mask.any()]
        skipped[EMPTY_MASK] += len(objects) - len(kept)
        if not kept:
            continue
        image = devkit.images.read_image(f"{name}.jpg")
        for found in kept:
            _check_size(devkit.images.folder / f"{name}.jpg", image, found)
            skipped.update(unmerged_parts(found))
            crops.append(crop_object(image, found, labels[found.name], data.image_size))
    present = {crop.label for crop in crops}
    absent = [name for name, label in labels.items() if label not in present]
    if absent:
        raise ClearfiltersError(
            f"{devkit.annotations.folder}: no {absent[0]} in the {len(names)} images of one split; "
            "expected at least one of each class in both; leave the class out or add images"
        )
    return crops


def training_images(names: Sequence[str], share: float, seed: int) -> set[str]:
    """The images whose objects are for training: the authors' draw.

    It is `random.seed(seed)` and `random.sample` of the share, rounded down.
    """
    return set(Random(seed).sample(names, int(share * len(names))))


def _check_size(path: Path, image: npt.NDArray[np.uint8], found: AnnotatedObject) -> None:
    if found.mask.shape != image.shape[:2]:
        raise ClearfiltersError(
            f"{path}: the image is {image.shape[:2]} pixels (rows, columns), but its annotation "
            f"has a mask of a {found.name} of {found.mask.shape}; expected the same; take both "
            "from the same release"
        )


def merge_parts(found: AnnotatedObject) -> dict[str, Mask]:
    """The union of an object's parts in each merged part that it has any of, bool (H, W)."""
    merged = {}
    for name, members in PARTS[found.name].items():
        masks = [found.parts[member] for member in members if member in found.parts]
        if masks:
            merged[name] = np.any(masks, axis=0)
    return merged


def unmerged_parts(found: AnnotatedObject) -> list[str]:
    """For each part that belongs to no merged part, what it is."""
    merged = {member for members in PARTS[found.name].values() for member in members}
    return [f"parts `{part}` of a {found.name}" for part in found.parts if part not in merged]


def crop_object(
    image: npt.NDArray[np.uint8], found: AnnotatedObject, label: int, size: int
) -> ObjectCrop:
    """The square around an object's mask, resized to `size`; `image` is uint8 (H, W, 3)."""
    square = square_box(found.mask)
    return ObjectCrop(
        label=label,
        image=crop_image(image, square, size),
        mask=crop_mask(found.mask, square, size),
        parts={name: crop_mask(mask, square, size) for name, mask in merge_parts(found).items()},
        landmarks=crop_points(landmark_centres(found), square, size),
    )


def stack_crops(crops: Sequence[ObjectCrop]) -> Split:
    """At least one crop, all of one size, as one split; a landmark outside is not visible."""
    masks = np.stack([crop.mask for crop in crops])
    parts = {name: np.zeros_like(masks) for name in MERGED_PARTS}
    for row, crop in enumerate(crops):
        for name, mask in crop.parts.items():
            parts[name][row] = mask
    points = np.stack([crop.landmarks for crop in crops])
    visible = ((points >= 0) & (points <= masks.shape[1])).all(axis=2).ravel()
    columns = [
        np.repeat(np.arange(len(crops)), len(LANDMARKS)),
        list(LANDMARKS) * len(crops),
        points[..., 0].ravel(),
        points[..., 1].ravel(),
        visible,
    ]
    return Split(
        images=np.stack([crop.image for crop in crops]),
        labels=np.array([crop.label for crop in crops], np.int64),
        masks=masks,
        parts=parts,
        landmarks=pd.DataFrame(dict(zip(LANDMARK_COLUMNS, columns, strict=True))),
    )


def _check_release(root: Path, counts: dict[str, Counter[str]], data: ObjectCropParams) -> None:
    """Compare with the numbers of the full release.

    Raises:
        ClearfiltersError: if they differ.
    """
    objects = dict(counts["train"] + counts["test"])
    expected = {name: RELEASE_OBJECTS[name] for name in data.classes}
    if objects != expected:
        raise ClearfiltersError(
            f"{root}: {objects} objects; the full release has {expected}; fetch Pascal-Part again"
        )
    splits = {split: found.total() for split, found in counts.items()}
    papers = (data.train_share, data.split_seed) == (RELEASE_SHARE, RELEASE_SEED)
    if papers and len(data.classes) == len(RELEASE_OBJECTS) and splits != RELEASE_SPLITS:
        raise ClearfiltersError(
            f"{root}: {splits} objects; the full release gives {RELEASE_SPLITS}; fetch "
            f"{LISTED} again"
        )
