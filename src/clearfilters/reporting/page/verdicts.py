"""What claims.csv says, arranged: this project's own findings, and the verdicts by paper."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clearfilters.reporting.claims.verdict import (
    CANNOT_HOLD,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    REPRODUCED_UNTRAINED,
)

# The verdicts as claims.csv writes them, in the order shown: the class of their style, and what
# they are called of a finding of ours, which nobody published before.
VERDICTS = {
    REPRODUCED: ("good", "holds"),
    REPRODUCED_UNTRAINED: ("idle", "holds, and without training too"),
    CANNOT_HOLD: ("idle", "cannot hold here"),
    NOT_REPRODUCED: ("bad", "does not hold"),
    NOT_RUN: ("none", "not run"),
}
OURS = "ours"
# In the order shown.
PAPERS = {
    "LSG": "Training Interpretable CNNs toward Class-Specific Filters (ICLR 2020 submission)",
    "CSG": "Training Interpretable CNNs by Differentiating Class-Specific Filters (ECCV 2020)",
    "ICNN": "Interpretable Convolutional Neural Networks (CVPR 2018)",
    "EXPLAINER": "Quantitatively Disentangling and Understanding Part Information in CNNs "
    "(ICLR 2020 submission)",
}


@dataclass(frozen=True)
class Claim:
    """A line of claims.csv.

    Attributes:
        id: unique; before a colon that of the claim, behind it what it was judged on.
        where: table, figure or section.
        subject: what it was judged on; empty if not run.
        numbers: both sides with mean, spread and seeds, their difference, and whether it is within
            noise; empty if not run.
        remarks: what stands beside the verdict.
    """

    id: str
    paper: str
    where: str
    text: str
    comparison: str
    verdict: str
    subject: str
    numbers: str
    remarks: tuple[str, ...]

    @property
    def style(self) -> str:
        """The class of the verdict's style."""
        return VERDICTS[self.verdict][0]

    @property
    def words(self) -> str:
        """The verdict as it is called of a finding of ours."""
        return VERDICTS[self.verdict][1]


@dataclass(frozen=True)
class Count:
    """How often a verdict was given."""

    verdict: str
    style: str
    number: int


@dataclass(frozen=True)
class Paper:
    """The claims of a paper and their verdicts."""

    name: str
    title: str
    counts: list[Count]
    claims: list[Claim]


@dataclass(frozen=True)
class OwnFinding:
    """A claim of ours with everything that it was judged on.

    Attributes:
        verdict: in words, for all of `claims` where they agree, with how many where they do not.
        shown: of `claims` that whose numbers stand in the sentence.
    """

    id: str
    text: str
    verdict: str
    style: str
    shown: Claim
    claims: list[Claim]


def read_claims(path: Path) -> list[Claim]:
    """The lines of claims.csv; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [_claim(line) for line in csv.DictReader(stream)]


def by_paper(claims: Iterable[Claim]) -> list[Paper]:
    """The papers' claims, a group for each paper that has some."""
    groups: dict[str, list[Claim]] = {name: [] for name in PAPERS}
    for claim in claims:
        if claim.paper != OURS:
            groups.setdefault(claim.paper, []).append(claim)
    return [
        Paper(name, PAPERS.get(name, name), count(group), group)
        for name, group in groups.items()
        if group
    ]


def own_findings(claims: Iterable[Claim]) -> tuple[list[OwnFinding], list[Claim]]:
    """Ours that were judged, each with all that it was judged on; and those that were not run."""
    groups: dict[str, list[Claim]] = {}
    waiting = []
    for claim in claims:
        if claim.paper != OURS:
            continue
        if claim.verdict == NOT_RUN:
            waiting.append(claim)
        else:
            groups.setdefault(claim.id.split(":")[0], []).append(claim)
    return [_own(id_, group) for id_, group in groups.items()], waiting


def count(claims: Iterable[Claim]) -> list[Count]:
    """How often each verdict was given, in the order of VERDICTS; those never given left out."""
    found = [claim.verdict for claim in claims]
    return [
        Count(verdict, style, found.count(verdict))
        for verdict, (style, _) in VERDICTS.items()
        if verdict in found
    ]


def _own(id_: str, claims: list[Claim]) -> OwnFinding:
    counts = count(claims)
    words = [VERDICTS[one.verdict][1] for one in counts]
    verdict = words[0]
    if len(counts) > 1:
        verdict = ", ".join(f"{w}: {c.number}" for w, c in zip(words, counts, strict=True))
    elif len(claims) > 1:
        verdict += f", {len(claims)} of {len(claims)}"
    style = counts[0].style if len(counts) == 1 else "idle"
    return OwnFinding(id_, claims[0].text, verdict, style, claims[0], claims)


def _claim(line: dict[str, str]) -> Claim:
    return Claim(
        id=line["id"],
        paper=line["paper"],
        where=line["source"],
        text=line["claim"],
        comparison=line["comparison"],
        verdict=line["verdict"],
        subject=line["left"],
        numbers=_numbers(line),
        remarks=tuple(filter(None, _remarks(line))),
    )


def _numbers(line: dict[str, str]) -> str:
    left, right = (_side(line, side) for side in ("left", "right"))
    if not left:
        return ""
    text = f"{line['left']}: {left}; {line['right']}: {right}"
    if line.get("ci_low"):
        low, high, difference = (float(line[k]) for k in ("ci_low", "ci_high", "difference"))
        text += f"; difference {difference:.3g} (95 % interval {low:.3g} to {high:.3g})"
    noise = line.get("noise")
    return f"{text}; {noise}" if noise else text


def _side(line: dict[str, str], side: str) -> str:
    mean, std, seeds = (line[f"{side}_{part}"] for part in ("mean", "std", "seeds"))
    if not mean:
        return ""
    text = f"{float(mean):.4g}" + (f" ± {float(std):.2g}" if std else "")
    return text + (f" ({seeds} seed{'s' if seeds != '1' else ''})" if seeds else "")


def _remarks(line: dict[str, str]) -> list[str]:
    well, to_run = line["as_well_without_training"], line.get("to_run", "")
    return [
        line["note"],
        f"As well without training: {well}" if well else "",
        f"To run it: {to_run}" if to_run else "",
    ]
