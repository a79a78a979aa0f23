"""IoU of every filter's ActivMap with every image's object: at least 5x, below 3 GiB.

Ours is `overlap_iou`, its compilation before. The baseline goes through filters and images one at a
time: enlarge the map with PyTorch, compare, intersect, unite. Both have the same maps, masks,
thresholds and threads. The baseline's time for all pairs is extrapolated from a few images, since
each pair takes the same work. The memory is the largest resident set of a process that measures
ours from the maps on, thresholds included; Linux's VmHWM gives it.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import interpolate

from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.analysis.activation_overlap import Maps, Masks, overlap_iou
from clearfilters.analysis.localization import activation_iou, filter_thresholds

IMAGES, FILTERS, MAP_SIDE, SIDE = 500, 256, 8, 128
TOP_SHARE = 0.2
REQUIRED, REQUIRED_GIB = 5.0, 3.0


def workload(images: int) -> tuple[Maps, Masks]:
    """Random maps (images, 256, 8, 8), silent in half of their pixels, and disks as objects."""
    generator = np.random.default_rng(0)
    maps = generator.normal(size=(images, FILTERS, MAP_SIDE, MAP_SIDE)).astype(np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    centres = generator.uniform(0.3, 0.7, (2, images, 1, 1)) * SIDE
    masks = (y - centres[0]) ** 2 + (x - centres[1]) ** 2 < (SIDE / 3) ** 2
    return np.maximum(maps, 0), masks


def one_at_a_time(maps: Maps, masks: Masks, thresholds: Maps) -> npt.NDArray[np.float64]:
    """The usual loop: IoU (N, K)."""
    all_maps, objects = torch.from_numpy(maps), torch.from_numpy(masks)
    limits = thresholds.tolist()
    found = np.empty(maps.shape[:2])
    for n, mask in enumerate(objects):
        for k, limit in enumerate(limits):
            enlarged = interpolate(
                all_maps[n, k][None, None], size=mask.shape, mode="bilinear", align_corners=False
            )
            chosen = enlarged[0, 0] > limit
            found[n, k] = (chosen & mask).sum() / (chosen | mask).sum()
    return found


def measure_memory(images: int) -> None:
    """Measure ours in this process and print its peak resident set in KiB."""
    maps, masks = workload(images)
    activation_iou(maps, masks, TOP_SHARE, torch.get_num_threads())
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def _peak_gib(images: int) -> float:
    code = (
        "import sys; from benchmarks.localization import measure_memory; "
        "measure_memory(int(sys.argv[1]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(images)], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(process.stdout) / 2**20


def run(repeats: int, images: int, loop_images: int) -> list[Row]:
    """Time `images` images; the loop does `loop_images` of them. Memory is that of all 500."""
    maps, masks = workload(images)
    thresholds = filter_thresholds(maps, TOP_SHARE)
    threads = torch.get_num_threads()
    part = (maps[:loop_images], masks[:loop_images], thresholds)
    difference = np.abs(overlap_iou(*part, threads) - one_at_a_time(*part)).max()
    if difference > 1e-3:
        raise RuntimeError(f"the two IoU differ by {difference:.1e}; they measure the same")
    found = interleaved(
        {
            "ours": lambda: overlap_iou(maps, masks, thresholds, threads),
            "baseline": lambda: one_at_a_time(*part),
        },
        repeats,
    )
    extrapolated = [seconds * images / loop_images for seconds in found["baseline"]]
    ratio = median_ratio(extrapolated, found["ours"])
    ours, baseline = (sorted(times)[repeats // 2] for times in (found["ours"], extrapolated))
    peak = _peak_gib(IMAGES)
    shape = f"{FILTERS} filters, {MAP_SIDE}x{MAP_SIDE} to {SIDE}x{SIDE}"
    return [
        Row(
            name=f"ActivMap IoU, {FILTERS} filters x {images} images",
            ours=f"{ours:.2f} s",
            baseline=f"{baseline:.1f} s (one pair at a time, extrapolated)",
            ratio=f"{ratio:.1f}x",
            required=f"at least {REQUIRED:g}x",
            met=ratio >= REQUIRED,
            notes=f"{shape}, {threads} threads each; the loop ran {loop_images} of {images} "
            f"images; median of {repeats} in turn; largest difference of an IoU {difference:.1e}",
        ),
        Row(
            name="peak memory, ActivMap IoU",
            ours=f"{peak:.2f} GiB",
            baseline="-",
            ratio="-",
            required=f"ours below {REQUIRED_GIB:g} GiB",
            met=peak < REQUIRED_GIB,
            notes=f"{IMAGES} images, {shape}, thresholds included, CPU; Python and PyTorch count",
        ),
    ]
