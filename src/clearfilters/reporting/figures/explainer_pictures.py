"""EXPLAINER figure 5: where performer and explainer look, and what each part contributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from clearfilters.pictures import decoded
from clearfilters.reporting.drawing import Drawing, new_figure, shows
from clearfilters.reporting.explainer_quantities import PICTURES
from clearfilters.reporting.figures.part_pictures import draw_heat, name_row, plain
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.records import Experiment, Records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What is shown: explainers, images of each, and parts, those that contribute most.
EXPLAINERS, IMAGES, PARTS = 2, 3, 4
# Of the whole figure, so that its file has some 200 KB.
COLORS = 96
ROW_HEIGHT = 1.15  # inches
TITLE_SIZE = 7


@shows(
    "EXPLAINER figure 5: Grad-CAM of performer and explainer, and the parts of the score",
    needs=[("explainer", PICTURES)],
)
def explainer_figure5(records: Records) -> Drawing:
    """A row per image: itself, both networks' Grad-CAM, and a heat map per part."""
    shown = records.experiments("explainer", analysis=PICTURES)[:EXPLAINERS]
    rows = [(e, *image) for e in shown for image in _images(records, e)]
    columns = 3 + max(len(_parts(one)) for *_, one in rows)
    figure, axes = new_figure(ROW_HEIGHT * len(rows), len(rows), columns)
    lines: list[Line] = []
    for (e, number, values, one), row in zip(rows, axes, strict=True):
        for axis in row:
            axis.set_axis_off()
        name = f"{e.label}, image {number}, {one['category']}"
        _draw_row([Panel(name, axis, lines) for axis in row], one, values["map"])
        name_row(row[0], e)
    models = "; ".join(
        f"{e.label}: {e.network}, {e.dataset}, seed {e.seeds[0]}, {e.epochs} epochs" for e in shown
    )
    caption = (
        "From the left: an image; Grad-CAM of the performer's top convolution and of the "
        "explainer's conv-interp-2, with the score of each; for the parts that contribute most, "
        "what their filters see, with their contribution to the explainer's score. Each map in its "
        f"own scale. {models}."
    )
    return Drawing(figure, caption, lines, COLORS)


def _images(records: Records, e: Experiment) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
    """The number of each of the images that are shown, what was recorded, and of the image."""
    values = records.first(e, PICTURES) or {}
    return [(number, values, one) for number, one in enumerate(values["examples"][:IMAGES], 1)]


def _parts(one: dict[str, Any]) -> list[str]:
    """The parts that are shown, the largest contribution first."""
    contributions: dict[str, float] = one["contributions"]
    return sorted(contributions, key=lambda part: -contributions[part])[:PARTS]


def _draw_row(row: list[Panel], one: dict[str, Any], geometry: dict[str, float]) -> None:
    _show(row[0].axes, one["category"])
    # Grey: the few colours of the file are needed for the heat.
    grey = Image.fromarray(decoded(one["image"])).convert("L")
    row[0].axes.imshow(np.asarray(grey), cmap="gray", vmin=0, vmax=255)
    maps = [
        ("performer", one["performer"], "score", one["performer_score"], ".2f"),
        ("explainer", one["explainer"], "score", one["explainer_score"], ".2f"),
        *(
            (p, one["parts"][p], "contribution", one["contributions"][p], "+.2f")
            for p in _parts(one)
        ),
    ]
    for panel, (name, cells, what, number, digits) in zip(row[1:], maps, strict=False):
        shown = panel.stated(f"{name}, {what}", number)
        _show(panel.axes, f"{name} {shown:{digits}}")
        draw_heat(panel, name, {"image": one["image"], "cells": cells}, geometry)


def _show(axis: Axes, title: str) -> None:
    axis.set_axis_on()
    axis.set_title(title, fontsize=TITLE_SIZE, pad=2)
    plain(axis)
