"""Explainers over the weight of -log p, and p over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clearfilters.reporting.drawing import COLORS, MARKERS, Drawing, new_figure, shows
from clearfilters.reporting.explainer_lines import EXPLAINED_NETWORKS, family_of
from clearfilters.reporting.explainer_quantities import (
    EXPLAINER_ERROR,
    EXPLANATION,
    FIRST_ERROR,
    PERFORMER_ERROR,
    P,
    alike,
    eta_of,
    performer_of,
)
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.part_quantities import (
    INSTABILITY,
    LOCATION,
    R2,
    R2_FLOOR,
    Quantity,
    categories_of,
    sample_of,
)
from clearfilters.reporting.published import published
from clearfilters.reporting.records import Experiment, Records, Sample

PANELS = (
    ("p", P),
    ("relative error, first layer", FIRST_ERROR),
    ("error, percent", EXPLAINER_ERROR),
    ("location instability", INSTABILITY),
    ("R², head", R2),
)
# Inches.
PANEL_HEIGHT = 1.9
P_HEIGHT = 4.5


@dataclass(frozen=True)
class _Curve:
    """Explainers of one performer of one category, by ascending eta."""

    label: str
    points: list[Experiment]
    performer: Experiment | None

    def samples(self, records: Records, quantity: Quantity) -> list[tuple[float, Sample]]:
        """Eta, and the numbers there."""
        return [(eta_of(records, e), sample_of(records, e, quantity)) for e in self.points]


@shows(
    "Explainers over η",
    needs=[("explainer", EXPLANATION), ("explainer-eta", EXPLANATION), ("explainer-eta", LOCATION)],
)
def explainer_eta(records: Records) -> Drawing:
    """P, reconstruction, error, instability and R² over eta, a curve per category."""
    curves = _curves(records)
    figure, axes = new_figure(PANEL_HEIGHT * len(PANELS), len(PANELS), 1, sharex=True)
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
        panels[4].means(f"{curve.label}, floor", floor, color=color, linestyle=":")
        performer = f"{curve.label}, performer"
        dashed: dict[str, Any] = {"color": color, "linestyle": "--"}
        error = sample_of(records, curve.points[0], PERFORMER_ERROR)
        panels[2].level(performer, error, **dashed)
        if curve.performer is not None:
            for panel, quantity in ((panels[3], INSTABILITY), (panels[4], R2)):
                panel.level(performer, sample_of(records, curve.performer, quantity), **dashed)
    etas = sorted({eta_of(records, e) for curve in curves for e in curve.points})
    for panel in panels:
        axis = panel.axes
        axis.set_xscale("log")
        # matplotlib's own labels of a logarithmic axis are formulas.
        axis.set_xticks(etas, [f"{eta:,g}" for eta in etas])
        axis.minorticks_off()
        axis.set_ylabel(panel.name, fontsize=8)
        axis.grid(alpha=0.3)
    panels[0].axes.legend(fontsize=8)
    panels[-1].axes.set_xlabel("η, the weight of -log p", fontsize=9)
    caption = (
        "p, relative error of the reconstructed features (first layer, test images), error of the "
        "explainer, location instability of conv-interp-2, of the diagonal, and R² of its filters' "
        "places and the head's, mean over filters. Dashed: the performer. Dotted: the floor of R², "
        "with the landmarks shuffled. Mean over seeds, bars one sample standard deviation. "
        f"{_models(e for curve in curves for e in curve.points)}."
    )
    return Drawing(figure, caption, lines)


def _curves(records: Records) -> list[_Curve]:
    found = []
    for e in records.experiments("explainer", analysis=EXPLANATION):
        others = alike(records, e, "explainer-eta")
        if others:
            points = sorted([e, *others], key=lambda o: eta_of(records, o))
            label = f"{', '.join(categories_of(records, e))} ({e.dataset})"
            found.append(_Curve(label, points, performer_of(records, e)))
    return found


@shows(
    "EXPLAINER figure 4: p of explainers, over the epochs",
    needs=[("explainer", EXPLANATION)],
    also=[LOCATION],
)
def explainer_figure4(records: Records) -> Drawing:
    """A curve per explainer, of the lowest seed; the paper's networks as marks at the side."""
    shown = records.experiments("explainer", analysis=EXPLANATION)
    figure, axes = new_figure(P_HEIGHT, 1, 2, sharey=True, width_ratios=[3, 1])
    curves, marks = axes[0]
    lines: list[Line] = []
    panel = Panel("p", curves, lines)
    for number, e in enumerate(shown):
        values = records.first(e, EXPLANATION) or {}
        p = values["history"]["p"]
        panel.curve(
            e.label,
            range(1, len(p) + 1),
            p,
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number // len(COLORS) % len(MARKERS)],
            markersize=3,
            linestyle="-" if values["plateau"] else ":",
            label=e.label,
        )
    families = {f for e in shown if (f := family_of(e.dataset)) not in (None, "ILSVRC")}
    _mark(Panel("p in the paper", marks, lines), sorted(families))
    curves.xaxis.get_major_locator().set_params(integer=True)
    curves.set_xlabel("epoch", fontsize=9)
    curves.set_ylabel("p", fontsize=9)
    curves.set_ylim(0, 1)
    curves.legend(fontsize=6, ncols=2, loc="lower right")
    for axis in (curves, marks):
        axis.grid(alpha=0.3)
    caption = (
        "The share p of the interpretable track after every epoch, of the lowest seed; dotted: it "
        "has not settled. Right: the paper's p, by its networks (it shows feature maps of two of "
        f"them beside their p). {_models(shown)}."
    )
    return Drawing(figure, caption, lines)


def _mark(panel: Panel, families: Sequence[str | None]) -> None:
    """The paper's p of one category, a column per data set; VOC where the run has neither."""
    values = published("EXPLAINER", "table3")
    columns = families or ["VOC"]
    for number, network in enumerate(EXPLAINED_NETWORKS.values()):
        points = {
            family: value.value
            for family in columns
            if (value := values.get((f"{network} / explainer", f"{family}, one category")))
        }
        if points:
            panel.curve(
                network,
                list(points),
                list(points.values()),
                place=columns.index,
                color="black",
                marker=MARKERS[number],
                markersize=5,
                markerfacecolor="none",
                linestyle="",
                label=network,
            )
    axis = panel.axes
    axis.set_xticks(range(len(columns)), [f"paper, {family}" for family in columns], fontsize=8)
    axis.set_xlim(-0.5, len(columns) - 0.5)
    axis.legend(fontsize=6, loc="lower right")


def _models(shown: Iterable[Experiment]) -> str:
    return "; ".join(
        f"{e.label} ({e.network}, {e.epochs} epochs, {seeds_text(e.seeds)})" for e in shown
    )
