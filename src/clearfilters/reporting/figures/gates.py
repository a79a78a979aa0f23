"""The figures of the class-specific-gate papers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.reporting.drawing import (
    COLORS,
    DIVERGING,
    Drawing,
    heat_map,
    new_figure,
    shows,
)
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.records import Experiment, Records, matrix_of

# An odd number, so that correlations about zero share the middle colour.
CORRELATION_STEPS = 21
Matrix = npt.NDArray[np.float64]


def _share(value: float | None) -> str:
    """Two decimals; a number that no image defines is recorded as null."""
    return "undefined" if value is None else f"{value:.2f}"


def _gate(records: Records, e: Experiment) -> tuple[str, Matrix]:
    """Which gate describes an experiment's filters, and the gate (C, K) of its lowest seed."""
    values = records.first(e, "phi") or {}
    source = "trained" if values["trained_gate"] is not None else "fitted"
    return source, matrix_of(values[f"{source}_gate"])


def _models(experiments: list[Experiment]) -> str:
    return "; ".join(f"{e.label}: seed {e.seeds[0]}, {e.epochs} epochs" for e in experiments)


@shows(
    "LSG figure 4: gates with and without sparsity", needs=[("lsg", "phi")], also=["classification"]
)
def lsg_figure4(records: Records) -> Drawing:
    """Gates trained with and without the sparsity term, and the gate fitted to STD."""
    setting = records.experiments("lsg", analysis="phi")[0].setting
    shown = [
        e
        for role in ("lsg", "dense", "csg", "negatives", "joint", "std")
        for e in records.experiments(role, analysis="phi")
        if e.setting == setting
    ]
    figure, axes = new_figure(1.9 * len(shown) + 0.4, len(shown), 1, sharex=True)
    lines: list[Line] = []
    for axis, e in zip(axes[:, 0], shown, strict=True):
        panel = Panel(e.label, axis, lines)
        source, gate = _gate(records, e)
        image = panel.heat_map(f"{source} gate", gate, limits=(0, 1), row_names=records.classes(e))
        note = ", no sparsity term" if e.role == "dense" else ""
        density = panel.stated("density", float(gate.mean()))
        axis.set_title(f"{e.label}: {source} gate{note}, density {density:.3f}", fontsize=9)
    axes[-1, 0].set_xlabel("filter", fontsize=9)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="gate", shrink=0.6)
    caption = (
        "Gate matrices (a row per class, a column per filter). The paper compares training with "
        "the sparsity term and without; STD has no trained gate, so the one fitted for Φ is shown. "
        f"{_models(shown)}."
    )
    return Drawing(figure, caption, lines)


