"""What the peaks of a layer's filters do, as values of a measurement."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.defined import (
    Values,
    best_row,
    largest_of_defined,
    mean_of_defined,
)
from clearfilters.analysis.json_values import mean_or_null, values_or_null
from clearfilters.analysis.landmark_correlation import landmark_r2, shuffled_r2
from clearfilters.analysis.location_instability import (
    Peaks,
    Places,
    centre,
    fixed_peaks,
    landmark_peaks,
    location_instability,
    mean_place,
    unbiased_deviation,
)
from clearfilters.analysis.map_geometry import MapGeometry


def position_spread(positions: npt.NDArray[np.floating]) -> Values:
    """(D,), in cells: √(variance of row + variance of column) of positions (N, D, 2).

    Unbiased variances over the images where the filter has a peak; NaN for fewer than two.
    """
    present = ~np.isnan(positions[..., 0]).T
    squares = np.zeros(len(present))
    for axis in (0, 1):
        moves, counts = centre(positions[..., axis].T.astype(np.float64), present)
        squares += np.einsum("dv,dv->d", moves, moves)
    return unbiased_deviation(squares, counts)


def filter_distance(positions: npt.NDArray[np.floating], side: int) -> float | None:
    """Mean distance in cells between the peaks of two filters in an image; 0 if all are alike.

    Over all images and pairs of different filters that both have a peak there. A pair of cells has
    one distance, so filters are counted by cell: the work grows with D, not D².

    Args:
        positions: whole cells of an n x n map (N, D, 2), NaN where a filter has no peak.
        side: n.

    Returns:
        The distance, or None if no image has two peaks.
    """
    images = len(positions)
    present = ~np.isnan(positions[..., 0])
    cells = np.nan_to_num(positions).astype(np.int64) @ np.array([side, 1])
    numbers = np.arange(images)[:, None] * side**2 + cells
    counts = np.bincount(numbers[present], minlength=images * side**2)
    counts = counts.reshape(images, side**2).astype(np.float64)
    row, column = np.divmod(np.arange(side**2), side)
    between = np.hypot(row[:, None] - row, column[:, None] - column)
    peaks = present.sum(axis=1)
    pairs = int((peaks * (peaks - 1)).sum())
    return float(((counts @ between) * counts).sum()) / pairs if pairs else None


def location_statistics(
    peaks: Peaks,
    landmarks: Mapping[str, Places],
    geometry: MapGeometry,
    *,
    strongest: int,
    minimum_images: int,
    shuffles: int,
    seed: int,
) -> dict[str, Any]:
    """Location instability, R² with its floor, spread and distance of filters on one category.

    Args:
        peaks: of D filters in the category's N images.
        landmarks: name -> places (N, 2), row and column in pixels, NaN where it is not visible; at
            least one landmark.
        geometry: of the map that the peaks are in.
        strongest: see `landmark_peaks`.
        minimum_images: the `minimum` there; a landmark on fewer images than that is null.
        shuffles: see `shuffled_r2`.
        seed: of the shuffles, the same for every landmark.

    Returns:
        instability (mean over filters of their mean over landmarks), instability_of (landmark ->
        mean over filters), instability_filters [D]; dead, filters with fewer than two peaks; spread
        and difference in cells; r2 (landmark -> mean and best over filters, and their means over
        the shuffles, floor_mean and floor_best), r2_filters (landmark -> [D]); followed (landmark
        -> filters whose R² is largest for it, and above 0). None where nothing is defined.
    """
    instability, r2, floors = {}, {}, {}
    for name, places in landmarks.items():
        found = landmark_peaks(peaks, places, strongest=strongest, minimum=minimum_images)
        instability[name] = location_instability(found, geometry)
        r2[name] = landmark_r2(found)
        floors[name] = shuffled_r2(found, shuffles=shuffles, seed=seed)
    present = (~np.isnan(peaks.positions[..., 0])).sum(axis=0)
    return {
        **_instability_values(instability),
        "dead": int((present < 2).sum()),
        "spread": mean_or_null(position_spread(peaks.positions)),
        "difference": filter_distance(peaks.positions, geometry.side),
        **_r2_values(r2, floors),
    }


def oracle_statistics(
    landmarks: Mapping[str, Places],
    geometry: MapGeometry,
    filters: int,
    *,
    strongest: int,
    minimum_images: int,
    seed: int,
) -> dict[str, Any]:
    """As `location_statistics`, of units that always peak where the landmark is on average.

    They are placed anew for each landmark, and never move: R², spread and difference are 0. It is
    no lower bound: what counts is that distances are alike, not that they are short, so a unit
    elsewhere may score better.

    Args:
        landmarks: as there.
        geometry: as there.
        filters: D.
        strongest: as there.
        minimum_images: as there.
        seed: of the scores by which the units choose their images.
    """
    instability = {}
    for name, places in landmarks.items():
        peaks = fixed_peaks(len(places), filters, mean_place(places, geometry), seed)
        found = landmark_peaks(peaks, places, strongest=strongest, minimum=minimum_images)
        instability[name] = location_instability(found, geometry)
    still = {name: np.where(np.isnan(values), np.nan, 0.0) for name, values in instability.items()}
    return {
        **_instability_values(instability),
        "dead": 0,
        "spread": 0.0,
        "difference": 0.0,
        **_r2_values(still, {name: values[None] for name, values in still.items()}),
    }


def _instability_values(of_landmark: Mapping[str, Values]) -> dict[str, Any]:
    of_filter = mean_of_defined(np.stack(list(of_landmark.values())), axis=0)
    return {
        "instability": mean_or_null(of_filter),
        "instability_of": {name: mean_or_null(values) for name, values in of_landmark.items()},
        "instability_filters": values_or_null(of_filter),
    }


def _r2_values(of_landmark: Mapping[str, Values], floors: Mapping[str, Values]) -> dict[str, Any]:
    best = best_row(np.stack(list(of_landmark.values())))
    return {
        "r2": {
            name: {
                "mean": mean_or_null(values),
                "best": mean_or_null(largest_of_defined(values[None], axis=1)),
                "floor_mean": mean_or_null(floors[name]),
                "floor_best": mean_or_null(largest_of_defined(floors[name], axis=1)),
            }
            for name, values in of_landmark.items()
        },
        "r2_filters": {name: values_or_null(values) for name, values in of_landmark.items()},
        "followed": {name: int((best == index).sum()) for index, name in enumerate(of_landmark)},
    }
