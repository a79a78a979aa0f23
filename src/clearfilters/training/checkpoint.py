"""Checkpoints: the trained model, its history, and the state that a stopped run resumes from."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any

import pandas as pd
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from clearfilters.artifacts import atomic_path, parameters_hash, read_json, write_json
from clearfilters.data.store import StoreMeta
from clearfilters.errors import ClearfiltersError
from clearfilters.models.registry import Classifier, build_classifier
from clearfilters.params.slices import TrainingSlice

GATE_KEY = "gate"
# Characters of PyTorch's list of mismatches that an error shows.
MISMATCH_LENGTH = 160


def device_description(device: torch.device) -> str:
    """The device in words, as it stands beside every number."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}), {torch.get_num_threads()} thread(s)"


def build_from_slice(parameters: TrainingSlice, store: StoreMeta) -> Classifier:
    """The freshly initialised network of a training slice, for the store's classes."""
    return build_classifier(
        parameters.model.name,
        num_classes=len(store.classes),
        width=parameters.model.width,
        mean=store.mean,
        std=store.std,
    )


def save_checkpoint(
    folder: Path,
    model: Classifier,
    gate: torch.Tensor | None,
    history: list[dict[str, Any]],
    parameters: TrainingSlice,
    store: StoreMeta,
    device: torch.device,
    *,
    pretrained: str | None = None,
) -> None:
    """Write `model.safetensors`, `history.csv` and, last, `meta.json`.

    Args:
        folder: where.
        model: the trained network.
        gate: G (C, K), if it has one.
        history: a row per epoch.
        parameters: everything that shaped it.
        store: what it was trained on.
        device: where it was trained.
        pretrained: which weights a fine-tuned one started from, in words.

    Raises:
        ClearfiltersError: if a weight is NaN or infinite.
    """
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    if gate is not None:
        tensors[GATE_KEY] = gate.detach().cpu().contiguous()
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise ClearfiltersError(
            f"{folder}: not written, {broken[0]} has values that are not finite; lower training.lr"
        )
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(tensors, temporary)
    with atomic_path(folder / "history.csv") as temporary:
        pd.DataFrame(history).to_csv(temporary, index=False)
    slice_ = parameters.model_dump(by_alias=True)
    write_json(
        folder / "meta.json",
        {
            "parameters": slice_,
            "parameters_hash": parameters_hash(slice_),
            "classes": store.classes,
            # Pretrained weights bring the normalisation that they were trained with.
            "mean": store.mean if pretrained is None else model.mean.flatten().tolist(),
            "std": store.std if pretrained is None else model.std.flatten().tolist(),
            "image_size": store.image_size,
            "dataset": {
                "name": store.dataset,
                "note": store.note,
                "verified": store.verified,
                "counts": store.counts,
            },
            **({} if pretrained is None else {"pretrained": pretrained}),
            "device": device_description(device),
            "packages": {name: version(name) for name in ("torch", "torchvision", "numpy")},
        },
    )


def load_checkpoint(folder: Path) -> tuple[Classifier, torch.Tensor | None, dict[str, Any]]:
    """The trained network in eval mode, its gate (C, K) if it has one, and `meta.json`.

    Raises:
        ClearfiltersError: if a file is missing or truncated, or the weights belong to another
            architecture than `meta.json` names.
    """
    meta = read_json(folder / "meta.json")
    try:
        parameters = TrainingSlice.model_validate(meta["parameters"])
        model = build_classifier(
            parameters.model.name,
            num_classes=len(meta["classes"]),
            width=parameters.model.width,
            mean=meta["mean"],
            std=meta["std"],
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise ClearfiltersError(
            f"{folder / 'meta.json'}: not the description of a checkpoint ({error}); train again"
        ) from None
    path = folder / "model.safetensors"
    try:
        tensors = load_file(path)
    except Exception as error:  # missing, truncated or foreign: safetensors has its own errors
        raise ClearfiltersError(
            f"{path}: cannot be read ({error}); train again or restore the file"
        ) from None
    gate = tensors.pop(GATE_KEY, None)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = shorten(str(error).splitlines()[1], MISMATCH_LENGTH, placeholder=" ...")
        raise ClearfiltersError(
            f"{path}: weights of another architecture than `{parameters.model.name}`, width "
            f"{parameters.model.width}, which meta.json names ({first}); use the checkpoint's own "
            "meta.json"
        ) from None
    return model.eval(), gate, meta


def load_trained(
    folder: Path, slice_: Mapping[str, Any], *own: str
) -> tuple[Classifier, torch.Tensor | None, dict[str, Any]]:
    """What `load_checkpoint` gives, of the network that a later step's slice calls for.

    Args:
        folder: the checkpoint.
        slice_: everything that shapes the later step's result.
        own: the keys of `slice_` that are not of the training.

    Raises:
        ClearfiltersError: as `load_checkpoint`, or if the network was trained with other
            parameters.
    """
    model, gate, meta = load_checkpoint(folder)
    expected = parameters_hash({key: slice_[key] for key in slice_ if key not in own})
    if meta["parameters_hash"] != expected:
        raise ClearfiltersError(
            f"{folder}: trained with parameters {meta['parameters_hash'][:12]}, but the current "
            f"parameters are {expected[:12]}; train again or restore params.yaml"
        )
    return model, gate, meta


def save_resume_state(path: Path, state: dict[str, Any]) -> None:
    """Write what the next epoch needs, whole or not at all."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load_resume_state(path: Path, expected_hash: str) -> dict[str, Any] | None:
    """The state after the last finished epoch, or None if there is none for these parameters.

    A state of other parameters is left alone until it is overwritten: it is of no use here.

    Raises:
        ClearfiltersError: if the file is damaged.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        return state if state["parameters_hash"] == expected_hash else None
    except Exception as error:
        raise ClearfiltersError(
            f"{path}: cannot be resumed from ({error}); delete it to train from the start"
        ) from None
