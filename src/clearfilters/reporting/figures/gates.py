"""The figures of the class-specific-gate papers, and the trade-off of sparsity and leakage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clearfilters.reporting.drawing import (
    COLORS,
    DIVERGING,
    MARKERS,
    Drawing,
    heat_map,
    new_figure,
    shows,
)
from clearfilters.reporting.records import Experiment, Records, Sample, matrix_of, summarize
from clearfilters.reporting.tables.tradeoff import accuracy_difference, lambda_and_a

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    for axis, e in zip(axes[:, 0], shown, strict=True):
        source, gate = _gate(records, e)
        image = heat_map(axis, gate, limits=(0, 1), row_names=records.classes(e))
        note = ", no sparsity term" if e.role == "dense" else ""
        axis.set_title(f"{e.label}: {source} gate{note}, density {gate.mean():.3f}", fontsize=9)
    axes[-1, 0].set_xlabel("filter", fontsize=9)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="gate", shrink=0.6)
    caption = (
        "Gate matrices (a row per class, a column per filter). The paper compares training with "
        "the sparsity term and without; STD has no trained gate, so the one fitted for Φ is shown. "
        f"{_models(shown)}."
    )
    return Drawing(figure, caption)


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
    for e, own_cases, row in zip(shown, cases, axes, strict=True):
        for case, axis in zip(own_cases, row, strict=True):
            image = _draw_confusion(axis, case, records.classes(e))
            axis.set_title(
                f"{e.label}, {case['masked_filters']} filters zeroed\nrecall: masked "
                f"{_share(case['recall_masked'])}, other {_share(case['recall_other'])}",
                fontsize=9,
            )
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
    return Drawing(figure, caption)


def _draw_confusion(axis: Axes, case: dict[str, Any], classes: list[str]) -> Any:
    counts = matrix_of(case["confusion"])
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    marked = [f"▸ {n}" if i in case["masked_classes"] else n for i, n in enumerate(classes)]
    return heat_map(axis, rates, limits=(0, 1), row_names=marked, column_names=classes)


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
    for (key, name), row in zip(names, axes, strict=True):
        matrices = [matrix_of(values[key][sample]) for sample, _ in samples]
        limits = (0.0, float(np.nanmax([np.nanmax(m) for m in matrices])))
        for (sample, title), matrix, axis in zip(samples, matrices, row, strict=True):
            image = heat_map(axis, matrix, limits=limits, row_names=classes, column_names=classes)
            dominance = _share(values[key][f"dominance_{sample}"])
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
    return Drawing(figure, caption)


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
    for pair, row in zip(pairs, axes[:rows], strict=True):
        for e, axis in zip(pair, row, strict=True):
            image = _draw_correlation(records, axis, e)
        figure.colorbar(image, ax=row.tolist(), label="correlation", shrink=0.8)
    grid = axes[rows, 0].get_gridspec()
    for axis in axes[rows]:
        axis.remove()
    curve = figure.add_subplot(grid[rows, :])
    shown = [e for pair in pairs for e in pair]
    for number, e in enumerate(shown):
        _draw_threshold_curve(records, curve, e, number)
    curve.set_xlabel("threshold s", fontsize=9)
    curve.set_ylabel("share of elements above s", fontsize=9)
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
    return Drawing(figure, caption)


def _draw_correlation(records: Records, axis: Axes, e: Experiment) -> Any:
    matrix = matrix_of((records.first(e, "correlation") or {})["matrix"])
    groups = filter_groups(_gate(records, e)[1])
    order = np.argsort(groups, kind="stable")
    image = heat_map(
        axis,
        matrix[np.ix_(order, order)],
        limits=(-1, 1),
        color_map=DIVERGING,
        steps=CORRELATION_STEPS,
    )
    axis.set_aspect("equal")
    for edge in np.flatnonzero(np.diff(groups[order])) + 0.5:
        axis.axhline(edge, color="black", linewidth=0.3)
        axis.axvline(edge, color="black", linewidth=0.3)
    axis.set_title(e.label, fontsize=9)
    axis.set_xlabel("filter, sorted", fontsize=8)
    return image


def _draw_threshold_curve(records: Records, axis: Axes, e: Experiment, number: int) -> None:
    measured = [m.values for m in records.measurements(e, "correlation").values()]
    thresholds = np.array(measured[0]["thresholds"])
    shares = np.array([values["share_above"] for values in measured])
    color = COLORS[number % len(COLORS)]
    style = "--" if e.role == "fixed" else "-"
    label = f"{e.label} ({len(shares)} seed{'s' if len(shares) > 1 else ''})"
    axis.plot(thresholds, shares.mean(axis=0), style, color=color, label=label)
    axis.fill_between(
        thresholds, shares.min(axis=0), shares.max(axis=0), color=color, alpha=0.2, linewidth=0
    )


@shows("LSG figure 9: the fixed gate", needs=[("fixed", "phi")], also=["classification"])
def lsg_figure9(records: Records) -> Drawing:
    """The fixed gate of each network that was trained with one."""
    shown = records.experiments("fixed", analysis="phi")
    figure, axes = new_figure(2.2 * len(shown) + 0.3, len(shown), 1)
    for axis, e in zip(axes[:, 0], shown, strict=True):
        gate = _gate(records, e)[1]
        image = heat_map(axis, gate, limits=(0, 1), row_names=records.classes(e))
        shared = int((gate.min(axis=0) == 1).sum())
        own = int((gate.sum(axis=0) == 1).sum()) // len(gate)
        axis.set_title(f"{e.label}: {own} filters for each class, {shared} for all", fontsize=9)
        axis.set_xlabel("filter", fontsize=9)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="gate", shrink=0.6)
    labels = ", ".join(e.label for e in shown)
    caption = f"The gate that is set by hand and does not move during training. {labels}."
    return Drawing(figure, caption)


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
    for axis, e in zip(axes[:2, 0], (std, fixed), strict=True):
        values = records.first(e, "clustering") or {}
        centers = matrix_of(values["centers"])[values["order"]]
        image = heat_map(axis, centers, limits=(0, float(centers.max())), row_names=classes)
        axis.set_title(
            f"{e.label}: centres; match with its {values['source']} gate {values['match']:.2f}, "
            f"by chance {values['match_random']:.2f}",
            fontsize=9,
        )
        figure.colorbar(image, ax=axis, label="activation")
    gate = _gate(records, fixed)[1]
    image = heat_map(axes[2, 0], gate, limits=(0, 1), row_names=classes)
    figure.colorbar(image, ax=axes[2, 0], label="gate")
    axes[2, 0].set_title(f"{fixed.label}: gate", fontsize=9)
    axes[2, 0].set_xlabel("filter", fontsize=9)
    caption = (
        "Centres of k-means on the pooled features, a row per cluster, each placed at the class "
        "whose gate row it matches best (best permutation; mean cosine). STD is matched with the "
        f"gate fitted for Φ. {_models([std, fixed])}."
    )
    return Drawing(figure, caption)


PANELS = (
    ("density, trained gate", "phi", "trained_density"),
    ("accuracy", "classification", "accuracy"),
    ("leakage, other-class images", "leakage", "other_images"),
    ("Φ (nats)", "phi", "phi_test"),
)


@shows(
    "Trade-off of density, accuracy, leakage and Φ",
    needs=[("tradeoff", "classification"), ("tradeoff", "phi"), ("tradeoff", "leakage")],
)
def lsg_tradeoff(records: Records) -> Drawing:
    """Density, accuracy, leakage and phi over a, a line per lambda; and how they go together."""
    grid = records.experiments("tradeoff", analysis="classification")
    figure, axes = new_figure(9.0, 3, 2, gridspec_kw={"height_ratios": [1, 1, 1.4]})
    for (name, analysis, key), axis in zip(PANELS, axes[:2].ravel(), strict=True):
        _draw_lines(records, axis, grid, analysis, key)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("a", fontsize=9)
        axis.grid(alpha=0.3)
    std = records.partner(grid[0], "std")
    if std is not None:
        accuracy = summarize(records.sample(std, "classification", "accuracy"))
        if accuracy is not None:
            axes[0, 1].axhline(accuracy.mean, color="gray", linestyle=":", label="STD")
    axes[0, 1].legend(fontsize=7)
    spec = axes[2, 0].get_gridspec()
    for axis in axes[2]:
        axis.remove()
    _draw_scatter(records, figure.add_subplot(spec[2, :]), grid, std)
    reference = (
        ""
        if std is None
        else f" Dotted, above: {std.label}, {std.epochs} epochs; below: for each point the STD "
        "nearest in epochs."
    )
    caption = (
        "LSG over λ and a. Above: mean over seeds, bars one sample standard deviation. Below: each "
        "setting and each named method by density and accuracy, its colour the leakage on "
        f"other-class images (1: the gate path reads the label alone).{reference} "
        f"Grid: {grid[0].network}, {grid[0].epochs} epochs, "
        f"{len(grid[0].seeds)} seed{'s' if len(grid[0].seeds) > 1 else ''}."
    )
    return Drawing(figure, caption)


def _draw_lines(
    records: Records, axis: Axes, grid: list[Experiment], analysis: str, key: str
) -> None:
    lambdas = sorted({v for e in grid if (v := lambda_and_a(records, e)[0]) is not None})
    values = sorted({v for e in grid if (v := lambda_and_a(records, e)[1]) is not None})
    for number, lambda_ in enumerate(lambdas):
        points = []
        for e in grid:
            found, a = lambda_and_a(records, e)
            summary = summarize(records.sample(e, analysis, key))
            if found == lambda_ and a is not None and summary is not None:
                points.append((values.index(a), summary.mean, summary.std or 0.0))
        positions, means, spreads = zip(*sorted(points), strict=True)
        axis.errorbar(
            positions,
            means,
            spreads,
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            capsize=2,
            label=f"λ = {lambda_:g}",
        )
    # Equal steps: the grid's values span orders of magnitude and may include zero.
    axis.set_xticks(range(len(values)), [f"{v:g}" for v in values], fontsize=8)


def _draw_scatter(
    records: Records, axis: Axes, grid: list[Experiment], std: Experiment | None
) -> None:
    named = [
        e
        for e in records.experiments("lsg", "csg", "negatives", "joint", "dense", "fixed")
        if e.setting == grid[0].setting
    ]
    for number, group in enumerate([grid, *([e] for e in named)]):
        points = [p for e in group if (p := _point(records, e, std is not None)) is not None]
        if not points:
            continue
        density, accuracy, leakage = zip(*points, strict=True)
        image = axis.scatter(
            density,
            accuracy,
            c=leakage,
            cmap="viridis",
            vmin=0,
            vmax=1,
            marker=MARKERS[number % len(MARKERS)],
            s=42,
            edgecolors="black",
            linewidths=0.6,
            label="λ, a grid" if group is grid else group[0].label,
        )
    if std is not None:
        axis.axhline(0, color="gray", linestyle=":")
    figure = axis.get_figure()
    assert figure is not None
    figure.colorbar(image, ax=axis, label="leakage, other-class images")
    axis.set_xlabel("density of the trained gate", fontsize=9)
    axis.set_ylabel("accuracy" if std is None else "accuracy minus STD, points", fontsize=9)
    axis.set_xlim(0, 1.03)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def _mean(sample: Sample) -> float | None:
    summary = summarize(sample)
    return None if summary is None else summary.mean


def _point(records: Records, e: Experiment, minus_std: bool) -> tuple[float, float, float] | None:
    density = _mean(records.sample(e, "phi", "trained_density"))
    # Networks of unequal epochs are comparable only with an STD of as many.
    accuracy = _mean(
        accuracy_difference(records, e)
        if minus_std
        else records.sample(e, "classification", "accuracy")
    )
    leakage = _mean(records.sample(e, "leakage", "other_images"))
    if density is None or accuracy is None or leakage is None:
        return None
    return density, accuracy, leakage
