"""The adversarial samples of one attack on one trained network, as every detector reads them."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clearfilters.artifacts import atomic_path, parameters_hash, write_json
from clearfilters.attacks.batches import padded_batches
from clearfilters.attacks.white_box import attack_images
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.store import SPLITS, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.models.activations import pooled_activations
from clearfilters.models.classifier import Classifier
from clearfilters.models.folding import folded
from clearfilters.params.reading import parse
from clearfilters.params.slices import AdversarialSlice
from clearfilters.progress import progress
from clearfilters.training.trained_network import open_network

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# No target: the attack is not targeted.
UNTARGETED = -1
# Tell the random streams apart that start from the same seed.
ORDER_STREAM, TARGET_STREAM = 0, 1


@dataclass(frozen=True)
class AttackedImages:
    """The M images to attack.

    Attributes:
        split: (M,) int8, position in `SPLITS`.
        index: (M,) into that split.
        label: (M,) true class.
        target: (M,) class to reach, UNTARGETED if there is none.
        pixels: uint8 (M, H, W, 3).
    """

    split: npt.NDArray[np.int8]
    index: Indices
    label: Indices
    target: Indices
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Responses:
    """What a network answers to M images.

    Attributes:
        layers: float32 (M, F), pooled activations of all convolutions, one after the other.
        layer_sizes: (L,) channels of each convolution; they add up to F.
        logits: float32 (M, C).
    """

    layers: npt.NDArray[np.float32]
    layer_sizes: Indices
    logits: npt.NDArray[np.float32]

    @property
    def predicted(self) -> Indices:
        """(M,) the class with the largest logit."""
        return self.logits.argmax(axis=1)


def draw_images(
    labels: Indices, classes: list[str], per_class: int, seed: int, split: str
) -> Indices:
    """Images of a split, `per_class` of each class, sorted by rank within the class, then class.

    A class's images stand in an order that depends on `seed`, split and class alone, so that a
    smaller draw is the beginning of a larger one.

    Returns:
        (per_class * C,) indices into the split.

    Raises:
        ClearfiltersError: if a class has fewer images.
    """
    ranked = []
    for class_, name in enumerate(classes):
        members = np.flatnonzero(labels == class_)
        if len(members) < per_class:
            raise ClearfiltersError(
                f"attacks: {per_class} images per class are to be attacked, but the {split} split "
                f"has {len(members)} of class `{name}`; lower attacks.sampling.test_per_class or "
                "the attack's train_per_class"
            )
        stream = np.random.default_rng([seed, ORDER_STREAM, SPLITS.index(split), class_])
        ranked.append(stream.permutation(members)[:per_class])
    return np.stack(ranked, axis=1).ravel()


def draw_targets(index: Indices, labels: Indices, classes: int, seed: int, split: str) -> Indices:
    """A class other than the true one for each image, uniform, from (seed, split, index) alone.

    Args:
        index: (N,) into the split.
        labels: (N,) true classes of these images.
        classes: C, at least 2.
        seed: of the sampling.
        split: `train` or `test`.
    """
    position = SPLITS.index(split)
    steps = [
        np.random.default_rng([seed, TARGET_STREAM, position, image]).integers(1, classes)
        for image in index
    ]
    return (labels + np.array(steps)) % classes


def choose_images(store: Path, parameters: AdversarialSlice, classes: list[str]) -> AttackedImages:
    """The images that an attack gets, training images first.

    Raises:
        ClearfiltersError: if a class has too few images, or the store cannot be read.
    """
    sampling = parameters.sampling
    counts = {"train": parameters.attack.train_per_class, "test": sampling.test_per_class}
    split, index, label, target, pixels = [], [], [], [], []
    for position, name in enumerate(SPLITS):
        data = read_split(store, name)
        drawn = draw_images(data.labels, classes, counts[name], sampling.seed, name)
        split.append(np.full(len(drawn), position, np.int8))
        index.append(drawn)
        label.append(data.labels[drawn])
        target.append(
            draw_targets(drawn, label[-1], len(classes), sampling.seed, name)
            if parameters.attack.targeted
            else np.full(len(drawn), UNTARGETED)
        )
        pixels.append(data.images[drawn])
    return AttackedImages(*(np.concatenate(part) for part in (split, index, label, target, pixels)))


@torch.no_grad()
def respond(model: Classifier, images: Tensor, batch_size: int) -> Responses:
    """One forward pass of a network in eval mode over images, in padded batches, on its device.

    Args:
        model: the network.
        images: float32 (N, 3, H, W) in [0, 1].
        batch_size: images per batch; the last batch is filled up.
    """
    device = model.head.weight.device
    layers, logits, sizes = [], [], []
    with pooled_activations(model) as pooled:
        batches = padded_batches(len(images), batch_size)
        for batch in progress(batches, "activations", "batches"):
            pixels = images[batch].to(device, memory_format=torch.channels_last)
            logits.append(model(pixels).cpu())
            layers.append(torch.cat(pooled, dim=1).cpu())
            sizes = [layer.shape[1] for layer in pooled]
    count = len(images)
    return Responses(
        torch.cat(layers)[:count].numpy(), np.array(sizes), torch.cat(logits)[:count].numpy()
    )


def eligible(images: AttackedImages, clean_predicted: Indices) -> Flags:
    """(M,) images on which the attack can succeed.

    Those not yet answered as the target; for an untargeted attack, those answered correctly.
    """
    aimless = images.target == UNTARGETED
    return np.where(aimless, clean_predicted == images.label, clean_predicted != images.target)


def succeeded(images: AttackedImages, clean_predicted: Indices, predicted: Indices) -> Flags:
    """(M,) eligible images whose adversarial version gets the target, or else a wrong answer."""
    aimless = images.target == UNTARGETED
    reached = np.where(aimless, predicted != images.label, predicted == images.target)
    return eligible(images, clean_predicted) & reached


def _counts(images: AttackedImages, clean_predicted: Indices, success: Flags) -> dict[str, Any]:
    flags = {
        "images": np.ones(len(success), bool),
        "clean_correct": clean_predicted == images.label,
        "eligible": eligible(images, clean_predicted),
        "success": success,
    }
    return {
        name: {key: int(flag[images.split == position].sum()) for key, flag in flags.items()}
        for position, name in enumerate(SPLITS)
    }


def record_adversarial(
    checkpoint: Path,
    store: Path,
    attack: str,
    slice_: dict[str, Any],
    out: Path,
    device: torch.device,
) -> None:
    """Attack a trained network and record the samples with their features.

    `out` (.npz) holds per image, training images first: `split` (0 train, 1 test), `index`,
    `label`, `target` (-1: untargeted), `clean_predicted`, `predicted`, `success`, `linf` and `l2`
    (of the perturbation, pixels in [0, 1]), `clean` (uint8 NHWC), `adversarial` (float32 NHWC in
    [0, 1]), and for both versions `*_layers` (pooled activations of all convolutions, split by
    `layer_sizes`) and `*_logits`. Beside it, a .json says what made it and counts successes.

    Args:
        checkpoint: folder of the trained network.
        store: the processed store that it was trained on.
        attack: the attack's name in params.yaml.
        slice_: everything that shapes the samples; its training part must be the checkpoint's.
        out: the .npz.
        device: where to compute.

    Raises:
        ClearfiltersError: if the checkpoint or the store was made with other parameters or cannot
            be read, the attack's method is unknown, or a class has too few images.
    """
    parameters = parse(AdversarialSlice, slice_)
    network = open_network(checkpoint, store, slice_, "sampling", "attack", device=device)
    model, classes = network.model, network.meta["classes"]
    # Success is what the network itself answers; only the search is faster on the folded copy.
    fast = folded(model, device)
    model.to(device).to(memory_format=torch.channels_last)
    images = choose_images(store, parameters, classes)
    batch_size = parameters.sampling.batch_size
    clean = as_network_input(torch.from_numpy(images.pixels))
    adversarial = attack_images(
        fast,
        clean,
        torch.from_numpy(images.target if parameters.attack.targeted else images.label),
        parameters.attack,
        batch_size,
    )
    before = respond(model, clean, batch_size)
    after = respond(model, adversarial, batch_size)
    success = succeeded(images, before.predicted, after.predicted)
    perturbation = (adversarial - clean).flatten(1)
    with atomic_path(out) as temporary:
        np.savez(
            temporary,
            split=images.split,
            index=images.index,
            label=images.label,
            target=images.target,
            clean_predicted=before.predicted,
            predicted=after.predicted,
            success=success,
            linf=perturbation.abs().amax(dim=1).numpy(),
            l2=perturbation.norm(dim=1).numpy(),
            clean=images.pixels,
            adversarial=adversarial.permute(0, 2, 3, 1).contiguous().numpy(),
            clean_layers=before.layers,
            adversarial_layers=after.layers,
            layer_sizes=before.layer_sizes,
            clean_logits=before.logits,
            adversarial_logits=after.logits,
        )
    write_json(
        out.with_suffix(".json"),
        {
            "parameters_hash": parameters_hash(slice_),
            "attack": attack,
            "parameters": slice_,
            "classes": classes,
            **network.provenance(),
            "packages": {"torchattacks": version("torchattacks")},
            "counts": _counts(images, before.predicted, success),
        },
    )
