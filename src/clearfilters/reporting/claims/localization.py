"""The claims about localization: of the gate papers, and whether any network is needed for it."""

from operator import gt

from clearfilters.reporting.claims.verdict import Evidence, Finding
from clearfilters.reporting.claims.weighing import Claim, Weigh, judge_claim
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.tables.localization import (
    BASELINES,
    CSG_BLOCKS,
    LSG_BLOCKS,
    Block,
    Values,
)

ANALYSIS = "localization"
METRICS = {"iou": "Avg-IoU", "ap": "APn"}
# The claims are about every network.
ANY_NETWORK = ("",)
NAMES = {
    "one filter": "one_filter",
    "all filters (CAM)": "cam",
    "one filter (GradMap)": "gradmap",
    "one filter (ActivMap)": "activmap",
}


def findings(records: Records) -> list[Finding]:
    """Every claim about localization, judged for every experiment that it is about."""
    claims = [
        *_better_than_std("lsg", "table 3", "lsg_table3", LSG_BLOCKS),
        *_better_than_baselines(),
        *_better_than_std("csg", "section 5.1", "csg_localization", CSG_BLOCKS),
    ]
    return [finding for claim in claims for finding in judge_claim(records, claim)]


def _better_than_std(role: str, source: str, key: str, blocks: tuple[Block, ...]) -> list[Claim]:
    return [
        Claim(
            f"{key}_{NAMES[block.key]}_{metric}",
            role.upper(),
            source,
            f"{role.upper()} localizes objects better than STD: {block.key}",
            f"{name}, total: {role.upper()} > STD",
            (role,),
            _against_std(block, metric),
            networks=ANY_NETWORK,
        )
        for block in blocks
        if block.key in NAMES
        for metric, name in METRICS.items()
    ]


def _better_than_baselines() -> list[Claim]:
    return [
        Claim(
            f"ours_localization_{NAMES[block.key]}_{metric}_baselines",
            "ours",
            "lsg_table3",
            f"LSG localizes objects better than what needs no network: {block.key}",
            f"{name}, total: LSG > the best of {', '.join(BASELINES.values())}",
            ("lsg",),
            _against_baselines(block, metric),
            partner=None,
            networks=ANY_NETWORK,
        )
        for block in LSG_BLOCKS
        if block.key in NAMES
        for metric, name in METRICS.items()
    ]


def _against_std(block: Block, metric: str) -> Weigh:
    def total(values: Values) -> float:
        return float(block.found(values)[metric]["total"])

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None:
            return None
        left, right = records.sample(e, ANALYSIS, total), records.sample(partner, ANALYSIS, total)
        return Evidence(e.label, left, partner.label, right, gt)

    return weigh


def _against_baselines(block: Block, metric: str) -> Weigh:
    def total(values: Values) -> float:
        return float(block.found(values)[metric]["total"])

    baselines = block.baselines
    assert baselines is not None

    def totals(values: Values) -> dict[str, float]:
        found = baselines(values)
        return {name: float(found[key][metric]["total"]) for key, name in BASELINES.items()}

    def best(values: Values) -> float:
        return max(totals(values).values())

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        values = records.first(e, ANALYSIS)
        if values is None:
            return None
        shown = totals(values)
        return Evidence(
            e.label,
            records.sample(e, ANALYSIS, total),
            max(shown, key=lambda name: shown[name]),
            records.sample(e, ANALYSIS, best),
            gt,
        )

    return weigh
