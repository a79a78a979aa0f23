"""The processed store: round trip, statistics, and refusal of what does not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearfilters.data.store import Split, check_split, read_meta, read_split, write_store
from clearfilters.errors import ClearfiltersError


def random_split(count: int, seed: int = 0) -> Split:
    """Random images 5x7 of three classes."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    return Split(images, generator.integers(0, 3, count))


def write(root: Path, train: Split, test: Split) -> None:
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
