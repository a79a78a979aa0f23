"""VOC with Pascal-Part, prepared as in the interpretable-CNN papers: a tiny devkit made here."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from mat_files import structs
from PIL import Image
from scipy.io import savemat

from clearfilters.data.parts import rows_with_parts
from clearfilters.data.pascal_part import AnnotatedObject
from clearfilters.data.prepare import prepare
from clearfilters.data.record import record_data
from clearfilters.data.rows import RowImages
from clearfilters.data.store import ANNOTATION_FILES, Split, StoreMeta, read_meta, read_split
from clearfilters.data.voc_icnn import part_map, part_names
from clearfilters.errors import ClearfiltersError
from clearfilters.params.reading import parse_dataset

HEIGHT, WIDTH, SIZE = 40, 60, 20
RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)
CAT, COW = (slice(10, 30), slice(5, 15)), (slice(0, 40), slice(30, 50))
SINGLE = {"name": "single", "negatives": "neg", "positive_share": 0.75}
MULTI = {"name": "multi", "min_images": 12, "max_images": None}

Region = tuple[slice, slice]


def mask(*regions: Region) -> npt.NDArray[np.uint8]:
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    for region in regions:
        found[region] = 1
    return found


def thing(name: str, shape: npt.NDArray[np.uint8], **parts: npt.NDArray[np.uint8]) -> Any:
    found = [{"part_name": part, "mask": value} for part, value in parts.items()]
    listed: Any = structs(*found) if found else np.zeros((0, 0))
    return {"class": name, "class_ind": 1.0, "mask": shape, "parts": listed}


def annotate(raw: Path, number: int, *objects: Any) -> None:
    path = raw / f"VOC2010/Annotations_Part/{number}.mat"
    savemat(path, {"anno": {"imname": str(number), "objects": structs(*objects)}})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Five images, each with a red cat and a blue cow; the cat has a head and a neck in two."""
    raw = tmp_path / "raw"
    for folder in ("JPEGImages", "Annotations_Part", "ImageSets/Main"):
        (raw / "VOC2010" / folder).mkdir(parents=True)
    (raw / "VOC2010/ImageSets/Main/trainval.txt").write_text("1\n2\n3\n4\n5\n")
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    image[CAT], image[COW] = RED, BLUE
    head = mask((slice(10, 15), slice(5, 11)))
    # The centre of the box around both pieces: (9.5, 20.5).
    neck = mask((slice(16, 18), slice(6, 8)), (slice(23, 25), slice(12, 13)))
    for number in range(1, 6):
        path = raw / f"VOC2010/JPEGImages/{number}.jpg"
        Image.fromarray(image).save(path, quality=95, subsampling=0)
        cat = thing("cat", mask(CAT), head=head, neck=neck, torso=mask())
        annotate(raw, number, cat, thing("cow", mask(COW)))
    (raw / "neg").mkdir()
    for index in range(4):
        Image.new("RGB", (30, 20), GREY).save(raw / f"neg/{index}.jpg")
    return raw


def parameters(**changes: Any) -> Any:
    content = {
        "format": "voc-icnn",
        "note": "",
        "masks_note": "drawn here",
        "classes": ["cat"],
        "image_size": SIZE,
        "min_area": 0.0,
        "train_share": 0.8,
        "task": SINGLE,
    }
    return parse_dataset({**content, **changes})


def prepared(raw: Path, **changes: Any) -> tuple[StoreMeta, dict[str, Split]]:
    store = raw.parent / "store"
    prepare(parameters(**changes), raw, store, download=False)
    return read_meta(store), {
        split: read_split(store, split, annotations=ANNOTATION_FILES) for split in ("train", "test")
    }


def refused(raw: Path, **changes: Any) -> str:
    with pytest.raises(ClearfiltersError) as caught:
        prepared(raw, **changes)
    assert not (raw.parent / "store").exists()
    return str(caught.value)


def test_one_class_or_background(raw: Path) -> None:
    meta, splits = prepared(raw)
    assert meta.classes == ["background", "cat"] and not meta.verified
    assert meta.source == "Pascal VOC 2010 with Pascal-Part, not the full release"
    # round(linspace(1, 5, 4)) = 1 2 4 5: the third cat is for validation; of twelve positive
    # images, the list of ten and its first two again. Negatives: round(linspace(1, 4, 3)) = 1 3 4.
    assert splits["train"].labels.tolist() == [1] * 10 + [0] * 3
    assert splits["test"].labels.tolist() == [1] * 2 + [0]
    for split in splits.values():
        # The box of the mask and nothing but it, stretched.
        cats = split.images[split.labels == 1].astype(int)
        assert np.abs(cats[:, 1:-1, 1:-1] - RED).max() <= 12
    assert set(meta.raw_sha256) == {
        "VOC2010/ImageSets/Main/trainval.txt",
        "VOC2010/Annotations_Part",
        "VOC2010/JPEGImages",
        "neg",
    }


