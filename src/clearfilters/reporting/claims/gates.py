"""The claims of the class-specific-gate papers, and this project's own about label leakage."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import ge, gt, le, lt
from statistics import fmean
from typing import Any

import numpy as np

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
from clearfilters.reporting.figures.gates import filter_groups
from clearfilters.reporting.records import Experiment, Records, matrix_of, summarize
from clearfilters.reporting.tables.gates import monopolized_share, shared_share

Quantity = str | Callable[[dict[str, Any]], float | None]
Holds = Callable[[float, float], bool]
# Subject and partner (None where the claim has none) -> the numbers.
Weigh = Callable[[Records, Experiment, Experiment | None], Evidence | None]
# Trained with a gate, so that a trained gate and its leakage exist; LEARNED: the gate too.
LEARNED = ("lsg", "csg", "negatives", "joint", "dense")
GATED = (*LEARNED, "fixed")


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper as a comparison of numbers.

    Attributes:
        subjects: roles that it is about; every experiment of one of them gets its own verdict.
        weigh: collects the numbers.
        partner: role of the experiment that the subject is compared with, if any.
        networks: prefixes of the networks that it is about, each with a verdict of its own;
            by default any network.
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


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """Every claim of these papers, judged for every experiment that it is about."""
    claims = [*_table1(p), *_figures456(p), *_filters(p), *_statistics(p), *_csg(), *_ours(p)]
    return [finding for claim in claims for finding in judge_claim(records, claim)] + [
        *_existence(records, p)
    ]


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
        found += judged or [_finding(claim, claim.id + suffix, NOT_RUN)]
    return found


def _judge_one(records: Records, claim: Claim, e: Experiment) -> Finding | None:
    partner = None if claim.partner is None else records.partner(e, claim.partner)
    if claim.partner is not None and partner is None:
        return None
    evidence = claim.weigh(records, e, partner)
    if evidence is None or not present(evidence):
        return None
    return Finding(
        id=f"{claim.id}:{e.name}",
        paper=claim.paper,
        source=claim.source,
        claim=claim.text,
        comparison=claim.comparison,
        verdict=judge(evidence),
        left_label=evidence.left_label,
        left=summarize(evidence.left),
        right_label=evidence.right_label,
        right=right_summary(evidence),
        note=notes(evidence, e, partner),
    )


def _finding(claim: Claim, finding_id: str, verdict: str) -> Finding:
    return Finding(finding_id, claim.paper, claim.source, claim.text, claim.comparison, verdict)


def _against(
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


def _density_against(quantity: str, ratio: float) -> Weigh:
    """A density against a share of the partner's fitted one, marked if no gate can be so sparse."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        within = _against("phi", quantity, lambda x, y: x <= ratio * y, "fitted_density")
        evidence = within(records, e, partner)
        if evidence is None or not present(evidence):
            return evidence
        assert not isinstance(evidence.right, float)
        wanted, least = ratio * fmean(evidence.right.values()), 1 / len(records.classes(e))
        if wanted >= least:
            return evidence
        note = (
            f"cannot hold here: {wanted:.3g} is asked, and no gate is below 1/C = {least:.3g} "
            "(each column holds a 1); says nothing against LSG"
        )
        return replace(evidence, note=note)

    return weigh


