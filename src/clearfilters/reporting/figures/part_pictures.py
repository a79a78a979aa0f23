"""ICNN figures 5 and 6, EXPLAINER figure 3: what top filters see, and where they peak."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from clearfilters.pictures import decoded, lit
from clearfilters.reporting.drawing import Drawing, new_figure, shows
from clearfilters.reporting.explainer_quantities import performer_of
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.part_quantities import weight_of
from clearfilters.reporting.records import Experiment, Records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = "part_pictures"
NEEDS = [("ordinary", PICTURES), ("interpretable", PICTURES)]
# Data sets and networks that are shown, each with two or three rows.
GROUPS = 2
# Of the whole figure, so that its file has some 200 KB.
EXAMPLE_COLORS = 256
HEAT_COLORS = 96
HEAT = "inferno"
# Widths in those of a picture, heights in inches.
GAP = 0.12
EXAMPLE_HEIGHT = 0.95
HEAT_HEIGHT = 1.3
LABEL_WIDTH = 14  # characters


@shows("ICNN figure 5: what the filters of the top convolution see", needs=NEEDS)
def icnn_figure5(records: Records) -> Drawing:
    """A row per network: the strongest images of some filters, lit where they fire."""
    return _strongest(records, _shown(records), "top convolution")


@shows("ICNN figure 6: where the filters of the top convolution peak", needs=NEEDS)
def icnn_figure6(records: Records) -> Drawing:
    """A row per network: heat maps of all filters' peaks in the same images."""
    shown = _shown(records)
    values = [records.first(e, PICTURES) or {} for e in shown]
    columns = max(len(found["heat_maps"]) for found in values)
    figure, axes = new_figure(HEAT_HEIGHT * len(shown), len(shown), columns)
    lines: list[Line] = []
    for e, found, row in zip(shown, values, axes, strict=True):
        for axis in row:
            axis.set_axis_off()
        name_row(row[0], e)
        for number, (axis, one) in enumerate(zip(row, found["heat_maps"], strict=False)):
            panel = Panel(f"{e.label}, image {number + 1}, {one['category']}", axis, lines)
            draw_heat(panel, "filters that peak here", one, found["map"])
            axis.set_axis_on()
            plain(axis)
            highest = panel.stated("most filters in one cell", int(np.max(one["cells"])))
            filters = panel.stated("filters", found["filters"])
            axis.set_xlabel(f"{highest} of {filters}", fontsize=7, labelpad=1)
    caption = (
        "How many filters of the top convolution have their largest activation at a place of the "
        "image; each map in its own scale, whose end (filters in one cell) stands below it. "
        f"{_models(shown)}."
    )
    return Drawing(figure, caption, lines, HEAT_COLORS)


@shows(
    "EXPLAINER figure 3: what filters of the explainer and of the performer see",
    needs=[("ordinary", PICTURES), ("explainer", PICTURES)],
)
def explainer_figure3(records: Records) -> Drawing:
    """A row per network: the strongest images of filters, of a performer and of its explainer."""
    explainers = records.experiments("explainer", analysis=PICTURES)
    performers = {e.name: performer_of(records, e) for e in explainers}
    # Those whose performer is not pictured stand alone, behind the others.
    explainers.sort(key=lambda e: performers[e.name] is None)
    shown = [
        network
        for e in explainers[:GROUPS]
        for network in (performers[e.name], e)
        if network is not None
    ]
    return _strongest(records, shown, "top convolution, of an explainer of conv-interp-2,")


def _shown(records: Records) -> list[Experiment]:
    """Ordinary beside interpretable, and, where they ran, the greatest weight and mixed ones."""
    found = []
    for e in records.experiments("interpretable", analysis=PICTURES):
        ordinary, weighted, mixed = (
            _like(records, e, role) for role in ("ordinary", "weighted", "mixed")
        )
        if ordinary:
            found.append([ordinary[0], e, *weighted[:1], *mixed[:1]])
    return [e for group in found[:GROUPS] for e in group]


