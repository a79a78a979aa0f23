"""Cat, cow, dog, horse and sheep, with Pascal-Part's names of their parts.

Lengths are in units of the torso's, angles in degrees (0 forward, 90 down). Figures face right, so
the near side is the right one; a figure that is to be mirrored is built with near side `l`.
"""

from dataclasses import dataclass, replace

import numpy as np

from clearfilters.data.animals.figure import Figure, Piece, Side
from clearfilters.data.animals.shapes import (
    Points,
    curve,
    ellipse,
    heading,
    point,
    rotation,
    smooth,
    strip,
)

FAR_SHADE = 0.78


@dataclass(frozen=True)
class Proportions:
    """Measures of one animal: depths of the torso, lengths and widths of the rest."""

    chest: float
    waist: float
    rump: float
    leg: float
    leg_width: float
    neck: float
    neck_width: float
    neck_angle: float
    head: float
    head_depth: float
    muzzle: float
    muzzle_depth: float
    ear: float
    ear_width: float
    tail: float
    eye: float


@dataclass(frozen=True)
class Habits:
    """Shares of poses and ear forms, of heads turned to the viewer and of horned animals."""

    poses: dict[str, float]
    ears: dict[str, float]
    frontal: float
    horns: float


ANIMALS = ("cat", "cow", "dog", "horse", "sheep")
# fmt: off
# The range of each measure of `Proportions`, for each of ANIMALS.
MEASURES: dict[str, tuple[tuple[float, float], ...]] = {
    #                cat             cow             dog             horse           sheep
    "chest":        ((0.34, 0.44),   (0.48, 0.62),   (0.36, 0.50),   (0.38, 0.48),   (0.48, 0.66)),
    "waist":        ((0.30, 0.42),   (0.48, 0.62),   (0.26, 0.40),   (0.32, 0.42),   (0.48, 0.66)),
    "rump":         ((0.34, 0.44),   (0.44, 0.54),   (0.30, 0.42),   (0.36, 0.48),   (0.46, 0.62)),
    "leg":          ((0.26, 0.38),   (0.36, 0.54),   (0.40, 0.66),   (0.60, 0.85),   (0.22, 0.42)),
    "leg_width":    ((0.10, 0.13),   (0.12, 0.16),   (0.10, 0.14),   (0.10, 0.14),   (0.08, 0.11)),
    "neck":         ((0.06, 0.14),   (0.16, 0.30),   (0.18, 0.32),   (0.42, 0.60),   (0.12, 0.26)),
    "neck_width":   ((0.20, 0.28),   (0.30, 0.40),   (0.20, 0.28),   (0.20, 0.27),   (0.26, 0.36)),
    "neck_angle":   ((-50, -20),     (-30, 5),       (-65, -30),     (-65, -35),     (-50, -15)),
    "head":         ((0.30, 0.38),   (0.25, 0.31),   (0.24, 0.32),   (0.22, 0.28),   (0.20, 0.27)),
    "head_depth":   ((0.29, 0.37),   (0.22, 0.28),   (0.21, 0.28),   (0.19, 0.24),   (0.15, 0.21)),
    "muzzle":       ((0.02, 0.05),   (0.16, 0.24),   (0.15, 0.26),   (0.20, 0.30),   (0.10, 0.18)),
    "muzzle_depth": ((0.10, 0.13),   (0.16, 0.21),   (0.10, 0.15),   (0.11, 0.15),   (0.10, 0.14)),
    "ear":          ((0.13, 0.20),   (0.13, 0.21),   (0.14, 0.22),   (0.10, 0.15),   (0.11, 0.18)),
    "ear_width":    ((0.11, 0.16),   (0.07, 0.10),   (0.09, 0.13),   (0.06, 0.08),   (0.06, 0.09)),
    "tail":         ((0.65, 1.00),   (0.45, 0.65),   (0.30, 0.60),   (0.50, 0.75),   (0.12, 0.24)),
    "eye":          ((0.026, 0.036), (0.018, 0.024), (0.020, 0.028), (0.016, 0.021), (0.016, 0.02)),
}
# fmt: on

HABITS = {
    "cat": Habits(
        poses={"stand": 0.4, "sit": 0.35, "lie": 0.25},
        ears={"pricked": 1.0},
        frontal=0.55,
        horns=0.0,
    ),
    "cow": Habits(
        poses={"stand": 0.6, "graze": 0.2, "lie": 0.2},
        ears={"side": 1.0},
        frontal=0.35,
        horns=0.65,
    ),
    "dog": Habits(
        poses={"stand": 0.5, "sit": 0.3, "lie": 0.2},
        ears={"hanging": 0.8, "pricked": 0.2},
        frontal=0.35,
        horns=0.0,
    ),
    "horse": Habits(
        poses={"stand": 0.65, "graze": 0.25, "lie": 0.1},
        ears={"pricked": 1.0},
        frontal=0.2,
        horns=0.0,
    ),
    "sheep": Habits(
        poses={"stand": 0.6, "graze": 0.2, "lie": 0.2},
        ears={"side": 0.7, "hanging": 0.3},
        frontal=0.35,
        horns=0.3,
    ),
}


