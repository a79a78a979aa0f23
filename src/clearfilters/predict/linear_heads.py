"""Networks with a linear head behind pooling: each filter's share in the logit, and the CAM."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from clearfilters.methods.method import Method
from clearfilters.predict.answers import Answer, answer_of, class_logits
from clearfilters.predict.views import View

# How the picture of a class activation map looks.
COLORMAP = "turbo"
MAP_OPACITY = 0.5


@dataclass(frozen=True)
class DecidingFilter:
    """One filter's share in the answer.

    Attributes:
        index: k, in [0, K).
        contribution: W_ck a_k for the predicted class c; all K of them and b_c add up to the logit.
        named: the classes with G_ck >= threshold, or None if the network has no gate.
    """

    index: int
    contribution: float
    named: tuple[str, ...] | None


@dataclass(frozen=True)
class Prediction:
    """The answer of the STD path for one picture.

    Attributes:
        answer: the predicted class c.
        bias: b_c, the part of the logit that comes from no filter.
        filters: the filters that contribute most, largest first.
        activation_map: sum_k W_ck A_k, bilinear, (H, W) of what the network sees of the picture;
            without b_c.
    """

    answer: Answer
    bias: float
    filters: tuple[DecidingFilter, ...]
    activation_map: npt.NDArray[np.float32]


def _deciding_filters(
    contributions: Tensor, gate: Tensor | None, classes: list[str], count: int, threshold: float
) -> tuple[DecidingFilter, ...]:
    found = []
    for index in contributions.argsort(descending=True, stable=True)[:count].tolist():
        named = None
        if gate is not None:
            opened = (gate[:, index] >= threshold).tolist()
            named = tuple(name for name, is_open in zip(classes, opened, strict=True) if is_open)
        found.append(DecidingFilter(index, float(contributions[index]), named))
    return tuple(found)


@torch.no_grad()
def predict_image(
    view: View, method: Method, meta: Mapping[str, Any], *, filters: int, gate_threshold: float
) -> Prediction:
    """Class, confidence, deciding filters and class activation map of one picture.

    The map is that of Zhou et al. 2016, "Learning deep features for discriminative localization".

    Args:
        view: of the picture.
        method: the trained network and its gate, if it has one, in eval mode, on the CPU.
        meta: of the checkpoint.
        filters: how many filters to list, at least 1; no more than K are.
        gate_threshold: from which G_ck on a filter's column names class c, in (0, 1].
    """
    model = method.network
    maps = model.feature_maps(view.network_input())[0]
    pooled = maps.mean(dim=(1, 2))
    answer = answer_of(model.head(pooled)[None], meta)
    # A class's logit is linear in the outputs, so these are its weights and its bias.
    weight = class_logits(model.head.weight.T)[:, answer.index]
    bias = class_logits(model.head.bias[None])[0, answer.index]
    coarse = torch.einsum("k,khw->hw", weight, maps)
    shown = view.shown()
    fine = F.interpolate(
        coarse[None, None], size=(shown.height, shown.width), mode="bilinear", align_corners=False
    )
    gate = method.arrays().get("gate")
    return Prediction(
        answer=answer,
        bias=float(bias),
        filters=_deciding_filters(weight * pooled, gate, meta["classes"], filters, gate_threshold),
        activation_map=fine[0, 0].numpy(),
    )


def overlay(image: Image.Image, activation_map: npt.NDArray[np.float32]) -> Image.Image:
    """The image with the map laid over it in colour, from its least to its largest value.

    Args:
        image: RGB, (H, W).
        activation_map: (H, W), any range; a constant map takes the lowest colour everywhere.
    """
    low, high = activation_map.min(), activation_map.max()
    scaled = (activation_map - low) / (high - low) if high > low else activation_map - low
    colours = matplotlib.colormaps[COLORMAP](scaled, bytes=True)[..., :3]
    return Image.blend(image, Image.fromarray(colours), MAP_OPACITY)


def describe(prediction: Prediction, classes: list[str]) -> str:
    """The prediction as text for a person to read."""
    lines = [
        str(prediction.answer),
        f"  filters that decided (logit {prediction.answer.logit:.2f}, "
        f"of which bias {prediction.bias:.2f}):",
    ]
    for item in prediction.filters:
        lines.append(
            f"    filter {item.index:4d}  {item.contribution:+8.3f}  {_names(item.named, classes)}"
        )
    return "\n".join(lines)


def _names(named: tuple[str, ...] | None, classes: list[str]) -> str:
    if named is None:
        return "no gate"
    if len(named) == len(classes):
        return f"all {len(classes)} classes"
    return ", ".join(named) or "no class"
