"""The networks by name. A new one is a class that offers `Backbone`, and a line here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models import torchvision_networks, vgg_ms
from clearfilters.models.alexnet_cifar import CifarAlexNet
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.efficientnet_lite import EfficientNetLite0
from clearfilters.models.resnet_cifar import CifarResNet


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


# For small images, trained from scratch; each builder takes num_classes and width.
CIFAR_NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "resnet8": partial(CifarResNet, 8),
    "resnet20": partial(CifarResNet, 20),
    "resnet32": partial(CifarResNet, 32),
    "resnet44": partial(CifarResNet, 44),
    "resnet56": partial(CifarResNet, 56),
    "resnet110": partial(CifarResNet, 110),
    "alexnet": CifarAlexNet,
}
# ImageNet's, which can be fine-tuned; each builder takes num_classes.
BLOCK_NETWORKS: dict[str, Callable[..., BlockNetwork]] = {
    "resnet18": partial(torchvision_networks.resnet, 18),
    "resnet50": partial(torchvision_networks.resnet, 50),
    "resnet101": partial(torchvision_networks.resnet, 101),
    "resnet152": partial(torchvision_networks.resnet, 152),
    "alexnet-imagenet": torchvision_networks.alexnet,
    "vgg16": torchvision_networks.vgg16,
    "vgg-m": partial(vgg_ms.vgg, vgg_ms.VGG_M),
    "vgg-s": partial(vgg_ms.vgg, vgg_ms.VGG_S),
    "efficientnet-lite0": EfficientNetLite0,
}
NETWORKS: dict[str, Callable[..., nn.Module]] = {**CIFAR_NETWORKS, **BLOCK_NETWORKS}


class Classifier(nn.Module):
    """Backbone, global average pooling and linear head, normalisation inside.

    Takes images in [0, 1], so that attacks and saliency work in pixel space, and returns one
    logits tensor: the STD path, which is the only one used for testing.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    @property
    def parts(self) -> Backbone:
        """The backbone, typed by what it offers."""
        return cast(Backbone, self.backbone)

    @property
    def head(self) -> nn.Linear:
        """The linear layer: weight W (C, K), bias b (C,)."""
        return self.parts.head

    def feature_maps(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, H, W) -> maps A (N, K, h, w) after the last ReLU."""
        return self.parts.feature_maps((images - self.mean) / self.std)

    def pooled(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, H, W) -> a = GAP(A), (N, K)."""
        return self.feature_maps(images).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1], (N, 3, H, W) -> logits of the STD path (N, C)."""
        logits: Tensor = self.head(self.pooled(images))
        return logits


def build_classifier(
    name: str,
    *,
    num_classes: int,
    width: int | None,
    mean: Sequence[float],
    std: Sequence[float],
) -> Classifier:
    """A freshly initialised network.

    Args:
        name: a key of `NETWORKS`.
        num_classes: C.
        width: channels of the first stage; None for the published width, the only one that the
            networks of `BLOCK_NETWORKS` have.
        mean: per-channel mean of the training images, in [0, 1].
        std: per-channel standard deviation of the training images.

    Raises:
        ClearfiltersError: if there is no network of that name, or not in that width.
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
    return Classifier(NETWORKS[name](num_classes=num_classes, **options), mean, std)


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
