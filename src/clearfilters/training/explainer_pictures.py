"""Pictures of explanations: where performer and explainer look, where the filters of parts fire.

They are what figure 5 of the ICLR 2020 submission shows. Grad-CAM is of the performer's top
convolution after ReLU, and of conv-interp-2 after ReLU and mask.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clearfilters.methods.explainer_training import Explainer
from clearfilters.params.measurements import ExplainerPicturesParams
from clearfilters.pictures import small_jpeg
from clearfilters.training.contributions import (
    by_part,
    category_logit,
    explainer_cam,
    performer_cam,
)
from clearfilters.training.part_contributions import CategoryParts, explained, parts_of_categories
from clearfilters.training.part_maps import PartNetwork
from clearfilters.training.part_objects import in_turn
from clearfilters.training.trained_network import Measured, TrainedNetwork


def measure_explainer_pictures(
    network: TrainedNetwork, store: Path, params: ExplainerPicturesParams
) -> Measured:
    """Grad-CAM of performer and explainer and heat maps of parts, on some annotated test objects.

    Args:
        network: an explainer.
        store: a processed store with landmarks, of the data that it was trained on.
        params: the parameters.

    Returns:
        map (side, stride, start, image_size); examples, of each category in turn: `category`;
        `image`, a JPEG in base64; `performer` and `explainer`, Grad-CAM for the category's logit
        [n][n], from 0; `parts`, part -> [n][n], the sum of its filters' maps after ReLU and mask;
        `contributions`, part -> what its filters contribute to the explainer's score;
        `performer_score` and `explainer_score`, the logits. Parts are those of
        `part_contributions`, `other` included. Cells have four digits.

    Raises:
        ClearfiltersError: as `part_contributions`.
    """
    parts = PartNetwork(network, store, "landmarks")
    found = parts_of_categories(parts, params)
    shown = in_turn({name: len(own.rows) for name, own in found.items()}, params.images)
    values = {
        "map": asdict(parts.geometry),
        "examples": [_example(parts, name, number, found[name], params) for name, number in shown],
    }
    return Measured(values, {})


def _example(
    parts: PartNetwork,
    category: str,
    number: int,
    own: CategoryParts,
    params: ExplainerPicturesParams,
) -> dict[str, Any]:
    """What is shown of one of a category's objects."""
    method = parts.method
    assert isinstance(method, Explainer)
    row = own.rows[number : number + 1]
    score, of_explainer = explained(parts, row, category)
    inputs = parts.inputs["test"].as_they_are(row)
    logit = category_logit(method.network.outputs, parts.classes.index(category))
    pixels = parts.splits["test"].images[int(row)]
    of_parts: Mapping[str, Tensor] = by_part(of_explainer.maps[0], own.part_of, own.names)
    sums = by_part(of_explainer.filters[0], own.part_of, own.names)
    return {
        "category": category,
        "image": small_jpeg(pixels, params.picture_size, params.jpeg_quality),
        "performer": _cells(performer_cam(method, inputs, logit)[0]),
        "explainer": _cells(explainer_cam(method, inputs, logit)[0]),
        "parts": {name: _cells(cells) for name, cells in of_parts.items()},
        "contributions": {name: float(value) for name, value in sums.items()},
        "performer_score": float(score),
        "explainer_score": float(of_explainer.scores),
    }


def _cells(values: torch.Tensor) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in values.tolist()]
