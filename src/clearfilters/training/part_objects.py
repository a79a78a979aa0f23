"""Which annotated objects of a category filters are judged on, and where filters peak on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearfilters.analysis.location_instability import Peaks
from clearfilters.data.store import SPLITS
from clearfilters.params.measurements import JudgedObjectsParams
from clearfilters.training.part_maps import Landmarks, PartNetwork


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


def judged_splits(parts: PartNetwork, params: JudgedObjectsParams) -> tuple[str, ...]:
    """The splits whose objects count."""
    return ("test",) if parts.parameters.data.format in params.test_only else SPLITS


def objects_of(
    parts: PartNetwork, category: str, params: JudgedObjectsParams
) -> CategoryObjects | None:
    """The annotated objects of a category; None where no landmark is on enough of them."""
    wanted = params.landmarks.get(parts.parameters.data.format)
    names, splits = parts.landmark_names(category, wanted), judged_splits(parts, params)
    landmarks = {split: parts.landmarks(split, category, names) for split in SPLITS}
    found = CategoryObjects(landmarks, sum(parts.objects(split, category) for split in splits))
    most = max(landmark_counts(found.places(splits)).values(), default=0)
    return found if most >= params.minimum_images else None


def landmark_counts(places: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, int]:
    """On how many objects each landmark is."""
    return {name: int((~np.isnan(found[:, 0])).sum()) for name, found in places.items()}


def joined(peaks: Mapping[str, Peaks], splits: tuple[str, ...]) -> Peaks:
    """The peaks on the objects of some splits."""
    return Peaks(
        np.concatenate([peaks[split].positions for split in splits]),
        np.concatenate([peaks[split].scores for split in splits]),
    )


def in_turn(counts: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    """Categories and numbers of their first objects, of each category in turn.

    Args:
        counts: category -> how many objects it has.
        most: how many are taken at most.
    """
    ordered = sorted(
        (number, place, category)
        for place, (category, count) in enumerate(counts.items())
        for number in range(count)
    )
    return [(category, number) for number, _, category in ordered[:most]]
