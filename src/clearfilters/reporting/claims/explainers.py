"""The claims of the paper about explainers."""

from dataclasses import dataclass, replace
from operator import ge, gt, le, lt
from typing import Any

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.verdict import Evidence, Finding
from clearfilters.reporting.claims.weighing import Claim, Holds, Weigh, judge_claim
from clearfilters.reporting.explainer_quantities import (
    EXPLAINER_ERROR,
    INPUT,
    MORE_ERRORS,
    PERFORMER_ERROR,
    P,
    alike,
    eta_of,
    performer_of,
)
from clearfilters.reporting.part_quantities import (
    BASELINES,
    CONSTANT,
    INSTABILITY,
    OF_SEVERAL_BY_CODE,
    TRAINED,
    UNTRAINED,
    Quantity,
    sample_of,
)
from clearfilters.reporting.records import Experiment, Records

PAPER = "EXPLAINER"
# The networks that figure 4 compares, and those whose features are nearly all parts.
ALEXNET, VGG16 = "caffe-alexnet", "vgg16"
RESNETS = ("resnet101", "resnet152")
NETWORKS_TO_RUN = "explainers of these networks: preset explainer-paper, laid over icnn-paper"
LOWER = "location instability: explainer < "
MORE = "test error, explainer less performer: "


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """Every claim of the paper, judged for every explainer that it is about."""
    claims = [*_of_location(p), *_of_errors(p), *_of_p(p)]
    return [finding for claim in claims for finding in judge_claim(records, claim)]


def _of_location(p: ClaimsParams) -> list[Claim]:
    ratio = p.explainer_instability_ratio
    stated: list[tuple[str, str, str, str, Weigh]] = [
        (
            "explainer_location_one",
            "tables 2 and 4",
            "Filters of an explainer have steadier places than its performer's (one category)",
            f"{LOWER}performer's top convolution",
            compared(INSTABILITY, lt, one=True, baselines=True),
        ),
        (
            "explainer_location_several",
            "table 2",
            "Filters of an explainer have steadier places than its performer's (several "
            "categories)",
            f"{LOWER}performer's top convolution, each filter for the category that activates it "
            "most",
            compared(OF_SEVERAL_BY_CODE, lt, one=False, baselines=True),
        ),
        (
            "explainer_location_ratio",
            "section 4.1",
            f"An explainer has at most {ratio:.1%} of the location instability of its performer "
            "(one category; of several the paper's own have 72% to 85%)",
            f"location instability, explainer over performer: ≤ {ratio:g}",
            _instability_ratio(ratio),
        ),
    ]
    input_ = Claim(
        "explainer_location_input",
        PAPER,
        "tables 8 and 9",
        "Filters of an explainer have steadier places than the maps that it reads",
        f"{LOWER}its input",
        ("explainer",),
        within(Side("explainer", INSTABILITY), Side("input", INSTABILITY, INPUT), lt, one=True),
        partner=None,
    )
    return [
        *(
            Claim(
                name,
                PAPER,
                source,
                text,
                comparison,
                ("explainer",),
                _against_performer(weigh),
                partner=None,
            )
            for name, source, text, comparison, weigh in stated
        ),
        input_,
    ]


def _of_errors(p: ClaimsParams) -> list[Claim]:
    close, several = p.explainer_close_margin, p.explainer_several_points
    return [
        Claim(
            "explainer_error_performer",
            PAPER,
            "section 4.1",
            "Performers outperform explainers",
            f"{MORE}> 0 points",
            ("explainer",),
            bounded(MORE_ERRORS, gt, 0.0),
            partner=None,
        ),
        Claim(
            "explainer_error_several",
            PAPER,
            "table 5",
            "For several categories an explainer is nearly as accurate as its performer",
            f"{MORE}≤ {close:g} points",
            ("explainer",),
            bounded(MORE_ERRORS, le, close, one=False),
            partner=None,
        ),
        Claim(
            "explainer_error_one",
            PAPER,
            "table 10",
            "For one category an explainer's error is several points above its performer's",
            f"{MORE}≥ {several:g} points",
            ("explainer",),
            bounded(MORE_ERRORS, ge, several, one=True),
            partner=None,
        ),
        Claim(
            "explainer_cls_better",
            PAPER,
            "table 10",
            "Trained with the classification loss an explainer classifies better",
            "test error: explainer with the classification loss < explainer",
            ("explainer-cls",),
            compared(EXPLAINER_ERROR, lt),
            partner="explainer",
            find_partner=find_alike,
        ),
        Claim(
            "explainer_cls_outperforms",
            PAPER,
            "appendix J",
            "Trained with the classification loss an explainer can outperform its performer",
            "test error: explainer with the classification loss < performer",
            ("explainer-cls",),
            within(Side("explainer", EXPLAINER_ERROR), Side("performer", PERFORMER_ERROR), lt),
            partner=None,
        ),
    ]


