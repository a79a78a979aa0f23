"""An explanation of one picture: both networks' answers, and what the explainer's is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.explain.part_record import FilterParts
from clearfilters.methods.explainer_training import Explainer
from clearfilters.models.classifier import block_network
from clearfilters.models.receptive_fields import top_field
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict.answers import Answer, answer_of
from clearfilters.predict.views import View
from clearfilters.training.contributions import (
    OTHER,
    by_part,
    category_logit,
    contributions,
    explainer_cam,
    filters_of,
    performer_cam,
    performer_outputs,
    shares,
)
from clearfilters.training.frozen import freeze

Cells = npt.NDArray[np.floating]


@dataclass(frozen=True)
class DecidingPart:
    """A part's filters in the explainer's score.

    Attributes:
        name: of the part; `other` for filters that are of none.
        filters: how many it has.
        contribution: to the score, in its unit.
        share: of what all filters contribute; None where that is not above 0.
        cells: the sum of its filters' maps after ReLU and mask (n, n).
    """

    name: str
    filters: int
    contribution: float
    share: float | None
    cells: Cells

    @property
    def label(self) -> str:
        """Its name, for a person to read."""
        return "other filters" if self.name == OTHER else self.name


@dataclass(frozen=True)
class Explanation:
    """What is said of a picture.

    Attributes:
        performer: the answer of the network that is explained.
        explainer: the answer from the explainer's reconstruction.
        p: the share of part features, of all pictures.
        category: whose score is explained: the explainer's answer, or the only category.
        performer_score: the performer's logit of it.
        score: the explainer's.
        parts: with any filters, the largest contribution first.
        ordinary: contribution of the ordinary track.
        rest: that of the biases.
        cams: Grad-CAM (n, n) of `performer` and of `explainer`.
        geometry: of all these maps.
    """

    performer: Answer
    explainer: Answer
    p: float
    category: str
    performer_score: float
    score: float
    parts: tuple[DecidingPart, ...]
    ordinary: float
    rest: float
    cams: dict[str, Cells]
    geometry: MapGeometry


def explain_view(
    view: View, method: Explainer, meta: Mapping[str, Any], parts: Mapping[str, FilterParts]
) -> Explanation:
    """Explain one picture.

    Args:
        view: of the picture.
        method: the explainer, in evaluation mode, on the CPU.
        meta: of its checkpoint.
        parts: of the categories; the filters are of no part of one that is not among them.
    """
    parameters = TrainingSlice.model_validate(meta["parameters"])
    name, finetune = parameters.model.name, parameters.finetune
    assert finetune is not None
    part = freeze(method.network, name, finetune.trained_blocks, method.precision)
    network = block_network(method.network, name)
    method.take(network.top, compiled=False)
    inputs = part.run(view.network_input())
    with torch.no_grad():
        outputs = {"performer": performer_outputs(method, inputs), "explainer": method(inputs)}
    answers = {of: answer_of(found, meta) for of, found in outputs.items()}
    classes: list[str] = meta["classes"]
    # A single output speaks for the one category, whatever the answer.
    label = 1 if method.network.outputs == 1 else answers["explainer"].index
    logit = category_logit(method.network.outputs, label)
    found = contributions(method, inputs, logit)
    field = top_field(network.blocks, meta["image_size"])
    side = found.maps.shape[-1]
    return Explanation(
        performer=answers["performer"],
        explainer=answers["explainer"],
        p=float(method.encoder.p.detach()),
        category=classes[label],
        performer_score=float(outputs["performer"][0, logit]),
        score=float(found.scores),
        parts=_deciding(found.filters[0], found.maps[0], parts.get(classes[label])),
        ordinary=float(found.ordinary),
        rest=float(found.rest),
        cams={
            "performer": performer_cam(method, inputs, logit)[0].numpy(),
            "explainer": explainer_cam(method, inputs, logit)[0].numpy(),
        },
        geometry=MapGeometry(side, field.stride, field.start, meta["image_size"]),
    )


def _deciding(
    of_filters: torch.Tensor, maps: torch.Tensor, parts: FilterParts | None
) -> tuple[DecidingPart, ...]:
    """The parts that have filters, and `other`, by their contributions."""
    parts = parts or FilterParts([], [None] * len(maps))
    sums = {name: float(value) for name, value in _by_part(of_filters, parts).items()}
    cells, share = _by_part(maps, parts), shares(sums)
    counts = {name: len(filters_of(name, parts.part_of)) for name in (*parts.names, OTHER)}
    found = [
        DecidingPart(name, count, sums[name], share[name], cells[name].numpy())
        for name, count in counts.items()
        if count
    ]
    return tuple(sorted(found, key=lambda part: -part.contribution))


def _by_part(values: torch.Tensor, parts: FilterParts) -> dict[str, torch.Tensor]:
    return by_part(values, parts.part_of, parts.names)


def describe(found: Explanation) -> str:
    """An explanation as text for a person to read."""
    lines = [
        f"performer {found.performer}, explainer {found.explainer}",
        f"  score of {found.category}: performer {found.performer_score:+.2f}, explainer "
        f"{found.score:+.2f}; p {found.p:.3f}",
        "  what the explainer's score is made of, and shares of what the parts' track gives:",
    ]
    for part in found.parts:
        share = "" if part.share is None else f"{part.share:7.1%}"
        lines.append(_line(part.label, part.contribution, f"{share}  {_count(part)}"))
    lines.append(_line("ordinary track", found.ordinary))
    lines.append(_line("biases", found.rest))
    return "\n".join(lines)


def _count(part: DecidingPart) -> str:
    return f"{part.filters} filter{'s' if part.filters > 1 else ''}"


def _line(name: str, contribution: float, more: str = "") -> str:
    return f"    {name:16s} {contribution:+8.3f}  {more}".rstrip()
