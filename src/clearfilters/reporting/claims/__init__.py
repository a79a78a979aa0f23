"""Every claim of the papers, judged. To add some, write them and extend `judge_claims`."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clearfilters.artifacts import atomic_path
from clearfilters.params.reading import parse
from clearfilters.params.run import ClaimsParams
from clearfilters.registry import MEASUREMENTS
from clearfilters.reporting.claims import (
    black_box,
    detection,
    explainer_settings,
    explainers,
    gates,
    leakage,
    localization,
    part_settings,
    parts,
)
from clearfilters.reporting.claims.verdict import Finding
from clearfilters.reporting.records import Index, Records, Summary, load
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
)


def judge_claims(records: Records, parameters: ClaimsParams) -> list[Finding]:
    """Judge every claim; one that no experiment speaks to is `not run`."""
    return [
        *gates.findings(records, parameters),
        *leakage.findings(records, parameters),
        *detection.findings(records),
        *black_box.findings(records),
        *localization.findings(records),
        *parts.findings(records, parameters),
        *part_settings.findings(records, parameters),
        *explainers.findings(records, parameters),
        *explainer_settings.findings(records, parameters),
    ]


def write_claims(index: Index, parameters: Mapping[str, Any], out: Path) -> None:
    """Write claims.csv.

    Args:
        index: see `clearfilters.reporting.records`.
        parameters: the keys of `ClaimsParams`.
        out: the CSV; its columns are CLAIM_COLUMNS.

    Raises:
        ClearfiltersError: for a missing, unknown or impossible parameter, or a measurement that is
            missing, malformed or made with other parameters.
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
    ]


def _numbers(summary: Summary | None) -> list[str]:
    if summary is None:
        return ["", "", ""]
    # A bound has no seeds.
    seeds = str(summary.seeds) if summary.seeds else ""
    return [number(summary.mean), number(summary.std), seeds]
