"""Seconds of competing pieces of work, taken in turn so that a busy machine slows all of them."""

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes. The work must wait for its device before it returns."""
    start = perf_counter()
    work()
    return perf_counter() - start


def interleaved(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each work in each of `repeats` rounds; every round runs all of them once.

    The order turns by one place per round, and a round before the first warms up.
    """
    names = list(works)
    for name in names:
        works[name]()
    found: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            found[name].append(seconds(works[name]))
    return found


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    """The median over rounds of the ratio within a round."""
    return median(a / b for a, b in zip(numerator, denominator, strict=True))
