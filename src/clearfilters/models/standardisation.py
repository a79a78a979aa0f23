"""Maps brought to one scale, for what is trained above them."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Standardisation(nn.Module):
    """Each channel less its mean over its standard deviation, both of training images."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        """Changes nothing before `fit`."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, C, h, w) -> the same shape."""
        return (maps - self.mean[:, None, None]) / self.std[:, None, None]

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Take mean and standard deviation over all cells of all maps (N, C, h, w)."""
        count = 0
        total = torch.zeros_like(self.mean, dtype=torch.float64)
        squares = torch.zeros_like(total)
        for maps in batches:
            values = maps.double()
            count += len(maps) * maps.shape[2] * maps.shape[3]
            total += values.sum(dim=(0, 2, 3))
            squares += values.square().sum(dim=(0, 2, 3))
        mean = total / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean)
        # A constant channel stays constant, at 0.
        self.std.copy_(torch.where(std > torch.finfo(torch.float32).eps, std, 1.0))
