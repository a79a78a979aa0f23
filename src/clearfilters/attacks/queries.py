"""What the black-box attacks share: queries in batches of a fixed size, and what an attack found.

A query is one image whose class probabilities the attacker is told. Batches have one
size, the last is filled up: rounding depends on the size of a batch, so the answer to a query would
otherwise depend on what else is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clearfilters.attacks.batches import padded_batches

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """What the model says of Q queries.

    Attributes:
        score: probability of the true class, float64 (Q,).
        predicted: most probable class (Q,).
    """

    score: npt.NDArray[np.float64]
    predicted: Ints


@dataclass(frozen=True)
class Outcome:
    """What an attack on N images ended with.

    Attributes:
        adversarial: the last or best image of each attack, float32 (N, 3, H, W) in [0, 1].
        success: whether it is misclassified (N,).
        queries: how often the model was asked for each image (N,).
    """

    adversarial: Tensor
    success: npt.NDArray[np.bool_]
    queries: Ints


@torch.inference_mode()
def ask(model: nn.Module, make: Callable[[Ints], Tensor], labels: Ints, batch_size: int) -> Answers:
    """Ask the model about Q images.

    Args:
        model: takes images in [0, 1], returns logits.
        make: the queries of these numbers of range(Q), float32 (n, 3, H, W).
        labels: true class of each query (Q,).
        batch_size: images per forward pass; the last batch is filled up.
    """
    score, predicted = [], []
    for batch in padded_batches(len(labels), batch_size):
        # Beside 1, float32 probabilities of different logits are equal.
        probabilities = model(make(batch.numpy())).double().softmax(dim=1).cpu()
        truth = torch.from_numpy(labels)[batch]
        score.append(probabilities.gather(1, truth[:, None])[:, 0])
        predicted.append(probabilities.argmax(dim=1))
    count = len(labels)
    return Answers(torch.cat(score)[:count].numpy(), torch.cat(predicted)[:count].numpy())


def with_pixel(images: Tensor, owner: Ints, pixel: Ints, colour: Tensor) -> Tensor:
    """Copies of images, each with one pixel changed.

    Args:
        images: (N, 3, H, W), contiguous.
        owner: which image is copied (Q,).
        pixel: row * W + column (Q,).
        colour: what it becomes (Q, 3).
    """
    copies = images[torch.from_numpy(owner).to(images.device)]
    rows = torch.arange(len(owner), device=images.device)
    copies.flatten(2)[rows, :, torch.from_numpy(pixel).to(images.device)] = colour
    return copies


def stream(seed: int, image: int) -> np.random.Generator:
    """The random numbers of one image's attack: they depend on no other image."""
    return np.random.default_rng([seed, image])
