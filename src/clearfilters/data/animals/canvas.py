"""Drawing on an image in memory: float32 (H, W, 3), RGB in [0, 1]."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from clearfilters.data.animals.coat import Pixels
from clearfilters.data.animals.shapes import Points

Mask = npt.NDArray[np.bool_]

# Shapes are drawn enlarged by this factor and reduced again, which makes smooth edges.
OVERSAMPLING = 4
HALF = np.float32(0.5)


@dataclass(frozen=True)
class Coverage:
    """The share of each pixel that a drawn shape covers, within a window of the image."""

    rows: slice
    columns: slice
    alpha: Pixels

    @property
    def mask(self) -> Mask:
        """The pixels of the window that the shape covers by half or more."""
        return self.alpha >= HALF


def cover(outlines: list[Points], height: int, width: int) -> Coverage | None:
    """Draw the union of the outlines; None where it lies outside the image."""
    points = np.concatenate(outlines)
    left, top = np.floor(points.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(points.max(axis=0)).astype(int)
    right, bottom = min(int(right), width), min(int(bottom), height)
    if right <= left or bottom <= top:
        return None
    large = Image.new("L", ((right - left) * OVERSAMPLING, (bottom - top) * OVERSAMPLING))
    draw = ImageDraw.Draw(large)
    origin = np.array([left, top])
    for outline in outlines:
        # Pillow's integer coordinates are pixel centres.
        corners = (outline - origin) * OVERSAMPLING - 0.5
        draw.polygon(corners.ravel().tolist(), fill=255)
    alpha = np.asarray(large.reduce(OVERSAMPLING), dtype=np.float32) / np.float32(255)
    return Coverage(slice(int(top), bottom), slice(int(left), right), alpha)


def blend(canvas: Pixels, cover: Coverage, paint: Pixels) -> None:
    """Paint RGB (3,) or (h, w, 3) over the canvas, in place."""
    below = canvas[cover.rows, cover.columns]
    below += (paint - below) * cover.alpha[..., None]


def shading(cover: Coverage, light: Points) -> Pixels:
    """Brighter towards the light: a factor around 1 for each pixel of the window, (h, w, 1)."""
    height, width = cover.alpha.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return (1 + np.float32(light[0]) * x + np.float32(light[1]) * y)[..., None]
