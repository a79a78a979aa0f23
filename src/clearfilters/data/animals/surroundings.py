"""What is behind and in front of the animals, and the light and camera."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from clearfilters.data.animals.canvas import (
    HALF,
    Coverage,
    Mask,
    blend,
    cover,
    shading,
)
from clearfilters.data.animals.coat import COLOURS, SURFACES, Pixels, colour, smooth_noise
from clearfilters.data.animals.shapes import curve, ellipse, heading, point, strip
from clearfilters.params.datasets import StyleParams

# Things in front: what they cover and their colour.
Occluders = list[tuple[Coverage, Pixels]]


def image_shape(style: StyleParams, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width; one of them is the longer side."""
    shorter = round(style.image_size * rng.uniform(0.75, 1.0))
    return (shorter, style.image_size) if rng.random() < 0.75 else (style.image_size, shorter)


def background(height: int, width: int, style: StyleParams, rng: np.random.Generator) -> Pixels:
    """Two rough surfaces that meet at a horizon, and clutter in the animals' own colours."""
    upper, lower = (colour(str(name), rng) for name in rng.choice(SURFACES, 2))
    size = style.image_size
    edge = height * rng.uniform(0.1, 0.8) + (
        smooth_noise(1, width, size * 0.2, rng) * size * rng.uniform(0, 0.2)
    )
    below = np.clip(np.arange(height, dtype=np.float32)[:, None] - edge, 0, 1)[..., None]
    canvas = upper + (lower - upper) * below
    for cell, strength in ((0.25, 0.5), (0.06, 0.35), (0.015, 0.3)):
        bumps = smooth_noise(height, width, size * cell, rng)
        canvas = canvas * (1 + rng.uniform(0.2, 1) * strength * (2 * bumps[..., None] - 1))
    canvas = canvas.astype(np.float32)
    for _ in range(rng.poisson(style.clutter)):
        _paint_clutter(canvas, style, rng)
    return canvas


def _paint_clutter(canvas: Pixels, style: StyleParams, rng: np.random.Generator) -> None:
    """One ellipse, post, branch or polygon, in place."""
    height, width = canvas.shape[:2]
    centre = rng.uniform(-0.1, 1.1, 2) * (width, height)
    extent = style.image_size * rng.uniform(0.03, 0.22)
    kind = rng.integers(4)
    if kind == 0:
        radii = (extent, extent * float(rng.uniform(0.3, 1)))
        outlines = [ellipse(centre, radii, float(rng.uniform(0, 180)))]
    elif kind == 1:
        ends = np.stack([centre, centre + point(rng.normal(0, 0.2), -2.5) * extent])
        outlines = strip(ends, [extent * 0.3, extent * float(rng.uniform(0.15, 0.3))])
    elif kind == 2:
        arc = curve(centre, rng.uniform(0, 360), rng.uniform(-150, 150), extent * 3)
        outlines = strip(arc, list(np.linspace(extent * 0.25, extent * 0.08, len(arc))))
    else:
        angles = np.sort(rng.uniform(0, 360, rng.integers(3, 7)))
        outlines = [np.stack([centre + heading(a) * extent * rng.uniform(0.5, 1) for a in angles])]
    covers = cover(outlines, height, width)
    if covers is None:
        return
    tone = colour(str(rng.choice(list(COLOURS))), rng)
    rows, columns = covers.alpha.shape
    bumps = smooth_noise(rows, columns, max(extent * 0.15, 1.2), rng)[..., None]
    grain = 1 + rng.uniform(0, 0.6) * (bumps - HALF)
    light = heading(rng.uniform(0, 360)) * rng.uniform(0, 0.3)
    blend(canvas, covers, (tone * grain * shading(covers, light)).astype(np.float32))


def occluders(height: int, width: int, style: StyleParams, rng: np.random.Generator) -> Occluders:
    """Blades of grass from below or branches from the side, in front of everything."""
    if rng.random() >= style.occluder_share:
        return []
    tone = colour(str(rng.choice(list(COLOURS))), rng)
    grass = rng.random() < 0.6
    shapes = []
    for _ in range(rng.integers(4, 14) if grass else rng.integers(1, 3)):
        if grass:
            start = point(rng.uniform(0, width), height)
            length, out = height * rng.uniform(0.1, 0.4), rng.uniform(-115, -65)
            thick = style.image_size * rng.uniform(0.01, 0.025)
        else:
            start = point(rng.choice([0, width]), height * rng.uniform(0, 1))
            length = width * rng.uniform(0.4, 0.9)
            out = (0 if start[0] == 0 else 180) + rng.uniform(-40, 40)
            thick = style.image_size * rng.uniform(0.02, 0.05)
        line = curve(start, out, rng.uniform(-40, 40), length)
        widths = list(np.linspace(thick, thick * 0.3, len(line)))
        covers = cover(strip(line, widths), height, width)
        if covers is not None:
            shapes.append((covers, (tone * rng.uniform(0.7, 1.2)).astype(np.float32)))
    return shapes


def covered(shapes: Occluders, height: int, width: int) -> Mask:
    """The pixels of the image, (height, width), that the shapes hide."""
    mask = np.zeros((height, width), dtype=bool)
    for covers, _ in shapes:
        mask[covers.rows, covers.columns] |= covers.mask
    return mask


def photograph(
    canvas: Pixels, style: StyleParams, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Light of varying strength and colour, blur and noise."""
    height, width = canvas.shape[:2]
    direction = heading(rng.uniform(0, 360)) * rng.uniform(0, 0.3)
    everywhere = Coverage(slice(0, height), slice(0, width), np.ones((height, width), np.float32))
    darkest, brightest = style.exposure
    cast = rng.uniform(0.88, 1.12, 3) * rng.uniform(darkest, brightest)
    lit = canvas * shading(everywhere, direction) * cast.astype(np.float32)
    noise = rng.standard_normal(lit.shape, dtype=np.float32) * rng.uniform(0, style.noise)
    picture = Image.fromarray((np.clip(lit, 0, 1) * 255).astype(np.uint8))
    soft = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, style.blur)))
    return np.clip(np.asarray(soft) + noise * 255, 0, 255).astype(np.uint8)
