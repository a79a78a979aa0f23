"""From a claim and an experiment that it is about to the numbers of both sides."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import fmean

from clearfilters.reporting.claims.partners import MATCHES, ONLY, SETTINGS
from clearfilters.reporting.claims.quantities import (
    BASELINES,
    BEST_WITHOUT_NETWORK,
    QUANTITIES,
    Run,
    best_without_network,
)
from clearfilters.reporting.claims.schema import Claim, Condition, Side
from clearfilters.reporting.claims.verdict import Evidence, holds_on_means, present
from clearfilters.reporting.part_quantities import TRAINED
from clearfilters.reporting.records import Experiment, Sample

# A subject and its partner, None where the claim has none.
Pair = tuple[Experiment, Experiment | None]
BOUND = "bound"


def pairs_of(run: Run, claim: Claim, network: str = "") -> Iterator[Pair]:
    """The experiments that a claim is about, each with what it is compared with.

    Args:
        run: with the experiments.
        claim: one with subjects.
        network: prefix of their network.
    """
    for e in run.records.experiments(*claim.subjects):
        if not e.model.startswith(network) or not all(ONLY[x](run.records, e) for x in claim.only):
            continue
        partner = None
        if claim.partner is not None:
            partner = MATCHES[claim.matched_by](run.records, e, claim.partner)
            if partner is None:
                continue
        if claim.given is not None:
            given = weigh(run, claim.given, e, partner)
            if given is None or not holds_on_means(given):
                continue
        yield e, partner


def weigh(
    run: Run, condition: Condition, e: Experiment, partner: Experiment | None
) -> Evidence | None:
    """The numbers of both sides of a condition; None where one has none."""
    margin = 0.0 if condition.margin is None else getattr(run.parameters, condition.margin)
    left_label, left = _side(run, condition, condition.left, e, partner)
    right: Sample | float | None
    if condition.bound is None:
        right_label, right = _side(run, condition, condition.right, e, partner)
    else:
        right_label, right = BOUND, _bound(run, condition.bound, e)
    if right is None:
        return None
    evidence = Evidence(
        left_label,
        left,
        right_label,
        right,
        condition.comparison,
        margin,
        quantity=condition.quantity,
    )
    return evidence if present(evidence) else None


def weigh_claim(
    run: Run, claim: Claim, e: Experiment, partner: Experiment | None
) -> Evidence | None:
    """The numbers of a claim, with those of its baselines; None where a side has none."""
    evidence = weigh(run, claim, e, partner)
    if evidence is None:
        return None
    left, right = evidence.left, evidence.right
    if claim.seeds == "shared" and not isinstance(right, float):
        both = left.keys() & right.keys()
        if not both:
            return None
        left = {seed: left[seed] for seed in left if seed in both}
        right = {seed: right[seed] for seed in right if seed in both}
    baselines = {name: BASELINES[name](run, e, claim.quantity) for name in claim.baselines}
    return replace(evidence, left=left, right=right, without_training=baselines)


def _side(
    run: Run, condition: Condition, side: Side, e: Experiment, partner: Experiment | None
) -> tuple[str, Sample]:
    owner = partner if side.of == "partner" else e
    assert owner is not None  # the schema asks for a partner
    name = side.quantity or condition.quantity
    sample = QUANTITIES[name](run, owner, side.state)
    if side.over is not None:
        assert partner is not None
        divisors = QUANTITIES[name](run, partner, side.state)
        shared = sample.keys() & divisors.keys()
        ratios = {seed: sample[seed] / divisors[seed] for seed in sample if seed in shared}
        return f"{owner.label} over {partner.label}", ratios
    if side.state == BEST_WITHOUT_NETWORK:
        return best_without_network(run, owner, name), sample
    label = side.label or (f"{owner.label}, {side.name}" if side.name else owner.label)
    return label, sample


def _bound(run: Run, bound: float | str, e: Experiment) -> float | None:
    if not isinstance(bound, str):
        return float(bound)
    if bound in QUANTITIES:
        sample = QUANTITIES[bound](run, e, TRAINED)
        return next(iter(sample.values()), None)
    return float(getattr(run.parameters, bound))


class Numbers(dict[str, object]):
    """Fills in a note: the mean of a quantity of an experiment, or what it was given, by name.

    Looking up one that was not measured, or not given, raises a KeyError.
    """

    def __init__(self, run: Run, e: Experiment, **others: object) -> None:
        super().__init__(label=e.label, **others)
        self._run, self._e = run, e

    def __missing__(self, name: str) -> float:
        if name in SETTINGS:
            setting = SETTINGS[name](self._run.records, self._e)
            if setting is None:
                raise KeyError(name)
            return setting
        sample = QUANTITIES[name](self._run, self._e, TRAINED)
        if not sample:
            raise KeyError(name)
        return fmean(sample.values())


def note_of(run: Run, claim: Claim, e: Experiment, partner: Experiment | None) -> str:
    """The claim's note with its numbers.

    Raises:
        KeyError: for a number that was not measured.
    """
    others: Mapping[str, object] = {} if partner is None else {"partner": Numbers(run, partner)}
    return claim.note.format_map(Numbers(run, e, **others))
