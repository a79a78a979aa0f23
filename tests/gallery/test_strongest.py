"""The strongest images, found batch by batch, against a loop over all of them."""

import numpy as np
import pytest
import torch

from clearfilters.gallery.strongest import Search

FILTERS, COUNT, SIDE = 5, 9, 4


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_the_strongest_are_those_of_a_loop_and_of_equals_the_first(batch: int) -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, so that many are equal; one filter is silent.
    maps = rng.integers(0, 6, (40, FILTERS, SIDE, SIDE)).astype(np.float32)
    maps[:, 2] = 0
    numbers = np.arange(40) * 3 + 1
    search = Search(COUNT)
    for start in range(0, 40, batch):
        part = slice(start, start + batch)
        search.add(torch.from_numpy(maps[part]), torch.from_numpy(numbers[part]))
    found = search.found()
    for k in range(FILTERS):
        peaks = [float(maps[n, k].max()) for n in range(40)]
        expected: list[int] = []
        while len(expected) < COUNT:
            left = [n for n in range(40) if n not in expected]
            expected.append(next(n for n in left if peaks[n] == max(peaks[m] for m in left)))
        assert found.images[k].tolist() == numbers[expected].tolist()
        assert found.peaks[k].tolist() == [peaks[n] for n in expected]
        np.testing.assert_array_equal(found.maps[k], maps[expected, k])
        # A silent filter has no images.
        assert len(list(found.of(k))) == (0 if k == 2 else COUNT)


def test_fewer_images_than_are_wanted_are_all_of_them() -> None:
    search = Search(COUNT)
    search.add(torch.tensor([[[[1.0]]], [[[3.0]]]]), torch.tensor([0, 1]))
    search.add(torch.tensor([[[[2.0]]]]), torch.tensor([2]))
    assert [int(image) for _, image, _ in search.found().of(0)] == [1, 2, 0]
