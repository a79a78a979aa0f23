"""Claims of ours about explainers: what is learned, what the filter loss does, and p over eta."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from operator import ge, gt, lt
from statistics import fmean

from scipy.stats import spearmanr

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.explainers import Side, asked, compared, near, within
from clearfilters.reporting.claims.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    Evidence,
    Finding,
    judge,
    present,
)
from clearfilters.reporting.claims.weighing import Claim, Weigh, judge_claim, judged
from clearfilters.reporting.explainer_quantities import P, alike, eta_of, ratio_of
from clearfilters.reporting.part_quantities import (
    INSTABILITY,
    R2,
    R2_FLOOR,
    UNTRAINED,
    categories_of,
    is_single,
    sample_of,
)
from clearfilters.reporting.records import Experiment, Records, Sample

TABLE = "explainer_eta"
R2_OF_HEAD = "R² of places and the head's, mean over filters"
# Two categories are in the same order or in the opposite one.
LEAST_CATEGORIES = 3


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """Every claim of ours, judged for every explainer, performer or η that it is about."""
    claims = [*_of_learning(p), *_of_filter_loss(p)]
    return [
        *(finding for claim in claims for finding in judge_claim(records, claim)),
        *_rises_with_eta(records),
        *_same_order(records, p),
    ]


def _of_learning(p: ClaimsParams) -> list[Claim]:
    bound = p.part_follow_r2
    stated: list[tuple[str, str, str, Weigh]] = [
        (
            "ours_explainer_learns_places",
            "That an explainer's filters have steady places is learned, not built in",
            "location instability: trained < untrained",
            within(
                Side("trained", INSTABILITY),
                Side("untrained", INSTABILITY, UNTRAINED),
                lt,
                one=True,
            ),
        ),
        (
            "ours_explainer_learns_parts",
            "That an explainer's filters go with the head is learned, not built in",
            f"{R2_OF_HEAD}: trained > untrained",
            within(Side("trained", R2), Side("untrained", R2, UNTRAINED), gt, one=True),
        ),
        (
            "ours_explainer_follows_head",
            "An explainer's filters follow the head",
            f"{R2_OF_HEAD}, less its floor: > {bound:g}",
            _above_floor(bound),
        ),
    ]
    return [
        Claim(name, "ours", TABLE, text, comparison, ("explainer",), weigh, partner=None)
        for name, text, comparison, weigh in stated
    ]


def _of_filter_loss(p: ClaimsParams) -> list[Claim]:
    steady, follow = p.part_instability_margin, p.explainer_follow_margin
    stated: list[tuple[str, str, str, str, Weigh]] = [
        (
            "ours_explainer_loss_idle_places",
            "The filter loss at its published ratio does not change how steady filters are",
            f"location instability: explainer = without filter loss ± {steady:g}",
            "explainer",
            _published(compared(INSTABILITY, near(steady), one=True)),
        ),
        (
            "ours_explainer_loss_idle_parts",
            "The filter loss at its published ratio does not change how filters go with the head",
            f"{R2_OF_HEAD}: explainer = without filter loss ± {follow:g}",
            "explainer",
            _published(compared(R2, near(follow), one=True)),
        ),
        (
            "ours_explainer_loss_held",
            "The filter loss held at a larger ratio makes filters go with the head more",
            f"{R2_OF_HEAD}: explainer with the loss held > without filter loss + {follow:g}",
            "explainer-ratio",
            _held(follow),
        ),
    ]
    return [
        Claim(
            name,
            "ours",
            TABLE,
            text,
            comparison,
            (subject,),
            weigh,
            partner="explainer-ratio",
            find_partner=_without_loss,
        )
        for name, text, comparison, subject, weigh in stated
    ]


def _published(weigh: Weigh) -> Weigh:
    """Of explainers whose filter loss has the ratio of appendix H: 1 / 300, over the epoch."""

    def of_published(
        records: Records, e: Experiment, partner: Experiment | None
    ) -> Evidence | None:
        ratio, method = ratio_of(records, e), records.parameters(e)["method"]
        is_published = ratio is not None and method["falling"] and round(300 * ratio, 2) == 1
        return weigh(records, e, partner) if is_published else None

    return of_published


def _without_loss(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The explainer of the same performer that had no filter loss."""
    others = alike(records, e, role)
    return next((other for other in others if ratio_of(records, other) is None), None)


