"""Class folders, against torchvision's ImageFolder and transforms."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, Resize

from clearfilters.data.imagefolder import SUFFIXES
from clearfilters.data.prepare import prepare
from clearfilters.data.store import read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import ImageFolderParams

DATA = ImageFolderParams(
    format="imagefolder", note="a note", folder="pictures", image_size=10, resize=13
)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three classes with images of odd sizes and types, some in folders of their own."""
    random = np.random.default_rng(0)
    names = ["b/2.jpg", "b/10.png", "a/x.JPEG", "a/deeper/y.bmp", "c/z.png", "c/y.png"]
    for split in ("train", "val"):
        for index, name in enumerate(names):
            path = tmp_path / "raw/pictures" / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shape = (11 + 3 * index, 40 - 5 * index, 3)
            Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(path)
        (tmp_path / "raw/pictures" / split / "a/notes.txt").write_text("no image")
    return tmp_path / "raw"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("size", "resize"), [(10, 13), (10, 10), (24, 24), (7, 12)])
def test_as_torchvision_reads_them(raw: Path, tmp_path: Path, size: int, resize: int) -> None:
    data = DATA.model_copy(update={"image_size": size, "resize": resize})
    prepare(data, raw, tmp_path / "store", download=False)
    meta = read_meta(tmp_path / "store")
    assert meta.classes == ["a", "b", "c"] and meta.counts == {"train": 6, "test": 6}
    assert (meta.note, meta.verified, meta.image_size) == ("a note", False, size)
    transform = Compose([Resize(resize), CenterCrop(size)])
    for split, folder in {"train": "train", "test": "val"}.items():
        found = read_split(tmp_path / "store", split)
        expected = ImageFolder(str(raw / "pictures" / folder), transform=transform)
        assert found.labels.tolist() == expected.targets
        images = {np.asarray(image).tobytes() for image, _ in expected}
        assert {image.tobytes() for image in found.images} == images
    train = read_split(tmp_path / "store", "train").images / 255
    np.testing.assert_allclose(meta.mean, train.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(meta.std, train.std(axis=(0, 1, 2)), rtol=1e-12)


def test_the_suffixes_are_torchvisions() -> None:
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert set(SUFFIXES) == set(IMG_EXTENSIONS)


def refused(raw: Path, store: Path) -> str:
    """The message with which preparing is refused; nothing may be left behind."""
    with pytest.raises(ClearfiltersError) as caught:
        prepare(DATA, raw, store, download=False)
    assert not files(store)
    return str(caught.value)


def test_a_truncated_image_leaves_nothing(raw: Path, tmp_path: Path) -> None:
    path = raw / "pictures/val/b/2.jpg"
    path.write_bytes(path.read_bytes()[:300])
    assert f"{path}: cannot be decoded" in refused(raw, tmp_path / "store")


def test_other_classes_in_val(raw: Path, tmp_path: Path) -> None:
    (raw / "pictures/val/c").rename(raw / "pictures/val/d")
    assert "different classes, first `c` (2 in all)" in refused(raw, tmp_path / "store")


def test_a_class_without_images(raw: Path, tmp_path: Path) -> None:
    (raw / "pictures/train/empty").mkdir()
    assert f"{raw / 'pictures/train/empty'}: no images" in refused(raw, tmp_path / "store")


def test_no_such_folder(tmp_path: Path) -> None:
    assert str(tmp_path / "raw/pictures/train") in refused(tmp_path / "raw", tmp_path / "store")


def test_no_class_folders(raw: Path, tmp_path: Path) -> None:
    (raw / "pictures/train").rename(raw / "old")
    (raw / "pictures/train").mkdir()
    assert "no folders in it" in refused(raw, tmp_path / "store")


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="resize 9 must be at least image_size 10"):
        ImageFolderParams.model_validate({**DATA.model_dump(), "resize": 9})


def test_what_systems_and_editors_leave_is_no_data(raw: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        folder = raw / "pictures" / split
        for name in (".ipynb_checkpoints/x.png", "a/.hidden/x.png", "a/._x.png", "__MACOSX/x.png"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"no image")
        (folder / "a/Thumbs.db").write_bytes(b"no image")
        (folder / ".DS_Store").write_bytes(b"no image")
    prepare(DATA, raw, tmp_path / "store", download=False)
    meta = read_meta(tmp_path / "store")
    assert meta.classes == ["a", "b", "c"] and meta.counts == {"train": 6, "test": 6}


@pytest.mark.parametrize("name", ["ILSVRC2012", "my pictures", "some_set", "sets/one"])
def test_a_folder_may_have_any_name_below_the_raw_data(
    raw: Path, tmp_path: Path, name: str
) -> None:
    (raw / name).parent.mkdir(exist_ok=True)
    (raw / "pictures").rename(raw / name)
    data = ImageFolderParams.model_validate({**DATA.model_dump(), "folder": name})
    prepare(data, raw, tmp_path / "store", download=False)
    assert read_meta(tmp_path / "store").counts == {"train": 6, "test": 6}


@pytest.mark.parametrize("name", ["/pictures", "../pictures", "a/../../b"])
def test_a_folder_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"below raw\.root"):
        ImageFolderParams.model_validate({**DATA.model_dump(), "folder": name})


@pytest.mark.parametrize("name", [b"a/\xff.png", b"\xff/x.png"])
def test_a_name_that_is_not_utf_8(raw: Path, tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(raw / "pictures/train"), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(b"x")
    with pytest.raises(ClearfiltersError, match=r"udcff.* not UTF-8; rename"):
        prepare(DATA, raw, tmp_path / "store", download=False)


def test_an_image_over_the_pixel_limit(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ClearfiltersError, match=r"train/.* pixels.*scale the image down"):
        prepare(DATA, raw, tmp_path / "store", download=False)


def test_photographs_are_turned_upright(raw: Path, tmp_path: Path) -> None:
    # As predict turns them. A wrong block changes nothing.
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, 15:] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise: the right half comes to the bottom
    image = Image.fromarray(pixels)
    image.save(raw / "pictures/val/a/x.JPEG", exif=turned, quality=95)
    image.save(raw / "pictures/val/c/z.png", exif=b"Exif\x00\x00nonsense")
    prepare(DATA, raw, tmp_path / "store", download=False)
    test = read_split(tmp_path / "store", "test")
    photograph = next(test.images[row] for row in np.flatnonzero(test.labels == 0)[1:])
    assert photograph[:3].max() < 60 and photograph[-3:].min() > 200
    plain = test.images[np.flatnonzero(test.labels == 2)[1]]
    assert plain[:, :3].max() < 60 and plain[:, -3:].min() > 200
