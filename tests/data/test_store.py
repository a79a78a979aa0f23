"""The processed store: round trip, statistics, and refusal of what does not fit."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearfilters.data import store
from clearfilters.data.store import (
    ANNOTATION_FILES,
    COUNTED_AT_ONCE,
    Split,
    channel_statistics,
    check_split,
    read_meta,
    read_split,
    write_store,
)
from clearfilters.errors import ClearfiltersError

PARAMETERS = {"format": "dataset", "split_seed": 0}


def random_split(count: int, seed: int = 0) -> Split:
    """Random images 5x7 of three classes."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    return Split(images, generator.integers(0, 3, count))


def write(root: Path, train: Split, test: Split, **more: Any) -> None:
    """A store of three classes."""
    write_store(
        root,
        {"train": train, "test": test},
        dataset="dataset",
        source="made here",
        note="a note",
        classes=["a", "b", "c"],
        raw_sha256={"file": "00"},
        verified=True,
        parameters=PARAMETERS,
        **more,
    )


def test_round_trip(tmp_path: Path) -> None:
    splits = {"train": random_split(9), "test": random_split(4, seed=1)}
    write(tmp_path, splits["train"], splits["test"])
    for name, split in splits.items():
        found = read_split(tmp_path, name)
        np.testing.assert_array_equal(found.images, split.images)
        np.testing.assert_array_equal(found.labels, split.labels)
        assert isinstance(found.images, np.memmap)
    meta = read_meta(tmp_path)
    assert meta.counts == {"train": 9, "test": 4}
    assert (meta.dataset, meta.source, meta.note) == ("dataset", "made here", "a note")
    assert meta.classes == ["a", "b", "c"] and meta.raw_sha256 == {"file": "00"}


def test_mean_and_deviation_by_a_naive_loop(tmp_path: Path) -> None:
    train = random_split(3)
    write(tmp_path, train, random_split(2, seed=1))
    meta = read_meta(tmp_path)
    for channel in range(3):
        pixels = [
            int(train.images[image, row, column, channel]) / 255
            for image in range(3)
            for row in range(5)
            for column in range(7)
        ]
        mean = sum(pixels) / len(pixels)
        variance = sum((pixel - mean) ** 2 for pixel in pixels) / len(pixels)
        assert meta.mean[channel] == pytest.approx(mean)
        assert meta.std[channel] == pytest.approx(variance**0.5)


def test_many_images_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_split(5 * COUNTED_AT_ONCE).images
    expected = (images / 255).mean(axis=(0, 1, 2)), (images / 255).std(axis=(0, 1, 2))
    peaks = {}
    for counted in (False, True):
        monkeypatch.setattr(store, "COUNTED_ABOVE", images.nbytes - counted)
        tracemalloc.start()
        found = channel_statistics(images)
        peaks[counted] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    eight_bytes_a_pixel = 8 * images[..., 0].size
    assert peaks[True] < eight_bytes_a_pixel / 2 < peaks[False]


@pytest.mark.parametrize("counted_above", [0, 2**30])
@pytest.mark.parametrize("value", [0, 37, 255])
def test_a_channel_of_one_value_is_divided_by_1(
    monkeypatch: pytest.MonkeyPatch, value: int, counted_above: int
) -> None:
    monkeypatch.setattr(store, "COUNTED_ABOVE", counted_above)
    images = random_split(300).images.copy()
    images[..., 1] = value
    mean, std = channel_statistics(images)
    assert std[1] == 1 and 0 < std[0] < 1 and mean[1] == pytest.approx(value / 255)
    # One pixel that differs is a deviation.
    images[0, 0, 0, 1] = abs(value - 1)
    assert 0 < channel_statistics(images)[1][1] < 0.01


@given(st.lists(st.integers(-3, 6), min_size=1, max_size=8))
@settings(deadline=None)
def test_labels_out_of_range(labels: list[int]) -> None:
    split = Split(np.zeros((len(labels), 2, 2, 3), np.uint8), np.array(labels))
    if all(0 <= label < 3 for label in labels):
        check_split("split", split, 3)
        return
    with pytest.raises(ClearfiltersError, match="labels out of range"):
        check_split("split", split, 3)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros((2, 1), np.int64)),
        (np.zeros((0, 4, 4, 3), np.uint8), np.zeros(0, np.int64)),
    ],
)
def test_a_bad_split_leaves_nothing(
    tmp_path: Path, images: npt.NDArray[Any], labels: npt.NDArray[np.int64]
) -> None:
    for bad_first in (True, False):
        pair = (Split(images, labels), random_split(2))
        train, test = pair if bad_first else pair[::-1]
        with pytest.raises(ClearfiltersError):
            write(tmp_path / "store", train, test)
        assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("part", ["images.npy", "labels.npy"])
