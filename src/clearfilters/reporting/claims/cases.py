"""How the experiments that a claim is about are gathered into verdicts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import fmean

from scipy.stats import spearmanr

from clearfilters.reporting.claims.detectors import smallest_differences
from clearfilters.reporting.claims.partners import SETTINGS
from clearfilters.reporting.claims.quantities import QUANTITIES, Run
from clearfilters.reporting.claims.remarks import REMARKS
from clearfilters.reporting.claims.schema import Claim
from clearfilters.reporting.claims.verdict import Evidence, holds, present
from clearfilters.reporting.claims.weighing import (
    BOUND,
    Pair,
    note_of,
    pairs_of,
    weigh,
    weigh_claim,
)
from clearfilters.reporting.explainer_quantities import alike, eta_of
from clearfilters.reporting.part_quantities import TRAINED, categories_of
from clearfilters.reporting.records import Experiment, Sample

# Two categories are in the same order or in the opposite one.
LEAST_CATEGORIES = 3


@dataclass(frozen=True)
class Case:
    """What gets a verdict of its own.

    Attributes:
        id: behind the claim's.
        evidence: None if it was not run, though a part of it was.
        partner: whose epochs are compared, if any.
        also: holds besides.
        about: behind the claim's sentence.
        words: of the claim's rule.
    """

    id: str
    subject: Experiment
    partner: Experiment | None
    evidence: Evidence | None
    also: tuple[Evidence, ...] = ()
    note: str = ""
    about: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


Gather = Callable[[Run, Claim, str], Iterator[Case]]


def _each_experiment(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One for each subject."""
    for e, partner in pairs_of(run, claim, network):
        evidence = weigh_claim(run, claim, e, partner)
        also = [weigh(run, condition, e, partner) for condition in claim.also]
        found = [one for one in also if one is not None]
        if evidence is None or len(found) < len(also):
            continue
        notes = [note_of(run, claim, e, partner)]
        if claim.remark is not None:
            notes.append(REMARKS[claim.remark](run, e, partner, evidence))
        note = "; ".join(filter(None, notes))
        yield Case(f":{e.name}", e, partner, evidence, tuple(found), note)


