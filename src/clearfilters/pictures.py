"""Small pictures: as text in measurements, and with a region that stands out."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

# PIL is imported where it is used, so that reading the registry of figures stays cheap.
if TYPE_CHECKING:
    from PIL import Image

# How much of a picture's brightness is left outside a region, where it is grey.
OUTSIDE = 0.5


def as_png(pixels: npt.ArrayLike) -> str:
    """An image uint8 (H, W, 3) or (H, W), or a mask bool (H, W), as PNG in base64."""
    return _encoded(pixels, format="PNG", optimize=True)


def as_jpeg(pixels: npt.ArrayLike, quality: int) -> str:
    """An image uint8 (H, W, 3) as JPEG in base64; quality from 1 to 95."""
    return _encoded(pixels, format="JPEG", quality=quality)


def small_jpeg(pixels: npt.NDArray[np.uint8], size: int, quality: int) -> str:
    """A square image uint8 (H, H, 3) as `as_jpeg`, shrunk to `size` pixels a side at most."""
    from PIL import Image

    size = min(len(pixels), size)
    small = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
    return as_jpeg(np.asarray(small), quality)


def _encoded(pixels: npt.ArrayLike, **options: Any) -> str:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.asarray(pixels)).save(stream, **options)
    return base64.b64encode(stream.getvalue()).decode()


def decoded(text: str) -> npt.NDArray[Any]:
    """The pixels of what `as_png` or `as_jpeg` made."""
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image)


def lit(image: Image.Image, region: Image.Image) -> Image.Image:
    """An RGB image that is grey and dark outside a region, a mask `L` (0 or 255) of its size."""
    from PIL import Image

    grey = image.convert("L").point(lambda value: round(OUTSIDE * value)).convert("RGB")
    return Image.composite(image, grey, region)
