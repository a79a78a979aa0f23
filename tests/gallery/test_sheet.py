"""The pictures of a gallery: each once, and no larger than they may be."""

import base64
import re
from io import BytesIO

import numpy as np
from PIL import Image

from clearfilters.gallery.sheet import fitting_sheet, sheet_of


def noise(count: int, size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"p{n}": rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for n in range(count)}


def pictures(css: str) -> list[tuple[list[str], Image.Image]]:
    """The classes of each picture, and the picture."""
    found = re.findall(
        r"^([.\w,]+)\{background-image:url\(data:image/webp;base64,(.*?)\)\}", css, re.M
    )
    return [
        (names.replace(".", "").split(","), Image.open(BytesIO(base64.b64decode(data))))
        for names, data in found
    ]


def test_the_same_picture_stands_in_the_sheet_once() -> None:
    own = noise(3, 24)
    found = pictures(sheet_of({**own, "again": own["p1"]}, 112, 75))
    assert [names for names, _ in found] == [["p0"], ["p1", "again"], ["p2"]]


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    assert {image.size for _, image in pictures(sheet_of(noise(2, 100), 64, 75))} == {(64, 64)}
    assert {image.size for _, image in pictures(sheet_of(noise(2, 24), 64, 75))} == {(24, 24)}


def test_pictures_get_smaller_until_the_sheet_fits() -> None:
    own = noise(4, 112)
    whole = sheet_of(own, 112, 75)
    css = fitting_sheet(own, 112, 75, len(whole) // 2)
    assert css is not None and len(css) <= len(whole) // 2
    assert all(image.size[0] < 112 for _, image in pictures(css))
    assert fitting_sheet(own, 112, 75, len(whole)) == whole
    assert fitting_sheet(own, 112, 75, 100) is None