def _above_floor(bound: float) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if not asked(records, e, True):
            return None
        found, floor = (sample_of(records, e, quantity) for quantity in (R2, R2_FLOOR))
        above = {seed: found[seed] - floor[seed] for seed in found.keys() & floor.keys()}
        return Evidence(e.label, above, "bound", bound, gt)

    return weigh


def _held(margin: float) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        ratio = ratio_of(records, e)
        evidence = compared(R2, lambda a, b: a > b + margin, one=True)(records, e, partner)
        if evidence is None or ratio is None:
            return None
        return replace(evidence, note=f"ratio {ratio:g}")

    return weigh


def _by_eta(records: Records, e: Experiment) -> list[Experiment]:
    """An explainer and those that differ in eta, by ascending eta."""
    return sorted([e, *alike(records, e, "explainer-eta")], key=lambda o: eta_of(records, o))


def _rises_with_eta(records: Records) -> list[Finding]:
    """Whether p is larger at every larger eta; shown are the least eta and the largest."""
    claim = Finding(
        "ours_explainer_p_rises",
        "ours",
        TABLE,
        "p follows η: the more -log p weighs, the more of the features count as parts",
        "p: at the greatest η > at the least, and larger at every step between",
        NOT_RUN,
    )
    found = []
    for e in records.experiments("explainer"):
        points = [o for o in _by_eta(records, e) if sample_of(records, o, P)]
        if len(points) < 2:
            continue
        steps = [_more(records, larger, smaller) for smaller, larger in pairwise(points)]
        rising = all(judge(step) == REPRODUCED for step in steps)
        each = ", ".join(
            f"{eta_of(records, o):,g}: {fmean(sample_of(records, o, P).values()):.3f}"
            for o in points
        )
        shown = replace(_more(records, points[-1], points[0]), note=f"p by η: {each}")
        about = replace(claim, id=f"{claim.id}:{e.name}")
        finding = judged(about, shown, points[-1], points[0])
        found.append(replace(finding, verdict=REPRODUCED if rising else NOT_REPRODUCED))
    return found or [claim]


def _more(records: Records, larger: Experiment, smaller: Experiment) -> Evidence:
    ours, theirs = (sample_of(records, e, P) for e in (larger, smaller))
    return Evidence(larger.label, ours, smaller.label, theirs, gt)


def _same_order(records: Records, p: ClaimsParams) -> list[Finding]:
    """Whether p orders categories alike at two values of eta, for each pair that was run."""
    bound = p.explainer_rank_correlation
    claim = Finding(
        "ours_explainer_p_order",
        "ours",
        TABLE,
        "p orders categories the same way at every η",
        f"rank correlation of p at two values of η, over categories: ≥ {bound:g}",
        NOT_RUN,
        note=f"explainers of {LEAST_CATEGORIES} categories or more at two values of η",
    )
    found = []
    for group in _networks(records):
        etas = sorted({eta_of(records, o) for e in group for o in _by_eta(records, e)})
        for one, other in combinations(etas, 2):
            correlations, names = _correlations(records, group, one, other)
            evidence = Evidence(
                f"{group[0].network}, η {one:,g} and {other:,g}", correlations, "bound", bound, ge
            )
            if present(evidence):
                about = replace(claim, id=f"{claim.id}:{group[0].name}:{one:g}-{other:g}")
                shown = replace(evidence, note=f"{len(names)} categories: {', '.join(names)}")
                found.append(judged(about, shown, group[0], None))
    return found or [claim]


def _networks(records: Records) -> Iterator[list[Experiment]]:
    """Explainers of performers of one category, by data set and network."""
    groups: dict[tuple[str, str], list[Experiment]] = {}
    for e in records.experiments("explainer"):
        if is_single(records, e):
            groups.setdefault((e.dataset, e.network), []).append(e)
    yield from groups.values()


def _correlations(
    records: Records, group: Sequence[Experiment], one: float, other: float
) -> tuple[Sample, list[str]]:
    """Rank correlation of p over categories at two values of eta, for the seeds all have.

    Returns:
        The correlation by seed, none where there are too few categories; and the categories.
    """
    pairs: dict[str, tuple[Sample, Sample]] = {}
    for e in group:
        samples = {eta_of(records, o): sample_of(records, o, P) for o in _by_eta(records, e)}
        if samples.get(one) and samples.get(other):
            pairs[categories_of(records, e)[0]] = samples[one], samples[other]
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