def _strongest(records: Records, shown: list[Experiment], layer: str) -> Drawing:
    """A row per network, a group of images per filter; `layer` is what the caption calls it."""
    values = [records.first(e, PICTURES) or {} for e in shown]
    filters = max(len(found["examples"]) for found in values)
    images = max(len(one["images"]) for found in values for one in found["examples"])
    widths = [*([1.0] * images), GAP] * filters
    figure, axes = new_figure(
        EXAMPLE_HEIGHT * len(shown), len(shown), len(widths), width_ratios=widths
    )
    lines: list[Line] = []
    for e, found, row in zip(shown, values, axes, strict=True):
        for axis in row:
            axis.set_axis_off()
        name_row(row[0], e)
        for number, one in enumerate(found["examples"]):
            first = number * (images + 1)
            title = f"filter {one['filter']}, {one['category']}"
            row[first].set_title(title, fontsize=7, loc="left", pad=2)
            pictures = zip(row[first:], one["images"], strict=False)
            for place, (axis, image) in enumerate(pictures, start=1):
                Panel(e.label, axis, lines).picture(title, place, _lit(image), image["peak"])
                axis.set_axis_on()
                plain(axis)
    caption = (
        f"Of each network the filters of its {layer} with the highest mean peak on a "
        "category's objects, and the images that excite each most. Bright: discs around the units "
        "whose activation, after ReLU and mask, is above the filter's threshold (its top "
        f"{1 - values[0]['quantile']:.1%} on the category's objects). {_models(shown)}."
    )
    return Drawing(figure, caption, lines, EXAMPLE_COLORS)


def _like(records: Records, e: Experiment, role: str) -> list[Experiment]:
    """On the same data and network: as many filters first, then the greatest weight of the loss."""
    same = [o for o in records.experiments(role, analysis=PICTURES) if o.setting == e.setting]

    def order(other: Experiment) -> tuple[bool, float]:
        as_many = _filters(records, other) == _filters(records, e)
        return not as_many, -(weight_of(records, other) or 0.0)

    return sorted(same, key=order)


def _filters(records: Records, e: Experiment) -> int:
    return int((records.first(e, PICTURES) or {})["filters"])


def name_row(axis: Axes, e: Experiment) -> None:
    """Write an experiment's label left of a row, of which this is the first picture."""
    axis.set_ylabel(textwrap.fill(e.label, LABEL_WIDTH), fontsize=7)


def plain(axis: Axes) -> None:
    """Leave the scale of a picture out."""
    axis.set_xticks([])
    axis.set_yticks([])


def _lit(image: dict[str, Any]) -> Any:
    from PIL import Image

    region = Image.fromarray(decoded(image["region"])).convert("L")
    return np.asarray(lit(Image.fromarray(decoded(image["image"])), region))


def draw_heat(panel: Panel, series: str, one: dict[str, Any], geometry: dict[str, float]) -> None:
    """An image, grey, and over it its cells, each where its receptive field lies.

    Args:
        panel: where.
        series: what the cells are.
        one: `image`, and `cells` (side, side), none below 0, whose largest is the warmest colour.
        geometry: side, stride, start and image_size of the map, in pixels.
    """
    from PIL import Image

    axis = panel.axes
    size, stride = geometry["image_size"], geometry["stride"]
    first = geometry["start"] - stride / 2
    last = first + geometry["side"] * stride
    grey = Image.fromarray(decoded(one["image"])).convert("L")
    axis.imshow(np.asarray(grey), cmap="gray", vmin=0, vmax=255, extent=(0, size, size, 0))
    cells = np.array(one["cells"], float)
    panel.cells(series, cells)
    heat = cells / (cells.max() or 1)
    axis.imshow(
        heat,
        cmap=HEAT,
        vmin=0,
        vmax=1,
        alpha=np.sqrt(heat) * 0.9,
        interpolation="bilinear",
        extent=(first, last, last, first),
    )
    axis.set_xlim(0, size)
    axis.set_ylim(size, 0)


def _models(shown: list[Experiment]) -> str:
    return "; ".join(
        f"{e.label}: {e.network}, {e.dataset}, seed {e.seeds[0]}, {e.epochs} epochs" for e in shown
    )
