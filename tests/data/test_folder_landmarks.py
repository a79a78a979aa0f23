"""Landmarks of class folders, against torchvision's transforms of key points."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import v2
from torchvision.tv_tensors import KeyPoints

from clearfilters.artifacts import parameters_hash
from clearfilters.data.folder_landmarks import Point
from clearfilters.data.imagefolder import place_landmarks
from clearfilters.data.prepare import prepare
from clearfilters.data.store import ANNOTATION_FILES, Split, StoreMeta, read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import ImageFolderParams

PLAIN = ImageFolderParams(
    format="imagefolder", note="a note", folder="own", image_size=10, resize=13
)
DATA = PLAIN.model_copy(update={"landmarks": True})
NAMES = ("bird/deeper/1.png", "bird/2.png", "background/1.png")
HEADER = "image,landmark,x,y\n"
TRAIN = HEADER + "bird/2.png,head,30,10\nbird/2.png,tail,3.5,19\nbird/deeper/1.png,head,40,20\n"


def write(raw: Path, split: str, table: str) -> Path:
    path = raw / "own" / split / "landmarks.csv"
    path.write_text(table)
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Images of 60 x 20 pixels; those of the training split have landmarks, one of the others."""
    for split in ("train", "val"):
        for name in NAMES:
            path = tmp_path / "raw/own" / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (60, 20)).save(path)
        write(tmp_path / "raw", split, HEADER + "bird/2.png,head,30,10\n")
    write(tmp_path / "raw", "train", TRAIN)
    return tmp_path / "raw"


def prepared(raw: Path, data: ImageFolderParams = DATA) -> tuple[StoreMeta, dict[str, Split]]:
    store = raw.parent / "store"
    prepare(data, raw, store, download=False)
    return read_meta(store), {
        split: read_split(store, split, annotations=ANNOTATION_FILES) for split in ("train", "test")
    }


def refused(raw: Path) -> str:
    """The message with which preparing is refused; nothing may be left behind."""
    with pytest.raises(ClearfiltersError) as caught:
        prepared(raw)
    assert not [path for path in (raw.parent / "store").rglob("*") if path.is_file()]
    return str(caught.value)


def test_landmarks_move_with_resize_and_crop(raw: Path) -> None:
    meta, splits = prepared(raw)
    assert meta.annotations == ["landmarks"] and meta.classes == ["background", "bird"]
    # 60 x 20 becomes 39 x 13; of it columns 14 (14.5, to even) to 24 and rows 2 (1.5) to 12.
    scale = 13 / 20
    expected = pd.DataFrame(
        {
            "image": [1, 1, 2],
            "landmark": ["head", "tail", "head"],
            "x": [30 * scale - 14, 3.5 * scale - 14, 40 * scale - 14],
            "y": [10 * scale - 2, 19 * scale - 2, 20 * scale - 2],
            "visible": [True, False, False],
        }
    )
    train, test = splits["train"].landmarks, splits["test"].landmarks
    assert train is not None and test is not None
    pd.testing.assert_frame_equal(train, expected.astype({"landmark": "str"}))
    pd.testing.assert_frame_equal(test, expected.iloc[:1].astype({"landmark": "str"}))
    assert meta.skipped == {
        "landmarks outside their crop": 2,
        "classes without landmarks in train/landmarks.csv": 1,
        "classes without landmarks in val/landmarks.csv": 1,
    }


