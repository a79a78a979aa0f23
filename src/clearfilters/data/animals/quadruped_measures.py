"""Proportions and habits of cat, cow, dog, horse and sheep.

Lengths are in units of the torso's, angles in degrees (0 forward, 90 down).
"""

from dataclasses import dataclass

# Of limbs, ears and horns on the side away from the viewer.
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