def _of_p(p: ClaimsParams) -> list[Claim]:
    margin = p.explainer_eta_margin
    return [
        Claim(
            "explainer_mostly_parts",
            PAPER,
            "section 5, table 3",
            "Most signals of a performer can be explained as parts",
            f"p: > {p.explainer_most:g}",
            ("explainer",),
            bounded(P, gt, p.explainer_most),
            partner=None,
        ),
        Claim(
            "explainer_not_sensitive_to_eta",
            PAPER,
            "appendix I",
            "An explainer's location instability hardly depends on η",
            f"location instability: explainer of another η = explainer ± {margin:g}",
            ("explainer-eta",),
            _other_eta(near(margin)),
            partner="explainer",
            find_partner=find_alike,
        ),
        Claim(
            "explainer_p_of_networks",
            PAPER,
            "figure 4, table 3",
            "More of VGG-16's features are parts than of AlexNet's",
            "p: explainer of VGG-16 > explainer of AlexNet, on the same data",
            ("explainer",),
            _more_than_alexnet,
            partner="explainer",
            find_partner=_of_alexnet,
            to_run=NETWORKS_TO_RUN,
        ),
        Claim(
            "explainer_p_of_resnets",
            PAPER,
            "table 3",
            "Nearly all features of ResNets are parts",
            f"p: > {p.explainer_nearly_all:g}",
            ("explainer",),
            bounded(P, gt, p.explainer_nearly_all),
            partner=None,
            networks=RESNETS,
            to_run=NETWORKS_TO_RUN,
        ),
    ]


def find_alike(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The first explainer of `role` of the same performer."""
    return next(iter(alike(records, e, role)), None)


def _of_alexnet(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The explainer of an AlexNet on the same data, whose images may have another size."""
    wanted = _content(records, e)
    return next(
        (
            other
            for other in records.experiments(role)
            if other.model == ALEXNET and _content(records, other) == wanted
        ),
        None,
    )


def _content(records: Records, e: Experiment) -> dict[str, Any]:
    data = records.parameters(e)["data"]
    return {key: value for key, value in data.items() if key != "image_size"}


def _more_than_alexnet(
    records: Records, e: Experiment, partner: Experiment | None
) -> Evidence | None:
    return compared(P, gt)(records, e, partner) if e.model == VGG16 else None


def asked(records: Records, e: Experiment, one: bool | None) -> bool:
    """Whether a claim about networks of one category, of several, or (None) any is about this."""
    loss = records.parameters(e)["training"].get("loss")
    return one is None or loss == ("logistic" if one else "multi-label-logistic")


def compared(
    quantity: Quantity, holds: Holds, *, one: bool | None = None, baselines: bool = False
) -> Weigh:
    """The subject's quantity against the partner's, of the seeds that both have.

    Args:
        quantity: of a trained network.
        holds: the comparison.
        one: whether it is about networks of one category; None: about any.
        baselines: whether to ask what does as well without training.
    """

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None or not asked(records, e, one):
            return None
        without = {
            "untrained": sample_of(records, e, quantity, UNTRAINED),
            BASELINES[CONSTANT]: sample_of(records, e, quantity, CONSTANT),
        }
        left, right = (sample_of(records, side, quantity) for side in (e, partner))
        both = left.keys() & right.keys()
        return Evidence(
            e.label,
            {seed: left[seed] for seed in left if seed in both},
            partner.label,
            {seed: right[seed] for seed in right if seed in both},
            holds,
            without_training=without if baselines else {},
        )

    return weigh


@dataclass(frozen=True)
class Side:
    """A number of an explainer, and what it is called."""

    name: str
    quantity: Quantity
    state: str = TRAINED


def within(left: Side, right: Side, holds: Holds, *, one: bool | None = None) -> Weigh:
    """Two numbers of the subject; see `compared`."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if not asked(records, e, one):
            return None
        samples = [sample_of(records, e, side.quantity, side.state) for side in (left, right)]
        names = [f"{e.label}, {side.name}" for side in (left, right)]
        return Evidence(names[0], samples[0], names[1], samples[1], holds)

    return weigh


def bounded(quantity: Quantity, holds: Holds, bound: float, *, one: bool | None = None) -> Weigh:
    """The subject's quantity against a bound; see `compared`."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if not asked(records, e, one):
            return None
        return Evidence(e.label, sample_of(records, e, quantity), "bound", float(bound), holds)

    return weigh


def _against_performer(weigh: Weigh) -> Weigh:
    """Compare with the performer, whose epochs are of another training and need no note."""
    return lambda records, e, _: weigh(records, e, performer_of(records, e))


def _instability_ratio(bound: float) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None or not asked(records, e, True):
            return None
        ours, theirs = (sample_of(records, side, INSTABILITY) for side in (e, partner))
        ratios = {seed: ours[seed] / theirs[seed] for seed in ours.keys() & theirs.keys()}
        return Evidence(f"{e.label} over {partner.label}", ratios, "bound", bound, le)

    return weigh


def _other_eta(holds: Holds) -> Weigh:
    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        evidence = compared(INSTABILITY, holds, one=True)(records, e, partner)
        if evidence is None or partner is None:
            return None
        note = f"η {eta_of(records, e):,g} against {eta_of(records, partner):,g}"
        return replace(evidence, note=note)

    return weigh


def near(margin: float) -> Holds:
    """At most `margin` from the right side."""
    return lambda left, right: abs(left - right) <= margin
