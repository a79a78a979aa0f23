"""The comparisons that a claim may name, of a left number with a right one or a bound."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One way to compare.

    Attributes:
        holds: left, right and margin -> whether it holds; those without a margin are given 0.
        limit: right, margin and whether the left mean is the larger one -> where the left number
            would have to be for the verdict to change.
    """

    holds: Callable[[float, float, float], bool]
    limit: Callable[[float, float, bool], float] = lambda right, margin, larger: right
    has_margin: bool = False


COMPARISONS = {
    "below": Comparison(lambda left, right, _: left < right),
    "above": Comparison(lambda left, right, _: left > right),
    "at_most": Comparison(lambda left, right, _: left <= right),
    "at_least": Comparison(lambda left, right, _: left >= right),
    "above_by_more_than": Comparison(
        lambda left, right, margin: left > right + margin,
        lambda right, margin, _: right + margin,
        has_margin=True,
    ),
    "above_by_at_most": Comparison(
        lambda left, right, margin: left <= right + margin,
        lambda right, margin, _: right + margin,
        has_margin=True,
    ),
    # The numbers are fractions, the margin is in percentage points.
    "below_by_at_most_points": Comparison(
        lambda left, right, margin: left >= right - margin / 100,
        lambda right, margin, _: right - margin / 100,
        has_margin=True,
    ),
    "at_most_times": Comparison(
        lambda left, right, margin: left <= margin * right,
        lambda right, margin, _: margin * right,
        has_margin=True,
    ),
    "apart_by_at_most": Comparison(
        lambda left, right, margin: abs(left - right) <= margin,
        lambda right, margin, larger: right + margin if larger else right - margin,
        has_margin=True,
    ),
}
