"""Birds, with Pascal-Part's names of their parts and the 15 landmarks of CUB-200-2011.

Lengths are in units of the torso's, angles in degrees. Figures face right, so the near side is the
right one; a figure that is to be mirrored is built with near side `l`. The species are invented.
"""

from dataclasses import dataclass

import numpy as np

from clearfilters.data.animals.figure import Figure, Landmark, Piece, Side
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

Range = tuple[float, float]
FAR_SHADE = 0.8

# In the order of CUB's parts.txt.
LANDMARKS = (
    "back",
    "beak",
    "belly",
    "breast",
    "crown",
    "forehead",
    "left eye",
    "left leg",
    "left wing",
    "nape",
    "right eye",
    "right leg",
    "right wing",
    "tail",
    "throat",
)


@dataclass(frozen=True)
class BirdSpecies:
    """The range of each measure, the colours it may have, and how often it flies."""

    depth: Range
    pitch: Range
    neck: Range
    head: Range
    beak: Range
    beak_depth: Range
    tail: Range
    tail_width: Range
    forked: bool
    leg: Range
    flying: float
    colours: tuple[str, ...]


BIRD_SPECIES = {
    "Reed_Heron": BirdSpecies(
        depth=(0.36, 0.46),
        pitch=(10, 45),
        neck=(0.45, 0.7),
        head=(0.11, 0.14),
        beak=(0.32, 0.45),
        beak_depth=(0.06, 0.08),
        tail=(0.2, 0.3),
        tail_width=(0.14, 0.2),
        forked=False,
        leg=(0.55, 0.8),
        flying=0.15,
        colours=("grey", "white", "blue", "tan"),
    ),
    "Stone_Finch": BirdSpecies(
        depth=(0.56, 0.7),
        pitch=(15, 50),
        neck=(0.02, 0.08),
        head=(0.23, 0.28),
        beak=(0.12, 0.17),
        beak_depth=(0.13, 0.17),
        tail=(0.32, 0.5),
        tail_width=(0.14, 0.2),
        forked=False,
        leg=(0.18, 0.28),
        flying=0.2,
        colours=("chestnut", "ginger", "yellow", "red", "tan"),
    ),
    "Bay_Swallow": BirdSpecies(
        depth=(0.36, 0.46),
        pitch=(0, 35),
        neck=(0.02, 0.06),
        head=(0.17, 0.21),
        beak=(0.07, 0.1),
        beak_depth=(0.06, 0.09),
        tail=(0.65, 0.95),
        tail_width=(0.12, 0.17),
        forked=True,
        leg=(0.1, 0.18),
        flying=0.55,
        colours=("blue", "black", "brown"),
    ),
    "Marsh_Duck": BirdSpecies(
        depth=(0.42, 0.54),
        pitch=(-3, 12),
        neck=(0.14, 0.28),
        head=(0.16, 0.2),
        beak=(0.2, 0.27),
        beak_depth=(0.09, 0.12),
        tail=(0.14, 0.24),
        tail_width=(0.14, 0.2),
        forked=False,
        leg=(0.12, 0.22),
        flying=0.15,
        colours=("green", "brown", "white", "grey"),
    ),
    "Hill_Crow": BirdSpecies(
        depth=(0.44, 0.54),
        pitch=(10, 40),
        neck=(0.05, 0.12),
        head=(0.18, 0.22),
        beak=(0.22, 0.3),
        beak_depth=(0.1, 0.13),
        tail=(0.4, 0.6),
        tail_width=(0.18, 0.26),
        forked=False,
        leg=(0.28, 0.4),
        flying=0.2,
        colours=("black", "grey", "brown"),
    ),
}


def _leg(side: Side, hip: Points, length: float, swing: float, shade: float) -> list[Piece]:
    ankle = hip + heading(90 + swing) * (length + 0.06)
    toes = [
        outline
        for degrees in (5.0, 35.0, 170.0)
        for outline in strip(np.stack([ankle, ankle + heading(degrees) * 0.13]), [0.045, 0.03])
    ]
    return [
        Piece(f"{side}leg", strip(np.stack([hip, ankle]), [0.09, 0.045]), "horn", shade),
        Piece(f"{side}foot", toes, "horn", shade),
    ]


def _spread_wing(side: Side, root: Points, degrees: float, length: float, shade: float) -> Piece:
    """A wing lifted in flight: a bent leaf from the shoulder."""
    frame = rotation(degrees)
    leaf = smooth(
        [
            (-0.08, 0.18),
            (0.0, -0.12),
            (0.5 * length, -0.14),
            (length, 0.08),
            (0.75 * length, 0.22),
            (0.35 * length, 0.3),
        ]
    )
    return Piece(f"{side}wing", [root + leaf @ frame.T], "second", shade)


