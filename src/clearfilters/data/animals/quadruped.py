"""Cat, cow, dog, horse and sheep, with Pascal-Part's names of their parts.

Lengths are in units of the torso's, angles in degrees (0 forward, 90 down). Figures face right, so
the near side is the right one; a figure that is to be mirrored is built with near side `l`.
"""

from dataclasses import replace

import numpy as np

from clearfilters.data.animals.figure import Figure, Piece, Side
from clearfilters.data.animals.quadruped_body import neck_pieces, torso_pieces
from clearfilters.data.animals.quadruped_head import frontal_head, profile_head
from clearfilters.data.animals.quadruped_limbs import (
    leg_angles,
    leg_names,
    leg_pieces,
    tail_pieces,
)
from clearfilters.data.animals.quadruped_measures import (
    ANIMALS,
    FAR_SHADE,
    HABITS,
    MEASURES,
    Proportions,
)
from clearfilters.data.animals.shapes import Points, heading, point, rotation


def _choice(rng: np.random.Generator, shares: dict[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


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
        front, back = leg_angles(pose, species, rng)
        shoulder = on_torso(0.86 + shift * 0.6, (0.9 if pose == "lie" else 0.68) * body.chest)
        hip = on_torso(0.12 + shift, (0.85 if pose == "lie" else 0.55) * body.rump)
        limbs = leg_pieces(species, leg_names(species, side, "b"), hip, back, body, shade)
        front_legs = body
        if pose == "sit":
            # The front legs reach the ground that the rump sits on.
            ground = float(on_torso(0.0, body.rump)[1]) + 0.06
            reach = max(ground - float(shoulder[1]), 0.3)
            front_legs = replace(body, leg=(reach - 1.2 * body.leg_width) / 1.03)
        names = leg_names(species, side, "f")
        legs[side] = limbs + leg_pieces(species, names, shoulder, front, front_legs, shade)

    neck_angle = body.neck_angle
    if pose == "graze":
        neck_angle = rng.uniform(35, 60)
    elif pose == "lie":
        neck_angle = min(neck_angle, -15)
    neck_base = on_torso(0.9, 0.32 * body.chest)
    head_base = neck_base + heading(neck_angle) * (body.neck + 0.12)
    neck = neck_pieces(species, neck_base, head_base, neck_angle, body)

    if pose == "graze":
        head = profile_head(species, head_base, rng.uniform(50, 80), body, ear_style, horned, near)
    elif frontal:
        head = frontal_head(species, head_base, rng.normal(0, 8), body, ear_style, horned, near)
    else:
        level = rng.uniform(25, 50) if species in ("horse", "cow", "sheep") else rng.uniform(-5, 25)
        head = profile_head(species, head_base, level, body, ear_style, horned, near)

    torso = torso_pieces(species, pose, turn, body, rng)
    tail = tail_pieces(species, on_torso(0.0, 0.12 * body.rump), pitch, body, rng)
    return Figure([*legs[far], *tail, *torso, *neck, *legs[near], *head], {})
