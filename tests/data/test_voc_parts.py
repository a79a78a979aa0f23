"""Pascal VOC with Pascal-Part, on a tiny devkit and on real data where there is some."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from voc_devkit import (
    HEIGHT,
    IMAGES,
    WIDTH,
    annotate,
    box,
    params,
    path_of,
    prepared,
    refused,
    thing,
    write_devkit,
)

from clearfilters.data import pascal_part, voc_parts
from clearfilters.data.archives import ARCHIVES
from clearfilters.data.pascal_part import AnnotatedObject
from clearfilters.data.prepare import prepare
from clearfilters.data.store import read_meta, read_split
from clearfilters.data.voc_parts import (
    MERGED_PARTS,
    PARTS,
    crop_object,
    merge_parts,
    stack_crops,
    training_images,
    unmerged_parts,
)
from clearfilters.errors import ClearfiltersError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The tiny devkit."""
    return write_devkit(tmp_path / "raw")


# --- what is read ---


def test_every_object_of_the_classes_split_by_image(raw: Path) -> None:
    meta, splits = prepared(raw)
    assert meta.counts == {"train": 14, "test": 6} and meta.classes == ["cat", "cow"]
    assert (meta.note, meta.masks_note, meta.verified) == ("a note", "drawn here", False)
    assert meta.skipped == {} and meta.annotations == ["masks", "parts", "landmarks"]
    names = [f"2010_{index:06d}" for index in range(IMAGES)]
    random.seed(0)
    chosen = random.sample(names, 7)
    for split, members in (
        ("train", [name for name in names if name in chosen]),
        ("test", [name for name in names if name not in chosen]),
    ):
        found = splits[split]
        assert found.labels.tolist() == [0, 1] * len(members)
        for row, name in enumerate(members):
            # The cat's square: its 6 x 8 box has its centre at column index + 3.
            picture = np.asarray(Image.open(raw / f"VOC2010/JPEGImages/{name}.jpg"))
            left = int(name[-2:]) - 1
            crop = picture[2:10, max(left, 0) : left + 8]
            np.testing.assert_array_equal(found.images[2 * row, :, max(-left, 0) :], crop)
            assert not found.images[2 * row, :, : max(-left, 0)].any()
            assert found.masks is not None
            np.testing.assert_array_equal(found.masks[2 * row], box(0, 1, 8, 6)[:8, :8])


def test_the_order_of_the_classes_gives_the_labels(raw: Path) -> None:
    _, splits = prepared(raw, classes=["cow", "cat"])
    assert splits["train"].labels.tolist() == [1, 0] * 7


def test_parts_and_landmarks_of_the_crops(raw: Path) -> None:
    _, splits = prepared(raw)
    train = splits["train"]
    assert train.parts is not None and train.landmarks is not None
    assert list(train.parts) == ["HEAD", "TORSO", "FLIMB", "BLIMB", "TAIL"]
    for row in range(14):
        head, tail = (box(0, 1, 3, 3), box(6, 1, 2, 6)) if row % 2 == 0 else (box(0, 0, 0, 0),) * 2
        np.testing.assert_array_equal(train.parts["HEAD"][row], head[:8, :8])
        np.testing.assert_array_equal(train.parts["TAIL"][row], tail[:8, :8])
        assert not train.parts["TORSO"][row].any() and not train.parts["FLIMB"][row].any()
    table = train.landmarks.set_index(["image", "landmark"])
    assert len(table) == 14 * 3
    assert table.loc[(0, "head")].tolist() == [2.5, 1.5, True]
    assert not table.loc[(0, "neck"), "visible"] and not table.loc[(1, "head"), "visible"]


def test_landmarks_scale_with_the_crop(raw: Path) -> None:
    _, splits = prepared(raw, image_size=16)
    assert splits["train"].landmarks is not None
    first = splits["train"].landmarks.iloc[0]
    assert (first["landmark"], first["x"], first["y"]) == ("head", 5.0, 3.0)


def test_a_landmark_outside_its_crop_is_not_visible() -> None:
    found = AnnotatedObject(
        "cat", box(5, 5, 4, 4), {"head": box(0, 0, 3, 3), "torso": box(6, 6, 2, 2)}
    )
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    table = stack_crops([crop_object(image, found, 0, 8)]).landmarks
    assert table is not None
    assert table["visible"].tolist() == [False, False, True]


