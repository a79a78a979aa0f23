"""This project's own claims: label leakage, and whether a setting is free of it."""

from dataclasses import dataclass
from operator import le, lt
from typing import Any

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    Evidence,
    Finding,
    judge,
    notes,
    present,
    right_summary,
)
from clearfilters.reporting.claims.weighing import Claim, against, bounded, judge_claim
from clearfilters.reporting.records import Experiment, Records, summarize

# Trained with a gate, so that a trained gate and its leakage exist; LEARNED: the gate too.
LEARNED = ("lsg", "csg", "negatives", "joint", "dense")
GATED = (*LEARNED, "fixed")


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """Every claim of ours about label leakage."""
    return [finding for claim in _ours(p) for finding in judge_claim(records, claim)] + [
        *_existence(records, p)
    ]


def leakage_excess(values: dict[str, Any]) -> float:
    """Leakage above that of a blind head: the larger of other-class images and noise images."""
    return max(
        float(values["other_images"]) - float(values["other_images_blind"]),
        float(values["noise_images"]) - float(values["noise_images_blind"]),
    )


def _ours(p: ClaimsParams) -> list[Claim]:
    return [
        Claim(
            "ours_leakage_free",
            "ours",
            "lsg_leakage",
            "The gate path recognises the image and does not read the label off the open channels",
            f"leakage above a blind head's (other-class images or noise) ≤ {p.leakage_margin:g}",
            GATED,
            bounded("leakage", leakage_excess, le, p.leakage_margin),
            partner=None,
        ),
        Claim(
            "ours_negatives_leak_less",
            "ours",
            "lsg_leakage",
            "Wrong-label rows as negatives reduce label leakage",
            "leakage above a blind head's: CSG with negatives < CSG",
            ("negatives",),
            against("leakage", leakage_excess, lt),
            partner="csg",
        ),
    ]


@dataclass(frozen=True)
class _Candidate:
    experiment: Experiment
    std: Experiment
    density: Evidence
    accuracy: Evidence
    leakage: Evidence

    def met(self, *, leakage: bool) -> int:
        evidence = [self.density, self.accuracy] + ([self.leakage] if leakage else [])
        return sum(judge(one) == REPRODUCED for one in evidence)

    @property
    def seeds(self) -> int:
        return min(len(one.left) for one in (self.density, self.accuracy, self.leakage))


def _candidates(records: Records, p: ClaimsParams) -> list[_Candidate]:
    found = []
    margin = p.accuracy_margin / 100
    for e in records.experiments(*LEARNED, "tradeoff"):
        std = records.partner(e, "std")
        if std is None:
            continue
        density = bounded("phi", "trained_density", lt, p.sparse_density)(records, e, std)
        accuracy = against("classification", "accuracy", lambda x, y: x >= y - margin)(
            records, e, std
        )
        leakage = bounded("leakage", leakage_excess, le, p.leakage_margin)(records, e, std)
        if density and accuracy and leakage and all(map(present, (density, accuracy, leakage))):
            found.append(_Candidate(e, std, density, accuracy, leakage))
    return found


def _existence(records: Records, p: ClaimsParams) -> list[Finding]:
    """Whether any setting is sparse and accurate, and any also free of leakage.

    Fixed gates, whose density is set by hand, are no answer.
    """
    candidates = _candidates(records, p)
    accurate = f"density < {p.sparse_density:g}, accuracy ≥ STD - {p.accuracy_margin:g} points"
    free = f"{accurate}, leakage ≤ blind + {p.leakage_margin:g}"
    return [
        _exists(
            candidates, "ours_sparse_accurate", "Some setting is sparse and accurate", accurate
        ),
        _exists(
            candidates,
            "ours_sparse_accurate_leakage_free",
            "Some setting is sparse, accurate and free of label leakage",
            free,
            leakage=True,
        ),
    ]


def _exists(
    candidates: list[_Candidate],
    finding_id: str,
    text: str,
    comparison: str,
    *,
    leakage: bool = False,
) -> Finding:
    if not candidates:
        return Finding(finding_id, "ours", "lsg_tradeoff", text, comparison, NOT_RUN)
    conditions = 3 if leakage else 2
    passing = [c for c in candidates if c.met(leakage=leakage) == conditions]
    # The best: most conditions met, then most seeds, then the shown number itself.
    best = max(candidates, key=lambda c: (c.met(leakage=leakage), c.seeds, _merit(c, leakage)))
    shown = best.leakage if leakage else best.accuracy
    named = ", ".join(c.experiment.label for c in passing) or "none"
    note = f"{len(passing)} of {len(candidates)} settings: {named}. Shown: {_numbers(best)}"
    return Finding(
        id=finding_id,
        paper="ours",
        source="lsg_tradeoff",
        claim=text,
        comparison=comparison,
        verdict=REPRODUCED if passing else NOT_REPRODUCED,
        left_label=f"{shown.left_label}, {'leakage above blind' if leakage else 'accuracy'}",
        left=summarize(shown.left),
        right_label=shown.right_label,
        right=right_summary(shown),
        note="; ".join(filter(None, (note, notes(best.accuracy, best.experiment, best.std)))),
    )


def _merit(candidate: _Candidate, leakage: bool) -> float:
    values = list((candidate.leakage if leakage else candidate.accuracy).left.values())
    return -max(values) if leakage else min(values)


def _numbers(candidate: _Candidate) -> str:
    parts = []
    for name, sample in (
        ("density", candidate.density.left),
        ("accuracy", candidate.accuracy.left),
        ("STD accuracy", candidate.accuracy.right),
        ("leakage above blind", candidate.leakage.left),
    ):
        summary = summarize(sample) if isinstance(sample, dict) else None
        if summary is not None:
            parts.append(f"{name} {summary.mean:.4f}")
    return ", ".join(parts)
