"""Files of Pascal-Part that are absent, damaged or no annotations, in the tiny devkit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from voc_devkit import (
    HEIGHT,
    WIDTH,
    annotate,
    box,
    path_of,
    refused,
    structs,
    thing,
    write_devkit,
)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The tiny devkit."""
    return write_devkit(tmp_path / "raw")


@pytest.mark.parametrize("kind", ["jpg", "mat"])
def test_an_image_listed_but_absent(raw: Path, kind: str) -> None:
    path = path_of(raw, 6, kind)
    path.unlink()
    message = refused(raw)
    assert f"{path}: no such file" in message and "1 of 10 are absent" in message


@pytest.mark.parametrize(
    "content",
    [
        {"other": 1},
        {"anno": 3},
        {"anno": {"imname": "x"}},
        {"anno": {"objects": 4}},
        {"anno": {"objects": structs({"class": "cat"})}},
        {"anno": {"objects": structs({"class": "cat", "mask": box(0, 0, 1, 1)})}},
        {"anno": {"objects": structs({"class": "cat", "mask": box(0, 0, 1, 1), "parts": 3})}},
    ],
)
def test_a_mat_file_that_is_no_annotation(raw: Path, content: dict[str, Any]) -> None:
    path = path_of(raw, 3, "mat")
    savemat(path, content)
    message = refused(raw)
    assert str(path) in message and "Pascal-Part" in message


def test_masks_of_different_size_in_one_file(raw: Path) -> None:
    path = annotate(
        raw, "2010_000003", thing("cat", box(0, 0, 5, 5)), thing("cow", box(0, 0, 5, 5)[:19])
    )
    message = refused(raw)
    assert f"{path}: the mask of a cow is (19, 30), that of a cat (20, 30)" in message


def test_a_mask_that_is_no_array_of_numbers(raw: Path) -> None:
    path = path_of(raw, 3, "mat")
    record = {"class": "cat", "mask": "text", "parts": structs()}
    savemat(path, {"anno": {"objects": structs(record)}})
    assert f"{path}: a mask of type" in refused(raw)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"class": 8.0, "mask": box(0, 0, 1, 1)}, "`class` is 8.0, a float"),
        ({"class": np.arange(3), "mask": box(0, 0, 1, 1)}, "`class` is array("),
        ({"class": "cat", "mask": np.full((HEIGHT, WIDTH), np.nan)}, "a mask has the value nan"),
        ({"class": "cat", "mask": np.full((HEIGHT, WIDTH), np.inf)}, "a mask has the value inf"),
        ({"class": "cat", "mask": structs({"a": 1.0})}, "a mask of type dict"),
        (
            {"class": "cat", "mask": np.array([np.zeros(2), np.zeros(3)], object)},
            "a mask of type list",
        ),
    ],
)
def test_a_class_or_mask_that_is_none(raw: Path, record: dict[str, Any], message: str) -> None:
    path = annotate(raw, "2010_000003", {**record, "parts": structs()})
    found = refused(raw)
    assert f"{path}: {message}" in found and "expected" in found


@pytest.mark.parametrize("name", [3.0, np.arange(4.0), np.array(["head", "neck"], object)])
def test_a_part_whose_name_is_no_text(raw: Path, name: Any) -> None:
    parts = structs({"part_name": name, "mask": box(0, 0, 1, 1)})
    path = annotate(raw, "2010_000003", {"class": "cat", "mask": box(0, 0, 2, 2), "parts": parts})
    assert f"{path}: `part_name` is " in refused(raw)


def test_a_truncated_mat_file(raw: Path) -> None:
    path = path_of(raw, 3, "mat")
    path.write_bytes(path.read_bytes()[:200])
    assert f"{path}: cannot be read" in refused(raw)


def test_a_part_mask_of_another_size(raw: Path) -> None:
    path = annotate(raw, "2010_000005", thing("cow", box(0, 0, 5, 5), head=box(0, 0, 5, 5)[:, :29]))
    message = refused(raw)
    assert (
        f"{path}: the mask of part `head` of a cow is (20, 29), the object's is (20, 30)" in message
    )


@pytest.mark.parametrize("content", ["", "\n", "2010_000001\n2010_000002\n2010_000001\n"])
def test_a_list_that_is_empty_or_names_an_image_twice(raw: Path, content: str) -> None:
    (raw / "VOC2010/ImageSets/Main/trainval.txt").write_text(content)
    assert "trainval.txt: " in refused(raw)


def test_no_devkit(tmp_path: Path) -> None:
    message = refused(tmp_path / "raw")
    assert str(tmp_path / "raw/VOC2010/ImageSets/Main/trainval.txt") in message
