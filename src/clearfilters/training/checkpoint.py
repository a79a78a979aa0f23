"""Checkpoints: the trained model, its history, and the state that a stopped run resumes from."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any

import pandas as pd
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from clearfilters.artifacts import atomic_path, parameters_hash, read_json, write_json
from clearfilters.data.store import StoreMeta
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.losses import LOSSES
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.registry import METHODS, load
from clearfilters.training.compact import completed, read_weights

# Characters of PyTorch's list of mismatches that an error shows.
MISMATCH_LENGTH = 160


def device_description(device: torch.device) -> str:
    """The device in words, as it stands beside every number."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}), {torch.get_num_threads()} thread(s)"


def build_network(
    parameters: TrainingSlice,
    classes: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
    image_size: int,
) -> Classifier:
    """The freshly initialised network of a training slice.

    Args:
        parameters: of the training.
        classes: names of the C classes.
        mean: per channel, of the training images, in [0, 1].
        std: per channel, their standard deviation.
        image_size: the side of the square images, in pixels.

    Raises:
        ClearfiltersError: if there is no such network, or the loss is not for so many classes.
    """
    try:
        outputs = LOSSES[parameters.training.loss].outputs(len(classes))
    except ValueError as error:
        raise ClearfiltersError(f"training.loss: {error}") from None
    return build_classifier(
        parameters.model.name,
        num_classes=outputs,
        width=parameters.model.width,
        mean=mean,
        std=std,
        head=parameters.model.head,
        image_size=image_size,
        top=parameters.model.top,
    )


def build_method(parameters: TrainingSlice, network: Classifier) -> Method:
    """The method of a training slice, around its network.

    Raises:
        ClearfiltersError: where the two do not fit.
    """
    method: type[Method] = load(METHODS[parameters.method.name].method)
    return method.build(network, parameters)


def save_checkpoint(
    folder: Path,
    method: Method,
    history: list[dict[str, Any]],
    parameters: TrainingSlice,
    store: StoreMeta,
    device: torch.device,
    *,
    given: Mapping[str, str | None] | None = None,
) -> None:
    """Write `model.safetensors`, `history.csv` and, last, `meta.json`.

    Args:
        folder: where.
        method: the trained network with what its method adds.
        history: a row per epoch.
        parameters: everything that shaped it.
        store: what it was trained on.
        device: where it was trained.
        given: which weights it started from, for `meta.json`: `pretrained`, in words, or of which
            performer, by the hash of its file; None of what it did not.

    Raises:
        ClearfiltersError: if a weight is NaN or infinite.
    """
    tensors = {
        method.name_in_file(key): value.detach().cpu().contiguous()
        for key, value in method.state_dict().items()
    }
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
    network = method.network
    started_from = {key: value for key, value in (given or {}).items() if value is not None}
    write_json(
        folder / "meta.json",
        {
            "parameters": slice_,
            "parameters_hash": parameters_hash(slice_),
            "classes": store.classes,
            # Given weights bring the normalisation that they were trained with.
            "mean": network.mean.flatten().tolist() if started_from else store.mean,
            "std": network.std.flatten().tolist() if started_from else store.std,
            "image_size": store.image_size,
            "dataset": {
                "name": store.dataset,
                "note": store.note,
                "verified": store.verified,
                "counts": store.counts,
            },
            **started_from,
            "device": device_description(device),
            "packages": {name: version(name) for name in ("torch", "torchvision", "numpy")},
        },
    )


def load_checkpoint(folder: Path) -> tuple[Method, dict[str, Any]]:
    """The trained network with what its method adds, in eval mode, and `meta.json`.

    Raises:
        ClearfiltersError: if a file is missing or truncated, or the weights belong to another
            architecture than `meta.json` names.
    """
    meta = read_json(folder / "meta.json")
    try:
        parameters = TrainingSlice.model_validate(meta["parameters"])
        network = build_network(
            parameters, meta["classes"], meta["mean"], meta["std"], meta["image_size"]
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise ClearfiltersError(
            f"{folder / 'meta.json'}: not the description of a checkpoint ({error}); train again"
        ) from None
    path = folder / "model.safetensors"
    stored = read_weights(path)
    method = build_method(parameters, network)
    names = {method.name_in_file(name): name for name in method.state_dict()}
    tensors = completed(stored, meta, names, folder)
    try:
        method.load_state_dict({names.get(name, name): tensors[name] for name in tensors})
    except RuntimeError as error:
        first = shorten(str(error).splitlines()[1], MISMATCH_LENGTH, placeholder=" ...")
        raise ClearfiltersError(
            f"{path}: weights of another architecture than `{parameters.model.name}`, width "
            f"{parameters.model.width}, method `{parameters.method.name}`, which meta.json names "
            f"({first}); use the checkpoint's own meta.json"
        ) from None
    return method.eval(), meta


def load_trained(
    folder: Path, slice_: Mapping[str, Any], *own: str
) -> tuple[Method, dict[str, Any]]:
    """What `load_checkpoint` gives, of the network that a later step's slice calls for.

    Args:
        folder: the checkpoint.
        slice_: everything that shapes the later step's result.
        own: the keys of `slice_` that are not of the training.

    Raises:
        ClearfiltersError: as `load_checkpoint`, or if the network was trained with other
            parameters.
    """
    method, meta = load_checkpoint(folder)
    expected = parameters_hash({key: slice_[key] for key in slice_ if key not in own})
    if meta["parameters_hash"] != expected:
        raise ClearfiltersError(
            f"{folder}: trained with parameters {meta['parameters_hash'][:12]}, but the current "
            f"parameters are {expected[:12]}; train again or restore params.yaml"
        )
    return method, meta


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