def _bounded(
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


def _within(
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


def _table1(p: ClaimsParams) -> list[Claim]:
    source, paper = "table 1", "LSG"
    sacrifice = p.sacrifice_margin / 100
    ratio = p.much_lower_ratio

    def much_lower(ours: float, std: float) -> bool:
        return ours <= ratio * std

    return [
        Claim(
            "lsg_table1_accuracy",
            paper,
            source,
            "LSG sacrifices no classification accuracy",
            f"test accuracy: LSG ≥ STD - {p.sacrifice_margin:g} points",
            ("lsg",),
            _against("classification", "accuracy", lambda ours, std: ours >= std - sacrifice),
        ),
        Claim(
            "lsg_table1_outperforms",
            paper,
            source,
            "LSG even slightly outperforms STD in test accuracy",
            "test accuracy: LSG > STD",
            ("lsg",),
            _against("classification", "accuracy", gt),
        ),
        Claim(
            "lsg_table1_cross_entropy",
            paper,
            source,
            "The cross entropies of LSG and STD are comparable",
            f"test cross entropy: LSG ≤ {p.cross_entropy_ratio:g} times STD",
            ("lsg",),
            _against(
                "classification",
                "cross_entropy",
                lambda x, y: x <= p.cross_entropy_ratio * y,
            ),
        ),
        Claim(
            "lsg_table1_density",
            paper,
            source,
            "LSG has a much lower L1 norm of the gate",
            f"L1 density: trained gate of LSG ≤ {ratio:g} times the gate fitted to STD",
            ("lsg",),
            _density_against("trained_density", ratio),
        ),
        Claim(
            "lsg_table1_density_fitted",
            paper,
            source,
            "LSG has a much lower L1 norm of the gate (both gates fitted alike)",
            f"L1 density of the fitted gate: LSG ≤ {ratio:g} times STD",
            ("lsg",),
            _density_against("fitted_density", ratio),
        ),
        Claim(
            "lsg_table1_phi",
            paper,
            source,
            "LSG has a much lower Φ",
            f"Φ on test features: LSG ≤ {ratio:g} times STD",
            ("lsg",),
            _against("phi", "phi_test", much_lower),
        ),
    ]


def _recall(case: list[int], key: str) -> Quantity:
    def quantity(values: dict[str, Any]) -> float | None:
        found = [c for c in values["cases"] if c["masked_classes"] == case]
        return found[0][key] if found else None

    return quantity


def diagonal_rows(similarity: str, sample: str) -> Quantity:
    """Share of classes whose features are most similar to their own gate row.

    Classes without images (null rows) are left out.
    """

    def quantity(values: dict[str, Any]) -> float | None:
        matrix = matrix_of(values[similarity][sample])
        rows = ~np.isnan(matrix).any(axis=1)
        if not rows.any():
            return None
        return float((matrix[rows].argmax(axis=1) == np.flatnonzero(rows)).mean())

    return quantity


# Figure 5 masks the first class, and the first and the sixth.
MASKED = (([0], "the first class"), ([0, 5], "the first and sixth classes"))
SIMILARITIES = (("lsg", "inner product"), ("csg", "cosine"))


def _figures456(p: ClaimsParams) -> list[Claim]:
    claims = [
        Claim(
            "lsg_figure4_sparse",
            "LSG",
            "figure 4",
            "LSG training yields a sparse gate: each filter serves one or few classes",
            f"L1 density of the trained gate: LSG < {p.sparse_density:g}",
            ("lsg",),
            _bounded("phi", "trained_density", lt, p.sparse_density),
            partner=None,
        ),
        Claim(
            "lsg_figure4_origin",
            "LSG",
            "figure 4",
            "The sparsity of the gate originates from the sparsity term",
            "L1 density of the trained gate: LSG < LSG without the term",
            ("lsg",),
            _against("phi", "trained_density", lt),
            partner="dense",
        ),
    ]
    for case, name in MASKED:
        claims += _masking_claims(p, case, name)
    for key, name in SIMILARITIES:
        claims += _similarity_claims(p, key, name)
    return claims


def _masking_claims(p: ClaimsParams, case: list[int], name: str) -> list[Claim]:
    prefix = "lsg_figure5_" + "_".join(map(str, case))
    masked, other = _recall(case, "recall_masked"), _recall(case, "recall_other")

    def claim(key: str, text: str, comparison: str, weigh: Weigh, partner: str | None) -> Claim:
        name = f"{prefix}_{key}"
        return Claim(name, "LSG", "figure 5", text, comparison, ("lsg",), weigh, partner)

    return [
        claim(
            "fails",
            f"With the filters of {name} masked, LSG fails to recognise these",
            f"recall of the masked classes: LSG ≤ {p.failing_recall:g}",
            _bounded("masking", masked, le, p.failing_recall),
            None,
        ),
        claim(
            "others",
            f"With the filters of {name} masked, LSG still recognises the other classes",
            f"recall of the other classes: LSG ≥ {p.recognised_recall:g}",
            _bounded("masking", other, ge, p.recognised_recall),
            None,
        ),
        claim(
            "std",
            f"With the filters of {name} masked, STD still recognises these",
            f"recall of the masked classes: STD ≥ {p.recognised_recall:g}",
            _bounded("masking", masked, ge, p.recognised_recall, of_partner=True),
            "std",
        ),
        claim(
            "lower",
            f"Masking the filters of {name} hurts these more in LSG than in STD",
            "recall of the masked classes: LSG < STD",
            _against("masking", masked, lt),
            "std",
        ),
    ]


def _similarity_claims(p: ClaimsParams, key: str, name: str) -> list[Claim]:
    positive = diagonal_rows(key, "true_positive")
    negative = diagonal_rows(key, "false_negative")

    def claim(part: str, text: str, comparison: str, weigh: Weigh) -> Claim:
        return Claim(
            f"lsg_figure6_{key}_{part}",
            "LSG",
            "figure 6",
            f"{text} ({name})",
            comparison,
            ("lsg",),
            weigh,
            partner=None,
        )

    return [
        claim(
            "true_positive",
            "The similarity matrix of true positives is diagonally dominant",
            f"share of rows with their maximum on the diagonal ≥ {p.dominant_rows:g}",
            _bounded("similarity", positive, ge, p.dominant_rows),
        ),
        claim(
            "false_negative",
            "The similarity matrix of false negatives is far from diagonally dominant",
            f"share of rows with their maximum on the diagonal < {p.dominant_rows:g}",
            _bounded("similarity", negative, lt, p.dominant_rows),
        ),
        claim(
            "difference",
            "True positives are more diagonally dominant than false negatives",
            "diagonal dominance: true positives > false negatives",
            _within(
                "similarity",
                lambda v: v[key]["dominance_true_positive"],
                lambda v: v[key]["dominance_false_negative"],
                ("true positives", "false negatives"),
                gt,
            ),
        ),
    ]


BOTH = ("resnet", "alexnet")


def _filters(p: ClaimsParams) -> list[Claim]:
    s = p.correlation_threshold

    def claim(key: str, source: str, text: str, comparison: str, weigh: Weigh) -> Claim:
        name = f"lsg_{source.replace(' ', '')}_{key}"
        return Claim(name, "LSG", source, text, comparison, ("fixed",), weigh, networks=BOTH)

    return [
        Claim(
            "lsg_figure7_block_diagonal",
            "LSG",
            "figure 7",
            "With the fixed gate, filters of one class are more correlated than of two classes",
            "mean correlation: within classes > between classes (no self-pairs, no shared filters)",
            ("fixed",),
            _weigh_blocks,
            partner=None,
            networks=BOTH,
        ),
        claim(
            "redundancy",
            "figure 7",
            "LSG reduces the redundant correlation between filters",
            f"share of correlations above {s:g}: fixed gate < STD",
            _against("correlation", _share_above(s), lt),
        ),
        claim(
            "cic_lower",
            "table 2",
            "Filters of different classes are less correlated in LSG",
            "CIC: fixed gate < STD",
            _against("correlation", "cic", lt),
        ),
        claim(
            "cic_half",
            "table 2",
            "CIC of LSG is about half of STD's",
            f"CIC: fixed gate ≤ {p.half_ratio:g} times STD",
            _against("correlation", "cic", lambda ours, std: ours <= p.half_ratio * std),
        ),
        claim(
            "cic_distinct",
            "table 2",
            "Filters of different classes are less correlated in LSG (no self-pairs)",
            "CIC without self-pairs: fixed gate < STD",
            _against("correlation", "cic_distinct", lt),
        ),
        Claim(
            "lsg_figure10_match",
            "LSG",
            "figure 10",
            "k-means centres of LSG's features resemble its gate, more than STD's resemble its own",
            "mean cosine of matched centres and gate rows: fixed gate > STD",
            ("fixed",),
            _against("clustering", "match", gt),
        ),
    ]


def _share_above(threshold: float) -> Quantity:
    def quantity(values: dict[str, Any]) -> float:
        thresholds = np.array(values["thresholds"])
        return float(np.interp(threshold, thresholds, values["share_above"]))

    return quantity


def _weigh_blocks(records: Records, e: Experiment, partner: Experiment | None) -> Evidence:
    within, between = {}, {}
    gates = records.measurements(e, "phi")
    for seed, measurement in records.measurements(e, "correlation").items():
        gate = gates[seed].values["trained_gate"] if seed in gates else None
        if gate is None:
            continue
        matrix = np.array(measurement.values["matrix"], dtype=np.float64)
        means = block_means(matrix, np.array(gate, dtype=np.float64))
        if means is not None:
            within[seed], between[seed] = means
    return Evidence(f"{e.label}, within", within, f"{e.label}, between", between, gt)


def block_means(matrix: np.ndarray, gate: np.ndarray) -> tuple[float, float] | None:
    """Mean correlation of filters of one class, and of filters of two classes.

    None where there is no such pair: each class has one filter, or one class has all.

    Args:
        matrix: (K, K) correlations.
        gate: (C, K) in [0, 1]; a filter belongs to the class it serves most, shared ones to none.
    """
    groups = filter_groups(gate)
    own = groups < len(gate)
    pairs = own[:, None] & own[None, :] & ~np.eye(len(matrix), dtype=bool)
    same = groups[:, None] == groups[None, :]
    within, between = matrix[pairs & same], matrix[pairs & ~same]
    if not within.size or not between.size:
        return None
    return float(within.mean()), float(between.mean())


def _statistics(p: ClaimsParams) -> list[Claim]:
    def about(value: float, expected: float) -> bool:
        return abs(value - expected) <= p.filter_share_margin

    claims = []
    for key, text, quantity in (
        ("monopolized", "Each class has about 10 % of the filters to itself", monopolized_share),
        ("shared", "About 10 % of the filters are shared", shared_share),
    ):
        for paper, role, source in (("LSG", "lsg", "section 4.3"), ("CSG", "csg", "appendix E")):
            claims.append(
                Claim(
                    f"{role}_statistics_{key}",
                    paper,
                    source,
                    text,
                    f"share of filters within {p.filter_share_margin:g} of {p.filter_share:g}",
                    (role,),
                    _bounded("gate_statistics", quantity, about, p.filter_share),
                    partner=None,
                )
            )
    return claims


def _csg() -> list[Claim]:
    return [
        Claim(
            "csg_mis",
            "CSG",
            "section 4",
            "The mutual information score of CSG is higher than STD's",
            "MIS: CSG > STD",
            ("csg",),
            _against("mis", "mis", gt),
        ),
        Claim(
            "csg_interval",
            "CSG",
            "appendix A",
            "The density of a converged gate lies in [1/C, g/(CK)]",
            "1/C ≤ L1 density of the trained gate ≤ g/(CK) (the bound shown)",
            ("csg",),
            _weigh_interval,
            partner=None,
        ),
    ]


def _weigh_interval(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
    values = records.first(e, "phi")
    if values is None or values["interval"] is None:
        return None
    lower, upper = values["interval"]
    density = records.sample(e, "phi", "trained_density")
    note = "the interval is a single point" if lower >= upper else ""
    return Evidence(e.label, density, "bound", float(upper), lambda d, top: lower <= d <= top, note)


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
            _bounded("leakage", leakage_excess, le, p.leakage_margin),
            partner=None,
        ),
        Claim(
            "ours_negatives_leak_less",
            "ours",
            "lsg_leakage",
            "Wrong-label rows as negatives reduce label leakage",
            "leakage above a blind head's: CSG with negatives < CSG",
            ("negatives",),
            _against("leakage", leakage_excess, lt),
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
        density = _bounded("phi", "trained_density", lt, p.sparse_density)(records, e, std)
        accuracy = _against("classification", "accuracy", lambda x, y: x >= y - margin)(
            records, e, std
        )
        leakage = _bounded("leakage", leakage_excess, le, p.leakage_margin)(records, e, std)
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
