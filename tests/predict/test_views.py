"""Pictures from files, and what a network sees of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clearfilters.data.icnn_crops import stretch
from clearfilters.data.imagefolder import centre_crop
from clearfilters.errors import ClearfiltersError
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict.views import View, read_image, view_of


def view(pixels: np.ndarray, slice_: TrainingSlice, **data: Any) -> View:
    """What a network trained on other data than the slice's sees."""
    parameters = slice_.model_dump(by_alias=True)
    parameters["data"] = data or parameters["data"]
    meta = {"parameters": parameters, "image_size": data.get("image_size", 32)}
    return view_of(Image.fromarray(pixels), meta)


def random_pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_an_image_of_the_network_s_size_is_taken_as_it_is(
    make_slice: Callable[..., TrainingSlice],
) -> None:
    pixels = random_pixels(32, 32)
    found = view(pixels, make_slice())
    assert found.network_input().shape == (1, 3, 32, 32)
    expected = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    np.testing.assert_array_equal(found.network_input().numpy(), expected)
    np.testing.assert_array_equal(np.asarray(found.shown()), pixels)


def test_a_network_of_whole_images_sees_them_as_its_data_set_does(
    make_slice: Callable[..., TrainingSlice],
) -> None:
    pixels = random_pixels(40, 60)
    data = {"format": "imagefolder", "note": "", "folder": "x", "resize": 20, "image_size": 16}
    found = view(pixels, make_slice(), **data)
    np.testing.assert_array_equal(found.pixels, centre_crop(pixels, 20, 16))
    # 60 x 40 becomes 30 x 20, of which columns 7 to 23 and rows 2 to 18 are left.
    assert found.box == (14, 4, 46, 36)
    assert found.place(0, 0) == (14, 4) and found.place(16, 8) == (46, 20)
    np.testing.assert_array_equal(np.asarray(found.shown()), pixels[4:36, 14:46])


def test_a_network_of_boxes_takes_the_picture_for_one(
    make_slice: Callable[..., TrainingSlice],
) -> None:
    pixels = random_pixels(48, 96)
    data = {
        "format": "ilsvrc-parts", "note": "", "image_size": 24, "min_area": 0.0,
        "categories": {"dog": "n02084071"}, "train_share": 0.9,
        "task": {"name": "single", "negatives": "neg", "positive_share": 0.75},
    }  # fmt: skip
    found = view(pixels, make_slice(), **data)
    np.testing.assert_array_equal(found.pixels, stretch(pixels, 24))
    assert found.scale == (4, 2) and found.place(6, 6) == (24, 12)
    np.testing.assert_array_equal(np.asarray(found.shown()), pixels)


def test_a_broken_exif_block_is_passed_over(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    path = tmp_path / "broken.png"
    Image.fromarray(pixels).save(path, exif=b"Exif\x00\x00nonsense")
    np.testing.assert_array_equal(np.asarray(read_image(path)), pixels)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_every_8_bit_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (5, 4))
    assert (np.asarray(image) == 255).all()


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 10))
    exif = image.getexif()
    exif[0x0112] = 6  # taken with the camera turned by a quarter
    image.save(tmp_path / "photo.jpg", exif=exif)
    assert read_image(tmp_path / "photo.jpg").size == (10, 30)


def test_unreadable_images(tmp_path: Path, picture: Path) -> None:
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(picture.read_bytes()[:2000])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    folder = tmp_path / "folder.png"
    folder.mkdir()
    for path in (truncated, text, empty, folder):
        with pytest.raises(ClearfiltersError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: cannot be read as an image")
    with pytest.raises(ClearfiltersError, match=r"missing\.png: no such file"):
        read_image(tmp_path / "missing.png")
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(deep)
    with pytest.raises(ClearfiltersError, match=r"deep\.png: cannot be read .*\(mode I;16"):
        read_image(deep)


def test_an_image_over_the_pixel_limit(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ClearfiltersError, match=r"picture\.png: .* pixels.*scale the image down"):
        read_image(picture)
