"""The images that activate each filter most, found in one pass over all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True)
class Strongest:
    """The strongest images of K filters, M at most, each filter's strongest first.

    Attributes:
        peaks: the largest activations (K, M), at least 0.
        images: of which image each is (K, M).
        maps: the filter's map of that image (K, M, n, n).
    """

    peaks: npt.NDArray[np.float32]
    images: npt.NDArray[np.int64]
    maps: npt.NDArray[np.float32]

    def of(self, filter_: int) -> Iterator[tuple[np.float32, np.int64, npt.NDArray[np.float32]]]:
        """Peak, image and map of a filter's images, of those that activate it at all."""
        rows = (self.peaks[filter_], self.images[filter_], self.maps[filter_])
        return (found for found in zip(*rows, strict=True) if found[0] > 0)


class Search:
    """Looks through batches of maps; of equally strong images the earlier one is kept."""

    def __init__(self, count: int) -> None:
        """Keeps `count` images of each filter."""
        self.count = count
        self._peaks: Tensor | None = None
        self._images: Tensor
        self._maps: Tensor

    def add(self, maps: Tensor, images: Tensor) -> None:
        """Look through a batch.

        Args:
            maps: (B, K, n, n).
            images: which these are (B,), later ones than those before.
        """
        maps = maps.transpose(0, 1).float()
        peaks = maps.amax(dim=(2, 3))
        numbers = images.expand_as(peaks)
        if self._peaks is not None:
            peaks = torch.cat([self._peaks, peaks], dim=1)
            numbers = torch.cat([self._images, numbers], dim=1)
        order = peaks.argsort(dim=1, descending=True, stable=True)[:, : self.count]
        rows = torch.arange(len(peaks), device=peaks.device)[:, None]
        kept = 0 if self._peaks is None else self._peaks.shape[1]
        fresh = maps[rows, (order - kept).clamp(min=0)]
        if kept:
            old = self._maps[rows, order.clamp(max=kept - 1)]
            fresh = torch.where((order < kept)[:, :, None, None], old, fresh)
        self._peaks, self._images = peaks[rows, order], numbers[rows, order]
        self._maps = fresh

    def found(self) -> Strongest:
        """What was found; there must have been a batch."""
        assert self._peaks is not None
        return Strongest(
            self._peaks.cpu().numpy(), self._images.cpu().numpy(), self._maps.cpu().numpy()
        )
