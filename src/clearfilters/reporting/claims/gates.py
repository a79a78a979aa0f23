"""The claims of the class-specific-gate papers."""

from dataclasses import replace
from operator import gt, lt
from statistics import fmean
from typing import Any

import numpy as np

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.gate_figures import figure_claims
from clearfilters.reporting.claims.verdict import (
    Evidence,
    Finding,
    present,
)
from clearfilters.reporting.claims.weighing import (
    Claim,
    Quantity,
    Weigh,
    against,
    bounded,
    judge_claim,
)
from clearfilters.reporting.figures.gates import filter_groups
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.tables.filters import monopolized_share, shared_share


def findings(records: Records, p: ClaimsParams) -> list[Finding]:
    """Every claim of these papers, judged for every experiment that it is about."""
    claims = [*_table1(p), *figure_claims(p), *_filters(p), *_statistics(p), *_csg()]
    return [finding for claim in claims for finding in judge_claim(records, claim)]


def _density_against(quantity: str, ratio: float) -> Weigh:
    """A density against a share of the partner's fitted one, marked if no gate can be so sparse."""

    def weigh(records: Records, e: Experiment, partner: Experiment | None) -> Evidence | None:
        compare = against("phi", quantity, lambda x, y: x <= ratio * y, "fitted_density")
        evidence = compare(records, e, partner)
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
            against("classification", "accuracy", lambda ours, std: ours >= std - sacrifice),
        ),
        Claim(
            "lsg_table1_outperforms",
            paper,
            source,
            "LSG even slightly outperforms STD in test accuracy",
            "test accuracy: LSG > STD",
            ("lsg",),
            against("classification", "accuracy", gt),
        ),
        Claim(
            "lsg_table1_cross_entropy",
            paper,
            source,
            "The cross entropies of LSG and STD are comparable",
            f"test cross entropy: LSG ≤ {p.cross_entropy_ratio:g} times STD",
            ("lsg",),
            against(
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
            against("phi", "phi_test", much_lower),
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
            against("correlation", _share_above(s), lt),
        ),
        claim(
            "cic_lower",
            "table 2",
            "Filters of different classes are less correlated in LSG",
            "CIC of absolute values: fixed gate < STD",
            against("correlation", "cic_absolute", lt),
        ),
        claim(
            "cic_half",
            "table 2",
            "CIC of LSG is about half of STD's",
            f"CIC of absolute values: fixed gate ≤ {p.half_ratio:g} times STD",
            against("correlation", "cic_absolute", lambda ours, std: ours <= p.half_ratio * std),
        ),
        claim(
            "cic_distinct",
            "table 2",
            "Filters of different classes are less correlated in LSG (no self-pairs)",
            "CIC of absolute values, no self-pairs: fixed gate < STD",
            against("correlation", "cic_absolute_distinct", lt),
        ),
        Claim(
            "lsg_figure10_match",
            "LSG",
            "figure 10",
            "k-means centres of LSG's features resemble its gate, more than STD's resemble its own",
            "mean cosine of matched centres and gate rows: fixed gate > STD",
            ("fixed",),
            against("clustering", "match", gt),
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
                    bounded("gate_statistics", quantity, about, p.filter_share),
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
            against("mis", "mis", gt),
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
