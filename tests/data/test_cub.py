"""CUB-200-2011: a tiny release made here, what is refused, and the real one where it is."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clearfilters.data.cub import read_raw, read_release
from clearfilters.data.prepare import prepare
from clearfilters.data.store import ANNOTATION_FILES, check_split, read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import CubParams
from clearfilters.params.reading import parse_dataset

BLUE, RED = (0, 0, 255), (255, 0, 0)
TABLES = {
    "classes.txt": "1 001.Blue_bird\n2 002.Red_bird\n",
    "images.txt": "1 001.Blue_bird/a.jpg\n2 001.Blue_bird/b.jpg\n3 002.Red_bird/c.jpg\n",
    "image_class_labels.txt": "1 1\n2 1\n3 2\n",
    "train_test_split.txt": "1 1\n2 0\n3 1\n",
    "bounding_boxes.txt": "1 10.0 20.0 40.0 30.0\n2 0.0 0.0 60.0 60.0\n3 50.0 50.0 60.0 40.0\n",
    "parts/parts.txt": "1 back\n2 left eye\n",
    "parts/part_locs.txt": "1 1 30.0 35.0 1\n1 2 0.0 0.0 0\n2 1 60.0 15.0 1\n2 2 65.0 5.0 1\n"
    "3 1 50.0 50.0 1\n3 2 65.0 90.0 1\n",
}


def make_release(raw: Path, **tables: str) -> Path:
    """Three images of 80 x 100 pixels (width x height), grey with a coloured box."""
    root = raw / "CUB_200_2011"
    for name, content in TABLES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tables.get(path.stem, content))
    for name, (left, top, right, bottom), colour in (
        ("001.Blue_bird/a.jpg", (10, 20, 50, 50), BLUE),
        ("001.Blue_bird/b.jpg", (0, 0, 60, 60), BLUE),
        ("002.Red_bird/c.jpg", (50, 50, 80, 90), RED),
    ):
        image = np.full((100, 80, 3), 128, np.uint8)
        image[top:bottom, left:right] = colour
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, quality=95, subsampling=0)
    return root


def make_negatives(raw: Path, count: int) -> None:
    (raw / "neg").mkdir()
    for index in range(count):
        image = np.full((20, 30, 3), 10 * index, np.uint8)
        Image.fromarray(image).save(raw / f"neg/{index + 1:05d}.jpg", quality=95)


def parameters(**changes: Any) -> CubParams:
    content = {"format": "cub", "note": "", "image_size": 20, "min_area": 0.0, "background": None}
    found = parse_dataset({**content, **changes})
    assert isinstance(found, CubParams)
    return found


def test_species(tmp_path: Path) -> None:
    make_release(tmp_path)
    store = tmp_path / "store"
    prepare(parameters(), tmp_path, store, download=False)
    meta = read_meta(store)
    assert meta.classes == ["001.Blue_bird", "002.Red_bird"]
    assert meta.counts == {"train": 2, "test": 1}
    assert meta.skipped == {"landmarks outside their object's box": 1}
    assert meta.source == "CUB-200-2011, not the full release" and not meta.verified
    assert set(meta.raw_sha256) == {"CUB_200_2011/*.txt", "CUB_200_2011/images"}
    train = read_split(store, "train", annotations=ANNOTATION_FILES)
    test = read_split(store, "test", annotations=ANNOTATION_FILES)
    assert train.labels.tolist() == [0, 1] and test.labels.tolist() == [0]
    # The box, and nothing but the box, though the third one reaches beyond its image.
    for image, colour in ((train.images[0], BLUE), (train.images[1], RED), (test.images[0], BLUE)):
        assert np.abs(image[1:-1, 1:-1].astype(int) - colour).max() <= 12
    assert train.landmarks is not None and test.landmarks is not None
    found = train.landmarks.set_index(["image", "landmark"])
    # (30 - 10) / 40 and (35 - 20) / 30 of 20 pixels.
    assert found.loc[(0, "back")].tolist() == [10.0, 10.0, True]
    assert not found.loc[(0, "left eye"), "visible"]
    # The third box is cut off at the image's right edge, 80: 30 pixels wide.
    assert found.loc[(1, "back")].tolist() == [0.0, 0.0, True]
    assert found.loc[(1, "left eye")].tolist() == [10.0, 20.0, True]
    # At x = 60 on the box's edge, at x = 65 outside it.
    assert test.landmarks["visible"].tolist() == [True, False]


def test_birds_against_background(tmp_path: Path) -> None:
    make_release(tmp_path)
    make_negatives(tmp_path, 5)
    background = {"folder": "neg", "copies": 4, "train_share": 0.5}
    found = read_raw(parameters(background=background), tmp_path, tmp_path, download=False)
    assert found.classes == ["background", "bird"]
    # Half of five is rounded up; each is copied four times in a row.
    train, test = found.splits["train"], found.splits["test"]
    assert train.labels.tolist() == [1] * 2 + [0] * 12
    assert test.labels.tolist() == [1] + [0] * 8
    grey = [int(image[0, 0, 0]) for image in (*train.images[2:], *test.images[1:])]
    expected = [10 * index for index in range(5) for _ in range(4)]
    assert np.abs(np.subtract(grey, expected)).max() <= 2
    assert set(found.raw_sha256) == {"CUB_200_2011/*.txt", "CUB_200_2011/images", "neg"}


def test_small_boxes_are_counted(tmp_path: Path) -> None:
    make_release(tmp_path)
    found = read_raw(parameters(min_area=1201.0), tmp_path, tmp_path, download=False)
    assert found.splits["train"].labels.tolist() == [1]
    assert found.skipped["objects whose box is too small"] == 1


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("bounding_boxes", "1 10 20 0.0 30\n2 0 0 9 9\n3 0 0 9 9\n", "is 0 x 30 pixels"),
        ("bounding_boxes", "1 10 20 nan 30\n2 0 0 9 9\n3 0 0 9 9\n", "is nan x 30 pixels"),
        ("bounding_boxes", "1 10 20 5\n", r"line 1 is `1 10 20 5`"),
        ("bounding_boxes", "1 1 1 9 9\n2 0 0 9 9\n", "image 3 stands only"),
        ("bounding_boxes", "", "no rows"),
        ("bounding_boxes", "1 90 20 9 30\n2 0 0 9 9\n3 0 0 9 9\n", r"a\.jpg: the box .* no area"),
        ("image_class_labels", "1 1\n2 7\n3 2\n", "image 2 has class 7"),
        ("train_test_split", "1 1\n2 2\n3 1\n", "image 2 has class 1 and train_test_split"),
        ("part_locs", "1 3 30.0 35.0 1\n", "image 1, part 3"),
        ("part_locs", "9 1 30.0 35.0 1\n", "image 9, part 1"),
        ("part_locs", "1 1 81.0 35.0 1\n", r"a\.jpg: its landmark `back` lies at \(81, 35\)"),
        (
            "images",
            "1 001.Blue_bird/a.jpg\n2 absent.jpg\n3 002.Red_bird/c.jpg\n",
            r"absent\.jpg: no",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, table: str, content: str, message: str) -> None:
    make_release(tmp_path, **{table: content})
    with pytest.raises(ClearfiltersError, match=message):
        prepare(parameters(), tmp_path, tmp_path / "store", download=False)
    assert not (tmp_path / "store").exists()


def test_only_a_missing_release_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_here(name: str, raw: Path) -> None:
        assert name == "CUB_200_2011"
        make_release(raw)

    monkeypatch.setattr("clearfilters.data.cub.fetch", made_here)
    found = read_raw(parameters(), tmp_path, tmp_path, download=True)
    assert found.splits["train"].labels.tolist() == [0, 1]
    monkeypatch.setattr("clearfilters.data.cub.fetch", None)
    read_raw(parameters(), tmp_path, tmp_path, download=True)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    root = make_release(tmp_path)
    image = root / "images/001.Blue_bird/a.jpg"
    image.write_bytes(image.read_bytes()[:-200])
    with pytest.raises(ClearfiltersError, match="whole image") as caught:
        prepare(parameters(), tmp_path, tmp_path / "store", download=False)
    assert str(image) in str(caught.value)
    assert not (tmp_path / "store").exists()
    (root / "classes.txt").unlink()
    with pytest.raises(ClearfiltersError, match=r"classes\.txt"):
        read_release(root)


def test_the_real_release(real_data: Path) -> None:
    if not (real_data / "CUB_200_2011").is_dir():
        pytest.skip(f"no CUB_200_2011 in {real_data}")
    found = read_release(real_data / "CUB_200_2011")
    counts = {split: len(birds) for split, birds in found.splits.items()}
    assert counts in ({"train": 1500, "test": 1389}, {"train": 5994, "test": 5794})
    birds = found.splits["train"]
    names = Counter(landmark.name for bird in birds for landmark in bird.landmarks)
    assert len(names) == 15 and set(names.values()) == {len(birds)}


def test_real_landmarks_lie_in_their_crops(real_data: Path, tmp_path: Path) -> None:
    """Every hundredth bird of the real release."""
    source = real_data / "CUB_200_2011"
    if not source.is_dir():
        pytest.skip(f"no CUB_200_2011 in {real_data}")
    root = tmp_path / "CUB_200_2011"
    (root / "parts").mkdir(parents=True)
    (root / "images").symlink_to(source / "images")
    for name in TABLES:
        rows = (source / name).read_text().splitlines(keepends=True)
        keep_all = name in ("classes.txt", "parts/parts.txt")
        kept = [row for row in rows if keep_all or int(row.split()[0]) % 100 == 0]
        (root / name).write_text("".join(kept))
    found = read_raw(parameters(image_size=64), tmp_path, tmp_path, download=False)
    for name, split in found.splits.items():
        check_split(name, split, len(found.classes))
        assert split.landmarks is not None
        assert split.landmarks["visible"].mean() > 0.5
    assert found.skipped.get("landmarks outside their object's box", 0) <= 5
