"""The fused kernel against hand-made maps, PyTorch's interpolation and plain loops."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from clearfilters.analysis.activation_overlap import overlap_counts, overlap_iou, upsample

SIZES = [
    ((4, 4), (32, 32)),
    ((3, 5), (17, 23)),
    ((1, 1), (6, 4)),
    ((8, 8), (8, 8)),
    ((7, 6), (5, 4)),
]


def in_torch(maps, size):
    return interpolate(
        torch.from_numpy(maps), size=size, mode="bilinear", align_corners=False
    ).numpy()


def random_case(map_size, size, seed=0, images=3, filters=5):
    rng = np.random.default_rng(seed)
    maps = np.maximum(rng.normal(size=(images, filters, *map_size)), 0).astype(np.float32)
    masks = rng.random((images, *size)) > 0.6
    return maps, masks, np.quantile(maps, 0.8, axis=(0, 2, 3)).astype(np.float32)


@pytest.mark.parametrize(("map_size", "size"), SIZES)
def test_upsampling_is_that_of_torch(map_size, size):
    maps, _, _ = random_case(map_size, size)
    np.testing.assert_allclose(upsample(maps, *size), in_torch(maps, size), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("map_size", "size"), SIZES)
def test_counts_are_those_of_torch_up_to_rounding(map_size, size):
    maps, masks, thresholds = random_case(map_size, size)
    selected, shared = overlap_counts(maps, masks, thresholds, 1)
    enlarged, limits = in_torch(maps, size), thresholds[None, :, None, None]
    # A pixel within rounding of the threshold may fall on either side.
    margin = 1e-5
    sure, possible = enlarged > limits + margin, enlarged > limits - margin
    objects = masks[:, None]
    assert (sure.sum(axis=(2, 3)) <= selected).all()
    assert (selected <= (possible).sum(axis=(2, 3))).all()
    assert ((sure & objects).sum(axis=(2, 3)) <= shared).all()
    assert (shared <= (possible & objects).sum(axis=(2, 3))).all()


def test_iou_against_a_loop_over_pairs_for_any_number_of_threads():
    maps, masks, thresholds = random_case((4, 4), (16, 16), images=5, filters=6)
    expected = np.zeros((5, 6))
    for n in range(5):
        for k in range(6):
            chosen = upsample(maps[n, k], 16, 16) > thresholds[k]
            expected[n, k] = (chosen & masks[n]).sum() / (chosen | masks[n]).sum()
    for threads in (1, 2, 8):
        np.testing.assert_array_equal(overlap_iou(maps, masks, thresholds, threads), expected)


def test_by_hand():
    # Twice as large, 0 and 4 become 0, 1, 3, 4: pixel centres lie a quarter from the old ones.
    maps = np.array([[[[0, 4]]]], dtype=np.float32)
    np.testing.assert_array_equal(upsample(maps, 1, 4)[0, 0], [[0, 1, 3, 4]])
    mask = np.array([[[True, True, True, False]]])
    for threshold, counts in ((0.5, (3, 2)), (1, (2, 1)), (3, (1, 0)), (4, (0, 0))):
        selected, shared = overlap_counts(maps, mask, [threshold], 1)
        assert (selected[0, 0], shared[0, 0]) == counts
    assert overlap_iou(maps, mask, [0.5], 1)[0, 0] == 2 / 4


def test_constant_maps_stay_constant():
    # 0.1 and these sizes are not exact in binary: no pixel may exceed the value by rounding.
    maps = np.full((1, 1, 3, 7), 0.1, dtype=np.float32)
    masks = np.ones((1, 31, 29), dtype=bool)
    selected, _ = overlap_counts(maps, masks, np.array([0.1], np.float32), 1)
    assert selected[0, 0] == 0


def test_read_only_and_strided_arrays():
    maps, masks, thresholds = random_case((4, 4), (8, 8))
    expected = overlap_iou(maps, masks, thresholds, 1)
    masks.setflags(write=False)
    maps.setflags(write=False)
    np.testing.assert_array_equal(overlap_iou(maps, masks, thresholds, 1), expected)
    swapped = np.ascontiguousarray(maps.swapaxes(0, 1)).swapaxes(0, 1)
    np.testing.assert_array_equal(overlap_iou(swapped, masks, thresholds, 1), expected)
