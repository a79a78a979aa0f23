"""Adversarial samples: what they look like, and what gives them away."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.reporting.drawing import COLORS, MARKERS, Drawing, new_figure, shows
from clearfilters.reporting.numbers import Line
from clearfilters.reporting.panel import Panel
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.tables.detection import ANALYSIS

VERSIONS = ("clean", "adversarial", "perturbation")
MIXED = "all attacks"
# Above this AUC a number is written in black on a bright field.
BRIGHT = 0.75


@shows("Adversarial samples", needs=[("std", "detection")])
def attack_examples(records: Records) -> Drawing:
    """A clean image, its adversarial version and the perturbation, per model and attack."""
    shown = _shown(records)
    attacks = _attacks(records, shown)
    rows = len(VERSIONS) * len(shown)
    height = 1.15 * rows * 6 / max(len(attacks), 4) + 0.3
    figure, axes = new_figure(height, rows, len(attacks))
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
    lines: list[Line] = []
    for number, e in enumerate(shown):
        block = axes[len(VERSIONS) * number : len(VERSIONS) * (number + 1)]
        block[1, 0].set_ylabel(e.label, fontsize=8)
        for attack, column in zip(attacks, block.T, strict=True):
            panels = [Panel(e.label, axis, lines) for axis in column]
            _draw_example(panels, attack, _first(records, e)["attacks"].get(attack))
    caption = (
        "The first test image on which each attack succeeded: the clean image, the adversarial one "
        "in 8 bit, and the perturbation (grey: unchanged; its largest value, given below, "
        f"stretched to the ends of the scale). {_models(shown)}."
    )
    return Drawing(figure, caption, lines)


def _draw_example(panels: list[Panel], attack: str, about: dict[str, Any] | None) -> None:
    """Three panels, one below the other."""
    example = about["example"] if about is not None else None
    first = panels[0].axes
    first.set_title(attack, fontsize=7)
    if example is None:
        reason = "not made" if about is None else "none\nsucceeded"
        first.text(0.5, 0.5, reason, ha="center", va="center", fontsize=6)
        return
    said = (example["label"], example["predicted"], example["linf"])
    texts = (said[0], f"→ {said[1]}", f"L∞ {said[2]:.3f}")
    for place, (panel, version) in enumerate(zip(panels, VERSIONS, strict=True)):
        pixels = _picture(example[version])
        panel.picture(f"{attack}, {version}", place + 1, pixels, said[place])
        panel.axes.set_xlabel(texts[place], fontsize=6, labelpad=1)


def _picture(encoded: str) -> npt.NDArray[np.uint8]:
    """The image (H, W, 3) of a PNG in base64."""
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return np.asarray(image.convert("RGB"))


@shows("Which layers give adversarial samples away", needs=[("std", "detection")])
def detection_importance(records: Records) -> Drawing:
    """How much each layer's features matter to the detectors, a panel per attack."""
    shown = _shown(records)
    attacks = _attacks(records, shown)
    columns = min(len(attacks), 2)
    rows = -(-len(attacks) // columns)
    figure, axes = new_figure(2.1 * rows + 0.5, rows, columns, sharex=True, sharey=True)
    for axis in axes.ravel()[len(attacks) :]:
        axis.set_visible(False)
    lines: list[Line] = []
    for attack, axis in zip(attacks, axes.ravel(), strict=False):
        _draw_importance(records, Panel(attack, axis, lines), shown)
        axis.set_title(attack, fontsize=9)
        axis.grid(alpha=0.3)
    # The lowest panel of each column, which need not be in the last row.
    for axis in axes.ravel()[: len(attacks)][-columns:]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("convolution", fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel("importance", fontsize=9)
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].legend(fontsize=7)
    caption = (
        "Impurity importance of a detector's features, summed over the features of each layer, "
        f"mean over repetitions and seeds; {_sizes(records, shown)}. Grey: the layer's share of "
        f"all features, what equally useful features would give. {_models(shown, seeds=True)}."
    )
    return Drawing(figure, caption, lines)


def _draw_importance(records: Records, panel: Panel, shown: list[Experiment]) -> None:
    """The panel has the name of the attack."""
    sizes = np.array(_first(records, shown[0])["layer_sizes"])
    layers = np.arange(1, len(sizes) + 1)
    even = "share of features"
    panel.curve(even, layers, sizes / sizes.sum(), color="gray", linestyle=":", label=even)
    for number, e in enumerate(shown):
        found = [
            importance
            for m in records.measurements(e, ANALYSIS).values()
            if (importance := m.values["importance"].get(panel.name)) is not None
        ]
        if found:
            panel.curve(
                e.label,
                np.arange(1, len(found[0]) + 1),
                np.mean(found, axis=0),
                color=COLORS[number % len(COLORS)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=3,
                label=e.label,
            )


@shows("Detectors on attacks that they were not trained on", needs=[("std", "detection")])
def detection_cross(records: Records) -> Drawing:
    """AUC of detectors trained on one attack and tested on another, a matrix per model."""
    shown = _shown(records)
    attacks = _attacks(records, shown)
    side = 0.34 * len(attacks) + 1.2
    figure, axes = new_figure(side * len(shown), len(shown), 1, sharex=True)
    lines: list[Line] = []
    for e, axis in zip(shown, axes[:, 0], strict=True):
        matrix = cross_matrix(records, e, attacks)
        image = Panel(e.label, axis, lines).heat_map(
            "AUC", matrix, limits=(0, 1), row_names=[*attacks, MIXED], column_names=attacks
        )
        for (row, column), value in np.ndenumerate(matrix):
            if not np.isnan(value):
                color = "black" if value > BRIGHT else "white"
                axis.text(
                    column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=color
                )
        axis.set_title(e.label, fontsize=9)
        axis.set_ylabel("trained on", fontsize=9)
    axes[-1, 0].set_xlabel("tested on", fontsize=9)
    figure.colorbar(image, ax=axes[:, 0].tolist(), label="AUC", shrink=0.6)
    caption = (
        "AUC of detectors trained on one attack and tested on another, mean over repetitions and "
        f"seeds; {_sizes(records, shown)}; 0.5 is chance; grey: not made, or too few successes. "
        f"{_models(shown, seeds=True)}."
    )
    return Drawing(figure, caption, lines)


def cross_matrix(records: Records, e: Experiment, attacks: list[str]) -> npt.NDArray[np.float64]:
    """AUC in [0, 1], (attacks + 1, attacks): row trained on, the last on all; column tested on.

    Mean over repetitions and over the seeds that have it; NaN where none has.
    """
    matrix = np.full((len(attacks) + 1, len(attacks)), np.nan)
    measured = [m.values for m in records.measurements(e, ANALYSIS).values()]
    for column, tested in enumerate(attacks):
        for row, trained in enumerate([*attacks, MIXED]):
            found = [
                np.mean(auc)
                for values in measured
                if (auc := _trained_on(values, trained).get(tested)) is not None
            ]
            if found:
                matrix[row, column] = np.mean(found)
    return matrix


def _trained_on(values: dict[str, Any], trained: str) -> dict[str, list[float] | None]:
    """The AUCs of the detectors trained on an attack, by the attack tested on."""
    if trained == MIXED:
        return dict(values["mixed"])
    return dict(values["cross"].get(trained, {}))


def _shown(records: Records) -> list[Experiment]:
    """The experiments with detectors that have the network of the first STD among them."""
    network = records.experiments("std", analysis=ANALYSIS)[0].network
    return [e for e in records.experiments(analysis=ANALYSIS) if e.network == network]


def _first(records: Records, e: Experiment) -> dict[str, Any]:
    return records.first(e, ANALYSIS) or {}


def _attacks(records: Records, shown: list[Experiment]) -> list[str]:
    return list(dict.fromkeys(name for e in shown for name in _first(records, e)["attacks"]))


def _sizes(records: Records, shown: list[Experiment]) -> str:
    found = sorted({_first(records, e)["shared_size"] for e in shown})
    return f"n = {', '.join(map(str, found))} training images per class"


def _models(shown: list[Experiment], *, seeds: bool = False) -> str:
    def which(e: Experiment) -> str:
        if seeds:
            return f"{len(e.seeds)} seed{'s' if len(e.seeds) > 1 else ''}"
        return f"seed {e.seeds[0]}"

    return "; ".join(f"{e.label}: {which(e)}, {e.epochs} epochs" for e in shown)
