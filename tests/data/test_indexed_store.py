"""Stores whose rows repeat images: each is stored once, and read as if all rows were."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clearfilters.data import store
from clearfilters.data.rows import RowImages
from clearfilters.data.store import (
    ANNOTATION_FILES,
    COUNTED_AT_ONCE,
    ROW_FILES,
    Split,
    channel_statistics,
    image_files,
    read_meta,
    read_split,
    write_store,
)
from clearfilters.errors import ClearfiltersError


def indexed_split(rows: int, count: int = 4) -> Split:
    """Random rows of `count` random images 5 x 7, some mirrored."""
    draws = np.random.default_rng(0)
    images = RowImages(
        draws.integers(0, 256, (count, 5, 7, 3), dtype=np.uint8),
        draws.integers(0, count, rows),
        draws.random(rows) < 0.5,
    )
    return Split(images, draws.integers(0, 3, rows))


def all_rows(split: Split) -> Split:
    """The same split as an array of all rows."""
    return replace(split, images=split.images[:])


def with_parts(split: Split) -> Split:
    """The same split with two parts of each of its distinct images."""
    assert isinstance(split.images, RowImages)
    draws = np.random.default_rng(1)
    shape = split.images.distinct.shape[:3]
    parts = {name: draws.random(shape) < 0.3 for name in ("head", "front legs")}
    return replace(split, parts=parts)


def write(root: Path, train: Split, test: Split) -> None:
    write_store(
        root,
        {"train": train, "test": test},
        dataset="dataset",
        source="made here",
        note="",
        classes=["a", "b", "c"],
        raw_sha256={},
        verified=True,
        parameters={},
    )


def test_each_image_is_stored_once(tmp_path: Path) -> None:
    splits = {"train": indexed_split(30), "test": indexed_split(9)}
    write(tmp_path, **splits)
    write(tmp_path / "rows", **{name: all_rows(split) for name, split in splits.items()})
    meta = read_meta(tmp_path)
    assert meta.indexed and image_files(meta) == ["images.npy", *ROW_FILES]
    assert meta.counts == {"train": 30, "test": 9} and meta.image_size == 5
    for name, split in splits.items():
        assert np.load(tmp_path / name / "images.npy").shape == (4, 5, 7, 3)
        found = read_split(tmp_path, name)
        assert isinstance(found.images, RowImages)
        assert isinstance(found.images.distinct, np.memmap)
        np.testing.assert_array_equal(found.images[:], split.images[:])
        np.testing.assert_array_equal(found.labels, split.labels)
    # Every row counts in mean and deviation, to the last bit.
    assert read_meta(tmp_path / "rows") == replace(meta, indexed=False)


def test_one_split_whose_rows_repeat_images_is_enough(tmp_path: Path) -> None:
    train, test = all_rows(indexed_split(6)), indexed_split(9)
    write(tmp_path, train, test)
    assert read_meta(tmp_path).indexed
    for name, split in {"train": train, "test": test}.items():
        np.testing.assert_array_equal(read_split(tmp_path, name).images[:], split.images[:])


def test_parts_are_stored_once_for_each_image(tmp_path: Path) -> None:
    splits = {"train": with_parts(indexed_split(30)), "test": with_parts(indexed_split(9))}
    write(tmp_path, **splits)
    assert read_meta(tmp_path).annotations == ["parts"]
    for name, split in splits.items():
        found = read_split(tmp_path, name, annotations=ANNOTATION_FILES).parts
        assert found is not None and split.parts is not None and list(found) == list(split.parts)
        for part, masks in split.parts.items():
            assert found[part].shape == (4, 5, 7)
            np.testing.assert_array_equal(found[part], masks)


def test_parts_by_row_are_refused_where_rows_repeat_images(tmp_path: Path) -> None:
    good = with_parts(indexed_split(30))
    bad = replace(good, parts={"head": np.zeros((30, 5, 7), bool)})
    with pytest.raises(ClearfiltersError, match=r"`head` are bool \(30, 5, 7\).*\(4, 5, 7\)"):
        write(tmp_path / "store", good, bad)
    assert not (tmp_path / "store").exists()


def test_many_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    split = indexed_split(3 * COUNTED_AT_ONCE, count=50)
    rows = split.images[:]
    monkeypatch.setattr(store, "COUNTED_ABOVE", rows.nbytes - 1)
    found = channel_statistics(split.images)
    assert found == channel_statistics(rows)
    np.testing.assert_allclose(found[0], (rows / 255).mean(axis=(0, 1, 2)), rtol=1e-12)


def test_the_index_of_an_earlier_store_does_not_stay(tmp_path: Path) -> None:
    write(tmp_path, indexed_split(5), indexed_split(5))
    write(tmp_path, all_rows(indexed_split(5)), all_rows(indexed_split(5)))
    assert not [path for file in ROW_FILES for path in tmp_path.rglob(file)]
    assert not read_meta(tmp_path).indexed
    np.testing.assert_array_equal(read_split(tmp_path, "test").images, indexed_split(5).images[:])


@pytest.mark.parametrize("file", ROW_FILES)
def test_a_damaged_index_is_named(tmp_path: Path, file: str) -> None:
    write(tmp_path, indexed_split(5), indexed_split(5))
    path = tmp_path / "train" / file
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ClearfiltersError, match=f"{file}: cannot be read"):
        read_split(tmp_path, "train")
    path.unlink()
    with pytest.raises(ClearfiltersError, match=f"{file}: cannot be read"):
        read_split(tmp_path, "train")


def test_rows_without_an_image_are_refused(tmp_path: Path) -> None:
    good = indexed_split(5)
    assert isinstance(good.images, RowImages)
    bad = replace(good, images=replace(good.images, distinct=good.images.distinct[:2]))
    with pytest.raises(ClearfiltersError, match=r"dataset test: rows show images .* 0 to 1"):
        write(tmp_path / "store", good, bad)
    assert not (tmp_path / "store").exists()
    write(tmp_path, good, good)
    np.save(tmp_path / "train" / "images.npy", good.images.distinct[:2])
    with pytest.raises(ClearfiltersError, match=r"train: rows show images .* prepare the data"):
        read_split(tmp_path, "train")


def test_a_store_of_the_form_without_an_index_is_refused(tmp_path: Path) -> None:
    write(tmp_path, all_rows(indexed_split(5)), all_rows(indexed_split(5)))
    path = tmp_path / "meta.json"
    content = json.loads(path.read_text())
    del content["indexed"]
    path.write_text(json.dumps(content))
    with pytest.raises(ClearfiltersError, match=r"meta\.json.*'indexed'.*`snakemake data` again"):
        read_split(tmp_path, "train")