def _each_attack(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One for each subject and attack: see `smallest_differences`."""
    for e, partner in pairs_of(run, claim, network):
        assert partner is not None
        for attack, found in smallest_differences(run.records, e, partner, claim.quantity):
            label = f"{e.label} - {partner.label}"
            evidence = Evidence(label, found.smallest, BOUND, 0.0, claim.comparison)
            yield Case(
                f":{e.name}:{attack}",
                e,
                partner,
                evidence if present(evidence) else None,
                note=found.note,
                about=f" ({attack})",
                words={"sizes": found.sizes},
            )


@dataclass(frozen=True)
class _Setting:
    """A subject with the numbers of each condition, the claim's first."""

    pair: Pair
    conditions: tuple[Evidence, ...]
    note: str

    @property
    def met(self) -> int:
        """How many of the conditions hold."""
        return sum(map(holds, self.conditions))

    @property
    def merit(self) -> tuple[int, int, float]:
        """Most conditions met, then most seeds, then the better number of the claim's own."""
        first = self.conditions[0]
        numbers = first.left.values()
        smaller_is_better = first.comparison in ("below", "at_most")
        return (
            self.met,
            min(len(one.left) for one in self.conditions),
            -max(numbers) if smaller_is_better else min(numbers),
        )


def _settings(run: Run, claim: Claim, network: str) -> Iterator[_Setting]:
    """Subjects of which every number was measured that is asked or noted."""
    for pair in pairs_of(run, claim, network):
        conditions = [weigh(run, condition, *pair) for condition in (claim, *claim.also)]
        found = [one for one in conditions if one is not None]
        if len(found) < len(conditions):
            continue
        try:
            note = note_of(run, claim, *pair)
        except KeyError:
            continue
        yield _Setting(pair, tuple(found), note)


def _best(settings: Sequence[_Setting], id_: str) -> Case:
    """The one that meets most conditions: it meets all exactly if some does."""
    best = max(settings, key=lambda setting: setting.merit)
    passing = [s.pair[0].label for s in settings if s.met == len(s.conditions)]
    named = ", ".join(passing) or "none"
    note = f"{len(passing)} of {len(settings)} settings: {named}. Shown: {best.note}"
    if len(settings) > 1:
        note += (
            f"; chosen among {len(settings)} on these seeds; the interval does not account for it"
        )
    first, *others = best.conditions
    return Case(id_, *best.pair, first, tuple(others), note)


def _best_setting(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One: whether some subject meets all conditions."""
    settings = list(_settings(run, claim, network))
    if settings:
        yield _best(settings, "")


def _beside_each_partner(settings: Sequence[_Setting]) -> dict[str, list[_Setting]]:
    groups: dict[str, list[_Setting]] = {}
    for setting in settings:
        partner = setting.pair[1]
        assert partner is not None
        groups.setdefault(partner.name, []).append(setting)
    return groups


def _best_beside_each_partner(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One for each partner: whether some subject beside it meets all conditions."""
    for name, group in _beside_each_partner(list(_settings(run, claim, network))).items():
        yield _best(group, f":{name}")


def _least_weight(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One for each partner: the subject of the least weight with which it holds, or the largest."""

    def weight(setting: _Setting) -> float:
        found = SETTINGS["weight"](run.records, setting.pair[0])
        assert found is not None
        return found

    for name, group in _beside_each_partner(list(_settings(run, claim, network))).items():
        steps = sorted(group, key=weight)
        passing = [step for step in steps if holds(step.conditions[0])]
        shown = (passing or steps[-1:])[0]
        needed = f"least weight {weight(shown):,g}" if passing else "no weight"
        asked = ", ".join(f"{weight(step):,g}" for step in steps)
        evidence = weigh_claim(run, claim, *shown.pair)
        yield Case(f":{name}", *shown.pair, evidence, note=f"{needed} of {asked}")


def _by_eta(run: Run, e: Experiment) -> list[Experiment]:
    """An explainer and those that differ in eta, by ascending eta."""
    others = alike(run.records, e, "explainer-eta")
    return sorted([e, *others], key=lambda o: eta_of(run.records, o))


# An experiment, and its number by seed.
_Point = tuple[Experiment, Sample]


def _steps_of_eta(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One for each subject: its quantity at the greatest eta against the least; and each step."""
    for e, _ in pairs_of(run, claim, network):
        found = {o: QUANTITIES[claim.quantity](run, o, TRAINED) for o in _by_eta(run, e)}
        points = [(o, sample) for o, sample in found.items() if sample]
        if len(points) < 2:
            continue
        also = tuple(_step(claim, *neighbours) for neighbours in pairwise(points))
        each = ", ".join(
            f"{eta_of(run.records, o):,g}: {fmean(sample.values()):.3f}" for o, sample in points
        )
        note = f"{claim.quantity} by η: {each}"
        ends = points[0], points[-1]
        yield Case(f":{e.name}", ends[1][0], ends[0][0], _step(claim, *ends), also, note)


def _step(claim: Claim, smaller: _Point, larger: _Point) -> Evidence:
    labels = larger[0].label, smaller[0].label
    return Evidence(
        labels[0], larger[1], labels[1], smaller[1], claim.comparison, quantity=claim.quantity
    )


def _pairs_of_eta(run: Run, claim: Claim, network: str) -> Iterator[Case]:
    """One for each network and pair of eta: a rank correlation of the quantity over categories."""
    groups: dict[tuple[str, str], list[Experiment]] = {}
    for e, _ in pairs_of(run, claim, network):
        groups.setdefault((e.dataset, e.network), []).append(e)
    assert isinstance(claim.bound, str)
    bound = float(getattr(run.parameters, claim.bound))
    for group in groups.values():
        etas = sorted({eta_of(run.records, o) for e in group for o in _by_eta(run, e)})
        for one, other in combinations(etas, 2):
            correlations, names = _correlations(run, claim, group, one, other)
            label = f"{group[0].network}, η {one:,g} and {other:,g}"
            evidence = Evidence(label, correlations, BOUND, bound, claim.comparison)
            if present(evidence):
                note = f"{len(names)} categories: {', '.join(names)}"
                id_ = f":{group[0].name}:{one:g}-{other:g}"
                yield Case(id_, group[0], None, evidence, note=note)


def _correlations(
    run: Run, claim: Claim, group: Sequence[Experiment], one: float, other: float
) -> tuple[Sample, list[str]]:
    """Rank correlation over categories at two values of eta, for the seeds all have.

    Returns:
        The correlation by seed, none where there are too few categories; and the categories.
    """
    pairs: dict[str, tuple[Sample, Sample]] = {}
    for e in group:
        samples = {
            eta_of(run.records, o): QUANTITIES[claim.quantity](run, o, TRAINED)
            for o in _by_eta(run, e)
        }
        if samples.get(one) and samples.get(other):
            pairs[categories_of(run.records, e)[0]] = samples[one], samples[other]
    if len(pairs) < LEAST_CATEGORIES:
        return {}, []
    seeds = set.intersection(*(set(a) & set(b) for a, b in pairs.values()))
    lefts, rights = zip(*pairs.values(), strict=True)
    found = {
        seed: float(
            spearmanr([left[seed] for left in lefts], [right[seed] for right in rights]).statistic
        )
        for seed in sorted(seeds)
    }
    return found, list(pairs)


GATHER: dict[str, Gather] = {
    "each_experiment": _each_experiment,
    "each_attack": _each_attack,
    "best_setting": _best_setting,
    "best_setting_beside_each_partner": _best_beside_each_partner,
    "least_weight_beside_each_partner": _least_weight,
    "steps_of_eta": _steps_of_eta,
    "pairs_of_eta": _pairs_of_eta,
}
