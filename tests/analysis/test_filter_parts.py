"""Filters are of the landmark that they follow best, if they follow it well enough."""

import numpy as np

from clearfilters.analysis.filter_parts import part_of_filters
from clearfilters.analysis.location_instability import Peaks


def parts(least_r2: float, strongest: int = 100) -> list[str | None]:
    """A follower of the head, one of the tail, a noisy one of the head, a still one, a dead one."""
    rng = np.random.default_rng(0)
    head, tail = rng.uniform(0, 100, (2, 40, 2))
    tail[::3] = np.nan
    noisy = head + rng.normal(0, 40, head.shape)
    still, dead = np.full_like(head, 3.0), np.full_like(head, np.nan)
    positions = np.stack([head / 10, np.nan_to_num(tail) / 10, noisy / 10, still, dead], axis=1)
    peaks = Peaks(positions, np.ones(positions.shape[:2]))
    return part_of_filters(
        peaks,
        {"head": head, "tail": tail},
        strongest=strongest,
        minimum_images=2,
        least_r2=least_r2,
    )


def test_filters_are_of_the_landmark_that_they_follow() -> None:
    assert parts(0.2) == ["head", "tail", "head", None, None]
    assert parts(0.9) == ["head", "tail", None, None, None]
    # Nothing is followed by what does not move, however little is asked for.
    assert parts(0.0)[3:] == [None, None]


def test_too_few_images_tell_nothing() -> None:
    assert parts(0.2, strongest=1) == [None] * 5
