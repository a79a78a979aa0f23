"""Claims of ours about what can be had with part filters: the weight needed, the best of both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import ge, gt
from statistics import fmean

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.parts import (
    WITH_PARTS,
    against_constant,
    at_least_less,
    without_training,
)
from clearfilters.reporting.claims.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    Evidence,
    Finding,
    judge,
    present,
)
from clearfilters.reporting.claims.weighing import judged
from clearfilters.reporting.part_quantities import (
    ACCURACY,
    DIFFERENCE,
    INSTABILITY,
    LOCATION,
    R2,
    is_single,
    partner_of,
    sample_of,
    weight_of,
)
from clearfilters.reporting.records import Experiment, Records


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """A verdict on both for each ordinary network beside which the loss has several weights."""
    return [*_weight_needed(records), *_best_of_both(records, p)]


def _graded(records: Records) -> list[tuple[Experiment, list[Experiment]]]:
    """Ordinary networks of one category, each with those that have part filters in its place.

    Left out are those without any whose loss has another weight, or is held at a ratio, or that
    leaves filters ordinary.
    """
    found: dict[str, tuple[Experiment, list[Experiment]]] = {}
    for e in records.experiments(*WITH_PARTS, analysis=LOCATION):
        ordinary = partner_of(records, e, "ordinary")
        if ordinary is not None and is_single(records, e):
            found.setdefault(ordinary.name, (ordinary, []))[1].append(e)
    return [
        (ordinary, group)
        for ordinary, group in found.values()
        if any(e.role in ("weighted", "held", "mixed") for e in group)
    ]


def _weight_needed(records: Records) -> list[Finding]:
    """Whether some weight of the loss beats the constant unit, and the least that does."""
    claim = Finding(
        "ours_part_weight_needed",
        "ours",
        "icnn_weight",
        "Some weight of the filter loss makes filters steadier than a unit that never moves",
        "location instability: interpretable < constant unit, at the least weight where it holds",
        NOT_RUN,
    )
    found = []
    for ordinary, group in _graded(records):
        steps = sorted(_steps(records, group), key=lambda step: step[0])
        if not steps:
            continue
        passing = [step for step in steps if judge(step[2]) == REPRODUCED]
        weight, e, evidence = (passing or steps[-1:])[0]
        asked = ", ".join(f"{step[0]:,g}" for step in steps)
        needed = f"least weight {weight:,g}" if passing else "no weight"
        shown = replace(
            evidence,
            note=f"{needed} of {asked}",
            without_training=without_training(records, e, INSTABILITY),
        )
        about = replace(claim, id=f"{claim.id}:{ordinary.name}")
        found.append(judged(about, shown, e, ordinary))
    return found or [claim]


def _steps(
    records: Records, group: Sequence[Experiment]
) -> Iterator[tuple[float, Experiment, Evidence]]:
    """Each weight of the loss, above 0, and its network's instability against a constant unit's."""
    for e in group:
        weight, evidence = weight_of(records, e), against_constant(records, e, None)
        if e.role in ("interpretable", "weighted") and weight and evidence and present(evidence):
            yield weight, e, evidence


@dataclass(frozen=True)
class _Candidate:
    """A network, and what is asked of it: to follow the head, to differ, to be accurate."""

    experiment: Experiment
    evidence: tuple[Evidence, Evidence, Evidence]

    @property
    def met(self) -> int:
        """How much of it holds."""
        return sum(judge(one) == REPRODUCED for one in self.evidence)

    @property
    def merit(self) -> tuple[int, int, float]:
        """Most conditions met, then most seeds, then the largest R²."""
        r2 = self.evidence[0].left.values()
        return self.met, len(r2), min(r2)

    def numbers(self) -> str:
        """The means of all three."""
        follows, differ, accurate = self.evidence
        assert isinstance(accurate.right, dict)
        samples = (follows.left, differ.left, accurate.left, accurate.right)
        r2, cells, ours, theirs = (fmean(sample.values()) for sample in samples)
        errors = f"{100 * (1 - ours):.2f} against {100 * (1 - theirs):.2f} percent"
        return f"R² {r2:.3f}, {cells:.2f} cells apart, error {errors}"


def _best_of_both(records: Records, p: ClaimsParams) -> list[Finding]:
    """Whether any setting has different filters that follow the head, at the same accuracy."""
    claim = Finding(
        "ours_part_best_of_both",
        "ours",
        "icnn_weight",
        "Some setting has filters that follow the head, are different, and cost little accuracy",
        f"R² of places and the head's > {p.part_follow_r2:g}; filters ≥ "
        f"{p.part_distinct_cells:g} cells apart; test accuracy ≥ ordinary - "
        f"{p.part_accuracy_margin:g} points",
        NOT_RUN,
    )
    found = []
    for ordinary, group in _graded(records):
        candidates = [c for e in group if (c := _candidate(records, e, ordinary, p)) is not None]
        if not candidates:
            continue
        passing = [c for c in candidates if c.met == len(c.evidence)]
        best = max(candidates, key=lambda c: c.merit)
        named = ", ".join(c.experiment.label for c in passing) or "none"
        note = f"{len(passing)} of {len(candidates)} settings: {named}. Shown: {best.numbers()}"
        about = replace(claim, id=f"{claim.id}:{ordinary.name}")
        shown = judged(about, replace(best.evidence[0], note=note), best.experiment, ordinary)
        found.append(replace(shown, verdict=REPRODUCED if passing else NOT_REPRODUCED))
    return found or [claim]


def _candidate(
    records: Records, e: Experiment, ordinary: Experiment, p: ClaimsParams
) -> _Candidate | None:
    r2, cells, ours = (sample_of(records, e, q) for q in (R2, DIFFERENCE, ACCURACY))
    theirs = sample_of(records, ordinary, ACCURACY)
    little = at_least_less(p.part_accuracy_margin / 100)
    evidence = (
        Evidence(e.label, r2, "bound", p.part_follow_r2, gt),
        Evidence(e.label, cells, "bound", p.part_distinct_cells, ge),
        Evidence(e.label, ours, ordinary.label, theirs, little),
    )
    return _Candidate(e, evidence) if all(map(present, evidence)) else None
