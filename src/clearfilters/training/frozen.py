"""Training above a frozen part: what the first blocks make of an image does not change.

So a network is trained from the outputs of its frozen blocks, computed once for some augmented
views of each image and kept on the device: an epoch then costs the trained blocks only. Outputs of
images as they are, which other trainings can use too, are kept in files.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from clearfilters.artifacts import atomic_path, parameters_hash
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier, block_network
from clearfilters.params.slices import TrainingSlice
from clearfilters.progress import progress
from clearfilters.training.inputs import (
    EVALUATION_BATCH,
    Images,
    Inputs,
    autocast,
    random_stream,
)

# Images that pass the frozen blocks at once; only memory and rounding depend on it.
TRUNK_BATCH = 100
# Third number of a view's random stream; an epoch's has two.
VIEW_STREAM = 1


@dataclass(frozen=True)
class FrozenPart:
    """The part of a network that does not change.

    Attributes:
        run: images in [0, 1] -> its outputs (N, c, h', w').
        key: what shapes them, besides the images: weights, layer, precision, normalisation.
    """

    run: Callable[[Tensor], Tensor]
    key: dict[str, Any]


@dataclass(frozen=True)
class UncachedOutputs:
    """A split at the freezing boundary: each batch of images passes the frozen blocks."""

    images: Images
    part: FrozenPart

    @property
    def labels(self) -> Tensor:
        """y, (N,)."""
        return self.images.labels

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs (B, c, h', w') of the chosen images, augmented anew."""
        return self.part.run(self.images.batch(chosen, generator))

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs of all images as they are, with their labels."""
        for images, labels in self.images.in_order():
            yield torch.cat([self.part.run(few) for few in images.split(TRUNK_BATCH)]), labels


@dataclass(frozen=True)
class CachedOutputs:
    """A split at the freezing boundary, computed before.

    Attributes:
        outputs: (V, N, h', w', c) of V augmented views.
        labels: y, (N,).
    """

    outputs: Tensor
    labels: Tensor

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs (B, c, h', w') of a random view of each chosen image."""
        views = torch.randint(
            len(self.outputs), chosen.shape, generator=generator, device=chosen.device
        )
        return self.outputs[views, chosen].permute(0, 3, 1, 2)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs of all images in the first view, with their labels."""
        batches = zip(
            self.outputs[0].split(EVALUATION_BATCH),
            self.labels.split(EVALUATION_BATCH),
            strict=True,
        )
        for outputs, labels in batches:
            yield outputs.permute(0, 3, 1, 2), labels


@dataclass(frozen=True)
class Cache:
    """A folder of frozen blocks' outputs, each in a file named by what shaped it.

    Anything in it may be deleted: it is made again.

    Attributes:
        folder: where; None keeps nothing.
        store: the hash of the store's description, which tells its images.
        dtype: the numbers' type; None for what the frozen blocks return: float32, or bf16 in bf16
            training, where the next block would get no more.
    """

    folder: Path | None
    store: str
    dtype: torch.dtype | None = None

    def outputs(self, images: Images, part: FrozenPart, split: str) -> CachedOutputs:
        """The outputs of the images as they are, from the folder if they lie there.

        Args:
            images: the split, not augmented.
            part: the frozen blocks.
            split: its name.
        """
        if self.folder is None:
            return self.augmented(images, part, 1, 0)
        key = {**part.key, "store": self.store, "split": split, "dtype": str(self.dtype)}
        path = self.folder / f"{parameters_hash(key)}.safetensors"
        device = images.labels.device
        if not path.is_file():
            found = self.augmented(images, part, 1, 0)
            with atomic_path(path) as temporary:
                save_file({"outputs": found.outputs.cpu()}, temporary)
            return found
        try:
            outputs = load_file(path, device=str(device))["outputs"]
        except Exception as error:  # safetensors has its own errors
            raise ClearfiltersError(f"{path}: cannot be read ({error}); delete it") from None
        return CachedOutputs(outputs, images.labels)

    def augmented(self, images: Images, part: FrozenPart, views: int, seed: int) -> CachedOutputs:
        """The outputs of some augmented views of each image.

        Args:
            images: the split.
            part: the frozen blocks.
            views: V, how many; the random stream of each comes from the seed and its number.
            seed: of the training.
        """
        device = images.labels.device
        outputs: Tensor | None = None
        for view in progress(range(views), "frozen blocks", "views"):
            stream = random_stream(device, seed, view, VIEW_STREAM)
            for chosen in torch.arange(len(images.labels), device=device).split(TRUNK_BATCH):
                found = part.run(images.batch(chosen, stream)).permute(0, 2, 3, 1)
                if outputs is None:
                    shape = (views, len(images.labels), *found.shape[1:])
                    outputs = found.new_empty(shape, dtype=self.dtype)
                outputs[view, chosen] = found.to(outputs.dtype)
        assert outputs is not None
        print(
            f"kept {views} view(s) of {len(images.labels)} images before the trained blocks: "
            f"{outputs.nbytes / 2**20:.0f} MiB",
            file=sys.stderr,
        )
        return CachedOutputs(outputs, images.labels)


def freeze(model: Classifier, name: str, trained_blocks: int, precision: str) -> FrozenPart:
    """Freeze all but the last blocks: no gradients, BatchNorm with its stored statistics.

    Args:
        model: the network with its normalisation.
        name: of the network.
        trained_blocks: how many of its last blocks are not frozen.
        precision: bf16 or float32, of the convolutions.

    Raises:
        ClearfiltersError: if it is no sequence of blocks, or has fewer of them.
    """
    network = block_network(model, name)
    count = len(network.blocks)
    if trained_blocks > count:
        raise ClearfiltersError(
            f"finetune.trained_blocks: {trained_blocks}, but the network has {count} blocks"
        )
    network.freeze(count - trained_blocks)

    @torch.no_grad()
    def run(images: Tensor) -> Tensor:
        with autocast(images.device, precision):
            return network.trunk((images - model.mean) / model.std)

    frozen = {"mean": model.mean, "std": model.std, **network.blocks[: network.frozen].state_dict()}
    key = {
        "network": name,
        "blocks": network.frozen,
        "weights": tensors_hash(frozen),
        "precision": precision,
        "device": model.mean.device.type,
    }
    return FrozenPart(run, key)


def tensors_hash(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of named tensors, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def train_above(
    method: Method, parameters: TrainingSlice, data: Images, test: Images, cache: Cache
) -> tuple[Inputs, Inputs]:
    """Let a method be trained above the frozen blocks of its network.

    Args:
        method: the method, on the device of the data.
        parameters: of the training, with `finetune`.
        data: the training split.
        test: the test split, not augmented.
        cache: keeps what the frozen blocks make of images.

    Returns:
        The training and the test split at the freezing boundary.

    Raises:
        ClearfiltersError: if the network cannot be fine-tuned or has too few blocks.
    """
    finetune, training = parameters.finetune, parameters.training
    assert finetune is not None
    name = parameters.model.name
    part = freeze(method.network, name, finetune.trained_blocks, training.precision)
    method.take(block_network(method.network, name).top, compiled=training.compile)
    if finetune.views == 0:
        return UncachedOutputs(data, part), UncachedOutputs(test, part)
    if data.is_augmented:
        outputs = cache.augmented(data, part, finetune.views, parameters.seed)
    else:
        outputs = cache.outputs(data, part, "train")
    return outputs, cache.outputs(test, part, "test")
