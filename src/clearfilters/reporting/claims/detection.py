"""The claims about adversarial detection."""

from operator import gt
from statistics import fmean

from clearfilters.reporting.claims.verdict import (
    NOT_RUN,
    Evidence,
    Finding,
    judge,
    notes,
    present,
    right_summary,
)
from clearfilters.reporting.records import Experiment, Records, Sample, summarize
from clearfilters.reporting.tables.detection import ANALYSIS, attacks_of, auc_percent, sizes_of

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
        comparison = f"smallest difference over n of the AUC, {name} - STD, in percent: > 0"
        judged = [
            Finding(
                id=f"{claim}:{e.name}:{attack}",
                paper=paper,
                source=source,
                claim=f"{text} ({attack})",
                comparison=comparison,
                verdict=judge(evidence),
                left_label=evidence.left_label,
                left=summarize(evidence.left),
                right_label=evidence.right_label,
                right=right_summary(evidence),
                note=notes(evidence, e, std),
            )
            for e in records.experiments(role, analysis=ANALYSIS)
            if (std := records.partner(e, "std")) is not None
            for attack in attacks_of(records, e, table)
            if present(evidence := _weigh(records, e, std, attack, table))
        ]
        found += judged or [Finding(claim, paper, source, text, comparison, NOT_RUN)]
    return found


def _weigh(records: Records, e: Experiment, std: Experiment, attack: str, table: str) -> Evidence:
    """The smallest difference over the sizes that both sides measured, seed by seed."""
    differences: dict[int, list[float]] = {}
    numbers = []
    for size in sizes_of(records, [e], table):
        ours = auc_percent(records, e, attack, size)
        theirs = auc_percent(records, std, attack, size)
        shared = ours.keys() & theirs.keys()
        for seed in shared:
            differences.setdefault(seed, []).append(ours[seed] - theirs[seed])
        numbers.append(f"n = {size}: {_against(ours, theirs)}" if shared else f"n = {size}: -")
    left = {seed: min(found) for seed, found in sorted(differences.items())}
    note = f"{'; '.join(numbers)}; {_success(records, e, std, attack)}"
    return Evidence(f"{e.label} - {std.label}", left, "bound", 0.0, gt, note)


def _against(ours: Sample, theirs: Sample) -> str:
    return f"{fmean(ours.values()):.2f} against {fmean(theirs.values()):.2f}"


def _success(records: Records, e: Experiment, std: Experiment, attack: str) -> str:
    """Attack success and clean accuracy of both, which the AUC must be read beside."""

    def fact(owner: Experiment, key: str) -> Sample:
        return records.sample(owner, ANALYSIS, lambda v: v["attacks"][attack]["test"][key])

    parts = []
    for name, key in (("attack success", "success_rate"), ("clean accuracy", "clean_accuracy")):
        ours, theirs = summarize(fact(e, key)), summarize(fact(std, key))
        if ours is not None and theirs is not None:
            parts.append(f"{name} {ours.mean:.3f} against {theirs.mean:.3f}")
    return ", ".join(parts)
