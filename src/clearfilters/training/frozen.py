"""Training above a frozen part: what the first blocks make of an image does not change.

So a network is trained from the outputs of its frozen blocks, computed once for some augmented
views of each image and kept on the device: an epoch then costs the trained blocks only. Outputs of
images as they are, which other trainings can use too, are kept in files.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from clearfilters.artifacts import atomic_path, parameters_hash
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier, block_network
from clearfilters.params.networks import FineTuneParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.progress import progress
from clearfilters.training.inputs import (
    Images,
    Inputs,
    autocast,
    random_stream,
)

# Images that pass the frozen blocks at once; only time, memory and rounding depend on it. A CPU
# spends most of its time on fetching and clearing memory for more.
TRUNK_BATCH = {"cpu": 2, "cuda": 100}
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

    @property
    def is_fixed(self) -> bool:
        """As the images are."""
        return self.images.is_fixed

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs (B, c, h', w') of the chosen images, augmented anew."""
        return self.part.run(self.images.batch(chosen, generator))

    def as_they_are(self, chosen: Tensor) -> Tensor:
        """Outputs (B, c, h', w') of the chosen images, not augmented."""
        images = self.images.as_they_are(chosen)
        few = TRUNK_BATCH[images.device.type]
        return torch.cat([self.part.run(some) for some in images.split(few)])


@dataclass(frozen=True)
class CachedOutputs:
    """A split at the freezing boundary, computed before.

    Attributes:
        outputs: (V, n, h', w', c) of V augmented views.
        labels: y, (N,).
        output_of_row: which of the n outputs each row has, (N,).
    """

    outputs: Tensor
    labels: Tensor
    output_of_row: Tensor

    @property
    def is_fixed(self) -> bool:
        """Whether there is one view."""
        return len(self.outputs) == 1

    def batch(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs (B, c, h', w') of a random view of each chosen image."""
        views = torch.randint(
            len(self.outputs), chosen.shape, generator=generator, device=chosen.device
        )
        return self._as_input(self.outputs[views, self.output_of_row[chosen]])

    def as_they_are(self, chosen: Tensor) -> Tensor:
        """Outputs (B, c, h', w') of the chosen images in the first view."""
        return self._as_input(self.outputs[0].index_select(0, self.output_of_row[chosen]))

    def _as_input(self, outputs: Tensor) -> Tensor:
        found = outputs.permute(0, 3, 1, 2)
        # float16 only keeps them; what is trained computes in float32, or in bf16.
        return found.float() if found.dtype == torch.float16 else found


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
        rows, output_of_row = images.distinct_rows()
        if self.folder is None:
            return CachedOutputs(self._once(images, part, rows), images.labels, output_of_row)
        key = {
            **part.key,
            "store": self.store,
            "split": split,
            "dtype": str(self.dtype),
            "outputs": len(rows),
        }
        path = self.folder / f"{parameters_hash(key)}.safetensors"
        if not path.is_file():
            with atomic_path(path) as temporary:
                outputs = self._once(images, part, rows).cpu()
                save_file({"outputs": outputs}, temporary, {"shaped_by": path.stem})
        try:
            with safe_open(path, "pt", device=str(images.labels.device)) as file:
                shaped_by, outputs = file.metadata(), file.get_tensor("outputs")
        except Exception as error:  # safetensors has its own errors
            raise ClearfiltersError(f"{path}: cannot be read ({error}); delete it") from None
        if (shaped_by or {}).get("shaped_by") != path.stem:
            raise ClearfiltersError(
                f"{path}: outputs of other frozen blocks or images than its name says "
                f"({shaped_by}); delete it"
            )
        if outputs.shape[1] != len(rows):
            raise ClearfiltersError(
                f"{path}: outputs of {outputs.shape[1]} images, expected {len(rows)}; delete it"
            )
        return CachedOutputs(outputs, images.labels, output_of_row)

    def _once(self, images: Images, part: FrozenPart, rows: Tensor) -> Tensor:
        """Outputs (1, n, h', w', c) of rows as they are."""
        return self._views(images, part, rows, [random_stream(rows.device, 0)])

    def augmented(self, images: Images, part: FrozenPart, views: int, seed: int) -> CachedOutputs:
        """The outputs of some augmented views of each image.

        Args:
            images: the split.
            part: the frozen blocks.
            views: V, how many; the random stream of each comes from the seed and its number.
            seed: of the training.
        """
        device = images.labels.device
        rows = torch.arange(len(images.labels), device=device)
        streams = [random_stream(device, seed, view, VIEW_STREAM) for view in range(views)]
        return CachedOutputs(self._views(images, part, rows, streams), images.labels, rows)

    def _views(
        self, images: Images, part: FrozenPart, rows: Tensor, streams: list[torch.Generator]
    ) -> Tensor:
        """Outputs (V, n, h', w', c) of rows, a view for each random stream."""
        outputs: Tensor | None = None
        batches = [(view, few) for view in range(len(streams)) for few in _batches(rows)]
        for view, positions in progress(batches, "frozen blocks", "batches"):
            batch = images.batch(rows[positions], streams[view])
            found = part.run(batch).permute(0, 2, 3, 1)
            if outputs is None:
                shape = (len(streams), len(rows), *found.shape[1:])
                outputs = found.new_empty(shape, dtype=self.dtype)
            outputs[view, positions] = found.to(outputs.dtype)
        assert outputs is not None
        print(
            f"kept {len(streams)} view(s) of {len(rows)} images before the trained blocks: "
            f"{outputs.nbytes / 2**20:.0f} MiB",
            file=sys.stderr,
        )
        return outputs


def _batches(rows: Tensor) -> tuple[Tensor, ...]:
    few = TRUNK_BATCH[rows.device.type]
    return torch.arange(len(rows), device=rows.device).split(few)


def number_type(finetune: FineTuneParams) -> torch.dtype | None:
    """The type that frozen blocks' outputs are kept in; None for their own."""
    return None if finetune.kept_as is None else getattr(torch, finetune.kept_as)


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


def stand_above(method: Method, parameters: TrainingSlice) -> FrozenPart:
    """Let a method take what the frozen blocks of its network give; returns these blocks.

    Args:
        method: the method.
        parameters: of its training, with `finetune`.

    Raises:
        ClearfiltersError: if the network cannot be fine-tuned or has too few blocks.
    """
    finetune, training = parameters.finetune, parameters.training
    assert finetune is not None
    name = parameters.model.name
    part = freeze(method.network, name, finetune.trained_blocks, training.precision)
    method.take(block_network(method.network, name).top, compiled=training.compile)
    return part


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
    finetune = parameters.finetune
    assert finetune is not None
    part = stand_above(method, parameters)
    if finetune.views == 0:
        return UncachedOutputs(data, part), UncachedOutputs(test, part)
    if data.is_fixed:
        outputs = cache.outputs(data, part, "train")
    else:
        outputs = cache.augmented(data, part, finetune.views, parameters.seed)
    return outputs, cache.outputs(test, part, "test")
