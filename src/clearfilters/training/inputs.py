"""What a network, or its trained part, is trained on, and the random streams that it comes from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from clearfilters.data.augmentation import as_network_input, pad_images, random_crop_flip
from clearfilters.data.rows import held_once
from clearfilters.data.store import Split
from clearfilters.params.training import TrainingParams

EVALUATION_BATCH = 1000  # samples; only memory depends on it


class Inputs(Protocol):
    """N samples on the device, as what is trained takes them."""

    @property
    def labels(self) -> Tensor:
        """y, (N,)."""

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """The chosen samples (B, ...), augmented anew."""

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All samples as they are, in batches, each with its labels."""


@dataclass(frozen=True)
class Images:
    """A split of N rows on the device.

    Attributes:
        images: the distinct images, padded, uint8 (n, H + 2p, W + 2p, 3).
        image_of_row: which of them each row shows, (N,).
        mirrored: whether the row shows it mirrored, bool (N,).
        labels: y, (N,).
        size: H = W.
        flip: whether a batch has images mirrored at random.
    """

    images: Tensor
    image_of_row: Tensor
    mirrored: Tensor
    labels: Tensor
    size: int
    flip: bool

    @property
    def is_augmented(self) -> bool:
        """Whether batches differ from the images as they are."""
        return self.flip or self.images.shape[1] > self.size

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """The chosen images in [0, 1], (B, 3, H, W), randomly cropped and flipped; one gather."""
        images = random_crop_flip(
            self.images,
            self.image_of_row[chosen],
            mirrored=self.mirrored[chosen],
            size=self.size,
            flip=self.flip,
            generator=generator,
        )
        return images.float().div_(255)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in [0, 1], (B, 3, H + 2p, W + 2p), as they are, with their labels."""
        index = (self.image_of_row, self.mirrored, self.labels)
        for numbers, mirrored, labels in zip(
            *(of_rows.split(EVALUATION_BATCH) for of_rows in index), strict=True
        ):
            images = self.images.index_select(0, numbers)
            images[mirrored] = images[mirrored].flip(2)
            yield as_network_input(images), labels


def to_device(
    split: Split, device: torch.device, augmentation: TrainingParams | None = None
) -> Images:
    """Copy a split to the device, padded for random crops; as it is without `augmentation`."""
    held = held_once(split.images)
    if augmentation is None:
        images = np.array(held.distinct)
    else:
        # Every border is symmetric, so that to mirror a padded image is to pad a mirrored one.
        images = pad_images(held.distinct, augmentation.crop_padding, augmentation.crop_border)
    return Images(
        torch.from_numpy(images).to(device),
        torch.from_numpy(np.array(held.image_of_row)).to(device),
        torch.from_numpy(np.array(held.mirrored)).to(device),
        torch.from_numpy(np.array(split.labels)).to(device),
        size=split.images.shape[1],
        flip=augmentation is not None and augmentation.flip,
    )


def random_stream(device: torch.device, *key: int) -> torch.Generator:
    """A random stream of its own for each key of numbers from 0 (trailing zeros do not count)."""
    return torch.Generator(device).manual_seed(stream_seed(*key))


def stream_seed(*key: int) -> int:
    """The seed of `random_stream`, in [0, 2^63)."""
    mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return int(mixed) & (2**63 - 1)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """bf16 for the convolutions where asked for; the head and the gate stay in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