@given(st.integers(5, 90), st.integers(5, 90), st.integers(5, 40), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_as_torchvision_moves_key_points(
    height: int, width: int, size: int, x: float, y: float
) -> None:
    data = DATA.model_copy(update={"image_size": size, "resize": size + 3})
    ((name, column, row, visible),) = place_landmarks(
        [Point("here", x * width, y * height)], height, width, data, Path("1.png")
    )
    point = torch.tensor([[x * width, y * height]], dtype=torch.float64)
    transform = v2.Compose([v2.Resize(size + 3), v2.CenterCrop(size)])
    moved = transform(KeyPoints(point, canvas_size=(height, width)))[0].tolist()
    assert name == "here" and (column, row) == pytest.approx(moved, abs=1e-4)
    assert visible == (0 <= column <= size and 0 <= row <= size)


def test_a_landmark_stays_on_what_it_marks(raw: Path) -> None:
    """As displayed: the photograph is stored lying on its side."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[22:26, 31:35] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise: row r, column c comes to row c, column 39 - r
    Image.fromarray(pixels).save(raw / "own/val/bird/2.png", exif=turned)
    write(raw, "val", HEADER + "bird/2.png,spot,16,33\n")
    _, splits = prepared(raw, DATA.model_copy(update={"image_size": 30, "resize": 32}))
    table, image = splits["test"].landmarks, splits["test"].images[1]
    assert table is not None and table["image"].tolist() == [1]
    rows, columns = np.nonzero(image[..., 0] > 127)
    place = table.iloc[0]
    assert place["visible"]
    assert abs(columns.mean() + 0.5 - place["x"]) < 0.6
    assert abs(rows.mean() + 0.5 - place["y"]) < 0.6


def test_without_the_parameter_nothing_changes(raw: Path) -> None:
    meta, splits = prepared(raw, PLAIN)
    assert meta.annotations == [] and meta.skipped == {} and splits["train"].landmarks is None
    for split in ("train", "val"):
        (raw / "own" / split / "landmarks.csv").unlink()
    assert prepared(raw, PLAIN)[0] == meta
    # The hash that checkpoints and stores had before there was the parameter.
    assert "landmarks" not in PLAIN.model_dump()
    older = {
        "format": "imagefolder", "note": "a note", "folder": "own", "image_size": 10, "resize": 13,
    }  # fmt: skip
    assert meta.parameters_hash == parameters_hash(older)
    assert ImageFolderParams.model_validate(DATA.model_dump()) == DATA
    assert PLAIN.annotations == () and DATA.annotations == ("landmarks",)


def test_the_table_counts_as_raw_data(raw: Path) -> None:
    before = prepared(raw)[0].raw_sha256
    write(raw, "val", HEADER + "bird/2.png,head,30,11\n")
    after = prepared(raw)[0].raw_sha256
    assert before["own/train"] == after["own/train"] and before["own/val"] != after["own/val"]


def test_one_split_may_have_none(raw: Path) -> None:
    write(raw, "train", HEADER)
    meta, splits = prepared(raw)
    assert splits["train"].landmarks is not None and len(splits["train"].landmarks) == 0
    assert meta.skipped["classes without landmarks in train/landmarks.csv"] == 2
    write(raw, "val", HEADER)
    with pytest.raises(ClearfiltersError, match=r"own: .* no line below the columns' names"):
        prepared(raw)


def test_what_spreadsheets_write(raw: Path) -> None:
    table = '\ufeffy,x,"landmark",image\r\n10,30,"head, left",bird/2.png\r\n\r\n'
    write(raw, "val", table)
    found = prepared(raw)[1]["test"].landmarks
    assert found is not None and found["landmark"].tolist() == ["head, left"]
    assert found["x"].tolist() == [30 * 13 / 20 - 14]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "the columns are missing; expected image, landmark, x, y"),
        ("image,x,y\nbird/2.png,1,1\n", "the columns are 'image', 'x', 'y'; expected"),
        ("image;landmark;x;y\n", "the columns are 'image;landmark;x;y'; expected"),
        (HEADER.replace("y", "y,visible"), "'y', 'visible'; expected"),
        (HEADER + "bird/2.png,head,1\n", "line 2: expected 4 values"),
        (HEADER + "bird/2.png,head,1,5,3\n", "line 2: expected 4 values"),
        (HEADER + "bird/9.png,head,1,1\n", "line 2: no image `bird/9.png` below the folder"),
        (HEADER + "2.png,head,1,1\n", "such as `background/1.png`"),
        (HEADER + "bird/2.png, ,1,1\n", "line 2: the landmark of `bird/2.png` has no name"),
        (HEADER + "bird/2.png,head,1,one\n", "y of `head` in `bird/2.png` is `one`"),
        (HEADER + "bird/2.png,head,,1\n", "x of `head` in `bird/2.png` is ``"),
        (HEADER + "bird/2.png,head,nan,1\n", "is `nan`; expected a number in pixels"),
        (HEADER + "bird/2.png,head,1,inf\n", "is `inf`; expected a number in pixels"),
        (
            HEADER + "bird/2.png,head,1,1\n" * 2,
            "line 3: `bird/2.png` has its landmark `head` twice",
        ),
        (HEADER + 'bird/2.png,"head,1,1\n', "cannot be read"),
    ],
)
def test_a_table_that_is_refused(raw: Path, table: str, message: str) -> None:
    path = write(raw, "val", table)
    found = refused(raw)
    assert found.startswith(f"{path}: ") and message in found


def test_a_table_that_is_no_text_or_absent(raw: Path) -> None:
    path = write(raw, "val", "")
    path.write_bytes(HEADER.encode() + b"bird/2.png,\xff,1,1\n")
    assert f"{path}: cannot be read" in refused(raw)
    path.unlink()
    assert f"{path}: no such file; expected a table" in refused(raw)


@pytest.mark.parametrize(("x", "y"), [(60.5, 5), (-0.1, 5), (5, 20.1), (5, -1)])
def test_a_landmark_outside_its_image(raw: Path, x: float, y: float) -> None:
    write(raw, "val", HEADER + f"bird/2.png,tail,{x},{y}\n")
    message = refused(raw)
    assert f"{raw / 'own/val/bird/2.png'}: its landmark `tail` lies at" in message
    assert "outside the image of 60 x 20 pixels as it is displayed" in message
