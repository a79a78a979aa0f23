"""ILSVRC 2013 DET Animal-Part: tiny releases in both MATLAB versions, and the real one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mat_files import structs, write_v73
from PIL import Image
from scipy.io import savemat

from clearfilters.data.icnn_crops import Box
from clearfilters.data.ilsvrc_parts import read_category, read_raw
from clearfilters.data.prepare import prepare
from clearfilters.data.store import ANNOTATION_FILES, read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import IlsvrcPartsParams
from clearfilters.params.reading import parse_dataset

DOG, CAT, BIRD, GOLDFISH = "n02084071", "n02121808", "n01503061", "n01443537"
# xmin, xmax, ymin, ymax; pixels from 1, the last one included.
BOXES = [(11, 50, 21, 60), (1, 80, 1, 100), (31, 40, 31, 40)]
EMPTY = np.empty((0, 0))
HEADS = [np.array([[56.0], [112.0]]), np.array([[0.0, 224.0], [112.0, 56.0]]), EMPTY]
LEGS = [EMPTY, np.array([[224.0], [0.0]]), np.array([[112.0], [112.0]])]


def bndbox(box: tuple[float, ...], *, as_text: bool = False) -> dict[str, Any]:
    names = ("xmin", "xmax", "ymin", "ymax")
    return {
        name: str(value) if as_text else float(value)
        for name, value in zip(names, box, strict=True)
    }


def truth(centres: list[Any]) -> list[dict[str, Any]]:
    """As it is published: boxes in the pixels of the original images, here twice as large."""
    return [
        {
            "pHW_center": centre,
            "obj": {"bndbox": bndbox(tuple(2 * side for side in box), as_text=True)}
            if np.size(centre)
            else EMPTY,
        }
        for centre, box in zip(centres, BOXES, strict=True)
    ]


def write(path: Path, name: str, entries: list[dict[str, Any]], version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if version == "v7.3":
        write_v73(path, {name: entries})
    else:
        savemat(path, {name: structs(*entries)})


def make_category(raw: Path, wnid: str, version: str = "v5", boxes: Any = BOXES) -> Path:
    """Three images of 80 x 100 pixels (width x height), black with a white box."""
    root = raw / "ilsvrc_animal_part"
    images = root / f"{wnid}_obj/img/img"
    images.mkdir(parents=True)
    for index, (xmin, xmax, ymin, ymax) in enumerate(BOXES):
        image = np.zeros((100, 80, 3), np.uint8)
        image[ymin - 1 : ymax, xmin - 1 : xmax] = 255
        Image.fromarray(image).save(images / f"{index + 1:05d}.jpg", quality=95)
    samples = [{"obj": {"bndbox": bndbox(box)}} for box in boxes]
    write(images.parent / "data.mat", "samples", samples, version)
    for part, centres in ((1, HEADS), (2, LEGS)):
        path = root / f"truth/{wnid}/truth_part{part:02d}.mat"
        write(path, "truth", truth(centres), version)
    return root


def make_negatives(raw: Path, count: int) -> None:
    folder = raw / "ilsvrc_animal_part/neg"
    folder.mkdir()
    for index in range(count):
        Image.new("RGB", (30, 20), (128, 128, 128)).save(folder / f"{index + 1:05d}.jpg")


def parameters(**changes: Any) -> IlsvrcPartsParams:
    content = {
        "format": "ilsvrc-parts",
        "note": "",
        "categories": {"dog": DOG},
        "image_size": 20,
        "min_area": 0.0,
        "train_share": 0.7,
        "task": {"name": "single", "negatives": "ilsvrc_animal_part/neg", "positive_share": 0.75},
    }
    found = parse_dataset({**content, **changes})
    assert isinstance(found, IlsvrcPartsParams)
    return found


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_a_category(tmp_path: Path, version: str) -> None:
    root = make_category(tmp_path, DOG, version)
    objects, without_box = read_category(root, DOG, 4)
    assert without_box == 0 and [found.label for found in objects] == [4, 4, 4]
    assert [found.name for found in objects] == ["00001.jpg", "00002.jpg", "00003.jpg"]
    assert [found.box for found in objects] == [
        Box(10, 20, 50, 60),
        Box(0, 0, 80, 100),
        Box(30, 30, 40, 40),
    ]
    # A quarter down and half across the first box; two heads; parts that are not annotated.
    assert [tuple(landmark) for landmark in objects[0].landmarks] == [
        ("head", 30.0, 30.0, True),
        ("front legs", 0.0, 0.0, False),
    ]
    assert [tuple(landmark) for landmark in objects[1].landmarks] == [
        ("head", 40.0, 0.0, True),
        ("head", 20.0, 100.0, True),
        ("front legs", 0.0, 100.0, True),
    ]
    assert [landmark.visible for landmark in objects[2].landmarks] == [False, True]


def test_one_category_against_background(tmp_path: Path) -> None:
    make_category(tmp_path, DOG)
    make_negatives(tmp_path, 4)
    store = tmp_path / "store"
    prepare(parameters(min_area=101.0), tmp_path, store, download=False)
    meta = read_meta(store)
    assert meta.classes == ["background", "dog"]
    assert meta.skipped == {"objects whose box is too small": 1}
    # Two objects, 12 positives: one object is for training, with 6 of them; of the negatives, 3.
    assert meta.counts == {"train": 9, "test": 7}
    assert len(meta.raw_sha256) == 5
    train = read_split(store, "train", annotations=ANNOTATION_FILES)
    assert train.labels.tolist() == [1] * 6 + [0] * 3
    assert (train.images[:6] > 240).all()
    assert (np.abs(train.images[6:].astype(int) - 128) < 3).all()
    # linspace with one point is the last object, the one with two heads.
    assert train.landmarks is not None
    assert train.landmarks.to_numpy().tolist() == [
        [0, "head", 10.0, 0.0, True],
        [0, "head", 5.0, 20.0, True],
        [0, "front legs", 0.0, 20.0, True],
    ]


def test_several_categories(tmp_path: Path) -> None:
    make_category(tmp_path, DOG)
    make_category(tmp_path, CAT, "v7.3")
    data = parameters(
        categories={"dog": DOG, "cat": CAT},
        task={"name": "multi", "min_images": 7, "max_images": None},
    )
    found = read_raw(data, tmp_path, tmp_path, download=False)
    assert found.classes == ["dog", "cat"]
    # Objects 0 and 2 for training; object 0 comes back as the seventh image.
    assert found.splits["train"].labels.tolist() == [0] * 5 + [1] * 5
    assert found.splits["test"].labels.tolist() == [0, 0, 1, 1]


def test_the_goldfish_has_only_a_head(tmp_path: Path) -> None:
    root = make_category(tmp_path, GOLDFISH)
    (root / f"truth/{GOLDFISH}/truth_part02.mat").unlink()
    objects, _ = read_category(root, GOLDFISH, 0)
    assert {landmark.name for found in objects for landmark in found.landmarks} == {"head"}


@pytest.mark.parametrize("version", ["v5", "v7.3"])
def test_the_bird_has_boxes_in_its_truth_files_only(tmp_path: Path, version: str) -> None:
    root = make_category(tmp_path, BIRD, version)
    (root / f"{BIRD}_obj/img/data.mat").unlink()
    path = root / f"truth/{BIRD}/truth_part02.mat"
    write(path, "truth", truth([EMPTY, LEGS[1], EMPTY]), version)
    objects, without_box = read_category(root, BIRD, 0)
    assert [found.name for found in objects] == ["00001.jpg", "00002.jpg"] and without_box == 1
    assert objects[0].box == Box(2 * 11 - 1, 2 * 21 - 1, 100, 120)


def refusal(raw: Path, **changes: Any) -> str:
    with pytest.raises(ClearfiltersError) as caught:
        prepare(parameters(**changes), raw, raw / "store", download=False)
    assert not (raw / "store").exists()
    return str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    root = make_category(tmp_path, DOG, "v7.3")
    assert "neg: no images in it" in refusal(tmp_path)
    make_negatives(tmp_path, 4)
    image = root / f"{DOG}_obj/img/img/00002.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[:-200])
    assert f"{image}: cannot be decoded" in refusal(tmp_path)
    image.unlink()
    assert f"{image}: no such file" in refusal(tmp_path)
    image.write_bytes(whole)
    for path in (root / f"{DOG}_obj/img/data.mat", root / f"truth/{DOG}/truth_part01.mat"):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert f"{path}: cannot be read as MATLAB" in refusal(tmp_path)
        path.unlink()
        assert f"{path}: no such file" in refusal(tmp_path)
        path.write_bytes(whole)
    assert "lower min_area" in refusal(tmp_path, min_area=10000.0)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ((50, 50, 21, 60), "no area"),
        ((50, 11, 21, 60), "no area"),
        ((float("nan"), 11, 21, 60), "no area"),
        ((90, 99, 21, 60), "no area in an image of 80 x 100"),
    ],
)
def test_a_box_without_area(tmp_path: Path, first: tuple[float, ...], message: str) -> None:
    root = make_category(tmp_path, DOG, boxes=[first, *BOXES[1:]])
    write(root / f"truth/{DOG}/truth_part01.mat", "truth", truth([EMPTY] * 3), "v5")
    make_negatives(tmp_path, 4)
    # With 0.9, all of three objects are read.
    assert message in refusal(tmp_path, train_share=0.9)


def test_content_of_another_form(tmp_path: Path) -> None:
    root = make_category(tmp_path, DOG)
    make_negatives(tmp_path, 4)
    path = root / f"truth/{DOG}/truth_part01.mat"
    outside = [np.array([[56.0], [225.0]]), EMPTY, EMPTY]
    write(path, "truth", truth(outside), "v5")
    assert f"{path}: truth(1): the centre of part `head`" in refusal(tmp_path)
    write(path, "truth", truth(HEADS)[:2], "v5")
    assert "2 entries, but there are 3 objects" in refusal(tmp_path)
    savemat(path, {"truth": np.arange(3)})
    assert "no struct array `truth`" in refusal(tmp_path)
    savemat(path, {"other": np.arange(3)})
    assert "no struct array `truth`" in refusal(tmp_path)
    write(path, "truth", truth(HEADS), "v5")
    path = root / f"{DOG}_obj/img/data.mat"
    savemat(path, {"samples": structs({"obj": {"bndbox": {"xmin": 1.0}}})})
    assert f"{path}: samples(1): no obj.bndbox" in refusal(tmp_path)


def test_tasks_and_categories_must_fit() -> None:
    multi = {"name": "multi", "min_images": 1, "max_images": None}
    for changes in (
        {"task": multi},
        {"categories": {"dog": DOG, "cat": CAT}},
        {"categories": {"dog": DOG, "hound": DOG}, "task": multi},
        {"categories": {"dog": "dog"}},
        {"categories": {}},
    ):
        with pytest.raises(ClearfiltersError):
            parameters(**changes)


REAL_COUNTS = {
    DOG: 688,
    CAT: 529,
    "n02374451": 752,
    "n02402425": 230,
    "n02411705": 217,
    "n02118333": 286,
}


@pytest.mark.parametrize("wnid", REAL_COUNTS)
def test_the_real_release(real_data: Path, wnid: str) -> None:
    root = real_data / "ilsvrc_animal_part"
    if not (root / f"{wnid}_obj").is_dir():
        pytest.skip(f"no {wnid} in {root}")
    objects, without_box = read_category(root, wnid, 0)
    assert len(objects) == REAL_COUNTS[wnid] and without_box == 0
    heads = sum(
        any(landmark.name == "head" and landmark.visible for landmark in found.landmarks)
        for found in objects
    )
    # Section 6.2: about 135 to 227 objects of a category have a head.
    assert 135 <= heads <= 227
