"""Part interpretability: how often the region that a filter fires for is an object part.

Zhang et al. 2018, section 5.2, for which there is no code of the authors (specification
interpretable_cnn.md, section 4.2). The region is the union of discs around the receptive fields'
centres of the active units; the paper leaves their radius open, so there is a figure for each of
several.

Regions are bits, a square of 8 x 8 pixels a word: no pixel is looked at by itself, and nothing is
approximate. A filter's first active unit counts for its whole disc, each further one for what it
adds, and what the whole discs share with a part is counted once for all filters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.errors import ClearfiltersError

Maps = npt.NDArray[np.floating]
Masks = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.intp]
# Of pixels.
Counts = npt.NDArray[np.number]
# Pixels along a side of the square whose bits fill a word.
TILE = 8


def activation_thresholds(maps: Maps, quantile: float) -> Maps:
    """T_f (D,): quantile of each filter's values over all positions and images.

    The value of the data at or next below it, found by rank. Any threshold between two neighbouring
    values selects the same units, so those above it are those above an interpolated quantile.

    Args:
        maps: after ReLU and mask (N, D, n, n).
        quantile: in (0, 1); 0.995 in the paper.
    """
    rank = math.floor(quantile * (maps[:, 0].size - 1))
    # Filter by filter: the maps of 1,000 images need not lie in memory twice.
    found = [np.partition(maps[:, f], rank, axis=None)[rank] for f in range(maps.shape[1])]
    return np.array(found)


def active_units(maps: Maps, quantile: float) -> Masks:
    """(N, D, n, n): units strictly above their filter's threshold; see `activation_thresholds`."""
    return np.asarray(maps > activation_thresholds(maps, quantile)[:, None, None])


def random_units(images: int, filters: int, side: int, seed: int) -> Masks:
    """(N, D, n, n): one active unit in each image, drawn anew for each."""
    drawn = np.random.default_rng(seed).integers(0, side**2, (images, filters, 1))
    active = np.zeros((images, filters, side**2), np.bool_)
    np.put_along_axis(active, drawn, True, axis=2)
    return active.reshape(images, filters, side, side)


def central_units(images: int, filters: int, side: int) -> Masks:
    """(N, D, n, n), read-only: always the middle unit, the lower right one of four for even n."""
    active = np.zeros((side, side), np.bool_)
    active[side // 2, side // 2] = True
    return np.broadcast_to(active, (images, filters, side, side))


def discs(geometry: MapGeometry, radius: float) -> Masks:
    """(n², H, W): pixels whose centre is at most `radius` pixels from each unit's centre."""
    pixels = np.arange(geometry.image_size) + 0.5
    squares = (geometry.centres()[:, None] - pixels) ** 2
    # One row of units after another, for less memory.
    rows = [down[None, :, None] + squares[:, None, :] <= radius**2 for down in squares]
    return np.concatenate(rows)


def part_overlap(
    active: Masks, parts: Mapping[str, Masks], geometry: MapGeometry, radius: float
) -> Values:
    """IoU (K, N, D) of the region of each filter with each part of each image.

    0 where a filter is silent, NaN where the image lacks the part (its mask is empty).

    Args:
        active: units (N, D, n, n).
        parts: K names -> masks (N, H, W) of the image's size.
        geometry: of the maps.
        radius: of the discs, in pixels.

    Raises:
        ClearfiltersError: if masks are not of the image's size or not as many as images.
    """
    images, filters = active.shape[:2]
    for name, mask in parts.items():
        if mask.shape != (images, geometry.image_size, geometry.image_size):
            raise ClearfiltersError(
                f"part `{name}`: masks {mask.shape}; expected {images} of {geometry.image_size} x "
                f"{geometry.image_size} pixels, as the network's images; prepare the data in the "
                "size that the network takes"
            )
    unit_discs = _sparse(_words(discs(geometry, radius)))
    part_words = np.stack([_words(mask) for mask in parts.values()])
    overlap = np.full((len(parts), images, filters), np.nan)
    for n in range(images):
        shown = np.flatnonzero(part_words[:, n].any(axis=1))
        if len(shown):
            units = active[n].reshape(filters, -1)
            overlap[shown, n] = _image_overlap(units, part_words[shown, n], unit_discs)
    return overlap


def _words(masks: Masks) -> Words:
    """Masks (M, H, W) as words (M, L), each the bits of a tile; the last word is always 0.

    Tiles, because a disc lies in fewer of them than in words that go along a row.
    """
    packed = np.packbits(masks, axis=2)
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % TILE), (0, 0)))
    tiles = packed.reshape(len(masks), -1, TILE, packed.shape[2]).swapaxes(2, 3)
    words = np.ascontiguousarray(tiles).view(np.uint64).reshape(len(masks), -1)
    return np.pad(words, ((0, 0), (0, 1)))


@dataclass(frozen=True)
class _Discs:
    """The words of each unit's disc that are not 0, filled up to as many for each with the last.

    Attributes:
        where: their numbers (n², M).
        words: (n², M).
        length: of the whole image, L.
    """

    where: npt.NDArray[np.intp]
    words: Words
    length: int


