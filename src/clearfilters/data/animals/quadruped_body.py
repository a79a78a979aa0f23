"""A quadruped's torso and neck."""

import numpy as np

from clearfilters.data.animals.figure import Piece
from clearfilters.data.animals.quadruped_measures import Proportions
from clearfilters.data.animals.shapes import Points, ellipse, heading, point, smooth, strip


def torso_pieces(
    species: str, pose: str, turn: Points, body: Proportions, rng: np.random.Generator
) -> list[Piece]:
    """The torso, turned by the matrix `turn` (2, 2), and of some cows the udder behind it."""
    torso = [
        Piece("torso", [o @ turn.T for o in _torso_outlines(species, body, rng)], "coat"),
    ]
    if species == "cow" and pose != "lie" and rng.random() < 0.6:
        udder = turn @ point(0.27, body.waist + 0.02)
        torso.insert(0, Piece("torso", [ellipse(udder, (0.11, 0.08))], "skin"))
    return torso


def neck_pieces(
    species: str, base: Points, head: Points, angle: float, body: Proportions
) -> list[Piece]:
    """The neck from its base to the head's, along `angle`; a sheep's locks, a horse's mane."""
    neck = strip(np.stack([base, head]), [max(body.neck_width * 1.45, 0.3), body.neck_width])
    pieces = [Piece("neck", neck, "coat", 0.96)]
    if species == "sheep":
        locks = [ellipse(p, (0.08, 0.08)) for p in np.linspace(base, head, 3)]
        pieces.append(Piece("neck", locks, "coat", 1.0))
    if species == "horse":
        lift = heading(angle - 90) * body.neck_width * 0.55
        crest = np.linspace(base + lift * 1.2, head + lift * 0.9, 4)
        pieces.append(Piece("neck", strip(crest, [0.1, 0.13, 0.12, 0.08]), "second", 0.8))
    return pieces


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
