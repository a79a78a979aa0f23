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

    @property
    def is_fixed(self) -> bool:
        """Whether a batch has the samples as they are, always the same."""

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """The chosen samples (B, ...), augmented anew."""

    def as_they_are(self, chosen: Tensor) -> Tensor:
        """The chosen samples (B, ...), not augmented."""


def in_order(inputs: Inputs) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples as they are, in batches, each with its labels."""
    rows = torch.arange(len(inputs.labels), device=inputs.labels.device)
    for chosen in rows.split(EVALUATION_BATCH):
        yield inputs.as_they_are(chosen), inputs.labels[chosen]


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
    def is_fixed(self) -> bool:
        """Whether batches have the images as they are."""
        return not (self.flip or self.images.shape[1] > self.size)

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

    def as_they_are(self, chosen: Tensor) -> Tensor:
        """The chosen images in [0, 1], (B, 3, H + 2p, W + 2p)."""
        images = self.images.index_select(0, self.image_of_row[chosen])
        mirrored = self.mirrored[chosen]
        images[mirrored] = images[mirrored].flip(2)
        return as_network_input(images)

    def distinct_rows(self) -> tuple[Tensor, Tensor]:
        """The first row of each image, mirrored or not, and for each row which of these it is."""
        key = 2 * self.image_of_row + self.mirrored
        _, number = key.unique(return_inverse=True)
        rows = torch.arange(len(number), device=number.device)
        first = torch.full_like(number, len(number)).scatter_reduce(0, number, rows, "amin")
        first = first[: int(number.max()) + 1]
        order = first.argsort()
        rank = torch.empty_like(order).scatter_(
            0, order, torch.arange(len(order), device=order.device)
        )
        return first[order], rank[number]


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


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of an epoch's random stream, counted from 0."""
    return stream_seed(seed, epoch + 1)


def initial_seed(seed: int) -> int:
    """The seed of a network's first weights."""
    return stream_seed(seed, 0)


def stream_seed(*key: int) -> int:
    """The seed of `random_stream`, in [0, 2^63)."""
    mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return int(mixed) & (2**63 - 1)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """bf16 for the convolutions where asked for; the head and the gate stay in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