def test_a_damaged_array_is_named(tmp_path: Path, part: str) -> None:
    write(tmp_path, random_split(9), random_split(4))
    path = tmp_path / "train" / part
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ClearfiltersError) as caught:
        read_split(tmp_path, "train")
    assert str(path) in str(caught.value)
    path.unlink()
    with pytest.raises(ClearfiltersError) as caught:
        read_split(tmp_path, "train")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", ["{}", '{"dataset": "x", "colour": 1}', "[]", "3", "not JSON"])
def test_a_damaged_meta_file_is_named(tmp_path: Path, content: str) -> None:
    write(tmp_path, random_split(9), random_split(4))
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(ClearfiltersError, match=r"meta\.json"):
        read_meta(tmp_path)


def annotated_split(count: int, seed: int = 0) -> Split:
    """A split with masks, two parts and two landmarks an image, one of them hidden."""
    plain, generator = random_split(count, seed), np.random.default_rng(seed)
    shape = plain.images.shape[:3]
    landmarks = pd.DataFrame(
        {
            "image": np.repeat(np.arange(count), 2),
            "landmark": ["left eye", "tail"] * count,
            "x": [value for x in generator.random(count) * 7 for value in (x, np.nan)],
            "y": [value for y in generator.random(count) * 5 for value in (y, np.nan)],
            "visible": [True, False] * count,
        }
    )
    return Split(
        plain.images,
        plain.labels,
        masks=generator.random(shape) < 0.5,
        parts={"HEAD": generator.random(shape) < 0.2, "TAIL": np.zeros(shape, bool)},
        landmarks=landmarks,
    )


def test_round_trip_with_annotations(tmp_path: Path) -> None:
    splits = {"train": annotated_split(9), "test": annotated_split(4, seed=1)}
    write(tmp_path, splits["train"], splits["test"])
    assert read_meta(tmp_path).annotations == ["masks", "parts", "landmarks"]
    for name, split in splits.items():
        found = read_split(tmp_path, name, annotations=ANNOTATION_FILES)
        np.testing.assert_array_equal(found.images, split.images)
        assert isinstance(found.masks, np.memmap) and split.masks is not None
        np.testing.assert_array_equal(found.masks, split.masks)
        assert found.parts is not None and split.parts is not None
        assert list(found.parts) == ["HEAD", "TAIL"]
        for part in found.parts:
            np.testing.assert_array_equal(found.parts[part], split.parts[part])
        assert found.landmarks is not None and split.landmarks is not None
        pd.testing.assert_frame_equal(
            found.landmarks, split.landmarks, check_exact=True, check_dtype=False
        )
        plain = read_split(tmp_path, name)
        assert plain.masks is None and plain.parts is None and plain.landmarks is None


def test_a_landmark_table_without_rows(tmp_path: Path) -> None:
    split = annotated_split(4)
    assert split.landmarks is not None
    empty = replace(split, landmarks=split.landmarks.iloc[:0])
    write(tmp_path, split, empty)
    found = read_split(tmp_path, "test", annotations=ANNOTATION_FILES).landmarks
    full = read_split(tmp_path, "train", annotations=ANNOTATION_FILES).landmarks
    assert found is not None and full is not None and len(found) == 0
    pd.testing.assert_series_equal(found.dtypes, full.dtypes)


@given(st.lists(st.floats(0, 5), min_size=1, max_size=8))
@settings(deadline=None, max_examples=30)
def test_landmarks_are_read_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    count, root = len(values), tmp_path_factory.mktemp("store")
    split = annotated_split(count)
    assert split.landmarks is not None
    table = split.landmarks[split.landmarks["visible"]].assign(x=values, y=values[::-1])
    write(root, replace(split, landmarks=table), annotated_split(1))
    found = read_split(root, "train", annotations=ANNOTATION_FILES).landmarks
    assert found is not None
    assert found["x"].tolist() == values and found["y"].tolist() == values[::-1]


