"""The claims about part filters: the paper's, and ours about what they rest on."""

from operator import gt, lt
from statistics import fmean

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.verdict import Evidence, Finding, as_shown
from clearfilters.reporting.claims.weighing import Claim, Holds, Weigh, judge_claim
from clearfilters.reporting.part_quantities import (
    ACCURACY,
    BASELINES,
    CONSTANT,
    INSTABILITY,
    OF_SEVERAL_BY_PAPER,
    PARTS_OF_ONE,
    PARTS_OF_SEVERAL,
    R2,
    UNTRAINED,
    Quantity,
    is_single,
    partner_of,
    sample_of,
)
from clearfilters.reporting.records import PARTS, Experiment, Records, Sample

# Everything but ordinary networks.
WITH_PARTS = PARTS[1:]


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """Every claim about part filters, judged for every experiment that it is about."""
    claims = [*_of_paper(p), *_ours(p)]
    return [finding for claim in claims for finding in judge_claim(records, claim)]


def _of_paper(p: ClaimsParams) -> list[Claim]:
    margin = p.part_accuracy_margin
    lower = "location instability: interpretable < ordinary"
    higher = "part interpretability: interpretable > ordinary"
    stated: list[tuple[str, str, str, str, Weigh]] = [
        (
            "icnn_location_one",
            "tables 3 to 5",
            "Filters of an interpretable network of one category have steadier places",
            lower,
            _against(INSTABILITY, lt, one=True),
        ),
        (
            "icnn_location_several",
            "table 6",
            "Filters of an interpretable network of several categories have steadier places",
            f"{lower}, each filter for the category with the least",
            _against(OF_SEVERAL_BY_PAPER, lt, one=False),
        ),
        (
            "icnn_parts_one",
            "table 1",
            "Filters of an interpretable network of one category are parts more often",
            higher,
            _against(PARTS_OF_ONE, gt, one=True),
        ),
        (
            "icnn_parts_several",
            "table 2",
            "Filters of an interpretable network of several categories are parts more often",
            higher,
            _against(PARTS_OF_SEVERAL, gt, one=False),
        ),
        (
            "icnn_accuracy_one_lower",
            "table 7",
            "For one category an ordinary network is more accurate",
            "test accuracy: interpretable < ordinary",
            _against(ACCURACY, lt, one=True),
        ),
        (
            "icnn_accuracy_one_slightly",
            "table 7",
            "For one category an interpretable network is at most slightly less accurate",
            f"test accuracy: interpretable ≥ ordinary - {margin:g} points",
            _against(ACCURACY, at_least_less(margin / 100), one=True),
        ),
        (
            "icnn_accuracy_several",
            "table 7",
            "For several categories an interpretable network is more accurate",
            "test accuracy: interpretable > ordinary",
            _against(ACCURACY, gt, one=False),
        ),
    ]
    return [
        Claim(
            name,
            "ICNN",
            source,
            text,
            comparison,
            ("interpretable",),
            weigh,
            partner="ordinary",
            find_partner=partner_of,
        )
        for name, source, text, comparison, weigh in stated
    ]


def _ours(p: ClaimsParams) -> list[Claim]:
    margin, bound = p.part_instability_margin, p.part_follow_r2

    def as_low(left: float, right: float) -> bool:
        return left <= right + margin

    return [
        Claim(
            "ours_part_masks_suffice",
            "ours",
            "icnn_weight",
            "The masks alone, without the filter loss, make filters as steady",
            f"location instability: masks only ≤ interpretable + {margin:g}",
            ("masks-only",),
            _against(INSTABILITY, as_low, one=True, baselines=False),
            partner="interpretable",
            find_partner=partner_of,
        ),
        Claim(
            "ours_part_untrained_suffices",
            "ours",
            "icnn_weight",
            "The masks make filters as steady before any training",
            f"location instability: interpretable, untrained ≤ trained + {margin:g}",
            ("interpretable",),
            _untrained_against_trained(as_low),
            partner=None,
        ),
        Claim(
            "ours_part_authors_weight",
            "ours",
            "icnn_weight",
            "At the authors' weight of the loss, filters are steadier than a unit that never moves",
            "location instability: interpretable < constant unit",
            ("interpretable",),
            against_constant,
            partner=None,
        ),
        Claim(
            "ours_part_steady_not_following",
            "ours",
            "icnn_weight",
            "Filters that are steadier than an ordinary network's need not follow the head",
            f"R² of places and the head's, mean over filters: < {bound:g}, where the location "
            "instability is below ordinary",
            WITH_PARTS,
            _steady_not_following(bound),
            partner="ordinary",
            find_partner=partner_of,
        ),
    ]


def at_least_less(margin: float) -> Holds:
    """At most `margin` below the right side."""
    return lambda left, right: left >= right - margin


def _against(quantity: Quantity, holds: Holds, *, one: bool, baselines: bool = True) -> Weigh:
    """The subject's quantity against the partner's, of networks of one or of several categories.

    `baselines`: whether to ask what does as well without training.
    """

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None or is_single(records, e, quantity.analysis) != one:
            return None
        return Evidence(
            e.label,
            sample_of(records, e, quantity),
            partner.label,
            sample_of(records, partner, quantity),
            holds,
            without_training=without_training(records, e, quantity) if baselines else {},
        )

    return weigh


def without_training(records: Records, e: Experiment, quantity: Quantity) -> dict[str, Sample]:
    """The numbers of the same network untrained, with masks only, and of a constant unit."""
    masks = partner_of(records, e, "masks-only")
    return {
        "untrained": sample_of(records, e, quantity, UNTRAINED),
        "masks only": {} if masks is None else sample_of(records, masks, quantity),
        BASELINES[CONSTANT]: sample_of(records, e, quantity, CONSTANT),
    }


def _untrained_against_trained(holds: Holds) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if not is_single(records, e):
            return None
        return Evidence(
            f"{e.label}, untrained",
            sample_of(records, e, INSTABILITY, UNTRAINED),
            f"{e.label}, trained",
            sample_of(records, e, INSTABILITY),
            holds,
        )

    return weigh


def against_constant(
    records: Records, e: Experiment, partner: Experiment | None
) -> Evidence | None:
    """The location instability of a network of one category against a constant unit's."""
    if not is_single(records, e):
        return None
    return Evidence(
        e.label,
        sample_of(records, e, INSTABILITY),
        BASELINES[CONSTANT],
        sample_of(records, e, INSTABILITY, CONSTANT),
        lt,
    )


def _steady_not_following(bound: float) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None or not is_single(records, e):
            return None
        ours, theirs = (sample_of(records, side, INSTABILITY) for side in (e, partner))
        if not ours or not theirs:
            return None
        mean, compared = (as_shown(fmean(sample.values())) for sample in (ours, theirs))
        if mean >= compared:
            return None
        note = f"location instability {mean:.4f} against {compared:.4f} of {partner.label}"
        return Evidence(e.label, sample_of(records, e, R2), "bound", bound, lt, note)

    return weigh
