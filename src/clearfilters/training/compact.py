"""Checkpoints for keeping: without what an installed package has, in half precision.

A network above EfficientNet-Lite0's frozen blocks is small, and they are in a package. A compact
checkpoint leaves out tensors that are the package's to the bit; the others are float16. An
explainer's copy of its performer is a file beside it, to the byte that of the performer's own
compact checkpoint, so that who keeps both (DVC does) keeps it once. `load_checkpoint` reads it as
any other: what is left out is filled in, and what is computed is computed in float32.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from clearfilters.artifacts import CHECKPOINT_FILES, atomic_path, file_sha256, read_json, write_json
from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import block_network, build_classifier
from clearfilters.registry import PRETRAINED, load

WEIGHTS, HISTORY, META = CHECKPOINT_FILES
# In `meta.json`: what a compact checkpoint was made from.
COMPACT = "compact"
# What stands before the names of an explainer's copy of its performer, and the file of a compact
# checkpoint that has it.
COPY = "performer."
PERFORMER = "performer.safetensors"
PACKAGE = "package"


def write_compact(checkpoint: Path, out: Path) -> None:
    """Write a compact checkpoint.

    In its `meta.json`, `compact` has the `sha256` of the weights that it was made from, and
    `package`, the file and hash of the weights that stand for what is left out, or None.

    Args:
        checkpoint: folder of a trained network.
        out: the folder to write.

    Raises:
        ClearfiltersError: if a file is missing or damaged, the checkpoint is compact already, `out`
            is its folder, or the package is not installed.
    """
    missing = [name for name in CHECKPOINT_FILES if not (checkpoint / name).is_file()]
    if missing:
        raise ClearfiltersError(
            f"{checkpoint / missing[0]}: no such file; name a checkpoint folder"
        )
    meta = read_json(checkpoint / META)
    if COMPACT in meta:
        raise ClearfiltersError(f"{checkpoint}: compact already; name the original")
    if out.resolve() == checkpoint.resolve():
        raise ClearfiltersError(f"--out {out}: the checkpoint itself; name another folder")
    tensors = read_weights(checkpoint / WEIGHTS)
    package, source = _package(meta)
    made_from = {"sha256": file_sha256(checkpoint / WEIGHTS), PACKAGE: source}
    copied = {
        name.removeprefix(COPY): tensor for name, tensor in tensors.items() if name.startswith(COPY)
    }
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(COPY)}
    if _explains(meta):
        _save_halved(copied, package, out / PERFORMER)
    _save_halved(own, package, out / WEIGHTS)
    with atomic_path(out / HISTORY) as temporary:
        shutil.copyfile(checkpoint / HISTORY, temporary)
    write_json(out / META, {**meta, COMPACT: made_from})


def _save_halved(tensors: Mapping[str, Tensor], package: Mapping[str, Tensor], path: Path) -> None:
    kept = {
        name: halved(tensor)
        for name, tensor in tensors.items()
        if not _is_equal(tensor, package.get(name))
    }
    with atomic_path(path) as temporary:
        save_file(kept, temporary)


def halved(tensor: Tensor) -> Tensor:
    """A tensor of float32 as float16, where that can hold its values; others as they are."""
    half = tensor.half()
    return half if tensor.dtype == torch.float32 and bool(half.isfinite().all()) else tensor


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint's file.

    Raises:
        ClearfiltersError: if it is missing, truncated or foreign.
    """
    try:
        return load_file(path)
    except Exception as error:  # safetensors has its own errors
        raise ClearfiltersError(
            f"{path}: cannot be read ({error}); train again or restore the file"
        ) from None


def completed(
    tensors: dict[str, Tensor], meta: Mapping[str, Any], names: Iterable[str], folder: Path
) -> dict[str, Tensor]:
    """The tensors of a checkpoint with those that a compact one leaves out.

    Args:
        tensors: of its file.
        meta: its `meta.json`.
        names: those that the network has in files.
        folder: of the checkpoint, for messages.

    Raises:
        ClearfiltersError: if the package is not installed, or is not that of the checkpoint, or the
            file of an explainer's performer cannot be read.
    """
    if COMPACT not in meta:
        return tensors
    package, source = _package(meta)
    if source != meta[COMPACT][PACKAGE]:
        raise ClearfiltersError(
            f"{folder}: leaves out weights of {meta[COMPACT][PACKAGE]}, but the installed package "
            f"has {source}; install the version of requirements.lock"
        )
    copied = read_weights(folder / PERFORMER) if _explains(meta) else {}
    found = {**tensors, **{f"{COPY}{name}": tensor for name, tensor in copied.items()}}
    for name in names:
        tensor = package.get(name.removeprefix(COPY))
        if name not in found and tensor is not None:
            found[name] = tensor
    return found


def original_sha256(checkpoint: Path, meta: Mapping[str, Any]) -> str:
    """SHA-256 of a checkpoint's weights; of a compact one, of those that it was made from."""
    if COMPACT in meta:
        return str(meta[COMPACT]["sha256"])
    return file_sha256(checkpoint / WEIGHTS)


def _explains(meta: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is an explainer's."""
    return meta["parameters"].get("performer") is not None


def _package(meta: Mapping[str, Any]) -> tuple[dict[str, Tensor], str | None]:
    """The package's weights by their names in files, and what they are in words; none if unused."""
    parameters = meta["parameters"]
    trained = parameters.get("performer") or parameters
    if (trained.get("finetune") or {}).get("weights") != PACKAGE:
        return {}, None
    name = parameters["model"]["name"]
    network = build_classifier(name, num_classes=1, width=None, mean=[0.0] * 3, std=[1.0] * 3)
    source: str = load(PRETRAINED)(network, name, PACKAGE, Path())
    blocks = block_network(network, name).blocks.state_dict()
    named = {f"backbone.blocks.{key}": tensor for key, tensor in blocks.items()}
    return {"mean": network.mean, "std": network.std, **named}, source


def _is_equal(tensor: Tensor, other: Tensor | None) -> bool:
    return other is not None and tensor.dtype == other.dtype and torch.equal(tensor, other)