@pytest.mark.parametrize(("count", "share"), [(10, 0.7), (90, 0.7), (3561, 0.7), (7, 0.5)])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_draw_is_pythons_seeded_sample(count: int, share: float, seed: int) -> None:
    names = [f"image{index}" for index in range(count)]
    random.seed(seed)
    assert training_images(names, share, seed) == set(random.sample(names, int(count * share)))


# --- merging of parts ---


@pytest.mark.parametrize(
    ("name", "part", "merged"),
    [
        ("bird", "lwing", "TORSO"),
        ("bird", "beak", "HEAD"),
        ("bird", "rfoot", "BLIMB"),
        ("bird", "tail", "TAIL"),
        ("cat", "neck", "TORSO"),
        ("cat", "lfpa", "FLIMB"),
        ("dog", "rbpa", "BLIMB"),
        ("dog", "muzzle", "HEAD"),
        ("dog", "tail", "TAIL"),
        ("cow", "rhorn", "HEAD"),
        ("cow", "lfuleg", "FLIMB"),
        ("horse", "lbho", "BLIMB"),
        ("horse", "rfho", "FLIMB"),
        ("sheep", "lblleg", "BLIMB"),
        ("sheep", "tail", None),
        ("cow", "tail", None),
        ("horse", "tail", None),
    ],
)
def test_where_a_part_belongs(name: str, part: str, merged: str | None) -> None:
    mask = box(1, 1, 2, 2)
    found = AnnotatedObject(name, box(0, 0, 9, 9), {part: mask})
    regions = merge_parts(found)
    assert list(regions) == ([] if merged is None else [merged])
    assert all((region == mask).all() for region in regions.values())
    assert unmerged_parts(found) == ([f"parts `{part}` of a {name}"] if merged is None else [])


def test_merged_parts_of_each_class() -> None:
    lacking = {"bird": {"FLIMB"}, "cow": {"TAIL"}, "horse": {"TAIL"}, "sheep": {"TAIL"}}
    assert set(PARTS) == {"bird", "cat", "cow", "dog", "horse", "sheep"}
    for name, table in PARTS.items():
        assert set(table) == set(MERGED_PARTS) - lacking.get(name, set())
        members = [part for parts in table.values() for part in parts]
        assert len(members) == len(set(members))
        # Whatever is on one side is on the other.
        mirrored = {{"l": "r", "r": "l"}[part[0]] + part[1:] for part in members if part[0] in "lr"}
        assert mirrored <= set(members)


def test_a_merged_part_is_the_union() -> None:
    found = AnnotatedObject(
        "cat", box(0, 0, 20, 30), {"head": box(0, 0, 4, 4), "lear": box(2, 2, 4, 4)}
    )
    np.testing.assert_array_equal(merge_parts(found)["HEAD"], box(0, 0, 4, 4) | box(2, 2, 4, 4))


# --- what is skipped ---


def test_an_object_with_an_empty_mask_is_skipped_and_counted(raw: Path) -> None:
    annotate(
        raw,
        "2010_000004",
        thing("cat", box(0, 0, 0, 0)),
        thing("cow", box(1, 1, 4, 4), tail=box(1, 1, 1, 1)),
    )
    meta, _ = prepared(raw)
    assert sum(meta.counts.values()) == 19
    assert meta.skipped == {"objects with an empty mask": 1, "parts `tail` of a cow": 1}


def test_images_that_are_not_listed_are_counted(raw: Path) -> None:
    listed = raw / "VOC2010/ImageSets/Main/trainval.txt"
    listed.write_text("".join(f"2010_{index:06d}\n" for index in range(8)))
    meta, _ = prepared(raw)
    assert meta.counts == {"train": 10, "test": 6}  # 5 and 3 images
    assert meta.skipped == {"annotated images that trainval.txt does not list": 2}


def test_an_image_without_objects_of_the_classes(raw: Path) -> None:
    annotate(raw, "2010_000001", thing("person", box(0, 0, 5, 5)))
    annotate(raw, "2010_000002")
    assert sum(prepared(raw)[0].counts.values()) == 16


