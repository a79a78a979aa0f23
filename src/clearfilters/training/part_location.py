"""Where a network's filters fire on annotated objects: location instability and what it leaves out.

Besides the trained network the same is measured of the network before training, and of units that
know nothing: one that fires at random, one that always fires at the centre of the image, and one
that always fires where the landmark is on average.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.analysis.defined import Values
from clearfilters.analysis.location_instability import (
    Peaks,
    central_peaks,
    mean_activation,
    multi_category_scores,
    random_peaks,
)
from clearfilters.analysis.location_statistics import location_statistics, oracle_statistics
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer import find_encoder
from clearfilters.methods.method import Method
from clearfilters.params.measurements import PartLocationParams
from clearfilters.training.evaluation import evaluate
from clearfilters.training.part_maps import Layer, PartNetwork
from clearfilters.training.part_objects import (
    CategoryObjects,
    joined,
    judged_splits,
    landmark_counts,
    objects_of,
)
from clearfilters.training.trained_network import Measured, TrainedNetwork


def measure_part_location(
    network: TrainedNetwork, store: Path, params: PartLocationParams
) -> Measured:
    """Location instability, R² of position against landmarks, spread and distance of filters.

    Args:
        network: a network with a top of its own.
        store: a processed store with landmarks, of the data that it was trained on.
        params: the parameters.

    Returns:
        accuracy on test_images; map (side, stride, start, image_size); filters that are looked at,
        and ordinary_filters beside them that are not; categories -> see
        `_category`; multi -> None for one category, else see
        `location_instability.multi_category_scores`, of the trained and the untrained network.

    Raises:
        ClearfiltersError: if no category has a landmark on enough objects; one that has none is
            left out.
    """
    parts = PartNetwork(network, store, "landmarks")
    states: dict[str, tuple[Method | None, Layer]] = {
        "trained": (parts.method, "top"),
        "untrained": (parts.untrained(), "top"),
    }
    if find_encoder(parts.method.network) is not None:
        states["input"] = (parts.method, "input")
    splits = judged_splits(parts, params)
    found: dict[str, Any] = {}
    activations: dict[str, dict[str, Values]] = {}
    instabilities: dict[str, dict[str, Values]] = {}
    annotated = {name: objects_of(parts, name, params) for name in parts.categories}
    if not any(annotated.values()):
        raise ClearfiltersError(
            f"{', '.join(annotated)}: no landmark is on {params.minimum_images} objects, which "
            "location instability needs; annotate more, or lower "
            "analysis.part_location.minimum_images"
        )
    for category, objects in annotated.items():
        if objects is None:
            continue
        peaks = _peaks(parts, states, objects)
        found[category] = _category(parts, objects, peaks, splits, params)
        for name, of_splits in peaks.items():
            own = joined(of_splits, splits)
            activations.setdefault(name, {})[category] = mean_activation(
                own.scores, objects.objects
            )
            filters = found[category][name]["instability_filters"]
            instabilities.setdefault(name, {})[category] = np.array(filters, float)
    top = parts.parameters.model.top
    several = len(found) > 1
    values = {
        "accuracy": evaluate(parts.method, parts.inputs["test"]),
        "test_images": len(parts.splits["test"].labels),
        "map": asdict(parts.geometry),
        "filters": parts.filters,
        "ordinary_filters": 0 if top is None else top.ordinary,
        "categories": found,
        "multi": {
            name: multi_category_scores(instabilities[name], activations[name])
            for name in activations
        }
        if several
        else None,
    }
    return Measured(values, {})


def _peaks(
    parts: PartNetwork,
    states: Mapping[str, tuple[Method | None, Layer]],
    objects: CategoryObjects,
) -> dict[str, dict[str, Peaks]]:
    """Of each network there is, by split."""
    return {
        name: {
            split: parts.peaks(method, split, landmarks.rows, layer)
            for split, landmarks in objects.landmarks.items()
        }
        for name, (method, layer) in states.items()
        if method is not None
    }


def _category(
    parts: PartNetwork,
    objects: CategoryObjects,
    peaks: Mapping[str, Mapping[str, Peaks]],
    splits: tuple[str, ...],
    params: PartLocationParams,
) -> dict[str, Any]:
    """What is measured on a category's objects.

    Returns:
        images; landmarks -> images that have it; of trained, untrained (None where its first
        weights are not kept), of an explainer's `input`, of random, constant and oracle see
        `location_statistics.location_statistics`; test_only: the trained network on test objects
        alone, None where a landmark is on too few of them.
    """
    geometry, places = parts.geometry, objects.places(splits)
    options = {"strongest": params.strongest, "minimum_images": params.minimum_images}
    shuffled = {**options, "shuffles": params.shuffles, "seed": params.seed}
    images = sum(len(objects.landmarks[split].rows) for split in splits)
    filters = next(iter(peaks["trained"].values())).scores.shape[1]
    units = {
        **{name: joined(found, splits) for name, found in peaks.items()},
        "random": random_peaks(images, filters, geometry.side, params.seed),
        "constant": central_peaks(images, filters, geometry.side, params.seed),
    }
    found: dict[str, Any] = {"untrained": None}
    for name, of_unit in units.items():
        found[name] = location_statistics(of_unit, places, geometry, **shuffled)
    found["oracle"] = oracle_statistics(places, geometry, filters, seed=params.seed, **options)
    test = objects.places(("test",))
    enough = min(landmark_counts(test).values(), default=0) >= params.minimum_test_images
    found["test_only"] = (
        location_statistics(peaks["trained"]["test"], test, geometry, **shuffled)
        if enough
        else None
    )
    return {"images": images, "landmarks": landmark_counts(places), **found}
