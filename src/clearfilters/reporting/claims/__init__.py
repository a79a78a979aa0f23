"""Every claim of the papers, judged. The claims stand in the YAML files here."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clearfilters.artifacts import atomic_path
from clearfilters.params.reading import parse
from clearfilters.params.run import ClaimsParams
from clearfilters.registry import MEASUREMENTS
from clearfilters.reporting.claims.cases import GATHER, Case
from clearfilters.reporting.claims.noise import deciding, difference_of, difference_text
from clearfilters.reporting.claims.partners import OF_OTHER_EPOCHS
from clearfilters.reporting.claims.quantities import Run
from clearfilters.reporting.claims.remarks import IMPOSSIBLE
from clearfilters.reporting.claims.schema import RULE_WORDS, Claim, papers
from clearfilters.reporting.claims.verdict import (
    CANNOT_HOLD,
    MASKS_ONLY,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    REPRODUCED_UNTRAINED,
    Finding,
    as_well,
    as_well_text,
    holds,
    of_one_seed,
    right_summary,
    unequal_epochs,
)
from clearfilters.reporting.records import Index, Records, Summary, load, summarize
from clearfilters.reporting.table import number

CLAIM_COLUMNS = (
    "id",
    "paper",
    "source",
    "claim",
    "comparison",
    "verdict",
    "note",
    "left",
    "left_mean",
    "left_std",
    "left_seeds",
    "right",
    "right_mean",
    "right_std",
    "right_seeds",
    "as_well_without_training",
    "difference",
    "ci_low",
    "ci_high",
    "noise",
    "to_run",
)


def judge_claims(records: Records, parameters: ClaimsParams) -> list[Finding]:
    """Judge every claim; one that no experiment speaks to is `not run`."""
    run = Run(records, parameters)
    return [
        finding
        for paper in papers()
        for claim in paper.claims
        for network in claim.networks
        for finding in _findings(run, paper.paper, claim, network)
    ]


def _findings(run: Run, paper: str, claim: Claim, network: str) -> Iterator[Finding]:
    """A verdict for each case of a claim, or one that none was run."""
    words = {**run.parameters.model_dump(), **RULE_WORDS}
    unjudged = Finding(
        claim.id,
        paper,
        claim.where,
        claim.sentence.format_map(words),
        claim.rule.format_map(words),
        NOT_RUN,
        to_run=claim.to_run.text(),
    )
    none = True
    for case in GATHER[claim.cases](run, claim, network):
        none = False
        about = replace(
            unjudged,
            id=claim.id + case.id,
            claim=unjudged.claim + case.about,
            comparison=claim.rule.format_map({**words, **case.words}),
            note=case.note,
        )
        yield _judged(run, claim, case, about)
    if none:
        suffix = f":{network}" if len(claim.networks) > 1 else ""
        yield replace(unjudged, id=claim.id + suffix)


def _judged(run: Run, claim: Claim, case: Case, about: Finding) -> Finding:
    """The verdict on a case, with its numbers."""
    evidence = case.evidence
    if evidence is None:
        return about
    conditions = (evidence, *case.also)
    verdict = NOT_REPRODUCED
    if all(map(holds, conditions)):
        without_training = as_well(evidence).keys() - {MASKS_ONLY}
        verdict = REPRODUCED_UNTRAINED if without_training else REPRODUCED
    reason = ""
    if claim.impossible is not None:
        reason = IMPOSSIBLE[claim.impossible](run, case.subject, case.partner, evidence)
        verdict = CANNOT_HOLD if reason else verdict
    decides = deciding(conditions)
    difference = difference_of(decides)
    which = "" if decides is evidence else difference_text(decides)
    one_seed = "1 seed" if any(map(of_one_seed, conditions)) else ""
    compared = None if claim.matched_by == OF_OTHER_EPOCHS else case.partner
    epochs = unequal_epochs(case.subject, compared)
    return replace(
        about,
        verdict=verdict,
        left_label=evidence.left_label,
        left=summarize(evidence.left),
        right_label=evidence.right_label,
        right=right_summary(evidence),
        note="; ".join(filter(None, (reason, about.note, which, one_seed, epochs))),
        as_well_without_training=as_well_text(evidence),
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        noise=difference.noise,
        to_run="",
    )


def write_claims(index: Index, parameters: Mapping[str, Any], out: Path) -> None:
    """Write claims.csv.

    Args:
        index: see `clearfilters.reporting.records`.
        parameters: the keys of `ClaimsParams`.
        out: the CSV; its columns are CLAIM_COLUMNS.

    Raises:
        ClearfiltersError: for a missing, unknown or impossible parameter, a claim that is wrong in
            its file, or a measurement that is missing, malformed or made with other parameters.
    """
    findings = judge_claims(load(index, MEASUREMENTS), parse(ClaimsParams, parameters))
    with atomic_path(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CLAIM_COLUMNS)
        for finding in findings:
            writer.writerow(_line(finding))


def _line(finding: Finding) -> list[str]:
    return [
        finding.id,
        finding.paper,
        finding.source,
        finding.claim,
        finding.comparison,
        finding.verdict,
        finding.note,
        finding.left_label,
        *_numbers(finding.left),
        finding.right_label,
        *_numbers(finding.right),
        finding.as_well_without_training,
        *(number(x) for x in (finding.difference, finding.low, finding.high)),
        finding.noise,
        finding.to_run,
    ]


def _numbers(summary: Summary | None) -> list[str]:
    if summary is None:
        return ["", "", ""]
    # A bound has no seeds.
    seeds = str(summary.seeds) if summary.seeds else ""
    return [number(summary.mean), number(summary.std), seeds]
