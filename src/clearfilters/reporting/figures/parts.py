"""Location instability, R² and error over the weight of the filter loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clearfilters.reporting.drawing import COLORS, MARKERS, Drawing, new_figure, shows
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
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
from clearfilters.reporting.records import Experiment, Records, Sample
from clearfilters.reporting.tables.part_filters import weighed

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

    def samples(self, records: Records, quantity: Quantity) -> list[tuple[float, Sample]]:
        """The weight, and the numbers there."""
        return [
            (weight_of(records, e) or 0.0, sample_of(records, e, quantity)) for e in self.points
        ]


@shows("Weight of the filter loss", needs=[("weighted", LOCATION)])
def icnn_weight(records: Records) -> Drawing:
    """Instability, R² and error over the weight, a curve per category and network."""
    curves = _curves(records)
    figure, axes = new_figure(8.0, 3, 1, sharex=True)
    lines: list[Line] = []
    panels = [Panel(name, axis, lines) for (name, _), axis in zip(PANELS, axes[:, 0], strict=True)]
    for number, curve in enumerate(curves):
        color = COLORS[number % len(COLORS)]
        style: dict[str, Any] = {
            "color": color,
            "marker": MARKERS[number % len(MARKERS)],
            "label": curve.label,
        }
        for (_, quantity), panel in zip(PANELS, panels, strict=True):
            panel.means(curve.label, curve.samples(records, quantity), **style)
        floor = curve.samples(records, R2_FLOOR)
        panels[1].means(f"{curve.label}, floor", floor, color=color, linestyle=":")
        constant = sample_of(records, curve.points[0], INSTABILITY, CONSTANT)
        dashed: dict[str, Any] = {"color": color, "linestyle": "--"}
        panels[0].level(f"{curve.label}, unit that always fires", constant, **dashed)
        if curve.ordinary is not None:
            error = sample_of(records, curve.ordinary, ERROR_PERCENT)
            panels[2].level(f"{curve.label}, ordinary network", error, **dashed)
    weights = sorted({weight_of(records, e) or 0.0 for curve in curves for e in curve.points})
    for panel in panels:
        axis = panel.axes
        axis.set_xscale("log")
        # matplotlib's own labels of a logarithmic axis are formulas.
        axis.set_xticks(weights, [f"{weight:,g}" for weight in weights])
        axis.minorticks_off()
        axis.set_ylabel(panel.name, fontsize=9)
        axis.grid(alpha=0.3)
    panels[0].axes.legend(fontsize=8)
    panels[-1].axes.set_xlabel("weight of the filter loss (1: the authors' code)", fontsize=9)
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
    return Drawing(figure, caption, lines)


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