# --- the full release ---


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the tiny devkit the full release, whose numbers are given."""

    def build(cats: int, train: int) -> None:
        monkeypatch.setattr(pascal_part, "RELEASE_IMAGES", IMAGES)
        monkeypatch.setattr(voc_parts, "RELEASE_OBJECTS", {"cat": cats, "cow": IMAGES})
        monkeypatch.setattr(voc_parts, "RELEASE_SPLITS", {"train": train, "test": 20 - train})

    return build


def test_the_full_release_with_the_right_numbers(raw: Path, release: Callable[..., None]) -> None:
    release(cats=IMAGES, train=14)
    assert prepared(raw)[0].verified


def test_the_full_release_with_other_numbers(raw: Path, release: Callable[..., None]) -> None:
    release(cats=11, train=14)
    message = refused(raw)
    assert "'cat': 10" in message and "'cat': 11" in message
    release(cats=IMAGES, train=13)
    message = refused(raw)
    assert "{'train': 14, 'test': 6}" in message and "{'train': 13, 'test': 7}" in message


def test_another_share_of_the_full_release_is_no_mistake(
    raw: Path, release: Callable[..., None]
) -> None:
    release(cats=IMAGES, train=14)
    assert prepared(raw, train_share=0.5)[0].counts == {"train": 10, "test": 10}
    release(cats=IMAGES, train=14)
    assert prepared(raw, classes=["cow"])[0].verified


def test_the_published_numbers_add_up() -> None:
    assert sum(voc_parts.RELEASE_OBJECTS.values()) == 5344
    assert sum(voc_parts.RELEASE_SPLITS.values()) == 5344
    assert set(voc_parts.RELEASE_OBJECTS) == set(PARTS)


# --- what is refused ---


def test_a_truncated_jpeg(raw: Path) -> None:
    path = path_of(raw, 9, "jpg")
    path.write_bytes(path.read_bytes()[:500])
    assert f"{path}: cannot be decoded" in refused(raw)


def test_an_object_mask_of_another_size(raw: Path) -> None:
    annotate(raw, "2010_000005", thing("cow", box(0, 0, 5, 5)[:19]))
    message = refused(raw)
    assert f"{path_of(raw, 5, 'jpg')}: the image is (20, 30)" in message
    assert "a mask of a cow of (19, 30)" in message


def test_a_class_without_objects(raw: Path) -> None:
    assert "no horse in the 7 images of one split" in refused(raw, classes=["cat", "horse"])


def test_images_are_fetched_only_where_they_are_absent(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(voc_parts, "fetch", lambda name, root: fetched.append(name))
    prepare(params(), raw, raw.parent / "store", download=True)
    assert fetched == []
    (raw / "VOC2010/JPEGImages").rename(raw / "elsewhere")
    with pytest.raises(ClearfiltersError):
        prepare(params(), raw, raw.parent / "other", download=True)
    assert fetched == ["VOC2010"] and "VOC2010" in ARCHIVES


@pytest.mark.parametrize("classes", [[], ["cat", "cat"], ["cat", "fox"]])
def test_classes_that_cannot_be(classes: list[str]) -> None:
    with pytest.raises(ValueError, match="classes"):
        params(classes=classes)


# --- real data ---


@pytest.mark.slow
def test_the_real_animals(real_data: Path, tmp_path: Path) -> None:
    raw = real_data / "voc2010_animals"
    if not raw.is_dir():
        pytest.skip(f"no {raw}")
    classes = ["bird", "cat", "cow", "dog", "horse", "sheep"]
    prepare(params(classes=classes, image_size=16), raw, tmp_path, download=False)
    labels = np.concatenate([read_split(tmp_path, split).labels for split in ("train", "test")])
    expected = {"bird": 6, "cat": 1257, "cow": 591, "dog": 1521, "horse": 740, "sheep": 752}
    assert np.bincount(labels).tolist() == [expected[name] for name in classes]
    assert len(labels) - expected["bird"] == 4861
    assert set(read_meta(tmp_path).skipped) == {
        "parts `tail` of a cow", "parts `tail` of a horse", "parts `tail` of a sheep",
    }  # fmt: skip
