"""Where a network's filters fire on annotated objects: location instability and what it leaves out.

Besides the trained network the same is measured of the network before training, and of units that
know nothing: one that fires at random, one that always fires at the centre of the image, and one
that always fires where the landmark is on average.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from clearfilters.data.store import SPLITS
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.params.measurements import PartLocationParams
from clearfilters.training.evaluation import evaluate
from clearfilters.training.part_maps import Landmarks, PartNetwork
from clearfilters.training.trained_network import Measured, TrainedNetwork


@dataclass(frozen=True)
class CategoryObjects:
    """The annotated objects of a category.

    Attributes:
        landmarks: by split.
        objects: how many objects it has in these splits, those without a landmark included.
    """

    landmarks: Mapping[str, Landmarks]
    objects: int

    def places(self, splits: tuple[str, ...]) -> dict[str, np.ndarray[Any, Any]]:
        """The landmarks' places (N, 2) in the objects of some splits."""
        names = self.landmarks[splits[0]].places
        return {
            name: np.concatenate([self.landmarks[split].places[name] for split in splits])
            for name in names
        }


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
    methods = {"trained": parts.method, "untrained": parts.untrained()}
    splits = _splits(parts, params)
    found: dict[str, Any] = {}
    activations: dict[str, dict[str, Values]] = {}
    instabilities: dict[str, dict[str, Values]] = {}
    annotated = {name: _objects(parts, name, params) for name in parts.categories}
    if not any(annotated.values()):
        raise ClearfiltersError(
            f"{', '.join(annotated)}: no landmark is on {params.minimum_images} objects, which "
            "location instability needs; annotate more, or lower "
            "analysis.part_location.minimum_images"
        )
    for category, objects in annotated.items():
        if objects is None:
            continue
        peaks = _peaks(parts, methods, objects)
        found[category] = _category(parts, objects, peaks, splits, params)
        for name, of_splits in peaks.items():
            own = _joined(of_splits, splits)
            activations.setdefault(name, {})[category] = mean_activation(
                own.scores, objects.objects
            )
            filters = found[category][name]["instability_filters"]
            instabilities.setdefault(name, {})[category] = np.array(filters, float)
    assert parts.parameters.model.top is not None
    several = len(found) > 1
    values = {
        "accuracy": evaluate(parts.method, parts.inputs["test"]),
        "test_images": len(parts.splits["test"].labels),
        "map": asdict(parts.geometry),
        "filters": parts.filters,
        "ordinary_filters": parts.parameters.model.top.ordinary,
        "categories": found,
        "multi": {
            name: multi_category_scores(instabilities[name], activations[name])
            for name in activations
        }
        if several
        else None,
    }
    return Measured(values, {})


def _splits(parts: PartNetwork, params: PartLocationParams) -> tuple[str, ...]:
    """The splits whose objects count."""
    return ("test",) if parts.parameters.data.format in params.test_only else SPLITS


def _objects(
    parts: PartNetwork, category: str, params: PartLocationParams
) -> CategoryObjects | None:
    """The annotated objects of a category; None where no landmark is on enough of them."""
    wanted = params.landmarks.get(parts.parameters.data.format)
    names, splits = parts.landmark_names(category, wanted), _splits(parts, params)
    landmarks = {split: parts.landmarks(split, category, names) for split in SPLITS}
    found = CategoryObjects(landmarks, sum(parts.objects(split, category) for split in splits))
    enough = max(_counts(found.places(splits)).values(), default=0) >= params.minimum_images
    return found if enough else None


def _counts(places: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, int]:
    return {name: int((~np.isnan(found[:, 0])).sum()) for name, found in places.items()}


def _peaks(
    parts: PartNetwork, methods: Mapping[str, Method | None], objects: CategoryObjects
) -> dict[str, dict[str, Peaks]]:
    """Of each network there is, by split."""
    return {
        name: {
            split: parts.peaks(method, split, landmarks.rows)
            for split, landmarks in objects.landmarks.items()
        }
        for name, method in methods.items()
        if method is not None
    }


def _joined(peaks: Mapping[str, Peaks], splits: tuple[str, ...]) -> Peaks:
    return Peaks(
        np.concatenate([peaks[split].positions for split in splits]),
        np.concatenate([peaks[split].scores for split in splits]),
    )


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
        weights are not kept), random, constant and oracle see
        `location_statistics.location_statistics`; test_only: the trained network on test objects
        alone, None where a landmark is on too few of them.
    """
    geometry, places = parts.geometry, objects.places(splits)
    options = {"strongest": params.strongest, "minimum_images": params.minimum_images}
    shuffled = {**options, "shuffles": params.shuffles, "seed": params.seed}
    images = sum(len(objects.landmarks[split].rows) for split in splits)
    filters = next(iter(peaks["trained"].values())).scores.shape[1]
    units = {
        **{name: _joined(found, splits) for name, found in peaks.items()},
        "random": random_peaks(images, filters, geometry.side, params.seed),
        "constant": central_peaks(images, filters, geometry.side, params.seed),
    }
    found: dict[str, Any] = {"untrained": None}
    for name, of_unit in units.items():
        found[name] = location_statistics(of_unit, places, geometry, **shuffled)
    found["oracle"] = oracle_statistics(places, geometry, filters, seed=params.seed, **options)
    test = objects.places(("test",))
    enough = min(_counts(test).values(), default=0) >= params.minimum_test_images
    found["test_only"] = (
        location_statistics(peaks["trained"]["test"], test, geometry, **shuffled)
        if enough
        else None
    )
    return {"images": images, "landmarks": _counts(places), **found}
