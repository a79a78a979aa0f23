"""The pictures of a gallery: each once, in a style sheet that all of its pages share."""

import base64
from collections.abc import Mapping
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

# Pixels, longest side of a picture whose data may not be passed on: enough to recognise what it
# shows, not to use it in place of the data.
THUMBNAIL = 64
# Pixels up to which a picture is shown with its own pixels' edges.
PIXELATED = 40
# Of the side, where the pages would be over their limit.
SHRINK = 0.8
SMALLEST = 16

# The class of each picture, and its pixels: uint8 (H, H, 3), all of one size.
Pictures = Mapping[str, npt.NDArray[np.uint8]]


def sheet_of(pictures: Pictures, side: int, quality: int) -> str:
    """A style sheet of square pictures; those that come out the same stand in it once.

    Args:
        pictures: by class.
        side: in pixels; they are not enlarged.
        quality: WebP's, 1 to 100.
    """
    classes: dict[str, list[str]] = {}
    for name, pixels in pictures.items():
        classes.setdefault(_webp(pixels, side, quality), []).append(f".{name}")
    is_small = _side(pictures, PIXELATED + 1) <= PIXELATED
    rendering = "image-rendering:pixelated" if is_small else ""
    rules = [f".picture{{background-size:100% 100%;{rendering}}}"]
    rules += [
        f"{','.join(names)}{{background-image:url(data:image/webp;base64,{data})}}"
        for data, names in classes.items()
    ]
    return "\n".join(rules) + "\n"


def fitting_sheet(pictures: Pictures, side: int, quality: int, limit: int) -> str | None:
    """The sheet with the largest pictures that is not over a limit in bytes; None if none is."""
    side = _side(pictures, side)
    while True:
        sheet = sheet_of(pictures, side, quality)
        if len(sheet) <= limit:
            return sheet
        if side <= SMALLEST:
            return None
        side = max(int(SHRINK * side), SMALLEST)


def _side(pictures: Pictures, side: int) -> int:
    """The side of pictures that are not enlarged."""
    return min([side, *(len(pixels) for pixels in pictures.values())])


def _webp(pixels: npt.NDArray[np.uint8], side: int, quality: int) -> str:
    """A picture in base64."""
    image = Image.fromarray(pixels)
    if side < len(pixels):
        image = image.resize((side, side), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.save(stream, format="WEBP", quality=quality, method=6)
    return base64.b64encode(stream.getvalue()).decode()
