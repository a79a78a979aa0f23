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

from clearfilters.data.prepare import prepare
from clearfilters.data.store import Split, StoreMeta, read_meta, read_split
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
        split: read_split(store, split, annotations=True) for split in ("train", "test")
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
