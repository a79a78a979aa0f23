"""The trade-off of sparsity and leakage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearfilters.reporting.drawing import COLORS, MARKERS, Drawing, new_figure, shows
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.records import Experiment, Records, Sample, summarize
from clearfilters.reporting.tables.tradeoff import accuracy_difference, lambda_and_a

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    lines: list[Line] = []
    panels = [
        Panel(name, axis, lines) for (name, *_), axis in zip(PANELS, axes[:2].ravel(), strict=True)
    ]
    for (name, analysis, key), panel in zip(PANELS, panels, strict=True):
        _draw_lines(records, panel, grid, analysis, key)
        axis = panel.axes
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("a", fontsize=9)
        axis.grid(alpha=0.3)
    std = records.partner(grid[0], "std")
    if std is not None:
        accuracy = records.sample(std, "classification", "accuracy")
        panels[1].level(std.label, accuracy, color="gray", linestyle=":", label="STD")
    axes[0, 1].legend(fontsize=7)
    spec = axes[2, 0].get_gridspec()
    for axis in axes[2]:
        axis.remove()
    name = "accuracy" if std is None else "accuracy minus STD, points"
    _draw_scatter(records, figure, Panel(name, figure.add_subplot(spec[2, :]), lines), grid, std)
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
    return Drawing(figure, caption, lines)


def _draw_lines(
    records: Records, panel: Panel, grid: list[Experiment], analysis: str, key: str
) -> None:
    lambdas = sorted({v for e in grid if (v := lambda_and_a(records, e)[0]) is not None})
    values = sorted({v for e in grid if (v := lambda_and_a(records, e)[1]) is not None})
    for number, lambda_ in enumerate(lambdas):
        points = {
            a: records.sample(e, analysis, key)
            for e in grid
            if (of_point := lambda_and_a(records, e))[0] == lambda_
            and (a := of_point[1]) is not None
        }
        panel.means(
            f"λ = {lambda_:g}",
            sorted(points.items()),
            place=values.index,
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number % len(MARKERS)],
            label=f"λ = {lambda_:g}",
        )
    # Equal steps: the grid's values span orders of magnitude and may include zero.
    panel.axes.set_xticks(range(len(values)), [f"{v:g}" for v in values], fontsize=8)


def _draw_scatter(
    records: Records,
    figure: Figure,
    panel: Panel,
    grid: list[Experiment],
    std: Experiment | None,
) -> None:
    axis = panel.axes
    named = [
        e
        for e in records.experiments("lsg", "csg", "negatives", "joint", "dense", "fixed")
        if e.setting == grid[0].setting
    ]
    for number, group in enumerate([grid, *([e] for e in named)]):
        minus_std = std is not None
        points = {e.label: p for e in group if (p := _point(records, e, minus_std)) is not None}
        if not points:
            continue
        image = panel.points(
            points,
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
        axis.axhline(0, color="gray", linestyle=":")  # no number: what it is measured from
    figure.colorbar(image, ax=axis, label="leakage, other-class images")
    axis.set_xlabel("density of the trained gate", fontsize=9)
    axis.set_ylabel(panel.name, fontsize=9)
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
