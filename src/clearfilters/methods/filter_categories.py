"""Which category a part filter stands for, and what the sides of its loss weigh (CVPR 2018)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The class memory of a filter starts with at least this activation (released code).
LEAST_MEMORY = 0.1
# Up to so many categories, the weights of the two sides follow how many images each has; above it,
# categories count as equally frequent (released code).
FEW_CATEGORIES = 10


def class_weights(shares: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of the positive and the negative side of each category (released code).

    Args:
        shares: (C,), of the images that are of each category.
    """
    count = len(shares)
    if count == 1:
        return torch.ones_like(shares), torch.ones_like(shares)
    rho = shares if count <= FEW_CATEGORIES else torch.full_like(shares, 1 / count)
    return 0.5 / rho, 0.5 / (1 - rho)


class CategoryMemory(nn.Module):
    """Which category each filter stands for: that whose images excite it most.

    Attributes:
        memory: S (D, C), moving mean of the largest activation over a category's images.
        known: bool (C,), the categories met so far.
    """

    memory: Tensor
    known: Tensor

    def __init__(self, filters: int, categories: int, keep: float) -> None:
        """Nothing met yet; `keep` is the share of S that a batch leaves, 0.9 in the code."""
        super().__init__()
        self.keep = keep
        self.register_buffer("memory", torch.zeros(filters, categories))
        self.register_buffer("known", torch.zeros(categories, dtype=torch.bool))

    def category_of_filter(self) -> Tensor:
        """c_f (D,), in [0, C)."""
        return self.memory.masked_fill(~self.known, -torch.inf).argmax(dim=1)

    def positive(self, categories: Tensor) -> Tensor:
        """Whether an image is of a filter's category, bool (B, D).

        Args:
            categories: bool (B, C). Before the first batch every image of any category is.
        """
        if categories.shape[1] == 1:
            return categories.expand(-1, len(self.memory))
        chosen = categories[:, self.category_of_filter()]
        return torch.where(self.known.any(), chosen, categories.any(dim=1, keepdim=True))

    def activation(self, maps: Tensor) -> Tensor:
        """How strongly an image excites each filter, (B, D): the largest value of its map."""
        return maps.amax(dim=(2, 3))

    @torch.no_grad()
    def update(self, maps: Tensor, categories: Tensor) -> None:
        """After a step: S moves towards this batch's means, of the categories that it has."""
        strength = self.activation(maps.detach())
        count = categories.sum(dim=0)
        # Not a product of matrices, which autocast would round.
        sums = (strength[:, :, None] * categories[:, None, :]).sum(dim=0)
        mean = sums / count.clamp(min=1)
        moved = torch.where(mean == 0, self.memory, self.memory.lerp(mean, 1 - self.keep))
        new = torch.where(self.known, moved, mean.clamp(min=LEAST_MEMORY))
        present = count > 0
        self.memory.copy_(torch.where(present, new, self.memory))
        self.known.logical_or_(present)


def image_categories(labels: Tensor, outputs: int) -> Tensor:
    """Which category an image is of, bool (B, C); one category (class 1) has background beside it.

    Args:
        labels: y (B,).
        outputs: of the network, C.
    """
    if outputs == 1:
        return (labels == 1)[:, None]
    return F.one_hot(labels, outputs).bool()