def bird(species: str, near: Side, rng: np.random.Generator) -> Figure:
    """One bird with its own proportions and pose, perched or in flight.

    Args:
        species: a key of `BIRD_SPECIES`.
        near: the side that the viewer sees.
        rng: where everything random comes from.
    """
    kind = BIRD_SPECIES[species]
    far: Side = "l" if near == "r" else "r"
    depth, neck_length = rng.uniform(*kind.depth), rng.uniform(*kind.neck)
    radius, beak_length = rng.uniform(*kind.head), rng.uniform(*kind.beak)
    flying = bool(rng.random() < kind.flying)
    pitch = -rng.uniform(*kind.pitch) * (0.3 if flying else 1.0)
    turn = rotation(pitch)

    def on_torso(x: float, y: float) -> Points:
        return turn @ point(x, y * depth)

    torso = smooth(
        [
            (0.0, -0.05 * depth),
            (0.25, -0.38 * depth),
            (0.65, -0.5 * depth),
            (0.93, -0.36 * depth),
            (1.04, 0.05 * depth),
            (0.88, 0.4 * depth),
            (0.55, 0.52 * depth),
            (0.22, 0.32 * depth),
        ]
    )
    neck_base = on_torso(0.88, -0.2)
    rise = rng.uniform(-85, -55) * (0.5 if flying else 1.0)
    bend = rng.uniform(-30, 30) if neck_length > 0.3 else 0.0
    neck_line = curve(neck_base, rise - bend / 2, bend, neck_length + 0.6 * radius + 0.1)
    head = neck_line[-1]
    gaze = rng.uniform(-10, 20)
    ahead, up = heading(gaze), heading(gaze - 90)
    beak_root = head + ahead * radius * 0.75
    beak_tip = head + ahead * (radius + beak_length)
    beak_depth = rng.uniform(*kind.beak_depth)
    if species == "Marsh_Duck":
        beak = strip(np.stack([beak_root, beak_tip]), [beak_depth, beak_depth * 0.75])
    else:
        half = up * beak_depth / 2
        beak = [np.stack([beak_root + half, beak_tip - half * 0.3, beak_root - half])]

    tail_root = on_torso(0.1, -0.1)
    tail_length, tail_width = rng.uniform(*kind.tail), rng.uniform(*kind.tail_width)
    tail_angle = 180 + pitch + rng.uniform(-15, 15)
    feathers = (-9.0, 9.0) if kind.forked else (0.0,)
    tail = [
        outline
        for spread in feathers
        for outline in strip(
            np.stack([tail_root, tail_root + heading(tail_angle + spread) * (tail_length + 0.1)]),
            [0.16, 0.05 if kind.forked else tail_width],
        )
    ]

    wing_root = on_torso(0.8, -0.1)
    if flying:
        beat = rng.uniform(-140, -60)
        span = rng.uniform(0.8, 1.2)
        near_wing = [_spread_wing(near, wing_root, beat, span, 1.0)]
        far_wing = [_spread_wing(far, wing_root, beat + rng.uniform(25, 60), span, FAR_SHADE)]
        wing_point = wing_root + heading(beat) * span * 0.4
        far_point = far_wing[0].outlines[0].mean(axis=0)
    else:
        droop = rng.uniform(0.0, 0.25)
        leaf = smooth(
            [
                (0.88, -0.12 * depth),
                (0.6, -0.3 * depth),
                (0.2, -0.2 * depth),
                (-0.12, (0.02 + droop) * depth),
                (0.3, (0.2 + droop) * depth),
                (0.72, 0.24 * depth),
            ]
        )
        near_wing = [Piece(f"{near}wing", [leaf @ turn.T], "second", 0.85)]
        far_wing = []
        wing_point = on_torso(0.42, 0.0)
        far_point = on_torso(0.5, 0.0)

    leg = rng.uniform(*kind.leg)
    hips = {near: on_torso(0.5, 0.42), far: on_torso(0.6, 0.4)}
    legs = {
        side: []
        if flying
        else _leg(side, hips[side], leg, rng.normal(0, 8), 1.0 if side == near else FAR_SHADE)
        for side in (far, near)
    }
    pieces = [
        *far_wing,
        *legs[far],
        *legs[near],
        Piece("tail", tail, "second", 0.8),
        Piece("torso", [torso @ turn.T], "coat"),
        Piece(
            "neck", strip(neck_line, list(np.linspace(2.1, 1.45, len(neck_line)) * radius)), "coat"
        ),
        *near_wing,
        Piece("beak", beak, "horn"),
        Piece("head", [ellipse(head, (radius * 1.05, radius), gaze)], "coat"),
        Piece(
            f"{near}eye",
            [ellipse(head + ahead * radius * 0.35 + up * radius * 0.2, (0.045, 0.045))],
            "eye",
        ),
    ]

    name = {"l": "left", "r": "right"}
    middle = neck_line[len(neck_line) // 2]
    eye = head + ahead * radius * 0.35 + up * radius * 0.2
    landmarks = {
        "back": Landmark("torso", on_torso(0.5, -0.4)),
        "beak": Landmark("beak", (beak_root + 2 * beak_tip) / 3),
        "belly": Landmark("torso", on_torso(0.45, 0.4)),
        "breast": Landmark("torso", on_torso(0.93, 0.12)),
        "crown": Landmark("head", head + up * radius * 0.75),
        "forehead": Landmark("head", head + ahead * radius * 0.6 + up * radius * 0.5),
        "nape": Landmark("neck", middle - ahead * radius * 0.6),
        "throat": Landmark("neck", middle + ahead * radius * 0.6),
        "tail": Landmark("tail", tail_root + heading(tail_angle + feathers[0]) * tail_length * 0.7),
        f"{name[near]} eye": Landmark(f"{near}eye", eye),
        f"{name[far]} eye": Landmark(f"{far}eye", eye),
        f"{name[near]} wing": Landmark(f"{near}wing", wing_point),
        f"{name[far]} wing": Landmark(f"{far}wing", far_point),
    }
    for side in (near, far):
        landmarks[f"{name[side]} leg"] = Landmark(f"{side}leg", hips[side] + point(0.0, leg * 0.5))
    return Figure(pieces, {landmark: landmarks[landmark] for landmark in LANDMARKS})
