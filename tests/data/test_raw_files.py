"""Raw files and their joint checksum."""

import hashlib
import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearfilters.data.raw_files import RawFiles
from clearfilters.errors import ClearfiltersError


def test_the_checksum_is_that_of_sha256sums_output(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    contents = {"b.txt": b"two", "a.txt": b"one", "sub/c": b"", "unread": b"x"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = RawFiles(tmp_path)
    for name in ("b.txt", "sub/c", "a.txt", "b.txt"):
        assert files.read(name) == contents[name]
    command = ["sha256sum", "a.txt", "b.txt", "sub/c"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert files.sha256() == hashlib.sha256(printed).hexdigest()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "1", "RGBA"])
def test_every_image_becomes_rgb(tmp_path: Path, mode: str) -> None:
    Image.new("RGB", (7, 5), "white").convert(mode).save(tmp_path / "image.tiff")
    found = RawFiles(tmp_path).read_image("image.tiff")
    assert found.shape == (5, 7, 3) and found.dtype == np.uint8 and (found == 255).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_jpeg(tmp_path: Path, share: float) -> None:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "jpeg")
    content = stream.getvalue()
    path = tmp_path / "picture.jpg"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ClearfiltersError) as caught:
        RawFiles(tmp_path).read_image("picture.jpg")
    assert str(path) in str(caught.value) and "cannot be decoded" in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match=r"absent\.jpg: No such file"):
        RawFiles(tmp_path).read("absent.jpg")


def test_more_than_8_bits_would_become_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ClearfiltersError, match=r"deep\.png: cannot be decoded \(mode I;16"):
        RawFiles(tmp_path).read_image("deep.png")