def test_landmarks_are_the_centres_of_the_parts(raw: Path) -> None:
    _, splits = prepared(raw)
    # The box is 10 columns from 5 on, 20 rows from 10 on; head: columns 5 to 11, rows 10 to 15.
    expected = pd.DataFrame(
        {
            "image": [0, 0],
            "landmark": ["head", "neck"],
            "x": [(8 - 5) * 2.0, (9.5 - 5) * 2.0],
            "y": [12.5 - 10, 20.5 - 10],
            "visible": [True, True],
        }
    )
    assert splits["test"].landmarks is not None and splits["train"].landmarks is not None
    shown = splits["test"].landmarks.iloc[:2]
    pd.testing.assert_frame_equal(shown, expected, check_dtype=False)
    # A part whose mask is empty is not there; each object is measured once.
    assert splits["test"].landmarks["visible"].tolist() == [True, True, False]
    assert len(splits["train"].landmarks) == 3 * 4


def region(*slices: Region, size: int = SIZE) -> npt.NDArray[np.bool_]:
    found = np.zeros((size, size), bool)
    for part in slices:
        found[part] = True
    return found


def test_merged_parts_in_the_stretched_box_once_for_each_object(raw: Path) -> None:
    meta, splits = prepared(raw)
    assert meta.annotations == ["parts", "landmarks"] and meta.masks_note == "drawn here"
    # The box has 20 rows from 10 on and 10 columns, each twice as wide in the crop, from 5 on.
    head = region((slice(0, 5), slice(0, 12)))
    neck = region((slice(6, 8), slice(2, 6)), (slice(13, 15), slice(14, 16)))
    for split, rows in (("train", [0, 2, 4, 6]), ("test", [0])):
        parts, images = splits[split].parts, splits[split].images
        assert parts is not None and isinstance(images, RowImages)
        assert list(parts) == ["head", "torso", "front legs", "back legs", "tail"]
        # Once for each cat and each background image, which has none.
        assert {masks.shape for masks in parts.values()} == {(len(images.distinct), SIZE, SIZE)}
        found = rows_with_parts(splits[split])
        assert found.rows.tolist() == rows and (splits[split].labels[found.rows] == 1).all()
        for index in range(len(rows)):
            np.testing.assert_array_equal(found.masks["head"][index], head)
            np.testing.assert_array_equal(found.masks["torso"][index], neck)
        assert not any(found.masks[name].any() for name in ("front legs", "back legs", "tail"))


def test_the_note_on_masks_is_recorded(raw: Path, tmp_path: Path) -> None:
    prepared(raw, masks_note="boxes of parts in place of masks")
    data = parameters(masks_note="boxes of parts in place of masks")
    record_data(data, raw.parent / "store", tmp_path / "record.json")
    assert "boxes of parts in place of masks" in (tmp_path / "record.json").read_text()


def test_names_of_parts() -> None:
    four = ["head", "torso", "front legs", "back legs"]
    assert part_names(["bird"]) == ["head", "torso", "legs", "tail"]
    for name in ("cat", "dog"):
        assert part_names([name]) == [*four, "tail"]
    for name in ("cow", "horse", "sheep"):
        assert part_names([name]) == four
    both = part_names(["cow", "bird"])
    assert both == [*four, "legs", "tail"]
    wing = AnnotatedObject("bird", mask(COW) > 0, {"lwing": mask(CAT) > 0, "lfoot": mask(COW) > 0})
    hoof = AnnotatedObject("cow", mask(COW) > 0, {"lfuleg": mask(CAT) > 0, "tail": mask(COW) > 0})
    np.testing.assert_array_equal(part_map([wing], both), 2 * mask(CAT) + 5 * mask(COW))
    np.testing.assert_array_equal(part_map([hoof], both), 3 * mask(CAT))


def test_later_parts_are_in_front() -> None:
    head, neck, leg = (mask((slice(0, 12), slice(at, at + 10))) > 0 for at in (0, 5, 10))
    found = AnnotatedObject("dog", mask(CAT) > 0, {"lfleg": leg, "neck": neck, "muzzle": head})
    shown = part_map([found], part_names(["dog"]))
    assert shown[0].tolist() == [1] * 5 + [2] * 5 + [3] * 10 + [0] * 40
    assert not shown[12:].any()


