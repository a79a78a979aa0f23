"""The one forward pass per trained model, from which every analysis is computed."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clearfilters.artifacts import atomic_path, parameters_hash, write_json
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.rows import SplitImages
from clearfilters.data.store import SPLITS, read_split
from clearfilters.models.classifier import Classifier
from clearfilters.params.measurements import FeaturesParams
from clearfilters.training.trained_network import open_network


@torch.no_grad()
def pooled_and_logits(
    model: Classifier, images: SplitImages, batch_size: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Pooled features (N, K) and STD-path logits (N, C) of uint8 images (N, H, W, 3), float32."""
    pooled = []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
        pooled.append(model.pooled(as_network_input(batch)).cpu())
    features = torch.cat(pooled)
    return features, model.head.cpu()(features)


def noise_images(count: int, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Images of independent, uniformly distributed pixels, (count, size, size, 3)."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def _save(path: Path, **arrays: Any) -> None:
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def record_features(
    checkpoint: Path,
    store: Path,
    params: FeaturesParams,
    slice_: dict[str, Any],
    out: Path,
    device: torch.device,
) -> None:
    """Run the trained network once over both splits and over noise, and record what came out.

    Args:
        checkpoint: folder of the trained network.
        store: the processed store that it was trained on.
        params: batch size and noise images.
        slice_: everything that shapes the features; its training part must be the checkpoint's.
        out: folder for `train.npz`, `test.npz`, `noise.npz`, `head.npz` and `meta.json`.
        device: where to compute.

    Raises:
        ClearfiltersError: if the checkpoint or the store was made with other parameters, or cannot
            be read.
    """
    network = open_network(checkpoint, store, slice_, "features", device=device)
    model, meta = network.model, network.meta
    model.to(device).to(memory_format=torch.channels_last)
    for name in SPLITS:
        split = read_split(store, name)
        pooled, logits = pooled_and_logits(model, split.images, params.batch_size, device)
        model.to(device)
        _save(
            out / f"{name}.npz",
            pooled=pooled.numpy(),
            logits=logits.numpy(),
            labels=split.labels,
        )
    noise = noise_images(params.noise_images, meta["image_size"], params.noise_seed)
    pooled, _ = pooled_and_logits(model, noise, params.batch_size, device)
    _save(out / "noise.npz", pooled=pooled.numpy())
    head = {
        "weight": model.head.weight.detach().cpu().numpy(),
        "bias": model.head.bias.detach().cpu().numpy(),
        "last_conv": model.parts.last_conv.weight.detach().cpu().numpy(),
    }
    head.update({name: tensor.numpy() for name, tensor in network.method.arrays().items()})
    _save(out / "head.npz", **head)
    write_json(
        out / "meta.json",
        {
            "parameters_hash": parameters_hash(slice_),
            "classes": meta["classes"],
            **network.provenance(),
        },
    )
