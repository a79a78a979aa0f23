"""A network as everything else sees it: images in [0, 1] to logits, with its parts."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.heads import ConvolutionalHead
from clearfilters.params.networks import ConvolutionalHeadParams, TopParams
from clearfilters.registry import BLOCK_NETWORKS, NETWORKS, TOP, load


class Backbone(Protocol):
    """What a network must offer."""

    head: nn.Linear

    @property
    def last_conv(self) -> nn.Conv2d:
        """The convolution whose filters the gate assigns to classes."""

    @property
    def activations(self) -> list[nn.Module]:
        """Of each convolution, in the order they run, the module that returns its activation.

        That is what follows BatchNorm, residual sum and ReLU. No module occurs twice: a projecting
        shortcut has no activation beside that of the sum it is part of.
        """

    def feature_maps(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> maps A (N, K, h, w) after the last ReLU."""


class Classifier(nn.Module):
    """Backbone, global average pooling and linear head (or a head of its own), and normalisation.

    Takes images in [0, 1], so that attacks and saliency work in pixel space, and returns one
    logits tensor: the STD path, which is the only one used for testing.

    Attributes:
        factors: on learning rate and weight decay, of parameters that have their own, by name.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        fc: ConvolutionalHead | None = None,
    ) -> None:
        """A network.

        Args:
            backbone: offers `Backbone`.
            mean: per channel, of the training images.
            std: per channel.
            fc: a head of convolutional layers, in place of the backbone's linear one.
        """
        super().__init__()
        self.backbone = backbone
        self.fc = fc
        self.factors: dict[str, tuple[float, float]] = {}
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    @property
    def parts(self) -> Backbone:
        """The backbone, typed by what it offers."""
        return cast(Backbone, self.backbone)

    @property
    def head(self) -> nn.Linear:
        """The linear layer: weight W (C, K), bias b (C,).

        Raises:
            ClearfiltersError: if the head is not linear.
        """
        if self.fc is not None:
            raise ClearfiltersError(
                "model.head: what was asked for needs the linear head behind pooling, and this "
                "network has another; leave model.head out"
            )
        return self.parts.head

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        return self.parts.head.out_features if self.fc is None else self.fc.outputs

    def feature_maps(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, H, W) -> maps A (N, K, h, w) after the last ReLU."""
        return self.parts.feature_maps((images - self.mean) / self.std)

    @staticmethod
    def pool(maps: Tensor) -> Tensor:
        """Maps A (N, K, h, w) -> a = GAP(A), (N, K), in float32 at least."""
        return maps.mean(dim=(2, 3), dtype=torch.promote_types(maps.dtype, torch.float32))

    def logits(self, maps: Tensor) -> Tensor:
        """Maps A (N, K, h, w) -> logits of the STD path (N, C)."""
        logits: Tensor = self.head(self.pool(maps)) if self.fc is None else self.fc(maps)
        return logits

    def pooled(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, H, W) -> a = GAP(A), (N, K)."""
        return self.pool(self.feature_maps(images))

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, H, W) -> logits of the STD path (N, C)."""
        return self.logits(self.feature_maps(images))


def build_classifier(
    name: str,
    *,
    num_classes: int,
    width: int | None,
    mean: Sequence[float],
    std: Sequence[float],
    head: ConvolutionalHeadParams | None = None,
    image_size: int | None = None,
    top: TopParams | None = None,
) -> Classifier:
    """A freshly initialised network.

    Args:
        name: a key of registry.NETWORKS.
        num_classes: C, how many outputs.
        width: channels of the first stage; None for the published width, the only one that the
            networks of BLOCK_NETWORKS have.
        mean: per-channel mean of the training images, in [0, 1].
        std: per-channel standard deviation of the training images.
        head: a head of convolutional layers; None for the linear one.
        image_size: side of the images in pixels, which such a head must know.
        top: what stands above the trunk, with such a head; None for the network's own blocks.

    Raises:
        ClearfiltersError: if there is no network of that name, or not in that width, or it is no
            sequence of blocks and a top is given.
    """
    if name not in NETWORKS:
        raise ClearfiltersError(
            f"model.name: no network `{name}`; known: {', '.join(sorted(NETWORKS))}"
        )
    if width is not None and name in BLOCK_NETWORKS:
        raise ClearfiltersError(
            f"model.width: {width}, but `{name}` comes in its published width only; leave it out"
        )
    options = {} if width is None else {"width": width}
    backbone = load(NETWORKS[name])(num_classes=num_classes, **options)
    if head is None:
        return Classifier(backbone, mean, std)
    assert image_size is not None
    backbone.head = None
    surgery = None if top is None else load(TOP)(top)
    if surgery is not None:
        surgery.replace(backbone, name)
    filters, side = _map_size(backbone, image_size)
    fc = ConvolutionalHead(filters, side, head.hidden, num_classes, head.dropout)
    network = Classifier(backbone, mean, std, fc)
    if surgery is not None:
        surgery.finish(network)
    return network


@torch.no_grad()
def _map_size(backbone: Any, image_size: int) -> tuple[int, int]:
    """Filters and side of the maps A of square images."""
    maps = backbone.eval().feature_maps(torch.zeros(1, 3, image_size, image_size))
    backbone.train()
    return int(maps.shape[1]), int(maps.shape[2])


def block_network(model: Classifier, name: str) -> BlockNetwork:
    """The backbone of a network that can be fine-tuned.

    Raises:
        ClearfiltersError: if it is no sequence of blocks.
    """
    if not isinstance(model.backbone, BlockNetwork):
        raise ClearfiltersError(
            f"finetune: `{name}` has no published weights and is no sequence of blocks; choose one "
            f"of {', '.join(BLOCK_NETWORKS)}, or leave finetune out"
        )
    return model.backbone
