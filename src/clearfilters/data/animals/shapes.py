"""Outlines that figures are drawn with: arrays (n, 2) of x (to the right) and y (downwards)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

ELLIPSE_POINTS = 20
JOINT_POINTS = 10
SAMPLES_PER_SEGMENT = 5


def point(x: float, y: float) -> Points:
    """One point, (2,)."""
    return np.array([x, y])


def heading(degrees: float) -> Points:
    """Unit vector, (2,): 0 points right, 90 down, -90 up."""
    radians = np.deg2rad(degrees)
    return np.array([np.cos(radians), np.sin(radians)])


def rotation(degrees: float) -> Points:
    """Matrix (2, 2) that turns column vectors clockwise on the screen."""
    cos, sin = heading(degrees)
    return np.array([[cos, -sin], [sin, cos]])


def ellipse(centre: Points, radii: tuple[float, float], degrees: float = 0.0) -> Points:
    """Outline of an ellipse whose first radius points along `degrees`."""
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return centre + (circle * radii) @ rotation(degrees).T


def smooth(corners: Sequence[tuple[float, float]]) -> Points:
    """Closed Catmull-Rom curve through the corners."""
    p1 = np.asarray(corners, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = np.linspace(0, 1, SAMPLES_PER_SEGMENT, endpoint=False)[None, :, None]
    curve = 0.5 * (
        2 * p1[:, None]
        + (p2 - p0)[:, None] * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3)[:, None] * t**2
        + (3 * p1 - p0 - 3 * p2 + p3)[:, None] * t**3
    )
    return curve.reshape(-1, 2)


def strip(line: Points, widths: Sequence[float]) -> list[Points]:
    """A line (n, 2) with a width at each point, round at joints and ends.

    Returns:
        Convex outlines whose union is the strip; one outline could cross itself at a sharp bend.
    """
    half = np.asarray(widths) / 2
    along = np.diff(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    start, end = across * half[:-1, None], across * half[1:, None]
    quads = np.stack([line[:-1] - start, line[:-1] + start, line[1:] + end, line[1:] - end], axis=1)
    angles = np.linspace(0, 2 * np.pi, JOINT_POINTS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return [*quads, *(line[:, None] + half[:, None, None] * circle)]


def curve(start: Points, degrees: float, bend: float, length: float, points: int = 7) -> Points:
    """An arc (points, 2) that sets out along `degrees` and turns by `bend` degrees in all."""
    steps = degrees + bend * (np.arange(points - 1) + 0.5) / (points - 1)
    radians = np.deg2rad(steps)
    moves = np.stack([np.cos(radians), np.sin(radians)], axis=1) * (length / (points - 1))
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])