@shows(
    "LSG figure 5: confusion after masking a class's filters",
    needs=[("std", "masking"), ("lsg", "masking")],
    also=["classification"],
)
def lsg_figure5(records: Records) -> Drawing:
    """Confusion matrices of STD and LSG after zeroing the filters of one and of two classes."""
    std, lsg = records.pairs("lsg", "std", "masking")[0]
    shown = [std, lsg]
    cases = [(records.first(e, "masking") or {})["cases"] for e in shown]
    figure, axes = new_figure(3.4 * len(shown), len(shown), len(cases[0]))
    lines: list[Line] = []
    for e, own_cases, row in zip(shown, cases, axes, strict=True):
        for case, axis in zip(own_cases, row, strict=True):
            image = _draw_case(e, case, axis, records.classes(e), lines)
    for axis in axes[:, 0]:
        axis.set_ylabel("true class", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("answer", fontsize=9)
    figure.colorbar(image, ax=axes.ravel().tolist(), label="share of the true class", shrink=0.5)
    values = records.first(lsg, "masking") or {}
    caption = (
        f"Confusion matrices when every filter whose gate for a masked class exceeds "
        f"{values['threshold']:g} is zeroed; masked classes are marked ▸. LSG's gate is the "
        f"trained one, STD's the one fitted for Φ. {_models(shown)}."
    )
    return Drawing(figure, caption, lines)


def _draw_case(
    e: Experiment, case: dict[str, Any], axis: Any, classes: list[str], lines: list[Line]
) -> Any:
    masked = " and ".join(classes[i] for i in case["masked_classes"])
    panel = Panel(f"{e.label}, {masked} masked", axis, lines)
    zeroed = panel.stated("filters zeroed", case["masked_filters"])
    recalls = [
        _share(panel.stated(f"recall, {which}", case[f"recall_{which}"]))
        for which in ("masked", "other")
    ]
    axis.set_title(
        f"{e.label}, {zeroed} filters zeroed\nrecall: masked {recalls[0]}, other {recalls[1]}",
        fontsize=9,
    )
    counts = matrix_of(case["confusion"])
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    marked = [f"▸ {n}" if i in case["masked_classes"] else n for i, n in enumerate(classes)]
    return panel.heat_map(
        "share of the true class", rates, limits=(0, 1), row_names=marked, column_names=classes
    )


@shows(
    "LSG figure 6: similarity of features and gate rows",
    needs=[("lsg", "similarity")],
    also=["classification"],
)
def lsg_figure6(records: Records) -> Drawing:
    """Similarity of features and gate rows over true positives and false negatives."""
    e = records.experiments("lsg", analysis="similarity")[0]
    values = records.first(e, "similarity") or {}
    classes = records.classes(e)
    figure, axes = new_figure(7.2, 2, 2)
    names = (("lsg", "LSG: inner product"), ("csg", "CSG: cosine"))
    samples = (("true_positive", "true positives"), ("false_negative", "false negatives"))
    lines: list[Line] = []
    for (key, name), row in zip(names, axes, strict=True):
        matrices = [matrix_of(values[key][sample]) for sample, _ in samples]
        limits = (0.0, float(np.nanmax([np.nanmax(m) for m in matrices])))
        for (sample, title), matrix, axis in zip(samples, matrices, row, strict=True):
            panel = Panel(f"{name}, {title}", axis, lines)
            image = panel.heat_map(
                "similarity", matrix, limits=limits, row_names=classes, column_names=classes
            )
            dominance = _share(
                panel.stated("diagonal dominance", values[key][f"dominance_{sample}"])
            )
            axis.set_title(f"{name}, {title}\ndiagonal dominance {dominance}", fontsize=9)
        figure.colorbar(image, ax=row.tolist(), shrink=0.8)
    for axis in axes[:, 0]:
        axis.set_ylabel("class of the image", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("gate row", fontsize=9)
    caption = (
        "Similarity between the features of a class's images and each gate row: LSG's mean inner "
        "product, CSG's cosine of the class mean. Grey: a class without such images. "
        f"{_models([e])}."
    )
    return Drawing(figure, caption, lines)


def filter_groups(gate: Matrix) -> npt.NDArray[np.int64]:
    """The class each filter serves most, (K,); C for a filter that every class shares fully."""
    groups: npt.NDArray[np.int64] = gate.argmax(axis=0).astype(np.int64)
    groups[gate.min(axis=0) == 1] = len(gate)
    return groups


@shows(
    "LSG figure 7: correlation between filters",
    needs=[("std", "correlation"), ("fixed", "correlation"), ("std", "phi"), ("fixed", "phi")],
)
def lsg_figure7(records: Records) -> Drawing:
    """Filter correlation of STD and of the fixed gate, and the share above a threshold."""
    pairs = records.pairs("fixed", "std", "correlation")
    rows = len(pairs)
    figure, axes = new_figure(
        3.1 * rows + 3.0, rows + 1, 2, gridspec_kw={"height_ratios": [1.0] * rows + [0.95]}
    )
    lines: list[Line] = []
    for pair, row in zip(pairs, axes[:rows], strict=True):
        for e, axis in zip(pair, row, strict=True):
            image = _draw_correlation(records, Panel(e.label, axis, lines), e)
        figure.colorbar(image, ax=row.tolist(), label="correlation", shrink=0.8)
    grid = axes[rows, 0].get_gridspec()
    for axis in axes[rows]:
        axis.remove()
    curve = figure.add_subplot(grid[rows, :])
    shown = [e for pair in pairs for e in pair]
    below = Panel("share of elements above s", curve, lines)
    for number, e in enumerate(shown):
        _draw_threshold_curve(records, below, e, number)
    curve.set_xlabel("threshold s", fontsize=9)
    curve.set_ylabel(below.name, fontsize=9)
    curve.set_xlim(0, 1)
    curve.set_ylim(bottom=0)
    curve.grid(alpha=0.3)
    curve.legend(fontsize=8)
    caption = (
        "Correlation of the last convolution's filters (inner product of unit-normalised weights), "
        "filters sorted by the class that their gate serves most (trained or fixed gate; for STD "
        "the fitted one), shared filters last, lines between classes. Below: share of matrix "
        "elements above a threshold, mean over seeds with the range from lowest to highest. "
        f"Matrices: {_models(shown)}."
    )
    return Drawing(figure, caption, lines)


def _draw_correlation(records: Records, panel: Panel, e: Experiment) -> Any:
    """Its cells are named by the numbers of the filters before they are sorted."""
    axis = panel.axes
    matrix = matrix_of((records.first(e, "correlation") or {})["matrix"])
    groups = filter_groups(_gate(records, e)[1])
    order = np.argsort(groups, kind="stable")
    matrix = matrix[np.ix_(order, order)]
    filters = order.tolist()
    panel.cells("cosine", matrix, filters, filters, symmetric=True)
    image = heat_map(axis, matrix, limits=(-1, 1), color_map=DIVERGING, steps=CORRELATION_STEPS)
    axis.set_aspect("equal")
    for edge in np.flatnonzero(np.diff(groups[order])) + 0.5:
        axis.axhline(edge, color="black", linewidth=0.3)
        axis.axvline(edge, color="black", linewidth=0.3)
    axis.set_title(e.label, fontsize=9)
    axis.set_xlabel("filter, sorted", fontsize=8)
    return image


def _draw_threshold_curve(records: Records, panel: Panel, e: Experiment, number: int) -> None:
    measured = [m.values for m in records.measurements(e, "correlation").values()]
    thresholds = np.array(measured[0]["thresholds"])
    shares = np.array([values["share_above"] for values in measured])
    panel.curve(
        e.label,
        thresholds,
        shares.mean(axis=0),
        (shares.min(axis=0), shares.max(axis=0)),
        color=COLORS[number % len(COLORS)],
        linestyle="--" if e.role == "fixed" else "-",
        label=f"{e.label} ({len(shares)} seed{'s' if len(shares) > 1 else ''})",
    )


@shows("LSG figure 9: the fixed gate", needs=[("fixed", "phi")], also=["classification"])
def lsg_figure9(records: Records) -> Drawing:
    """The fixed gate of each network that was trained with one."""
    shown = records.experiments("fixed", analysis="phi")
    figure, axes = new_figure(2.2 * len(shown) + 0.3, len(shown), 1)
    lines: list[Line] = []
    for axis, e in zip(axes[:, 0], shown, strict=True):
        panel = Panel(e.label, axis, lines)
        gate = _gate(records, e)[1]
        image = panel.heat_map("gate", gate, limits=(0, 1), row_names=records.classes(e))
        shared = panel.stated("filters for all", int((gate.min(axis=0) == 1).sum()))
        own = panel.stated(
            "filters for each class", int((gate.sum(axis=0) == 1).sum()) // len(gate)
        )
        axis.set_title(f"{e.label}: {own} filters for each class, {shared} for all", fontsize=9)
        axis.set_xlabel("filter", fontsize=9)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="gate", shrink=0.6)
    labels = ", ".join(e.label for e in shown)
    caption = f"The gate that is set by hand and does not move during training. {labels}."
    return Drawing(figure, caption, lines)


@shows(
    "LSG figure 10: k-means centres of the features",
    needs=[("std", "clustering"), ("fixed", "clustering"), ("fixed", "phi")],
    also=["classification"],
)
def lsg_figure10(records: Records) -> Drawing:
    """k-means centres of STD and of the fixed gate's network, above the gate itself."""
    std, fixed = records.pairs("fixed", "std", "clustering")[0]
    classes = records.classes(fixed)
    figure, axes = new_figure(6.4, 3, 1, sharex=True)
    lines: list[Line] = []
    for axis, e in zip(axes[:2, 0], (std, fixed), strict=True):
        values = records.first(e, "clustering") or {}
        centers = matrix_of(values["centers"])[values["order"]]
        panel = Panel(e.label, axis, lines)
        image = panel.heat_map(
            "activation of the centre",
            centers,
            limits=(0, float(centers.max())),
            row_names=classes,
        )
        match = panel.stated(f"match with its {values['source']} gate", values["match"])
        chance = panel.stated("match by chance", values["match_random"])
        axis.set_title(
            f"{e.label}: centres; match with its {values['source']} gate {match:.2f}, "
            f"by chance {chance:.2f}",
            fontsize=9,
        )
        figure.colorbar(image, ax=axis, label="activation")
    gate = _gate(records, fixed)[1]
    panel = Panel(fixed.label, axes[2, 0], lines)
    image = panel.heat_map("gate", gate, limits=(0, 1), row_names=classes)
    figure.colorbar(image, ax=axes[2, 0], label="gate")
    axes[2, 0].set_title(f"{fixed.label}: gate", fontsize=9)
    axes[2, 0].set_xlabel("filter", fontsize=9)
    caption = (
        "Centres of k-means on the pooled features, a row per cluster, each placed at the class "
        "whose gate row it matches best (best permutation; mean cosine). STD is matched with the "
        f"gate fitted for Φ. {_models([std, fixed])}."
    )
    return Drawing(figure, caption, lines)
