"""Colours and patterns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from clearfilters.data.animals.figure import Paint

Pixels = npt.NDArray[np.float32]

# RGB in [0, 1]. Mammals share the first nine; what lies around them has all of these colours too,
# so that colour says little about the class.
COLOURS = {
    "black": (0.10, 0.09, 0.09),
    "brown": (0.30, 0.19, 0.12),
    "chestnut": (0.46, 0.25, 0.14),
    "tan": (0.66, 0.52, 0.36),
    "cream": (0.85, 0.78, 0.64),
    "white": (0.93, 0.92, 0.90),
    "grey": (0.50, 0.50, 0.50),
    "ginger": (0.72, 0.42, 0.18),
    "dun": (0.56, 0.46, 0.36),
    "blue": (0.24, 0.36, 0.60),
    "red": (0.66, 0.18, 0.16),
    "yellow": (0.84, 0.70, 0.22),
    "green": (0.26, 0.42, 0.22),
}

# Ground, sky and walls.
SURFACES = ("green", "tan", "dun", "grey", "white", "brown", "blue", "chestnut", "cream", "black")

# How often each class has each colour and pattern: different, but none tells the class.
COAT_COLOURS = {
    "cat": ("black", "grey", "ginger", "white", "cream", "brown", "dun"),
    "cow": ("black", "brown", "chestnut", "white", "cream", "tan", "dun"),
    "dog": ("black", "brown", "tan", "white", "cream", "ginger", "grey"),
    "horse": ("black", "brown", "chestnut", "grey", "tan", "white", "dun"),
    "sheep": ("white", "cream", "grey", "black", "brown", "tan", "dun"),
}
PATTERNS = {
    "bird": {"plain": 0.5, "speckled": 0.3, "striped": 0.1, "patched": 0.1},
    "cat": {"plain": 0.3, "striped": 0.4, "patched": 0.2, "speckled": 0.1},
    "cow": {"plain": 0.45, "patched": 0.45, "speckled": 0.1},
    "dog": {"plain": 0.5, "patched": 0.3, "speckled": 0.1, "striped": 0.1},
    "horse": {"plain": 0.65, "patched": 0.2, "speckled": 0.15},
    "sheep": {"woolly": 0.75, "plain": 0.25},
}
BARE_COLOURS: dict[Paint, tuple[float, float, float]] = {
    "skin": (0.80, 0.58, 0.52),
    "dark": (0.13, 0.11, 0.10),
    "horn": (0.62, 0.54, 0.40),
    "eye": (0.04, 0.04, 0.05),
}


@dataclass(frozen=True)
class Coat:
    """What pieces are painted with, RGB in [0, 1].

    `pattern` (H, W, 3) covers the whole image; the other paints are single colours.
    """

    pattern: Pixels
    colours: dict[Paint, Pixels]


def colour(name: str, rng: np.random.Generator) -> Pixels:
    """A shade near a named colour, RGB in [0, 1], (3,)."""
    shade = np.array(COLOURS[name]) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.02, 3)
    return np.clip(shade, 0.02, 0.97).astype(np.float32)


def smooth_noise(height: int, width: int, cell: float, rng: np.random.Generator) -> Pixels:
    """Random bumps about `cell` pixels apart, in [0, 1], (height, width)."""
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    grid = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
    top, left = rng.random(2)
    box = (left, top, left + width / cell, top + height / cell)
    return np.asarray(grid.resize((width, height), Image.Resampling.BILINEAR, box=box))


def make_coat(
    animal: str,
    colours: tuple[str, ...],
    size: float,
    height: int,
    width: int,
    rng: np.random.Generator,
) -> Coat:
    """A coat for one animal.

    Args:
        animal: the class, which decides how often each pattern occurs.
        colours: names to choose from.
        size: the animal's torso length in pixels, which the pattern scales with.
        height: of the image in pixels.
        width: of the image in pixels.
        rng: where everything random comes from.
    """
    first, second = (colour(str(rng.choice(colours)), rng) for _ in range(2))
    shares = PATTERNS[animal]
    kind = str(rng.choice(list(shares), p=list(shares.values())))
    fine = smooth_noise(height, width, max(size * 0.02, 1.2), rng)[..., None]
    if kind == "striped":
        second = first * rng.uniform(0.4, 0.7)
    if kind == "patched":
        blobs = smooth_noise(height, width, size * rng.uniform(0.15, 0.35), rng)
        amount = np.clip((blobs - rng.uniform(0.4, 0.6)) * 14, 0, 1)
    elif kind == "striped":
        wave = rng.uniform(0.06, 0.12) * size
        bent = smooth_noise(height, width, size * 0.3, rng) * 3.0
        across = (
            np.arange(width, dtype=np.float32)[None]
            + rng.uniform(-0.5, 0.5) * np.arange(height, dtype=np.float32)[:, None]
        )
        amount = np.clip(np.sin(across * (2 * np.pi / wave) + bent * 2) * 2, 0, 1) * 0.7
    elif kind == "speckled":
        spots = smooth_noise(height, width, max(size * 0.05, 1.5), rng)
        amount = np.clip((spots - 0.62) * 12, 0, 1) * 0.8
    else:
        amount = smooth_noise(height, width, size * 0.4, rng) * 0.25
    pattern = first + (second - first) * amount[..., None].astype(np.float32)
    pattern = pattern * (0.88 + 0.24 * fine)
    if kind == "woolly":
        curls = smooth_noise(height, width, max(size * 0.07, 2.0), rng)[..., None]
        pattern = pattern * (0.72 + 0.5 * curls)
    # Legs, ears and snout take the coat's own colour as often as the second one.
    limbs = (first * rng.uniform(0.7, 1.0)) if rng.random() < 0.5 else second
    bare = {
        paint: (np.array(rgb) * rng.uniform(0.7, 1.25)).astype(np.float32)
        for paint, rgb in BARE_COLOURS.items()
    }
    return Coat(pattern.astype(np.float32), {"second": limbs.astype(np.float32), **bare})
