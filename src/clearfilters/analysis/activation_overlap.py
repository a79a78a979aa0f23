"""Overlap of upsampled, thresholded feature maps with object masks, for every filter and image.

A map is enlarged to the image's size as PyTorch's `interpolate(mode="bilinear",
align_corners=False)` does. For the overlap the enlarged map is never stored: each of its rows is
made, compared and counted in one pass. The compiled loop releases Python's lock, so the images are
dealt to threads. The compilation is not kept on disk: it takes a few seconds
per process, and numba would write it beside the module, in the package.
"""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

Maps = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]


def interpolation(size: int, target: int) -> tuple[Indices, Indices, Maps]:
    """Which two of `size` values each of `target` interpolated ones lies between, and where.

    Pixel centres lie at integer + 0.5, and the edge value is repeated outside.

    Returns:
        Lower and upper neighbour (target,), and the share of the way from one to the other in
        [0, 1), float32.
    """
    position = np.maximum((np.arange(target) + 0.5) * (size / target) - 0.5, 0)
    lower = np.minimum(position.astype(np.intp), size - 1)
    upper = np.minimum(lower + 1, size - 1)
    return lower, upper, (position - lower).astype(np.float32)


def upsample(maps: Maps, height: int, width: int) -> Maps:
    """Maps (..., h, w) enlarged bilinearly to (..., height, width)."""
    upper, lower, share = interpolation(maps.shape[-2], height)
    tall = maps[..., upper, :]
    tall = tall + share[:, None] * (maps[..., lower, :] - tall)
    left, right, share = interpolation(maps.shape[-1], width)
    wide = tall[..., left]
    enlarged: Maps = wide + share * (tall[..., right] - wide)
    return enlarged


def _count(maps, masks, thresholds, rows, columns, selected, shared):  # type: ignore[no-untyped-def]
    """Fill `selected` and `shared` (N, K) for maps (N, K, h, w) and masks (N, H, W)."""
    top, bottom, down = rows
    left, right, across = columns
    height, width = masks.shape[1:]
    wide = np.empty((maps.shape[2], width), np.float32)
    for n in range(maps.shape[0]):
        for k in range(maps.shape[1]):
            for r in range(maps.shape[2]):
                for x in range(width):
                    value = maps[n, k, r, left[x]]
                    wide[r, x] = value + across[x] * (maps[n, k, r, right[x]] - value)
            selected[n, k] = 0
            shared[n, k] = 0
            for y in range(height):
                above, below, share = top[y], bottom[y], down[y]
                # 32 bits, so that as many counters as values fit a vector register.
                row_selected = np.int32(0)
                row_shared = np.int32(0)
                for x in range(width):
                    value = wide[above, x]
                    chosen = np.int32(value + share * (wide[below, x] - value) > thresholds[k])
                    row_selected += chosen
                    row_shared += chosen & masks[n, y, x]
                selected[n, k] += row_selected
                shared[n, k] += row_shared


# Compiled when first called.
_count_compiled = numba.njit(nogil=True)(_count)


def overlap_counts(
    maps: Maps, masks: Masks, thresholds: npt.ArrayLike, threads: int
) -> tuple[Counts, Counts]:
    """Pixels that each filter selects in each image, and how many of them lie in the object.

    Args:
        maps: feature maps (N, K, h, w).
        masks: objects (N, H, W).
        thresholds: (K,); a pixel is selected if its enlarged map is strictly greater.
        threads: that share the images.

    Returns:
        Selected pixels (N, K), and selected pixels of the object (N, K).
    """
    # Contiguous and writable everywhere: other kinds of arrays would be compiled for anew.
    maps = np.require(maps, np.float32, ("C", "W"))
    objects = masks.astype(np.uint8, order="C")
    limits = np.array(thresholds, np.float32)
    rows = interpolation(maps.shape[2], masks.shape[1])
    columns = interpolation(maps.shape[3], masks.shape[2])
    selected = np.empty(maps.shape[:2], np.int64)
    shared = np.empty(maps.shape[:2], np.int64)

    def count(part: slice) -> None:
        _count_compiled(
            maps[part], objects[part], limits, rows, columns, selected[part], shared[part]
        )

    edges = np.linspace(0, len(maps), threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        # A list, so that an error in a thread is raised here.
        list(pool.map(count, map(slice, edges, edges[1:])))
    return selected, shared


def overlap_iou(
    maps: Maps, masks: Masks, thresholds: npt.ArrayLike, threads: int
) -> npt.NDArray[np.float64]:
    """Intersection over union (N, K) of what each filter selects with the object of each image.

    Arguments as for `overlap_counts`. Where nothing is selected it is 0.
    """
    return counted_iou(*overlap_counts(maps, masks, thresholds, threads), masks)


def counted_iou(selected: Counts, shared: Counts, masks: Masks) -> npt.NDArray[np.float64]:
    """IoU (N, K) from what `overlap_counts` returns for objects (N, H, W); 0 for empty unions."""
    union = selected + masks.sum(axis=(1, 2))[:, None] - shared
    return np.divide(shared, union, out=np.zeros(union.shape), where=union > 0)
