"""Location instability at least 50x and part interpretability at least 20x as fast as loops.

The baseline of location instability is the authors' procedure, filter by filter and image by image
in Python; ours must not be slower either than one NumPy pass per filter with a stable sort. The
baseline of part interpretability is the procedure as the paper words it: for each filter and image
the union of its discs, for each part the intersection and the union, in whole NumPy masks.
Thresholds are found before, on both sides. It is extrapolated from a few images, since each takes
the same work. Maps are random: a filter's active units are scattered, where those of a real filter
often lie beside each other.
"""

import math
from statistics import variance

import numpy as np
import numpy.typing as npt

from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.analysis.location_instability import (
    Peaks,
    Places,
    landmark_peaks,
    location_instability,
    random_peaks,
)
from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.analysis.part_interpretability import Masks, active_units, discs, part_overlap

Values = npt.NDArray[np.float64]

GEOMETRY = MapGeometry(side=14, stride=16, start=8, image_size=224)
FILTERS, PARTS = 512, 4
STRONGEST, RADIUS, QUANTILE = 100, 32.0, 0.995
REQUIRED_INSTABILITY, REQUIRED_PARTS = 50.0, 20.0
SAME = 1e-9


def _ours(peaks: Peaks, places: Places) -> Values:
    found = landmark_peaks(peaks, places, strongest=STRONGEST, minimum=2)
    return location_instability(found, GEOMETRY)


def authors_procedure(peaks: Peaks, places: Places) -> Values:
    """Location instability (D,), one filter and image at a time."""
    positions, scores, targets = (
        array.tolist() for array in (peaks.positions, peaks.scores, places)
    )
    found = []
    for f in range(len(scores[0])):
        distances = []
        for n, (row, column) in enumerate(targets):
            if math.isnan(row):
                continue
            down = GEOMETRY.start + GEOMETRY.stride * positions[n][f][0] - row
            across = GEOMETRY.start + GEOMETRY.stride * positions[n][f][1] - column
            distances.append((scores[n][f], math.hypot(down, across)))
        distances.sort(key=lambda pair: -pair[0])
        found.append(math.sqrt(variance([distance for _, distance in distances[:STRONGEST]])))
    return np.array(found) / GEOMETRY.diagonal


def filter_by_filter(peaks: Peaks, places: Places) -> Values:
    """Location instability (D,), one filter at a time."""
    found = []
    for f in range(peaks.scores.shape[1]):
        valid = np.flatnonzero(~np.isnan(places[:, 0]) & ~np.isnan(peaks.positions[:, f, 0]))
        chosen = valid[np.argsort(-peaks.scores[valid, f], kind="stable")[:STRONGEST]]
        across = GEOMETRY.pixels(peaks.positions[chosen, f]) - places[chosen]
        found.append(np.hypot(across[:, 0], across[:, 1]).std(ddof=1))
    return np.array(found) / GEOMETRY.diagonal


def one_pair_at_a_time(active: Masks, parts: dict[str, Masks], unit_discs: Masks) -> Values:
    """IoU (K, N, D) of each filter's region with each part of each image."""
    images, filters = active.shape[:2]
    overlap = np.zeros((len(parts), images, filters))
    for n in range(images):
        for f in range(filters):
            units = np.flatnonzero(active[n, f])
            if not len(units):
                continue
            region = unit_discs[units[0]].copy()
            for unit in units[1:]:
                region |= unit_discs[unit]
            for k, masks in enumerate(parts.values()):
                shared = np.count_nonzero(region & masks[n])
                overlap[k, n, f] = shared / np.count_nonzero(region | masks[n])
    return overlap


def _agree(what: str, one: Values, other: Values) -> None:
    difference = float(np.abs(one - other).max())
    if not difference < SAME:
        raise RuntimeError(f"{what} differs by {difference:.1e} between the two; they are the same")


