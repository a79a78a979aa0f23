"""What a verdict rests on, and the one rule by which it is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from statistics import fmean

from clearfilters.reporting.claims.comparisons import COMPARISONS
from clearfilters.reporting.digits import FORMAT
from clearfilters.reporting.records import Experiment, Sample, Summary, summarize

RULE = (
    "A claim compares a number of one side with a number of the other, or with a stated bound. It "
    "is reproduced if the comparison holds for the means over seeds and for every seed that both "
    "sides ran, seed by seed (for every pair of seeds, if they share none), in six significant "
    "digits; otherwise it is not reproduced. It is reproduced, and without training too, if an "
    "untrained network, a unit that never moves or what needs no network meets the comparison as "
    "well; `as well without training` names those, and networks without the filter loss. A claim "
    "that no network can meet cannot hold here. One whose experiments are missing is not run; what "
    "would run it is named. Beside a verdict stands the difference of the means with its 95 % "
    "confidence interval over seeds (Welch; of a bound, Student): it is within noise if the "
    "interval holds the difference at which the verdict would change. Without spread over seeds "
    "there is no interval. Of a claim with several conditions the difference is that of the one "
    "that decides: the first that fails or, if all hold, the least certain; the note names it "
    "where it is not the first. A setting that is shown as the best of several was chosen among "
    "them on these seeds, for which the interval does not account. Where a side has a single seed, "
    "or both were trained for different numbers of epochs, that is noted."
)
REPRODUCED = "reproduced"
REPRODUCED_UNTRAINED = "reproduced, and without training too"
CANNOT_HOLD = "cannot hold here"
NOT_REPRODUCED = "not reproduced"
NOT_RUN = "not run"
VERDICTS = (REPRODUCED, REPRODUCED_UNTRAINED, CANNOT_HOLD, NOT_REPRODUCED, NOT_RUN)
# Trained, but without what is claimed: it is named, and makes no other verdict.
MASKS_ONLY = "masks only"


@dataclass(frozen=True)
class Evidence:
    """The numbers of both sides.

    Attributes:
        left: number per seed.
        right: number per seed, or a bound.
        comparison: a key of COMPARISONS, of a left and a right number.
        margin: of the comparison, if it has one.
        without_training: name -> number per seed that could stand on the left, of what was not
            trained, or not for what is claimed.
        quantity: what the numbers are, where a claim has several conditions.
    """

    left_label: str
    left: Sample
    right_label: str
    right: Sample | float
    comparison: str
    margin: float = 0.0
    without_training: Mapping[str, Sample] = field(default_factory=dict)
    quantity: str = ""


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
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    noise: str = ""
    to_run: str = ""


def holds(evidence: Evidence) -> bool:
    """Apply RULE to both sides; neither may be empty."""
    left, right = evidence.left, evidence.right
    if isinstance(right, float):
        pairs = [(value, right) for value in left.values()]
    else:
        shared = sorted(left.keys() & right.keys())
        pairs = [(left[seed], right[seed]) for seed in shared]
        pairs = pairs or list(product(left.values(), right.values()))
    return holds_on_means(evidence) and all(_holds(evidence, a, b) for a, b in pairs)


def holds_on_means(evidence: Evidence) -> bool:
    """Whether the comparison holds for the means of both sides, whatever the seeds say."""
    right = evidence.right
    theirs = right if isinstance(right, float) else fmean(right.values())
    return _holds(evidence, fmean(evidence.left.values()), theirs)


def _holds(evidence: Evidence, left: float, right: float) -> bool:
    compare = COMPARISONS[evidence.comparison].holds
    return compare(as_shown(left), as_shown(right), evidence.margin)


def as_well(evidence: Evidence) -> dict[str, float]:
    """The mean of what the same comparison holds for without training, by name."""
    return {
        name: as_shown(fmean(sample.values()))
        for name, sample in evidence.without_training.items()
        if sample and holds(replace(evidence, left=sample))
    }


def as_well_text(evidence: Evidence) -> str:
    """`as_well` in words, or `no`; empty where nothing was asked.

    Nothing is asked of a claim that does not hold.
    """
    if not any(evidence.without_training.values()) or not holds(evidence):
        return ""
    return ", ".join(f"{name} {mean:g}" for name, mean in as_well(evidence).items()) or "no"


def as_shown(number: float) -> float:
    """A number as claims.csv shows it: a difference that nobody can see decides nothing."""
    return float(f"{number:{FORMAT}}")


def present(evidence: Evidence) -> bool:
    """Whether both sides have numbers."""
    return bool(evidence.left) and (isinstance(evidence.right, float) or bool(evidence.right))


def right_summary(evidence: Evidence) -> Summary | None:
    """The right side's mean and spread; a bound has neither spread nor seeds."""
    if isinstance(evidence.right, float):
        return Summary(evidence.right, None, 0)
    return summarize(evidence.right)


def of_one_seed(evidence: Evidence) -> bool:
    """Whether a side has a single seed."""
    sides = [evidence.left, evidence.right]
    return any(len(side) == 1 for side in sides if not isinstance(side, float))


def unequal_epochs(subject: Experiment, partner: Experiment | None) -> str:
    """What is noted where both were not trained equally long."""
    if partner is None or partner.epochs == subject.epochs:
        return ""
    return f"epochs differ: {subject.epochs} against {partner.epochs}"
