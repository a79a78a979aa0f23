"""Location instability: how much the distance from a filter's peak to a landmark varies.

Zhang et al. 2018, section 5.3, as in the authors' code (specification interpretable_cnn.md, section
4.1), but on the image's diagonal for every network. A unit that always peaks at one place scores
better than most published filters, so the baselines here belong beside each figure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.defined import Values, mean_of_defined
from clearfilters.analysis.map_geometry import MapGeometry

Chosen = npt.NDArray[np.bool_]
# Of a landmark in each image (N, 2): row and column in pixels, NaN where it is not visible.
Places = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Peaks:
    """Where each filter's map is largest, and how large.

    Attributes:
        positions: (N, D, 2), row and column of the cell, counted from 0; NaN where a filter has no
            peak in an image.
        scores: (N, D), the maxima.
    """

    positions: npt.NDArray[np.floating]
    scores: npt.NDArray[np.floating]


@dataclass(frozen=True)
class LandmarkPeaks:
    """Peaks on the V images where a landmark is visible.

    Attributes:
        places: of the landmark in pixels (V, 2).
        positions: of the peaks in cells (V, D, 2).
        chosen: (D, V), the images that each filter is judged on; none of them for a filter with too
            few.
    """

    places: Places
    positions: npt.NDArray[np.floating]
    chosen: Chosen


def landmark_peaks(peaks: Peaks, places: Places, *, strongest: int, minimum: int) -> LandmarkPeaks:
    """For each filter the images with the landmark and a peak where the peak is highest.

    Args:
        peaks: on N images.
        places: of the landmark in them (N, 2).
        strongest: images of each filter; fewer where there are not so many. 100 in the paper.
        minimum: a filter with fewer images is not judged; at least 2, as in the authors' code.
    """
    visible = ~np.isnan(places).any(axis=1)
    positions = peaks.positions[visible]
    chosen = _highest(
        np.ascontiguousarray(peaks.scores[visible].T), ~np.isnan(positions[..., 0]).T, strongest
    )
    chosen[chosen.sum(axis=1) < minimum] = False
    return LandmarkPeaks(places[visible], positions, chosen)


def _highest(scores: npt.NDArray[np.floating], valid: Chosen, count: int) -> Chosen:
    """The `count` valid ones with the highest scores in each row; of equal ones, the first.

    As a stable sort has it, without sorting: all above the lowest score that belongs to them, then
    as many equal to it as are missing.
    """
    width = scores.shape[1]
    if count >= width:
        return valid.copy()
    ranked = np.where(valid, scores, -np.inf)
    lowest = np.partition(ranked, width - count, axis=1)[:, width - count, None]
    chosen = ranked > lowest
    equal = (ranked == lowest) & valid
    missing = count - chosen.sum(axis=1)
    crowded = equal.sum(axis=1) > missing
    if crowded.any():
        equal[crowded] &= np.cumsum(equal[crowded], axis=1) <= missing[crowded, None]
    return np.asarray(chosen | equal)


def location_instability(found: LandmarkPeaks, geometry: MapGeometry) -> Values:
    """D_f,k (D,): standard deviation of the distance between peak and landmark k over the diagonal.

    The variance is the unbiased one. NaN for a filter without chosen images. Times √2 it is what
    the CVPR paper's tables hold.
    """
    filters, images = np.nonzero(found.chosen)
    across = geometry.pixels(found.positions[images, filters]) - found.places[images]
    distances = np.hypot(across[:, 0], across[:, 1])
    counts = found.chosen.sum(axis=1)
    sums = np.bincount(filters, distances, len(counts))
    means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
    squares = np.bincount(filters, (distances - means[filters]) ** 2, len(counts))
    return unbiased_deviation(squares.astype(np.float64), counts) / geometry.diagonal


def unbiased_deviation(squares: Values, counts: npt.NDArray[np.int64]) -> Values:
    """(D,): standard deviations from sums of squares about the mean; NaN for fewer than two."""
    variance = np.divide(squares, counts - 1, out=np.full(len(counts), np.nan), where=counts > 1)
    return np.sqrt(variance)


def centre(values: Values, chosen: Chosen) -> tuple[Values, npt.NDArray[np.int64]]:
    """The chosen values (D, V) less their row's mean and 0 for the others; numbers chosen (D,)."""
    counts = chosen.sum(axis=1)
    kept = np.where(chosen, values, 0.0)
    means = kept.sum(axis=1) / np.maximum(counts, 1)
    return np.where(chosen, kept - means[:, None], 0.0), counts


def mean_activation(scores: npt.NDArray[np.floating], objects: int) -> Values:
    """(D,): a filter's mean score over a category, as the authors' code takes it.

    Args:
        scores: (N, D), of the objects with a landmark.
        objects: all of the category; those without any landmark count as 0.
    """
    return scores.sum(axis=0, dtype=np.float64) / objects


def multi_category_scores(
    instability: Mapping[str, Values], activation: Mapping[str, Values]
) -> dict[str, float | dict[str, int] | None]:
    """One figure for filters of a network for several categories, in both readings.

    Args:
        instability: category -> (D,), each filter's mean over the landmarks; NaN where undefined.
        activation: category -> (D,), see `mean_activation`.

    Returns:
        code: mean over filters of the instability for the category that activates the filter most
            (the authors' code), undefined ones left out.
        paper: mean over filters of the least instability over the categories (table 6).
        filters_of: category -> the number of filters that `code` takes it for.
    """
    values = np.stack(list(instability.values()))
    strengths = np.stack([activation[name] for name in instability])
    own = strengths.argmax(axis=0)
    of_own = np.take_along_axis(values, own[None], axis=0)[0]
    live = ~np.isnan(values).all(axis=0)
    judged = ~np.isnan(of_own)
    return {
        "code": float(of_own[judged].mean()) if judged.any() else None,
        "paper": float(np.nanmin(values[:, live], axis=0).mean()) if live.any() else None,
        "filters_of": {
            name: int((own[judged] == index).sum()) for index, name in enumerate(instability)
        },
    }


def random_peaks(images: int, filters: int, side: int, seed: int) -> Peaks:
    """Units that peak at a cell drawn anew for each image, with scores that mean nothing."""
    generator = np.random.default_rng(seed)
    positions = generator.integers(0, side, (images, filters, 2)).astype(np.float32)
    return Peaks(positions, generator.random((images, filters), dtype=np.float32))


def fixed_peaks(images: int, filters: int, cell: npt.ArrayLike, seed: int) -> Peaks:
    """Units that always peak at one place, with scores that mean nothing.

    Args:
        images: N.
        filters: D; they differ in the images that they are judged on.
        cell: row and column, not necessarily whole.
        seed: of the scores.
    """
    positions = np.empty((images, filters, 2))
    positions[:] = cell
    scores = np.random.default_rng(seed).random((images, filters), dtype=np.float32)
    return Peaks(positions, scores)


def central_peaks(images: int, filters: int, side: int, seed: int) -> Peaks:
    """`fixed_peaks` at the middle cell of an n x n map, the lower right one of four for even n."""
    return fixed_peaks(images, filters, (side // 2, side // 2), seed)


def mean_place(places: Places, geometry: MapGeometry) -> Values:
    """(2,): the cell, not rounded, where a landmark (N, 2) is on average; NaN if it never is."""
    return geometry.cells(mean_of_defined(np.asarray(places, np.float64), axis=0))