def _sparse(words: Words) -> _Discs:
    last = words.shape[1] - 1
    found = [np.flatnonzero(row) for row in words]
    where = np.full((len(words), max(map(len, found))), last)
    for row, numbers in zip(where, found, strict=True):
        row[: len(numbers)] = numbers
    return _Discs(where, np.take_along_axis(words, where, axis=1), last + 1)


def _image_overlap(active: Masks, parts: Words, unit_discs: _Discs) -> Values:
    """IoU (K, D) in one image, for units (D, n²) and parts (K, L)."""
    overlap = np.zeros((len(parts), len(active)))
    owner, unit, turns = _in_turns(active)
    if not turns:
        return overlap
    first, later = unit[: turns[0]], unit[turns[0] :]
    added = _added_words(unit, turns, unit_discs)

    def of_filters(of_discs: Counts, of_added: Counts) -> Counts:
        return np.bincount(owner, np.concatenate([of_discs[first], of_added]), len(active))

    sizes = of_filters(_pixels(unit_discs.words), _pixels(added))
    for k, part in enumerate(parts):
        here = part[unit_discs.where]
        shared = of_filters(_pixels(here & unit_discs.words), _pixels(here[later] & added))
        overlap[k] = shared / (sizes + _pixels(part) - shared)
    return overlap


def _in_turns(active: Masks) -> tuple[Indices, Indices, list[int]]:
    """The active units of all filters: the first of each, the second of each that has two, ...

    Args:
        active: (D, n²).

    Returns:
        The filter and the unit of each entry (T,), and how many entries each turn has; the filters
        come in the same order in each, so that a turn's are the first of the turn's before it.
    """
    owner, unit = np.divmod(np.flatnonzero(active), active.shape[1])
    sizes = np.bincount(owner, minlength=len(active))
    turn = np.arange(len(owner)) - (np.cumsum(sizes) - sizes)[owner]
    order = np.lexsort((owner, -sizes[owner], turn))
    return owner[order], unit[order], np.bincount(turn).tolist()


def _added_words(unit: Indices, turns: list[int], unit_discs: _Discs) -> Words:
    """(T - turns[0], M): what each disc but the first adds to its filter's discs before it.

    Args:
        unit: see `_in_turns`.
        turns: see `_in_turns`.
        unit_discs: of all units.
    """
    first, later = unit[: turns[0]], unit[turns[0] :]
    added = unit_discs.words[later]
    # Whole images, of the filters with several units.
    several = max(turns[1:], default=0)
    covered = np.zeros(several * unit_discs.length, np.uint64)
    offsets = np.arange(several)[:, None] * unit_discs.length
    covered[unit_discs.where[first[:several]] + offsets] = unit_discs.words[first[:several]]
    start = 0
    for count in turns[1:]:
        turn = slice(start, start + count)
        where = unit_discs.where[later[turn]] + offsets[:count]
        before = covered[where]
        covered[where] = before | added[turn]
        added[turn] &= ~before
        start += count
    return added


def _pixels(words: Words) -> Counts:
    """(...): bits that are set in the words (..., M)."""
    return np.bitwise_count(words).sum(axis=-1, dtype=np.uint32)


def part_scores(overlap: Values, least_iou: float) -> Values:
    """P_f,k (K, D): share of the images with part k where the IoU (K, N, D) exceeds `least_iou`.

    NaN for a part that no image has.
    """
    return mean_of_defined(np.where(np.isnan(overlap), np.nan, overlap > least_iou), axis=1)


def part_statistics(
    active: Masks,
    parts: Mapping[str, Masks],
    geometry: MapGeometry,
    *,
    radii: Sequence[float],
    primary: float,
    least_iou: float,
) -> dict[str, Any]:
    """Part interpretability of filters on one category.

    Args:
        active: units of D filters in the category's N images; see `active_units`.
        parts: name -> masks (N, H, W), empty where an image lacks the part; at least one.
        geometry: of the maps.
        radii: of the discs, in pixels; 32 in images of 224 is two strides (ours).
        primary: the radius of `primary`, `filters` and `best_part`.
        least_iou: that a region must exceed to be the part; 0.2 in the paper.

    Returns:
        radius (radius -> mean over filters of P_f = max over parts of P_f,k); primary, filters [D]
        and best_part (part -> filters of which it is the best part, those with P_f = 0 left out),
        at the primary radius; dead, the filters that fire in no image. Dead filters count as 0.
        None where no image has a part.
    """
    scores = {
        radius: part_scores(part_overlap(active, parts, geometry, radius), least_iou)
        for radius in dict.fromkeys((*radii, primary))
    }
    best = {radius: largest_of_defined(values, axis=0) for radius, values in scores.items()}
    means = {radius: mean_or_null(values) for radius, values in best.items()}
    part_of = best_row(scores[primary])
    return {
        "radius": {f"{radius:g}": means[radius] for radius in radii},
        "primary": means[primary],
        "filters": values_or_null(best[primary]),
        "best_part": {name: int((part_of == k).sum()) for k, name in enumerate(parts)},
        "dead": int((~active.any(axis=(0, 2, 3))).sum()),
    }
