"""The numbers that a claim may name, by seed, and what they are asked of without training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearfilters.params.run import ClaimsParams
from clearfilters.reporting import explainer_quantities, part_quantities
from clearfilters.reporting.claims.verdict import MASKS_ONLY
from clearfilters.reporting.explainer_quantities import INPUT
from clearfilters.reporting.figures.gates import filter_groups
from clearfilters.reporting.part_quantities import CONSTANT, TRAINED, UNTRAINED, partner_of
from clearfilters.reporting.records import Experiment, Records, Sample, matrix_of
from clearfilters.reporting.tables.black_box import clean_accuracy, success_rate
from clearfilters.reporting.tables.filters import monopolized_share, shared_share
from clearfilters.reporting.tables.localization import BASELINES as NO_NETWORK
from clearfilters.reporting.tables.localization import CSG_BLOCKS, GRADMAP, LSG_BLOCKS, Block

Values = dict[str, Any]
# What localizes best of what needs no network, seed by seed.
BEST_WITHOUT_NETWORK = "best_without_network"
STATES = (TRAINED, UNTRAINED, CONSTANT, INPUT, *NO_NETWORK, BEST_WITHOUT_NETWORK)


@dataclass(frozen=True)
class Run:
    """What claims are judged on."""

    records: Records
    parameters: ClaimsParams


# Whose, and one of STATES -> number per seed, none where it was not measured.
Quantity = Callable[[Run, Experiment, str], Sample]


def _value(analysis: str, pick: str | Callable[[Values], float | None]) -> Quantity:
    """A number of a measurement of the trained network."""

    def find(run: Run, e: Experiment, state: str) -> Sample:
        return run.records.sample(e, analysis, pick) if state == TRAINED else {}

    return find


def _part(quantity: part_quantities.Quantity) -> Quantity:
    return lambda run, e, state: part_quantities.sample_of(run.records, e, quantity, state)


def diagonal_rows(similarity: str, sample: str) -> Callable[[Values], float | None]:
    """Share of classes whose features are most similar to their own gate row.

    Classes without images (null rows) are left out.
    """

    def pick(values: Values) -> float | None:
        matrix = matrix_of(values[similarity][sample])
        rows = ~np.isnan(matrix).any(axis=1)
        if not rows.any():
            return None
        return float((matrix[rows].argmax(axis=1) == np.flatnonzero(rows)).mean())

    return pick


def leakage_excess(values: Values) -> float:
    """Leakage above that of a blind head: the larger of other-class images and noise images."""
    return max(
        float(values["other_images"]) - float(values["other_images_blind"]),
        float(values["noise_images"]) - float(values["noise_images_blind"]),
    )


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


def _block_mean(number: int) -> Quantity:
    """One of `block_means`, by the trained gate."""

    def find(run: Run, e: Experiment, state: str) -> Sample:
        found: Sample = {}
        gates = run.records.measurements(e, "phi")
        for seed, measurement in run.records.measurements(e, "correlation").items():
            gate = gates[seed].values["trained_gate"] if seed in gates else None
            if gate is not None:
                matrix = np.array(measurement.values["matrix"], dtype=np.float64)
                means = block_means(matrix, np.array(gate, dtype=np.float64))
                if means is not None:
                    found[seed] = means[number]
        return found

    return find


def _share_above(run: Run, e: Experiment, state: str) -> Sample:
    """Share of correlations above `correlation_threshold`."""

    def pick(values: Values) -> float:
        thresholds = np.array(values["thresholds"])
        return float(
            np.interp(run.parameters.correlation_threshold, thresholds, values["share_above"])
        )

    return run.records.sample(e, "correlation", pick)


def _interval_end(number: int) -> Callable[[Values], float | None]:
    return lambda values: None if values["interval"] is None else values["interval"][number]


def _recall(key: str, case: list[int]) -> Callable[[Values], float | None]:
    def pick(values: Values) -> float | None:
        return next((c[key] for c in values["cases"] if c["masked_classes"] == case), None)

    return pick


def _dominance(similarity: str, sample: str) -> Callable[[Values], float | None]:
    return lambda values: values[similarity][f"dominance_{sample}"]


def _located(block: Block, metric: str) -> Quantity:
    """The total of a way to localize, of the network or of what needs none."""

    def pick(values: Values, state: str) -> float | None:
        if state == TRAINED:
            return float(block.found(values)[metric]["total"])
        if block.baselines is None:
            return None
        found = block.baselines(values)
        if state == BEST_WITHOUT_NETWORK:
            return max(float(found[key][metric]["total"]) for key in NO_NETWORK)
        return float(found[state][metric]["total"]) if state in NO_NETWORK else None

    return lambda run, e, state: run.records.sample(e, "localization", lambda v: pick(v, state))


def best_without_network(run: Run, e: Experiment, quantity: str) -> str:
    """What localizes best, on the lowest seed, of what needs no network."""
    firsts = {
        label: next(iter(QUANTITIES[quantity](run, e, state).values()), float("-inf"))
        for state, label in NO_NETWORK.items()
    }
    return max(firsts, key=lambda label: firsts[label])


def _r2_above_floor(run: Run, e: Experiment, state: str) -> Sample:
    found, floor = (
        part_quantities.sample_of(run.records, e, quantity, state)
        for quantity in (part_quantities.R2, part_quantities.R2_FLOOR)
    )
    return {seed: found[seed] - floor[seed] for seed in found.keys() & floor.keys()}


QUANTITIES: dict[str, Quantity] = {
    # Accuracies are fractions of the test images.
    "accuracy": _value("classification", "accuracy"),
    "cross_entropy": _value("classification", "cross_entropy"),
    # L1 densities in [1/C, 1], of the gate that was trained, or fitted to the trained network.
    "trained_density": _value("phi", "trained_density"),
    "fitted_density": _value("phi", "fitted_density"),
    "phi": _value("phi", "phi_test"),
    "density_interval_low": _value("phi", _interval_end(0)),
    "density_interval_high": _value("phi", _interval_end(1)),
    # Recalls in [0, 1] with the filters of some classes masked: of these, and of the others.
    "recall_of_masked_0": _value("masking", _recall("recall_masked", [0])),
    "recall_of_others_0": _value("masking", _recall("recall_other", [0])),
    "recall_of_masked_0_5": _value("masking", _recall("recall_masked", [0, 5])),
    "recall_of_others_0_5": _value("masking", _recall("recall_other", [0, 5])),
    **{
        f"{name}_{key}_{sample}": _value("similarity", pick(key, sample))
        for name, pick in (("diagonal_rows", diagonal_rows), ("dominance", _dominance))
        for key in ("lsg", "csg")
        for sample in ("true_positive", "false_negative")
    },
    # Mean correlations of filters.
    "correlation_within_classes": _block_mean(0),
    "correlation_between_classes": _block_mean(1),
    "share_of_strong_correlations": _share_above,
    "cic": _value("correlation", "cic_absolute"),
    "cic_distinct": _value("correlation", "cic_absolute_distinct"),
    "cluster_match": _value("clustering", "match"),
    "monopolized_share": _value("gate_statistics", monopolized_share),
    "shared_share": _value("gate_statistics", shared_share),
    "mis": _value("mis", "mis"),
    "leakage_above_blind": _value("leakage", leakage_excess),
    # Total over filters or images, fractions.
    **{
        f"{paper}_{name}_{metric}": _located(block, metric)
        for paper, name, block in (
            ("lsg", "one_filter", LSG_BLOCKS[0]),
            ("lsg", "cam", LSG_BLOCKS[-1]),
            ("csg", "gradmap", GRADMAP),
            ("csg", "activmap", CSG_BLOCKS[1]),
            ("csg", "cam", CSG_BLOCKS[-1]),
        )
        for metric in ("iou", "ap")
    },
    # Percent.
    "one_pixel_success": lambda run, e, _: success_rate(run.records, e, "one_pixel"),
    "local_search_success": lambda run, e, _: success_rate(run.records, e, "local_search"),
    "attacked_accuracy": lambda run, e, _: clean_accuracy(run.records, e),
    # Of part filters.
    "instability": _part(part_quantities.INSTABILITY),
    "instability_by_least_category": _part(part_quantities.OF_SEVERAL_BY_PAPER),
    "instability_by_most_active_category": _part(part_quantities.OF_SEVERAL_BY_CODE),
    "parts_of_one_category": _part(part_quantities.PARTS_OF_ONE),
    "parts_of_several_categories": _part(part_quantities.PARTS_OF_SEVERAL),
    "part_accuracy": _part(part_quantities.ACCURACY),
    "part_error": _part(part_quantities.ERROR_PERCENT),
    "r2_of_head": _part(part_quantities.R2),
    "r2_of_head_above_floor": _r2_above_floor,
    "cells_apart": _part(part_quantities.DIFFERENCE),
    # Of explainers: p in [0, 1], errors in percent, and percentage points above the performer's.
    "p": _part(explainer_quantities.P),
    "performer_error": _part(explainer_quantities.PERFORMER_ERROR),
    "explainer_error": _part(explainer_quantities.EXPLAINER_ERROR),
    "more_errors": _part(explainer_quantities.MORE_ERRORS),
}


def _masks_only(run: Run, e: Experiment, quantity: str) -> Sample:
    masks = partner_of(run.records, e, "masks-only")
    return {} if masks is None else QUANTITIES[quantity](run, masks, TRAINED)


def _in_state(state: str) -> Callable[[Run, Experiment, str], Sample]:
    return lambda run, e, quantity: QUANTITIES[quantity](run, e, state)


# What could stand on the left without being trained, or without being trained for what is claimed:
# whose, and the quantity -> number per seed.
BASELINES: dict[str, Callable[[Run, Experiment, str], Sample]] = {
    UNTRAINED: _in_state(UNTRAINED),
    MASKS_ONLY: _masks_only,
    part_quantities.BASELINES[CONSTANT]: _in_state(CONSTANT),
    **{label: _in_state(state) for state, label in NO_NETWORK.items()},
}
