"""A claim as a comparison of numbers, and how its numbers are collected and judged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from clearfilters.reporting.claims.verdict import (
    NOT_RUN,
    Evidence,
    Finding,
    as_well_without_training,
    judge,
    notes,
    present,
    right_summary,
)
from clearfilters.reporting.records import Experiment, Records, summarize

Quantity = str | Callable[[dict[str, Any]], float | None]
Holds = Callable[[float, float], bool]
# Subject and partner (None where the claim has none) -> the numbers.
Weigh = Callable[[Records, Experiment, Experiment | None], Evidence | None]
# Subject and a role -> the experiment to compare with.
FindPartner = Callable[[Records, Experiment, str], Experiment | None]


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper as a comparison of numbers.

    Attributes:
        subjects: roles that it is about; every experiment of one of them gets its own verdict.
        weigh: collects the numbers.
        partner: role of the experiment that the subject is compared with, if any.
        networks: prefixes of the networks that it is about, each with a verdict of its own;
            by default any network.
        find_partner: which of the partner's role is compared with.
        to_run: what would run it, noted where nothing did.
    """

    id: str
    paper: str
    source: str
    text: str
    comparison: str
    subjects: tuple[str, ...]
    weigh: Weigh
    partner: str | None = "std"
    networks: tuple[str, ...] = ("",)
    find_partner: FindPartner = Records.partner
    to_run: str = ""


def judge_claim(records: Records, claim: Claim) -> list[Finding]:
    """A verdict for each experiment that the claim is about, or one that none was run."""
    found = []
    for network in claim.networks:
        judged = [
            finding
            for e in records.experiments(*claim.subjects)
            if e.model.startswith(network)
            and (finding := _judge_one(records, claim, e)) is not None
        ]
        suffix = f":{network}" if len(claim.networks) > 1 else ""
        found += judged or [replace(_finding(claim, claim.id + suffix, NOT_RUN), note=claim.to_run)]
    return found


def _judge_one(records: Records, claim: Claim, e: Experiment) -> Finding | None:
    partner = None if claim.partner is None else claim.find_partner(records, e, claim.partner)
    if claim.partner is not None and partner is None:
        return None
    evidence = claim.weigh(records, e, partner)
    if evidence is None or not present(evidence):
        return None
    return judged(_finding(claim, f"{claim.id}:{e.name}", NOT_RUN), evidence, e, partner)


def judged(
    claim: Finding, evidence: Evidence, e: Experiment, partner: Experiment | None
) -> Finding:
    """A claim with the verdict on its evidence, neither side of which may be empty.

    Args:
        claim: what is claimed.
        evidence: the numbers.
        e: the experiment that it is about.
        partner: the one that it is compared with.
    """
    return replace(
        claim,
        verdict=judge(evidence),
        left_label=evidence.left_label,
        left=summarize(evidence.left),
        right_label=evidence.right_label,
        right=right_summary(evidence),
        note=notes(evidence, e, partner),
        as_well_without_training=as_well_without_training(evidence),
    )


def _finding(claim: Claim, finding_id: str, verdict: str) -> Finding:
    return Finding(finding_id, claim.paper, claim.source, claim.text, claim.comparison, verdict)


def against(
    analysis: str, quantity: Quantity, holds: Holds, other: Quantity | None = None
) -> Weigh:
    """The subject's quantity against the partner's (or against another quantity of it)."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        if partner is None:
            return None
        right = quantity if other is None else other
        return Evidence(
            e.label,
            records.sample(e, analysis, quantity),
            partner.label,
            records.sample(partner, analysis, right),
            holds,
        )

    return weigh


def bounded(
    analysis: str, quantity: Quantity, holds: Holds, bound: float, *, of_partner: bool = False
) -> Weigh:
    """The subject's quantity (or the partner's) against a bound."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        owner = partner if of_partner else e
        if owner is None:
            return None
        sample = records.sample(owner, analysis, quantity)
        return Evidence(owner.label, sample, "bound", float(bound), holds)

    return weigh


def within(
    analysis: str, left: Quantity, right: Quantity, names: tuple[str, str], holds: Holds
) -> Weigh:
    """Two quantities of the subject."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        return Evidence(
            f"{e.label}, {names[0]}",
            records.sample(e, analysis, left),
            f"{e.label}, {names[1]}",
            records.sample(e, analysis, right),
            holds,
        )

    return weigh
