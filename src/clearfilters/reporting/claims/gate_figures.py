"""Claims about LSG's figures 4 to 6: a sparse gate, masked filters, similarity of classes."""

from operator import ge, gt, le, lt
from typing import Any

import numpy as np

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting.claims.weighing import (
    Claim,
    Quantity,
    Weigh,
    against,
    bounded,
    within,
)
from clearfilters.reporting.records import matrix_of


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


def figure_claims(p: ClaimsParams) -> list[Claim]:
    """What the papers say of these figures."""
    claims = [
        Claim(
            "lsg_figure4_sparse",
            "LSG",
            "figure 4",
            "LSG training yields a sparse gate: each filter serves one or few classes",
            f"L1 density of the trained gate: LSG < {p.sparse_density:g}",
            ("lsg",),
            bounded("phi", "trained_density", lt, p.sparse_density),
            partner=None,
        ),
        Claim(
            "lsg_figure4_origin",
            "LSG",
            "figure 4",
            "The sparsity of the gate originates from the sparsity term",
            "L1 density of the trained gate: LSG < LSG without the term",
            ("lsg",),
            against("phi", "trained_density", lt),
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
            bounded("masking", masked, le, p.failing_recall),
            None,
        ),
        claim(
            "others",
            f"With the filters of {name} masked, LSG still recognises the other classes",
            f"recall of the other classes: LSG ≥ {p.recognised_recall:g}",
            bounded("masking", other, ge, p.recognised_recall),
            None,
        ),
        claim(
            "std",
            f"With the filters of {name} masked, STD still recognises these",
            f"recall of the masked classes: STD ≥ {p.recognised_recall:g}",
            bounded("masking", masked, ge, p.recognised_recall, of_partner=True),
            "std",
        ),
        claim(
            "lower",
            f"Masking the filters of {name} hurts these more in LSG than in STD",
            "recall of the masked classes: LSG < STD",
            against("masking", masked, lt),
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
            bounded("similarity", positive, ge, p.dominant_rows),
        ),
        claim(
            "false_negative",
            "The similarity matrix of false negatives is far from diagonally dominant",
            f"share of rows with their maximum on the diagonal < {p.dominant_rows:g}",
            bounded("similarity", negative, lt, p.dominant_rows),
        ),
        claim(
            "difference",
            "True positives are more diagonally dominant than false negatives",
            "diagonal dominance: true positives > false negatives",
            within(
                "similarity",
                lambda v: v[key]["dominance_true_positive"],
                lambda v: v[key]["dominance_false_negative"],
                ("true positives", "false negatives"),
                gt,
            ),
        ),
    ]
