"""A quadruped's head, from the side or turned to the viewer."""

import numpy as np

from clearfilters.data.animals.figure import Piece, Side
from clearfilters.data.animals.quadruped_measures import FAR_SHADE, Proportions
from clearfilters.data.animals.shapes import Points, curve, ellipse, heading, point, strip


def _ear(
    style: str, base: Points, up: Points, back: Points, body: Proportions, drop: float
) -> list[Points]:
    """One ear at `base`; `up` and `back` are unit vectors of the head.

    Ears that are not pricked point backwards (drop = 0) to straight down (drop = 1).
    """
    if style == "pricked":
        half = back * body.ear_width / 2
        tip = base + up * body.ear + back * body.ear * 0.15
        root = base - up * body.ear * 0.25
        return [np.stack([root - half, tip, root + half])]
    towards = point(0.0, 1.0) * drop + back * (1 - drop)
    degrees = float(np.rad2deg(np.arctan2(towards[1], towards[0])))
    centre = base + heading(degrees) * body.ear * 0.42
    return [ellipse(centre, (body.ear / 2, body.ear_width / 2), degrees)]


def _horn(
    species: str,
    part: str,
    base: Points,
    up_degrees: float,
    turn: float,
    body: Proportions,
    shade: float,
) -> Piece:
    """A cow's horn rises and bends, a sheep's curls; `turn` is +1 or -1."""
    if species == "cow":
        line = curve(base, up_degrees + 25 * turn, -60 * turn, body.head * 0.75)
        widths = np.linspace(0.055, 0.02, len(line))
    else:
        line = curve(base, up_degrees - 40 * turn, -250 * turn, body.head * 1.1, points=9)
        widths = np.linspace(0.065, 0.025, len(line))
    return Piece(part, strip(line, list(widths)), "horn", shade)


def profile_head(
    species: str,
    base: Points,
    pitch: float,
    body: Proportions,
    ear_style: str,
    horned: bool,
    near: Side,
) -> list[Piece]:
    """The head from the side: one eye; the far ear and horn stand behind it."""
    far: Side = "l" if near == "r" else "r"
    ahead, up = heading(pitch), heading(pitch - 90)
    centre = base + ahead * body.head * 0.3
    jaw = centre + ahead * body.head * 0.2 - up * body.head_depth * 0.1
    lips = jaw + ahead * (body.head * (0.1 if species == "cat" else 0.25) + body.muzzle)
    crown = centre - ahead * body.head * 0.2 + up * body.head_depth * 0.4
    drop = 0.85 if ear_style == "hanging" else 0.25
    ears = [
        Piece(
            f"{side}ear",
            _ear(ear_style, crown + shift * ahead * body.head, up, -ahead, body, drop),
            "second",
            shade,
        )
        for side, shift, shade in ((far, 0.22, FAR_SHADE), (near, 0.0, 0.92))
    ]
    pieces = [ears[0]]
    if horned:
        front = crown + ahead * body.head * 0.18
        pieces.append(_horn(species, f"{far}horn", front, pitch - 90, 1.0, body, FAR_SHADE))
    pieces += [
        Piece("head", [ellipse(centre, (body.head / 2, body.head_depth / 2), pitch)], "coat"),
        Piece(
            "head",
            strip(np.stack([jaw, lips]), [body.head_depth * 0.75, body.muzzle_depth]),
            "coat",
        ),
    ]
    if species != "cat":
        half = jaw + (lips - jaw) * (0.5 if species == "dog" else 0.7)
        widths = [body.muzzle_depth * 1.1, body.muzzle_depth]
        pieces.append(Piece("muzzle", strip(np.stack([half, lips]), widths), "second"))
    if species in ("cat", "dog"):
        tip = lips + ahead * body.muzzle_depth * 0.4 + up * body.muzzle_depth * 0.2
        pieces.append(Piece("nose", [ellipse(tip, (0.032, 0.026))], "dark"))
    eye = centre + ahead * body.head * 0.18 + up * body.head_depth * 0.14
    pieces.append(Piece(f"{near}eye", [ellipse(eye, (body.eye, body.eye))], "eye"))
    pieces.append(ears[1])
    if horned:
        root = crown + ahead * body.head * 0.08
        pieces.append(_horn(species, f"{near}horn", root, pitch - 90, 1.0, body, 1.0))
    return pieces


def frontal_head(
    species: str,
    base: Points,
    tilt: float,
    body: Proportions,
    ear_style: str,
    horned: bool,
    near: Side,
) -> list[Piece]:
    """The head turned to the viewer: both eyes, ears and horns; the near side is on the left."""
    far: Side = "l" if near == "r" else "r"
    down, right = heading(90 + tilt), heading(tilt)
    width = body.head_depth * (1.15 if species == "cat" else 0.95)
    height = body.head * (0.95 if species == "cat" else 1.0)
    centre = base + down * height * 0.1
    lips = centre + down * (height * 0.3 + body.muzzle * 0.8)
    sides: list[tuple[Side, float]] = [(near, -1.0), (far, 1.0)]
    pieces = []
    for side, sign in sides:
        drop = 0.8 if ear_style == "hanging" else 0.15
        reach = 0.32 if ear_style == "pricked" else 0.42
        root = centre + right * sign * width * reach - down * height * 0.34
        pieces.append(
            Piece(
                f"{side}ear",
                _ear(ear_style, root, -down, right * sign, body, drop),
                "second",
                0.92,
            )
        )
        if horned:
            root = centre + right * sign * width * 0.25 - down * height * 0.38
            pieces.append(_horn(species, f"{side}horn", root, tilt - 90, sign, body, 1.0))
    pieces += [
        Piece("head", [ellipse(centre, (width / 2, height / 2), tilt)], "coat"),
        Piece(
            "head",
            strip(np.stack([centre, lips]), [width * 0.9, body.muzzle_depth * 1.2]),
            "coat",
        ),
    ]
    if species != "cat":
        pieces.append(
            Piece(
                "muzzle",
                [ellipse(lips, (body.muzzle_depth * 0.68, body.muzzle_depth * 0.55), tilt)],
                "second",
            )
        )
    if species in ("cat", "dog"):
        pieces.append(Piece("nose", [ellipse(lips - down * 0.01, (0.035, 0.026), tilt)], "dark"))
    for side, sign in sides:
        eye = centre + right * sign * width * 0.24 - down * height * 0.06
        pieces.append(Piece(f"{side}eye", [ellipse(eye, (body.eye, body.eye))], "eye"))
    return pieces
