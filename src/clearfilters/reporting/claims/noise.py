"""Whether a difference is more than what other seeds might have given."""

from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from scipy.stats import t

from clearfilters.reporting.claims.comparisons import COMPARISONS
from clearfilters.reporting.claims.verdict import Evidence, as_shown
from clearfilters.reporting.records import Sample

WITHIN = "within noise"
BEYOND = "beyond noise"
ONE_SEED = "one seed: noise unknown"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The left mean less the right one, or less the bound.

    Attributes:
        low: lower end of its 95 % confidence interval over seeds; None with one seed on a side.
        high: upper end.
        noise: WITHIN, BEYOND or ONE_SEED.
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
    interval = _interval(evidence.left, right)
    if interval is None:
        return Difference(difference, None, None, ONE_SEED)
    # Of a multiple of the right side, the interval is another.
    limits = _limits(evidence, larger=ours >= theirs)
    at_limit = _interval(evidence.left, limits)
    assert at_limit is not None
    within = at_limit[0] <= 0 <= at_limit[1]
    return Difference(difference, *interval, WITHIN if within else BEYOND)


def _limits(evidence: Evidence, *, larger: bool) -> Sample | float:
    limit = COMPARISONS[evidence.comparison].limit
    if isinstance(evidence.right, float):
        return limit(evidence.right, evidence.margin, larger)
    return {seed: limit(x, evidence.margin, larger) for seed, x in evidence.right.items()}


def _interval(left: Sample, right: Sample | float) -> tuple[float, float] | None:
    """The 95 % confidence interval of the difference of means; None with one seed on a side.

    Degrees of freedom are Welch's, which of one sample are Student's.
    """
    sides = [_shown(left)] if isinstance(right, float) else [_shown(left), _shown(right)]
    if min(map(len, sides)) < 2:
        return None
    theirs = right if isinstance(right, float) else fmean(sides[1])
    difference = fmean(sides[0]) - theirs
    errors = [variance(side) / len(side) for side in sides]
    if not any(errors):  # no spread, of which there is no t
        return difference, difference
    freedom = sum(errors) ** 2 / sum(
        error**2 / (len(side) - 1) for error, side in zip(errors, sides, strict=True)
    )
    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * sqrt(sum(errors))
    return difference - half, difference + half


def _shown(sample: Sample) -> list[float]:
    return [as_shown(number) for number in sample.values()]
