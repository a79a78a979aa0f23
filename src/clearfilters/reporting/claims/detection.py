"""The claims about adversarial detection."""

from dataclasses import replace
from operator import gt
from statistics import fmean
from typing import Any

from clearfilters.reporting.claims.verdict import (
    NOT_RUN,
    Evidence,
    Finding,
    judge,
    notes,
    right_summary,
)
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.records import Experiment, Records, Sample, summarize
from clearfilters.reporting.tables.detection import ANALYSIS, attacks_of, auc_percent, sizes_of

# Seed -> what both sides have there.
Pairs = dict[int, tuple[float, float]]
# Claim, paper, source, table, role of the subject.
CLAIMS = (
    ("lsg_table4_auc", "LSG", "table 4", "lsg_table4", "lsg"),
    ("csg_detection_auc", "CSG", "section 5.2", "csg_detection", "csg"),
)


def findings(records: Records) -> list[Finding]:
    """Whether class-specific features detect better than STD's, per experiment and attack."""
    found = []
    for claim, paper, source, table, role in CLAIMS:
        name = role.upper()
        text = f"{name} features give a higher detection AUC than STD features at every n"
        unjudged = Finding(claim, paper, source, text, _comparison(role, "n"), NOT_RUN)
        judged = [
            _finding(records, unjudged, e, std, attack, table)
            for e in records.experiments(role, analysis=ANALYSIS)
            if (std := records.partner(e, "std")) is not None
            for attack in attacks_of(records, e, table)
        ]
        found += judged or [unjudged]
    return found


def _comparison(role: str, sizes: str) -> str:
    return f"smallest difference over {sizes} of the AUC, {role.upper()} - STD, in percent: > 0"


def _finding(
    records: Records, claim: Finding, e: Experiment, std: Experiment, attack: str, table: str
) -> Finding:
    """The verdict on one attack, or that a side lacks it.

    Judged is the smallest difference over the sizes that both sides measured, seed by seed.
    """
    wanted = sizes_of(records, [e], table)
    pairs = {size: _shared(records, e, std, attack, size) for size in wanted}
    judged = [size for size, pair in pairs.items() if pair]
    about = replace(claim, id=f"{claim.id}:{e.name}:{attack}", claim=f"{claim.claim} ({attack})")
    success = _success(records, e, std, attack)
    if not judged:
        lacking = f"at no n were both {e.label} and {std.label} measured on one seed"
        return replace(about, note="; ".join([lacking, *success]))
    numbers = [f"n = {size}: {_against(pair)}" for size, pair in pairs.items() if pair]
    left_out = [size for size in wanted if size not in judged]
    if left_out:
        numbers.append(f"not measured on both sides: n = {_listed(left_out)}")
    seeds = sorted({seed for pair in pairs.values() for seed in pair})
    left = {
        seed: min(pair[seed][0] - pair[seed][1] for pair in pairs.values() if seed in pair)
        for seed in seeds
    }
    note = "; ".join([*numbers, *success])
    evidence = Evidence(f"{e.label} - {std.label}", left, "bound", 0.0, gt, note)
    return replace(
        about,
        comparison=_comparison(e.role, f"n = {_listed(judged)}"),
        verdict=judge(evidence),
        left_label=evidence.left_label,
        left=summarize(evidence.left),
        right_label=evidence.right_label,
        right=right_summary(evidence),
        note=notes(evidence, e, std),
    )


def _shared(records: Records, e: Experiment, std: Experiment, attack: str, size: int) -> Pairs:
    """The AUC of both sides in percent, by the seeds that both measured."""
    ours, theirs = (auc_percent(records, side, attack, size) for side in (e, std))
    return _paired(ours, theirs)


def _paired(ours: Sample, theirs: Sample) -> Pairs:
    return {seed: (ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())}


def _against(pairs: Pairs, digits: int = 2) -> str:
    """The means of both sides over the seeds that they share."""
    ours, theirs = (fmean(side) for side in zip(*pairs.values(), strict=True))
    return f"{ours:.{digits}f} against {theirs:.{digits}f} ({seeds_text(list(pairs))})"


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes))


def _success(records: Records, e: Experiment, std: Experiment, attack: str) -> list[str]:
    """Attack success and clean accuracy of both, which the AUC must be read beside."""

    def fact(owner: Experiment, key: str) -> Sample:
        def find(values: dict[str, Any]) -> float | None:
            about = values["attacks"].get(attack)
            return None if about is None else about["test"][key]

        return records.sample(owner, ANALYSIS, find)

    parts = []
    for name, key in (("attack success", "success_rate"), ("clean accuracy", "clean_accuracy")):
        if pairs := _paired(fact(e, key), fact(std, key)):
            parts.append(f"{name} {_against(pairs, 3)}")
    return parts