def test_parts_of_others_in_the_box(raw: Path) -> None:
    """They stand behind the object's own, and nowhere where it has none."""
    top, middle, bottom = ((slice(at, at + 10), slice(0, 20)) for at in (0, 10, 20))
    body = mask((slice(0, 30), slice(0, 20)))
    first = thing("cat", body, head=mask(top, middle))
    annotate(raw, 3, first, thing("cat", mask(middle, bottom), torso=mask(middle, bottom)))
    annotate(raw, 2, thing("cat", body), thing("cow", body, head=body))
    annotate(raw, 4, thing("cat", body), thing("cat", mask(bottom), lfleg=mask(bottom)))
    _, splits = prepared(raw, image_size=30)
    # Seven cats in the order of their files, of which the fourth is for validation and the last is
    # lost in the list of twelve.
    train, test = splits["train"].parts, splits["test"].parts
    assert train is not None and test is not None
    upper, lower = (region((slice(*rows), slice(0, 30)), size=30) for rows in ((0, 20), (20, 30)))
    np.testing.assert_array_equal(train["head"][2], upper)
    np.testing.assert_array_equal(train["torso"][2], lower)
    assert test["torso"][0].all() and not test["head"].any()
    found = rows_with_parts(splits["train"])
    # All but the first cats of files 2 and 4, of which nothing is annotated.
    assert found.rows.tolist() == [0, 4, 8]
    assert found.masks["front legs"].all(axis=(1, 2)).tolist() == [False, False, True]


def test_parts_that_belong_nowhere_are_counted(raw: Path) -> None:
    annotate(raw, 2, thing("cow", mask(COW), tail=mask(COW), head=mask(COW)))
    meta, _ = prepared(raw, classes=["cow"])
    assert meta.skipped == {"parts `tail` of a cow": 1}


def test_several_classes(raw: Path) -> None:
    meta, splits = prepared(raw, classes=["cow", "cat"], task=MULTI)
    assert meta.classes == ["cow", "cat"] and meta.counts == {"train": 20, "test": 4}
    for split in splits.values():
        for label, colour in ((0, BLUE), (1, RED)):
            found = split.images[split.labels == label].astype(int)
            assert np.abs(found[:, 1:-1, 1:-1] - colour).max() <= 12


def test_what_is_left_out_is_counted(raw: Path) -> None:
    annotate(raw, 99, thing("cat", mask()))
    annotate(raw, 2, thing("cat", mask()), thing("cat", mask((slice(0, 2), slice(0, 2)))))
    meta, splits = prepared(raw, min_area=5.0)
    assert meta.skipped == {
        "objects whose box is too small": 1,
        "objects with an empty mask": 1,
        "annotated images that trainval.txt does not list": 1,
    }
    assert int((splits["train"].labels == 1).sum() + (splits["test"].labels == 1).sum()) == 12


def test_what_is_refused(raw: Path) -> None:
    assert "none of 5 objects of category `cat` has 201" in refused(raw, min_area=201.0)
    assert "none of 0 objects of category `dog`" in refused(raw, classes=["dog"])
    Image.new("RGB", (WIDTH, HEIGHT - 1)).save(raw / "VOC2010/JPEGImages/4.jpg")
    assert "4.jpg: the image is (39, 60) pixels" in refused(raw)
    annotate(raw, 3, thing("cat", np.zeros((HEIGHT, WIDTH, 3), np.uint8)))
    assert "3.mat: a mask of shape (40, 60, 3); expected rows and columns" in refused(raw)
    savemat(raw / "VOC2010/Annotations_Part/3.mat", {"other": 1})
    assert "3.mat: no `anno`" in refused(raw)
    (raw / "VOC2010/JPEGImages/5.jpg").unlink()
    assert "5.jpg: no such file" in refused(raw)


@pytest.mark.parametrize(
    "changes",
    [{"classes": ["cat", "cow"]}, {"task": MULTI}, {"classes": ["cat", "cat"], "task": MULTI}],
)
def test_classes_that_do_not_fit(changes: dict[str, Any]) -> None:
    with pytest.raises(ClearfiltersError, match=r"does not fit|must name each class once"):
        parameters(**changes)


@pytest.mark.slow
def test_the_real_animals(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "voc2010_animals").is_dir():
        pytest.skip(f"no voc2010_animals in {real_data}")
    task = {**MULTI, "min_images": 1}
    classes = ["cow", "dog", "cat", "horse", "sheep"]
    data = parameters(classes=classes, image_size=64, task=task)
    prepare(data, real_data / "voc2010_animals", tmp_path, download=False)
    splits = {
        split: read_split(tmp_path, split, annotations=ANNOTATION_FILES)
        for split in ("train", "test")
    }
    objects = np.zeros(5, int)
    with_parts = 0
    for split in splits.values():
        # Each object plain and mirrored.
        objects += np.bincount(split.labels) // 2
        found = rows_with_parts(split)
        with_parts += len(found.rows)
        # No pixel shows two parts.
        assert np.sum(list(found.masks.values()), axis=0).max() == 1
        table = split.landmarks
        assert table is not None
        heads = table[(table["landmark"] == "head") & table["visible"]]
        assert set(heads["image"]) <= set(found.rows)
    # What its README counts.
    assert objects.tolist() == [591, 1521, 1257, 740, 752]
    assert with_parts == pytest.approx(1980, abs=5)
