"""Pictures of what filters see: their strongest images, and where all filters of an image peak.

They are what figures 5 and 6 of CVPR 2018 show. The region of a filter in an image is the union of
discs around the receptive fields' centres of its active units, after ReLU and mask: the same as
part interpretability takes (specification interpretable_cnn.md, section 4.2). The paper's figure
estimates the receptive field of a part filter by occlusion (section 4.3), which footnote 5 calls
unfit for ordinary networks and gives up for discs; with discs the two can be compared.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clearfilters.analysis.location_instability import Peaks
from clearfilters.analysis.part_interpretability import Masks, active_units, discs
from clearfilters.data.store import SPLITS
from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import PartPicturesParams
from clearfilters.pictures import as_png, small_jpeg
from clearfilters.training.part_maps import PartNetwork
from clearfilters.training.part_objects import in_turn
from clearfilters.training.trained_network import Measured, TrainedNetwork

Indices = npt.NDArray[np.intp]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CategoryPeaks:
    """A category's objects with a landmark, test objects first, and where filters peak on them.

    Attributes:
        rows: split -> rows in it; only splits that have any.
        peaks: of all of them.
    """

    rows: Mapping[str, Rows]
    peaks: Peaks

    @property
    def places(self) -> list[tuple[str, int]]:
        """The split and the row of each object."""
        return [(split, int(row)) for split, rows in self.rows.items() for row in rows]


def measure_part_pictures(
    network: TrainedNetwork, store: Path, params: PartPicturesParams
) -> Measured:
    """The strongest images of some filters with their regions, and heat maps of all filters' peaks.

    Args:
        network: a network with a top of its own.
        store: a processed store with landmarks, of the data that it was trained on.
        params: the parameters.

    Returns:
        filters: how many there are; quantile; map (side, stride, start, image_size); examples: for
        each of the chosen filters `filter`, its `category`, its `mean_peak` on that category's
        objects, and `images`: `image` and `region` as JPEG and PNG in base64, and the `peak` there;
        heat_maps: `category`, `image`, and `cells` [n][n], how many filters peak there. Peaks are
        of the map before ReLU and mask, as location instability has them; in `cells` those that are
        not above 0 are left out.

    Raises:
        ClearfiltersError: if no object has a landmark; a category without is left out.
    """
    parts = PartNetwork(network, store, "landmarks")
    annotated = {category: _objects(parts, category) for category in parts.categories}
    objects = {category: found for category, found in annotated.items() if found is not None}
    if not objects:
        raise ClearfiltersError(
            f"{', '.join(annotated)}: no object has a landmark; pictures of filters are made of "
            "annotated objects: annotate some, or leave the experiment out of run.pictured"
        )
    values = {
        "filters": parts.filters,
        "quantile": params.quantile,
        "map": asdict(parts.geometry),
        "examples": _examples(parts, objects, params),
        "heat_maps": _heat_maps(parts, objects, params),
    }
    return Measured(values, {})


def _objects(parts: PartNetwork, category: str) -> CategoryPeaks | None:
    """The objects of a category with a landmark; None if there is none."""
    names = parts.landmark_names(category, None)
    found = {split: parts.landmarks(split, category, names).rows for split in reversed(SPLITS)}
    rows = {split: of_split for split, of_split in found.items() if len(of_split)}
    if not rows:
        return None
    peaks = [parts.peaks(parts.method, split, of_split) for split, of_split in rows.items()]
    positions = np.concatenate([found.positions for found in peaks])
    return CategoryPeaks(rows, Peaks(positions, np.concatenate([found.scores for found in peaks])))


def strongest_filters(mean_peaks: npt.NDArray[np.floating], count: int) -> tuple[Indices, Indices]:
    """The filters with the highest mean peak on any category, and the category of each.

    Args:
        mean_peaks: of each filter on each category's objects (C, D).
        count: how many; no more than D are.

    Returns:
        Filters, highest first, and their categories, both (count,).
    """
    chosen = np.argsort(-mean_peaks.max(axis=0), kind="stable")[:count]
    return chosen, mean_peaks[:, chosen].argmax(axis=0)


def peak_counts(peaks: Peaks, side: int) -> npt.NDArray[np.int64]:
    """How many filters peak in each cell of each image, (N, n, n), of those with a peak above 0."""
    image, filter_ = np.nonzero((peaks.scores > 0) & ~np.isnan(peaks.positions[..., 0]))
    row, column = peaks.positions[image, filter_].astype(np.intp).T
    counts = np.zeros((len(peaks.scores), side, side), np.int64)
    np.add.at(counts, (image, row, column), 1)
    return counts


def _examples(
    parts: PartNetwork, objects: Mapping[str, CategoryPeaks], params: PartPicturesParams
) -> list[dict[str, Any]]:
    """The strongest images of the filters with the highest peaks."""
    mean_peaks = np.stack([found.peaks.scores.mean(axis=0) for found in objects.values()])
    filters, categories = strongest_filters(mean_peaks, params.filters)
    names = list(objects)
    geometry = parts.geometry
    unit_discs = discs(geometry, params.radius * geometry.stride)
    active = {
        names[c]: _active(parts, objects[names[c]], filters, params.quantile)
        for c in np.unique(categories)
    }
    found = []
    for column, (filter_, c) in enumerate(zip(filters, categories, strict=True)):
        own = objects[names[c]]
        images = []
        for number in np.argsort(-own.peaks.scores[:, filter_], kind="stable")[: params.images]:
            units = active[names[c]][number, column]
            images.append(
                {
                    "image": _picture(parts, own.places[number], params),
                    "region": as_png(_shrunk(unit_discs[units.ravel()].any(axis=0), params)),
                    "peak": float(own.peaks.scores[number, filter_]),
                }
            )
        found.append(
            {
                "filter": int(filter_),
                "category": names[c],
                "mean_peak": float(mean_peaks[c, filter_]),
                "images": images,
            }
        )
    return found


def _active(parts: PartNetwork, objects: CategoryPeaks, filters: Indices, quantile: float) -> Masks:
    """The active units of some filters in a category's objects (N, len(filters), n, n)."""
    maps = [
        parts.masked_maps(parts.method, split, rows, filters)
        for split, rows in objects.rows.items()
    ]
    return active_units(np.concatenate(maps), quantile)


def _heat_maps(
    parts: PartNetwork, objects: Mapping[str, CategoryPeaks], params: PartPicturesParams
) -> list[dict[str, Any]]:
    """The peaks of all filters in the first objects, of each category in turn."""
    side = parts.geometry.side
    counts = {category: peak_counts(found.peaks, side) for category, found in objects.items()}
    first = in_turn({name: len(found.places) for name, found in objects.items()}, params.heat_maps)
    return [
        {
            "category": category,
            "image": _picture(parts, objects[category].places[number], params),
            "cells": counts[category][number].tolist(),
        }
        for category, number in first
    ]


def _picture(parts: PartNetwork, place: tuple[str, int], params: PartPicturesParams) -> str:
    """The image of a split's row as a small JPEG in base64."""
    split, row = place
    return small_jpeg(parts.splits[split].images[row], params.picture_size, params.jpeg_quality)


def _shrunk(mask: Masks, params: PartPicturesParams) -> Masks:
    """A mask of an image in the size of its picture."""
    size = min(len(mask), params.picture_size)
    resized = Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST)
    return np.asarray(resized)