def run_location_instability(repeats: int, images: int) -> Row:
    """Judge 512 filters on `images` images, a fifth of them without the landmark."""
    generator = np.random.default_rng(0)
    peaks = random_peaks(images, FILTERS, GEOMETRY.side, seed=0)
    places = generator.uniform(0, GEOMETRY.image_size, (images, 2))
    places[::5] = np.nan
    for loop in (authors_procedure, filter_by_filter):
        _agree("location instability", _ours(peaks, places), loop(peaks, places))
    found = interleaved(
        {
            "ours": lambda: _ours(peaks, places),
            "authors": lambda: authors_procedure(peaks, places),
            "filters": lambda: filter_by_filter(peaks, places),
        },
        repeats,
    )
    ratio = median_ratio(found["authors"], found["ours"])
    to_filters = median_ratio(found["filters"], found["ours"])
    ours, authors, filters = (
        1000 * sorted(found[name])[repeats // 2] for name in ("ours", "authors", "filters")
    )
    return Row(
        name=f"location instability, {FILTERS} filters x {images} images",
        ours=f"{ours:.1f} ms",
        baseline=f"{authors:.0f} ms (filters and images in turn)",
        ratio=f"{ratio:.0f}x",
        required=f"at least {REQUIRED_INSTABILITY:g}x, not slower than a pass per filter",
        met=ratio >= REQUIRED_INSTABILITY and to_filters >= 1,
        notes=f"one landmark on 4 of 5 images, {STRONGEST} strongest; a NumPy pass per filter "
        f"takes {filters:.1f} ms, {to_filters:.1f}x; medians of {repeats} in turn; same values",
    )


def _discs_as_parts(images: int) -> dict[str, Masks]:
    generator = np.random.default_rng(1)
    size = GEOMETRY.image_size
    y, x = np.mgrid[:size, :size]
    parts = {}
    for k in range(PARTS):
        centres = generator.uniform(0.2, 0.8, (images, 2)) * size
        radius = size / (5 + k)
        parts[f"part {k}"] = np.stack(
            [(y - row) ** 2 + (x - column) ** 2 < radius**2 for row, column in centres]
        )
    return parts


def run_part_interpretability(repeats: int, images: int, loop_images: int) -> Row:
    """Compare the regions of 512 filters with 4 parts; the loop does `loop_images` images."""
    generator = np.random.default_rng(0)
    shape = (images, FILTERS, GEOMETRY.side, GEOMETRY.side)
    active = active_units(generator.standard_normal(shape, dtype=np.float32), QUANTILE)
    parts = _discs_as_parts(images)
    some = active[:loop_images].reshape(loop_images, FILTERS, -1)
    some_parts = {name: masks[:loop_images] for name, masks in parts.items()}
    unit_discs = discs(GEOMETRY, RADIUS)
    _agree(
        "an IoU",
        part_overlap(active[:loop_images], some_parts, GEOMETRY, RADIUS),
        one_pair_at_a_time(some, some_parts, unit_discs),
    )
    found = interleaved(
        {
            "ours": lambda: part_overlap(active, parts, GEOMETRY, RADIUS),
            "baseline": lambda: one_pair_at_a_time(some, some_parts, unit_discs),
        },
        repeats,
    )
    extrapolated = [seconds * images / loop_images for seconds in found["baseline"]]
    ratio = median_ratio(extrapolated, found["ours"])
    ours, baseline = (sorted(times)[repeats // 2] for times in (found["ours"], extrapolated))
    return Row(
        name=f"part interpretability, {FILTERS} filters x {images} images",
        ours=f"{ours:.1f} s",
        baseline=f"{baseline:.0f} s (one pair at a time, extrapolated)",
        ratio=f"{ratio:.0f}x",
        required=f"at least {REQUIRED_PARTS:g}x",
        met=ratio >= REQUIRED_PARTS,
        notes=f"{PARTS} parts on every image, {GEOMETRY.side}x{GEOMETRY.side} maps, "
        f"{GEOMETRY.image_size} pixels, radius {RADIUS:g}, one thread, thresholds not included; "
        f"the loop ran {loop_images} of {images} images; median of {repeats} in turn; same values",
    )
