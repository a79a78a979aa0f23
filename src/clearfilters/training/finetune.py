"""Fine-tuning: the first blocks of a network do not change, the last ones, gate and head do.

What the frozen blocks make of an image does not change either. So a network is trained from the
maps at the freezing boundary, computed once for some augmented views of each image and kept on the
device: an epoch then costs the trained blocks only.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.registry import Classifier, block_network
from clearfilters.params.slices import TrainingSlice
from clearfilters.progress import progress
from clearfilters.training.inputs import (
    EVALUATION_BATCH,
    Images,
    Inputs,
    autocast,
    random_stream,
)

Trunk = Callable[[Tensor], Tensor]
# Images that pass the frozen blocks at once; only memory and rounding depend on it.
TRUNK_BATCH = 100
# Third number of a view's random stream; an epoch's has two.
VIEW_STREAM = 1


class TrainedBlocks(nn.Module):
    """The last blocks and the head; they belong to the whole network too."""

    def __init__(self, network: BlockNetwork, trained_blocks: int) -> None:
        super().__init__()
        self.blocks = network.blocks[len(network.blocks) - trained_blocks :]
        self.head = network.head

    def feature_maps(self, maps: Tensor) -> Tensor:
        """Maps at the freezing boundary (N, c, h', w') -> maps A (N, K, h, w)."""
        found: Tensor = self.blocks(maps)
        return found


class TrainedPart(Classifier):
    """A classifier of maps at the freezing boundary, which have no normalisation of their own."""

    def __init__(self, network: BlockNetwork, trained_blocks: int) -> None:
        super().__init__(TrainedBlocks(network, trained_blocks), (0.0,) * 3, (1.0,) * 3)

    def feature_maps(self, images: Tensor) -> Tensor:
        """Maps at the freezing boundary (N, c, h', w') -> maps A (N, K, h, w)."""
        return self.parts.feature_maps(images)


@dataclass(frozen=True)
class UncachedMaps:
    """A split at the freezing boundary: each batch of images passes the frozen blocks."""

    images: Images
    trunk: Trunk

    @property
    def labels(self) -> Tensor:
        """y, (N,)."""
        return self.images.labels

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Maps (B, c, h', w') of the chosen images, augmented anew."""
        return self.trunk(self.images.batch(chosen, generator))

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Maps of all images as they are, with their labels."""
        for images, labels in self.images.in_order():
            yield torch.cat([self.trunk(few) for few in images.split(TRUNK_BATCH)]), labels


@dataclass(frozen=True)
class CachedMaps:
    """A split at the freezing boundary, computed before.

    Attributes:
        maps: (V, N, h', w', c) of V augmented views, in what the frozen blocks return: float32, or
            bf16 in bf16 training, where the next block would get no more.
        labels: y, (N,).
    """

    maps: Tensor
    labels: Tensor

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Maps (B, c, h', w') of a random view of each chosen image."""
        views = torch.randint(
            len(self.maps), chosen.shape, generator=generator, device=chosen.device
        )
        return self.maps[views, chosen].permute(0, 3, 1, 2)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Maps of all images in the first view, with their labels."""
        for maps, labels in zip(
            self.maps[0].split(EVALUATION_BATCH), self.labels.split(EVALUATION_BATCH), strict=True
        ):
            yield maps.permute(0, 3, 1, 2), labels


def freeze(model: Classifier, network: BlockNetwork, trained_blocks: int, precision: str) -> Trunk:
    """Freeze all but the last blocks: no gradients, BatchNorm with its stored statistics.

    Args:
        model: the network with its normalisation.
        network: its backbone.
        trained_blocks: how many of its last blocks are not frozen.
        precision: bf16 or float32, of the convolutions.

    Returns:
        The frozen part: images in [0, 1] -> maps at the freezing boundary (N, c, h', w').

    Raises:
        ClearfiltersError: if the network has fewer blocks.
    """
    count = len(network.blocks)
    if trained_blocks > count:
        raise ClearfiltersError(
            f"finetune.trained_blocks: {trained_blocks}, but the network has {count} blocks"
        )
    frozen = network.blocks[: count - trained_blocks].requires_grad_(False).eval()

    @torch.no_grad()
    def trunk(images: Tensor) -> Tensor:
        with autocast(images.device, precision):
            maps: Tensor = frozen((images - model.mean) / model.std)
        return maps

    return trunk


def cached(images: Images, trunk: Trunk, views: int, seed: int) -> CachedMaps:
    """Compute the maps of some augmented views of each image.

    Args:
        images: the split.
        trunk: the frozen blocks.
        views: V, how many; the random stream of each comes from the seed and its number.
        seed: of the training.
    """
    device = images.labels.device
    maps: Tensor | None = None
    for view in progress(range(views), "frozen blocks", "views"):
        stream = random_stream(device, seed, view, VIEW_STREAM)
        for chosen in torch.arange(len(images.labels), device=device).split(TRUNK_BATCH):
            found = trunk(images.batch(chosen, stream)).permute(0, 2, 3, 1)
            if maps is None:
                maps = found.new_empty(views, len(images.labels), *found.shape[1:])
            maps[view, chosen] = found
    assert maps is not None
    return CachedMaps(maps, images.labels)


def trained_part(
    model: Classifier, parameters: TrainingSlice, data: Images, test: Images
) -> tuple[Classifier, Inputs, Inputs]:
    """What a fine-tuning trains, and both splits as it takes them.

    Args:
        model: the whole network, on the device of the data.
        parameters: of the training, with `finetune`.
        data: the training split.
        test: the test split, not augmented.

    Returns:
        The last blocks and the head, which the whole network shares; the training and the test
        split at the freezing boundary.

    Raises:
        ClearfiltersError: if the network cannot be fine-tuned or has too few blocks.
    """
    finetune = parameters.finetune
    assert finetune is not None
    network = block_network(model, parameters.model.name)
    trunk = freeze(model, network, finetune.trained_blocks, parameters.training.precision)
    part = TrainedPart(network, finetune.trained_blocks)
    if finetune.views == 0:
        return part, UncachedMaps(data, trunk), UncachedMaps(test, trunk)
    maps = cached(data, trunk, finetune.views, parameters.seed)
    print(
        f"kept {finetune.views} view(s) of {len(data.labels)} images before the trained blocks: "
        f"{maps.maps.nbytes / 2**20:.0f} MiB",
        file=sys.stderr,
    )
    return part, maps, cached(test, trunk, 1, parameters.seed)
