"""What a claim is, and the one rule by which it is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from statistics import fmean

from clearfilters.reporting.records import Experiment, Sample, Summary, summarize

RULE = (
    "A claim compares a number of one side with a number of the other, or with a stated bound. It "
    "is reproduced if the comparison holds for the means over seeds and for every seed that both "
    "sides ran, seed by seed (for every pair of seeds, if they share none), in six significant "
    "digits; otherwise it is not reproduced. A claim that rests on a single seed is marked so. "
    "Where the two sides were trained for different numbers of epochs, that is noted. A claim "
    "whose experiments are missing is not run. `As well without training` names, beside a claim "
    "that holds, the networks without training or filter loss for which it holds, too."
)
REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_RUN = "not run"
# As many digits as claims.csv has.
SHOWN_DIGITS = 6


@dataclass(frozen=True)
class Evidence:
    """The numbers of both sides.

    Attributes:
        left: number per seed.
        right: number per seed, or a bound.
        holds: the comparison, of a left and a right number.
        without_training: name -> number per seed that could stand on the left, of what was not
            trained, or not for what is claimed.
    """

    left_label: str
    left: Sample
    right_label: str
    right: Sample | float
    holds: Callable[[float, float], bool]
    note: str = ""
    without_training: Mapping[str, Sample] = field(default_factory=dict)


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
    as_well_without_training: str = ""


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


def as_well_without_training(evidence: Evidence) -> str:
    """What the same comparison holds for, with its mean, or `no`; empty where nothing was asked.

    Nothing is asked of a claim that does not hold.
    """
    asked = {name: sample for name, sample in evidence.without_training.items() if sample}
    if not asked or judge(evidence) != REPRODUCED:
        return ""
    found = [
        f"{name} {as_shown(fmean(sample.values())):g}"
        for name, sample in asked.items()
        if judge(replace(evidence, left=sample)) == REPRODUCED
    ]
    return ", ".join(found) or "no"


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
