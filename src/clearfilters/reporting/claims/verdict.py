"""What a claim is, and the one rule by which it is judged."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import product
from statistics import fmean
from typing import Any

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.records import Experiment, Sample, Summary, summarize

RULE = (
    "A claim compares a number of one side with a number of the other, or with a stated bound. It "
    "is reproduced if the comparison holds for the means over seeds and for every seed that both "
    "sides ran, seed by seed (for every pair of seeds, if they share none), in six significant "
    "digits; otherwise it is not reproduced. A claim that rests on a single seed is marked so. "
    "Where the two sides were trained for different numbers of epochs, that is noted. A claim "
    "whose experiments are missing is not run."
)
REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_RUN = "not run"
# As many digits as claims.csv has.
SHOWN_DIGITS = 6


@dataclass(frozen=True)
class ClaimParameters:
    """What the words of the claims mean in numbers (params.yaml, `claims`).

    Attributes:
        accuracy_margin: points of accuracy below STD that still count as accurate.
        sacrifice_margin: points below STD that count as no sacrifice of accuracy.
        cross_entropy_ratio: cross entropies are comparable up to this factor.
        sparse_density: a gate of lower density is sparse.
        leakage_margin: leakage above that of a blind head that still counts as none.
        failing_recall: a network with at most this recall fails on a class.
        recognised_recall: a network with at least this recall recognises a class.
        dominant_rows: a similarity matrix is diagonally dominant if at least this share of its
            rows have their maximum on the diagonal.
        correlation_threshold: filters are correlated above it (figure 7 e).
        half_ratio: "about half" is at most this ratio.
        much_lower_ratio: "much lower" is at most this ratio.
        filter_share: the published share of filters of each class, and of shared ones.
        filter_share_margin: deviation from it that still counts as about equal.
    """

    accuracy_margin: float
    sacrifice_margin: float
    cross_entropy_ratio: float
    sparse_density: float
    leakage_margin: float
    failing_recall: float
    recognised_recall: float
    dominant_rows: float
    correlation_threshold: float
    half_ratio: float
    much_lower_ratio: float
    filter_share: float
    filter_share_margin: float

    @classmethod
    def parse(cls, parameters: Any) -> "ClaimParameters":
        """Take them from a mapping.

        Raises:
            ClearfiltersError: if a key is missing or unknown.
        """
        expected = {field.name for field in fields(cls)}
        wrong = sorted(expected ^ set(parameters))
        if wrong:
            raise ClearfiltersError(
                f"params.yaml: claims: missing or unknown keys {', '.join(wrong)}; expected "
                f"exactly {', '.join(sorted(expected))}"
            )
        return cls(**{name: float(value) for name, value in parameters.items()})


@dataclass(frozen=True)
class Evidence:
    """The numbers of both sides.

    Attributes:
        left: number per seed.
        right: number per seed, or a bound.
        holds: the comparison, of a left and a right number.
    """

    left_label: str
    left: Sample
    right_label: str
    right: Sample | float
    holds: Callable[[float, float], bool]
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """A judged claim: one line of claims.csv."""

    id: str
    paper: str
    source: str
    claim: str
    comparison: str
    verdict: str
    left_label: str = ""
    left: Summary | None = None
    right_label: str = ""
    right: Summary | None = None
    note: str = ""


def judge(evidence: Evidence) -> str:
    """Apply RULE to both sides; neither may be empty."""
    left, right = evidence.left, evidence.right
    if isinstance(right, float):
        pairs = [(value, right) for value in left.values()]
        means = (fmean(left.values()), right)
    else:
        shared = sorted(left.keys() & right.keys())
        pairs = [(left[seed], right[seed]) for seed in shared]
        pairs = pairs or list(product(left.values(), right.values()))
        means = (fmean(left.values()), fmean(right.values()))
    held = all(evidence.holds(as_shown(a), as_shown(b)) for a, b in [means, *pairs])
    return REPRODUCED if held else NOT_REPRODUCED


def as_shown(number: float) -> float:
    """A number as claims.csv shows it: a difference that nobody can see decides nothing."""
    return float(f"{number:.{SHOWN_DIGITS}g}")


def present(evidence: Evidence | None) -> bool:
    """Whether both sides have numbers."""
    if evidence is None or not evidence.left:
        return False
    return isinstance(evidence.right, float) or bool(evidence.right)


def right_summary(evidence: Evidence) -> Summary | None:
    """The right side's mean and spread; a bound has neither spread nor seeds."""
    if isinstance(evidence.right, float):
        return Summary(evidence.right, None, 0)
    return summarize(evidence.right)


def notes(evidence: Evidence, subject: Experiment, partner: Experiment | None) -> str:
    """Single seed and unequal epochs, where they apply, behind the evidence's own note."""
    found = [evidence.note] if evidence.note else []
    counts = [len(evidence.left)]
    if not isinstance(evidence.right, float):
        counts.append(len(evidence.right))
    if min(counts) == 1:
        found.append("1 seed")
    if partner is not None and partner.epochs != subject.epochs:
        found.append(f"epochs differ: {subject.epochs} against {partner.epochs}")
    return "; ".join(found)
