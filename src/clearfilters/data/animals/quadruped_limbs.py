"""A quadruped's legs and tail."""

import numpy as np

from clearfilters.data.animals.figure import Piece, Side
from clearfilters.data.animals.quadruped_measures import Proportions
from clearfilters.data.animals.shapes import Points, curve, ellipse, heading, strip


def leg_names(species: str, side: Side, end: str) -> tuple[str, str, str]:
    """Pascal-Part's names of upper leg, lower leg and foot; `end` is f (front) or b (back)."""
    leg = f"{side}{end}"
    if species in ("cat", "dog"):
        return f"{leg}leg", f"{leg}leg", f"{leg}pa"
    if species == "horse":
        return f"{leg}uleg", f"{leg}lleg", f"{leg}ho"
    return f"{leg}uleg", f"{leg}lleg", f"{leg}lleg"


def leg_pieces(
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


def leg_angles(
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


def tail_pieces(
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
