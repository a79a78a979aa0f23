"""Batches of one size: the float rounding of a network depends on how many images it gets."""

import math

import torch
from torch import Tensor


def padded_batches(count: int, batch_size: int) -> tuple[Tensor, ...]:
    """Indices of `count` images in batches of exactly `batch_size`.

    The last image fills up the last batch, so results in the order of the batches are right once
    they are cut to `count`. In batches of one size, what a network in eval mode computes for an
    image depends neither on its place nor on its neighbours.
    """
    filled = math.ceil(count / batch_size) * batch_size
    return torch.arange(filled).clamp(max=count - 1).split(batch_size)
