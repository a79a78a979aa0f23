"""A drawn animal before it is placed in a scene."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clearfilters.data.animals.shapes import Points

Side = Literal["l", "r"]
# What a piece is painted with: the coat's pattern, its second colour, bare skin, hoof and nose,
# horn and beak, or the eye.
Paint = Literal["coat", "second", "skin", "dark", "horn", "eye"]

# Pascal-Part's head encloses these; every other pixel of an animal belongs to one part only.
PARTS_OF_HEAD = frozenset({"leye", "reye", "nose", "muzzle"})


@dataclass(frozen=True)
class Piece:
    """The union of some outlines: one colour and one body part.

    `shade` multiplies its brightness (limbs on the far side are darker).
    """

    part: str
    outlines: list[Points]
    paint: Paint
    shade: float = 1.0


@dataclass(frozen=True)
class Landmark:
    """A named point (2,) and the part that it lies on; hidden where another part is drawn there."""

    part: str
    position: Points


@dataclass(frozen=True)
class Figure:
    """Pieces from back to front, in body coordinates: torso length 1, facing right, y downwards."""

    pieces: list[Piece]
    landmarks: dict[str, Landmark]

    def transformed(self, matrix: Points, offset: Points) -> "Figure":
        """The figure with every point p moved to matrix @ p + offset."""
        return Figure(
            [
                Piece(
                    piece.part,
                    [outline @ matrix.T + offset for outline in piece.outlines],
                    piece.paint,
                    piece.shade,
                )
                for piece in self.pieces
            ],
            {
                name: Landmark(landmark.part, matrix @ landmark.position + offset)
                for name, landmark in self.landmarks.items()
            },
        )

    def box(self) -> tuple[Points, Points]:
        """Least and greatest x and y, two arrays (2,)."""
        points = np.concatenate([outline for piece in self.pieces for outline in piece.outlines])
        return points.min(axis=0), points.max(axis=0)
