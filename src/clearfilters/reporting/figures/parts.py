"""Location instability, R² and error over the weight of the filter loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearfilters.reporting.drawing import COLORS, MARKERS, Drawing, new_figure, shows
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.part_quantities import (
    CONSTANT,
    ERROR_PERCENT,
    INSTABILITY,
    LOCATION,
    R2,
    R2_FLOOR,
    Quantity,
    filters_of,
    partner_of,
    sample_of,
    weight_of,
)
from clearfilters.reporting.records import Experiment, Records, Sample, summarize
from clearfilters.reporting.tables.part_filters import weighed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = (
    ("location instability, of the diagonal", INSTABILITY),
    ("R², head, mean over filters", R2),
    ("error, percent", ERROR_PERCENT),
)


@dataclass(frozen=True)
class _Curve:
    """Networks of one category and size by the weight of their filter loss, above 0, ascending."""

    label: str
    points: list[Experiment]
    ordinary: Experiment | None


@shows("Weight of the filter loss", needs=[("weighted", LOCATION)])
def icnn_weight(records: Records) -> Drawing:
    """Instability, R² and error over the weight, a curve per category and network."""
    curves = _curves(records)
    figure, axes = new_figure(8.0, 3, 1, sharex=True)
    panels = axes[:, 0]
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        style = {"color": color, "marker": MARKERS[number % len(MARKERS)], "label": curve.label}
        for (_, quantity), axis in zip(PANELS, panels, strict=True):
            _draw(records, axis, curve, quantity, style)
        _draw(records, panels[1], curve, R2_FLOOR, {"color": color, "linestyle": ":"})
        draw_level(panels[0], sample_of(records, curve.points[0], INSTABILITY, CONSTANT), color)
        if curve.ordinary is not None:
            draw_level(panels[2], sample_of(records, curve.ordinary, ERROR_PERCENT), color)
    weights = sorted({weight_of(records, e) or 0.0 for curve in curves for e in curve.points})
    for (name, _), axis in zip(PANELS, panels, strict=True):
        axis.set_xscale("log")
        # matplotlib's own labels of a logarithmic axis are formulas.
        axis.set_xticks(weights, [f"{weight:,g}" for weight in weights])
        axis.minorticks_off()
        axis.set_ylabel(name, fontsize=9)
        axis.grid(alpha=0.3)
    panels[0].legend(fontsize=8)
    panels[-1].set_xlabel("weight of the filter loss (1: the authors' code)", fontsize=9)
    models = "; ".join(
        f"{e.label} ({e.network}, {e.epochs} epochs, {seeds_text(e.seeds)})"
        for curve in curves
        for e in curve.points
    )
    caption = (
        "Above: dashed, a unit that always fires at the centre. Middle: R² of a filter's place and "
        "the head's over its strongest images; dotted, its floor, with the landmarks shuffled. "
        "Below: dashed, the ordinary network. Mean over seeds, bars one sample standard deviation. "
        f"{models}."
    )
    return Drawing(figure, caption)


def _curves(records: Records) -> list[_Curve]:
    found = []
    for (dataset, category), experiments in weighed(records).items():
        groups: dict[tuple[Any, ...], list[Experiment]] = {}
        for e in experiments:
            if e.role in ("interpretable", "weighted"):
                groups.setdefault((e.setting, filters_of(records, e)), []).append(e)
        for (_, filters), group in groups.items():
            if any(e.role == "weighted" for e in group):
                points = sorted(group, key=lambda e: weight_of(records, e) or 0.0)
                label = f"{category} ({dataset}), {filters} filters"
                found.append(_Curve(label, points, partner_of(records, points[0], "ordinary")))
    return found


def _draw(
    records: Records, axis: Axes, curve: _Curve, quantity: Quantity, style: dict[str, Any]
) -> None:
    points = [(weight_of(records, e) or 0.0, sample_of(records, e, quantity)) for e in curve.points]
    draw_curve(axis, points, style)


def draw_curve(
    axis: Axes, points: Sequence[tuple[float, Sample]], style: Mapping[str, Any]
) -> None:
    """A curve of means with bars, where there are numbers."""
    shown = [
        (place, summary.mean, summary.std or 0.0)
        for place, sample in points
        if (summary := summarize(sample)) is not None
    ]
    if shown:
        places, means, spreads = zip(*shown, strict=True)
        axis.errorbar(places, means, spreads, markersize=4, capsize=2, **style)


def draw_level(axis: Axes, sample: Sample, color: str) -> None:
    """A dashed line at the mean, if there is one."""
    summary = summarize(sample)
    if summary is not None:
        axis.axhline(summary.mean, color=color, linestyle="--")