def _choice(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _leg_names(species: str, side: Side, end: str) -> tuple[str, str, str]:
    """Pascal-Part's names of upper leg, lower leg and foot; `end` is f (front) or b (back)."""
    leg = f"{side}{end}"
    if species in ("cat", "dog"):
        return f"{leg}leg", f"{leg}leg", f"{leg}pa"
    if species == "horse":
        return f"{leg}uleg", f"{leg}lleg", f"{leg}ho"
    return f"{leg}uleg", f"{leg}lleg", f"{leg}lleg"


def _leg(
    species: str,
    names: tuple[str, str, str],
    root: Points,
    angles: tuple[float, float, float],
    body: Proportions,
    shade: float,
) -> list[Piece]:
    """Upper leg, lower leg and foot from the root in the torso; three angles, one each."""
    width, thin = body.leg_width, body.leg_width * 0.6
    knee = root + heading(angles[0]) * (body.leg * 0.55 + width)
    ankle = knee + heading(angles[1]) * body.leg * 0.48
    toe = ankle + heading(angles[2]) * width * (0.55 if species in ("cat", "dog") else 0.35)
    upper, lower, foot = names
    return [
        Piece(upper, strip(np.stack([root, knee]), [width * 1.7, width * 0.85]), "coat", shade),
        Piece(lower, strip(np.stack([knee, ankle]), [width * 0.85, thin]), "second", shade),
        Piece(
            foot,
            strip(np.stack([ankle, toe]), [thin, thin * 1.15]),
            "second" if species in ("cat", "dog") else "dark",
            shade,
        ),
    ]


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


def _profile_head(
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


def _frontal_head(
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


def _tail(
    species: str, base: Points, turn: float, body: Proportions, rng: np.random.Generator
) -> list[Piece]:
    """The tail, `turn` degrees further than on a level torso."""
    if species == "cat":
        out, bend = rng.uniform(120, 260) + turn, rng.uniform(-120, 120)
        line = curve(base, out, bend, body.tail, points=9)
        return [Piece("tail", strip(line, [0.085] * 8 + [0.06]), "coat", 0.9)]
    if species == "dog":
        out, bend = rng.uniform(130, 250) + turn, rng.uniform(-40, 110)
        line = curve(base, out, bend, body.tail)
        bushy = rng.uniform(0.06, 0.13)
        return [Piece("tail", strip(line, [0.08, *[bushy] * 4, bushy, 0.04]), "coat", 0.9)]
    if species == "horse":
        line = curve(base, rng.uniform(130, 170) + turn, rng.uniform(-60, -35), body.tail)
        widths = [0.07, 0.12, 0.16, 0.18, 0.17, 0.13, 0.05]
        return [Piece("tail", strip(line, widths), "second", 0.85)]
    if species == "cow":
        line = curve(base, rng.uniform(110, 150) + turn, rng.uniform(-50, 10), body.tail)
        return [
            Piece("tail", strip(line, [0.05] * 6 + [0.04]), "coat", 0.85),
            Piece("tail", [ellipse(line[-1], (0.05, 0.08))], "second", 0.8),
        ]
    line = curve(base, rng.uniform(95, 150) + turn, -20.0, body.tail, points=4)
    return [Piece("tail", strip(line, [0.13, 0.14, 0.13, 0.1]), "coat", 0.9)]


def _torso_outlines(species: str, body: Proportions, rng: np.random.Generator) -> list[Points]:
    """The torso from rump (x = 0) to chest (x = 1), spine at y = 0; a sheep's has locks."""
    outline = smooth(
        [
            (-0.04, 0.25 * body.rump),
            (0.08, 0.0),
            (0.45, 0.02),
            (0.85, -0.02),
            (1.01, 0.2 * body.chest),
            (1.03, 0.6 * body.chest),
            (0.9, body.chest),
            (0.65, body.chest),
            (0.32, body.waist),
            (0.1, 0.88 * body.rump),
            (-0.04, 0.6 * body.rump),
        ]
    )
    if species != "sheep":
        return [outline]
    locks = [
        ellipse(position, (radius, radius))
        for position, radius in zip(outline, rng.uniform(0.03, 0.085, len(outline)), strict=True)
    ]
    return [outline, *locks[::2]]


def _leg_angles(
    pose: str, species: str, rng: np.random.Generator
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Angles of upper leg, lower leg and foot: one front and one back leg."""
    soft = species in ("cat", "dog")
    if pose == "lie":
        tucked = rng.uniform(160, 185, 2)
        front = (rng.uniform(5, 35), 0.0 if soft else tucked[0], 0.0)
        return front, (rng.uniform(0, 25), 5.0 if soft else tucked[1], 0.0)
    swing = rng.normal(0, 13)
    foot = 10.0 if soft else 75.0
    front = (90 + swing, 90 + swing + abs(rng.normal(0, 10)), foot)
    if pose == "sit":
        return (90 + swing / 3, 90.0, foot), (rng.uniform(5, 25), rng.uniform(125, 150), 5.0)
    swing = rng.normal(0, 13)
    return front, (78 + swing, 104 + swing + rng.normal(0, 6), foot)


def quadruped(species: str, near: Side, rng: np.random.Generator) -> Figure:
    """One animal with its own proportions and pose.

    Args:
        species: cat, cow, dog, horse or sheep.
        near: the side that the viewer sees.
        rng: where everything random comes from.
    """
    kind, column = HABITS[species], ANIMALS.index(species)
    body = Proportions(**{name: rng.uniform(*ranges[column]) for name, ranges in MEASURES.items()})
    pose = _choice(rng, kind.poses)
    ear_style = _choice(rng, kind.ears)
    horned = bool(rng.random() < kind.horns)
    frontal = bool(rng.random() < kind.frontal)
    far: Side = "l" if near == "r" else "r"
    if pose == "lie":
        # Seen from the side, most of each folded leg is below the body.
        body = replace(body, leg=min(body.leg, 0.4) * 0.7)

    pitch = -rng.uniform(38, 62) if pose == "sit" else rng.normal(0, 3)
    turn = rotation(pitch)

    def on_torso(x: float, y: float) -> Points:
        return turn @ point(x, y)

    legs: dict[str, list[Piece]] = {}
    for side, shift, shade in ((far, 0.07, FAR_SHADE), (near, 0.0, 1.0)):
        front, back = _leg_angles(pose, species, rng)
        shoulder = on_torso(0.86 + shift * 0.6, (0.9 if pose == "lie" else 0.68) * body.chest)
        hip = on_torso(0.12 + shift, (0.85 if pose == "lie" else 0.55) * body.rump)
        limbs = _leg(species, _leg_names(species, side, "b"), hip, back, body, shade)
        if pose == "sit":
            # The front legs reach the ground that the rump sits on.
            ground = float(on_torso(0.0, body.rump)[1]) + 0.06
            reach = max(ground - float(shoulder[1]), 0.3)
            names = _leg_names(species, side, "f")
            stretched = replace(body, leg=(reach - 1.2 * body.leg_width) / 1.03)
            limbs += _leg(species, names, shoulder, front, stretched, shade)
        else:
            limbs += _leg(species, _leg_names(species, side, "f"), shoulder, front, body, shade)
        legs[side] = limbs

    neck_angle = body.neck_angle
    if pose == "graze":
        neck_angle = rng.uniform(35, 60)
    elif pose == "lie":
        neck_angle = min(neck_angle, -15)
    neck_base = on_torso(0.9, 0.32 * body.chest)
    head_base = neck_base + heading(neck_angle) * (body.neck + 0.12)
    neck = strip(
        np.stack([neck_base, head_base]), [max(body.neck_width * 1.45, 0.3), body.neck_width]
    )
    neck_pieces = [Piece("neck", neck, "coat", 0.96)]
    if species == "sheep":
        locks = [ellipse(p, (0.08, 0.08)) for p in np.linspace(neck_base, head_base, 3)]
        neck_pieces.append(Piece("neck", locks, "coat", 1.0))
    if species == "horse":
        lift = heading(neck_angle - 90) * body.neck_width * 0.55
        crest = np.linspace(neck_base + lift * 1.2, head_base + lift * 0.9, 4)
        neck_pieces.append(Piece("neck", strip(crest, [0.1, 0.13, 0.12, 0.08]), "second", 0.8))

    if pose == "graze":
        head = _profile_head(species, head_base, rng.uniform(50, 80), body, ear_style, horned, near)
    elif frontal:
        head = _frontal_head(species, head_base, rng.normal(0, 8), body, ear_style, horned, near)
    else:
        level = rng.uniform(25, 50) if species in ("horse", "cow", "sheep") else rng.uniform(-5, 25)
        head = _profile_head(species, head_base, level, body, ear_style, horned, near)

    torso = [
        Piece("torso", [o @ turn.T for o in _torso_outlines(species, body, rng)], "coat"),
    ]
    if species == "cow" and pose != "lie" and rng.random() < 0.6:
        udder = on_torso(0.27, body.waist + 0.02)
        torso.insert(0, Piece("torso", [ellipse(udder, (0.11, 0.08))], "skin"))
    tail = _tail(species, on_torso(0.0, 0.12 * body.rump), pitch, body, rng)
    return Figure([*legs[far], *tail, *torso, *neck_pieces, *legs[near], *head], {})
