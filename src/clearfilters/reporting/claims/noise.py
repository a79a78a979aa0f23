"""Whether a difference is more than what other seeds might have given."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from scipy.stats import t

from clearfilters.reporting.claims.comparisons import COMPARISONS
from clearfilters.reporting.claims.verdict import Evidence, as_shown, holds, of_one_seed
from clearfilters.reporting.records import Sample

WITHIN = "within noise"
BEYOND = "beyond noise"
ONE_SEED = "one seed: noise unknown"
NO_SPREAD = "no spread over seeds: noise unknown"
# The least certain first.
NOISE = (WITHIN, ONE_SEED, NO_SPREAD, BEYOND)
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The left mean less the right one, or less the bound.

    Attributes:
        low: lower end of its 95 % confidence interval over seeds; None with one seed on a side or
            without spread.
        high: upper end.
        noise: one of NOISE.
    """

    mean: float
    low: float | None
    high: float | None
    noise: str


def difference_of(evidence: Evidence) -> Difference:
    """The difference of both sides: Welch's interval, or Student's where the right is a bound.

    It is within noise if the difference at which the verdict would change lies in the interval:
    0, or what the comparison's margin makes of it.
    """
    right = evidence.right
    ours = fmean(evidence.left.values())
    theirs = right if isinstance(right, float) else fmean(right.values())
    difference = ours - theirs
    if of_one_seed(evidence):
        return Difference(difference, None, None, ONE_SEED)
    interval = _interval(evidence.left, right)
    # Of a multiple of the right side, the interval is another.
    limits = _limits(evidence, larger=ours >= theirs)
    at_limit = _interval(evidence.left, limits)
    if interval is None or at_limit is None:
        return Difference(difference, None, None, NO_SPREAD)
    within = at_limit[0] <= 0 <= at_limit[1]
    return Difference(difference, *interval, WITHIN if within else BEYOND)


def deciding(conditions: Sequence[Evidence]) -> Evidence:
    """Of conditions that must all hold the one that decides: see RULE.

    Args:
        conditions: at least one, the claim's own first.
    """
    failing = next((one for one in conditions if not holds(one)), None)
    return failing or min(conditions, key=lambda one: NOISE.index(difference_of(one).noise))


def difference_text(evidence: Evidence) -> str:
    """What a difference is of, in words."""
    right = evidence.right
    theirs = right if isinstance(right, float) else fmean(right.values())
    ours = fmean(evidence.left.values())
    return (
        f"difference and noise: {evidence.quantity}, {evidence.left_label} {ours:.4g} against "
        f"{evidence.right_label} {theirs:.4g}"
    )


def _limits(evidence: Evidence, *, larger: bool) -> Sample | float:
    limit = COMPARISONS[evidence.comparison].limit
    if isinstance(evidence.right, float):
        return limit(evidence.right, evidence.margin, larger)
    return {seed: limit(x, evidence.margin, larger) for seed, x in evidence.right.items()}


def _interval(left: Sample, right: Sample | float) -> tuple[float, float] | None:
    """The 95 % confidence interval of the difference of means; None without spread.

    Degrees of freedom are Welch's, which of one sample are Student's.
    """
    sides = [_shown(left)] if isinstance(right, float) else [_shown(left), _shown(right)]
    theirs = right if isinstance(right, float) else fmean(sides[1])
    difference = fmean(sides[0]) - theirs
    errors = [variance(side) / len(side) for side in sides]
    if not any(errors):  # no spread, of which there is no t
        return None
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(side) - 1) for error, side in zip(errors, sides, strict=True)
    )
    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * sqrt(sum(errors))
    return difference - half, difference + half


def _shown(sample: Sample) -> list[float]:
    return [as_shown(number) for number in sample.values()]
