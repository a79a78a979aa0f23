"""Networks that are a sequence of blocks, so that "the last n blocks" has one meaning."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn


class BlockNetwork(nn.Module):
    """Blocks, and a linear head for the pooled maps of the last of them.

    The published fully connected layers give way to one linear layer after global average pooling,
    as the gate papers need it.

    Attributes:
        blocks: images -> maps A after the last ReLU; the last convolution stands in the last block.
        head: the linear layer, (C, K).
        frozen: how many of the first blocks do not change.
        left_out: names in published files of the tensors of blocks that were replaced.
    """

    def __init__(self, blocks: Sequence[tuple[str, nn.Module]], num_classes: int) -> None:
        """Blocks in order, each with what precedes the names of its tensors in published files."""
        super().__init__()
        self.blocks = nn.Sequential(*(block for _, block in blocks))
        self.prefixes: list[str | None] = [prefix for prefix, _ in blocks]
        self.left_out: set[str] = set()
        self.frozen = 0
        self.head = nn.Linear(self.last_conv.out_channels, num_classes)
        for module in self.blocks.modules():
            if isinstance(module, nn.Conv2d):
                # Fan-in keeps the signal alive where there is no BatchNorm.
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def last_conv(self) -> nn.Conv2d:
        """The convolution whose filters the gate assigns to classes."""
        return [layer for layer in self.blocks.modules() if isinstance(layer, nn.Conv2d)][-1]

    @property
    def activations(self) -> list[nn.Module]:
        """The ReLU of each convolution, in order; see `Backbone.activations`."""
        return [layer for layer in self.blocks.modules() if isinstance(layer, nn.ReLU)]

    @property
    def published_names(self) -> dict[str, str]:
        """Name in `blocks.state_dict()` -> name in published files, of those that have one."""
        names = {}
        for key in self.blocks.state_dict():
            index, rest = key.split(".", 1)
            prefix = self.prefixes[int(index)]
            if prefix is not None:
                names[key] = prefix + rest.removeprefix("body.")
        return names

    def replace_above(self, count: int, block: nn.Module) -> None:
        """Put one block, of which no file has weights, in the place of all but the first blocks."""
        before = self.published_names
        self.blocks = nn.Sequential(*self.blocks[:count], block)
        self.prefixes = [*self.prefixes[:count], None]
        self.left_out |= set(before.values()) - set(self.published_names.values())

    def freeze(self, count: int) -> None:
        """Freeze the first blocks: no gradients, BatchNorm with its stored statistics."""
        self.frozen = count
        self.blocks[:count].requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """As ever, but frozen blocks stay in evaluation mode."""
        super().train(mode)
        self.blocks[: self.frozen].eval()
        return self

    def trunk(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> what the frozen blocks make of them (N, c, h', w')."""
        outputs: Tensor = self.blocks[: self.frozen](images)
        return outputs

    def top(self, outputs: Tensor) -> Tensor:
        """What the frozen blocks give (N, c, h', w') -> maps A (N, K, h, w)."""
        maps: Tensor = self.blocks[self.frozen :](outputs)
        return maps

    def feature_maps(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> maps A (N, K, h, w) after the last ReLU."""
        maps: Tensor = self.blocks(images)
        return maps