def test_the_same_splits_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, annotated_split(5), annotated_split(3))
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 11
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_what_a_store_without_annotations_holds(tmp_path: Path) -> None:
    write(tmp_path, random_split(3), random_split(2))
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    arrays = {f"{split}/{part}.npy" for split in ("train", "test") for part in ("images", "labels")}
    assert files == arrays | {"meta.json"}
    assert list(json.loads((tmp_path / "meta.json").read_text())) == [
        "dataset", "source", "note", "classes", "counts", "image_size", "mean", "std",
        "raw_sha256", "verified", "parameters_hash", "indexed",
    ]  # fmt: skip


def test_annotations_of_an_earlier_store_do_not_stay(tmp_path: Path) -> None:
    write(tmp_path, annotated_split(3), annotated_split(2))
    write(tmp_path, random_split(3), random_split(2))
    assert not list(tmp_path.rglob("masks.npy")) + list(tmp_path.rglob("parts.npz"))
    assert not list(tmp_path.rglob("landmarks.csv"))
    assert read_split(tmp_path, "train", annotations=ANNOTATION_FILES).masks is None


def test_what_was_skipped_and_how_masks_were_made_is_kept(tmp_path: Path) -> None:
    write(tmp_path, random_split(3), random_split(2), skipped={"dull": 2}, masks_note="by hand")
    meta = read_meta(tmp_path)
    assert meta.skipped == {"dull": 2} and meta.masks_note == "by hand"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masks": np.zeros((4, 5, 6), bool)}, "masks are bool (4, 5, 6)"),
        ({"masks": np.zeros((4, 5, 7), np.uint8)}, "masks are uint8"),
        ({"parts": {"HEAD": np.zeros((3, 5, 7), bool)}}, "part `HEAD` are bool (3, 5, 7)"),
    ],
)
def test_masks_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    bad = replace(annotated_split(4), **changes)
    with pytest.raises(ClearfiltersError) as caught:
        write(tmp_path / "store", annotated_split(4), bad)
    assert f"dataset test: {message}" in str(caught.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("image", 4, "expected rows of the split, 0 to 3"),
        ("image", -1, "expected rows of the split, 0 to 3"),
        ("x", 7.01, "`left eye` of image 1"),
        ("x", -0.01, "`left eye` of image 1"),
        ("y", 5.5, "expected 0 to 7 and 0 to 5"),
        ("y", float("nan"), "1 visible ones lie outside"),
    ],
)
def test_landmarks_that_do_not_fit(tmp_path: Path, column: str, value: float, message: str) -> None:
    bad = annotated_split(4)
    assert bad.landmarks is not None
    bad.landmarks.loc[2, column] = value
    with pytest.raises(ClearfiltersError) as caught:
        write(tmp_path / "store", bad, annotated_split(4))
    assert "dataset train: landmarks" in str(caught.value) and message in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_landmarks_without_a_column(tmp_path: Path) -> None:
    bad = annotated_split(4)
    assert bad.landmarks is not None
    bad = replace(bad, landmarks=bad.landmarks.drop(columns="visible"))
    with pytest.raises(ClearfiltersError, match="have the columns"):
        write(tmp_path / "store", bad, annotated_split(4))


def test_splits_that_are_annotated_differently(tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match="expected the same"):
        write(tmp_path / "store", annotated_split(4), random_split(4))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("file", ["masks.npy", "parts.npz", "landmarks.csv"])
def test_a_damaged_annotation_is_named(tmp_path: Path, file: str) -> None:
    write(tmp_path, annotated_split(9), annotated_split(4))
    path = tmp_path / "train" / file
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", None):
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        with pytest.raises(ClearfiltersError) as caught:
            read_split(tmp_path, "train", annotations=ANNOTATION_FILES)
        assert str(path) in str(caught.value) or "landmarks" in str(caught.value)
        read_split(tmp_path, "train")


def test_images_that_lie_in_their_place_are_not_copied(tmp_path: Path) -> None:
    train, test = random_split(2500), random_split(4)
    path = tmp_path / "train/images.npy"
    path.parent.mkdir()
    np.save(path, train.images)
    before = path.stat().st_ino
    mapped = np.load(path, mmap_mode="r")
    write(tmp_path, Split(mapped, train.labels), test)
    assert path.stat().st_ino == before
    meta = read_meta(tmp_path)
    # Counted in pieces, since it is memory-mapped; NumPy at once.
    np.testing.assert_allclose(meta.mean, (train.images / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(meta.std, (train.images / 255).std(axis=(0, 1, 2)), rtol=1e-12)
