"""A trained network as the steps after the training open it, and what they record of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clearfilters.data.store import StoreMeta, check_store
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier
from clearfilters.training.checkpoint import device_description, load_trained
from clearfilters.training.determinism import make_deterministic


@dataclass(frozen=True)
class TrainedNetwork:
    """A network, the store that it was trained on, and the device that it is to run on.

    Attributes:
        method: the network with what its method adds, as it was loaded, on the CPU.
        meta: the checkpoint's `meta.json`.
        store_meta: of the store.
        checkpoint: folder of the network.
        device: where to compute.
        frozen: folder that keeps what frozen blocks make of images; None keeps nothing.
    """

    method: Method
    meta: dict[str, Any]
    store_meta: StoreMeta
    checkpoint: Path
    device: torch.device
    frozen: Path | None

    @property
    def model(self) -> Classifier:
        """The network itself."""
        return self.method.network

    def inputs(self) -> dict[str, Path]:
        """The file that a measurement of the network reads, by the name to record it under."""
        return {"checkpoint/model.safetensors": self.checkpoint / "model.safetensors"}

    def provenance(self) -> dict[str, Any]:
        """`training` and `device`: what every result of the network says of both."""
        return {
            "training": training_facts(self.meta),
            "device": device_description(self.device),
        }


@dataclass(frozen=True)
class Measured:
    """What a measurement of a network gives.

    Attributes:
        values: plain numbers, strings, lists and dictionaries.
        inputs: the files that it was made from besides the weights, by the name to record them
            under.
    """

    values: dict[str, Any]
    inputs: dict[str, Path]


def open_network(
    checkpoint: Path,
    store: Path,
    slice_: Mapping[str, Any],
    *own: str,
    device: torch.device,
    frozen: Path | None = None,
) -> TrainedNetwork:
    """Open a trained network for a later step, and make what torch computes repeatable.

    Args:
        checkpoint: folder of the network.
        store: the processed store that it was trained on.
        slice_: everything that shapes the later step's result.
        own: the keys of `slice_` that are not of the training.
        device: where to compute.
        frozen: see `TrainedNetwork`.

    Raises:
        ClearfiltersError: if the checkpoint or the store was made with other parameters, or cannot
            be read.
    """
    make_deterministic()
    method, meta = load_trained(checkpoint, slice_, *own)
    store_meta = check_store(store, slice_["data"])
    return TrainedNetwork(method, meta, store_meta, checkpoint, device, frozen)


def training_facts(meta: dict[str, Any]) -> dict[str, Any]:
    """What every measurement says of the training, from a checkpoint's `meta.json`."""
    training = meta["parameters"]["training"]
    return {
        "epochs": training["epochs"],
        "precision": training["precision"],
        "device": meta["device"],
        "packages": meta["packages"],
        "dataset": meta["dataset"]["name"],
        "dataset_note": dataset_note(meta["dataset"]),
    }


def dataset_note(dataset: dict[str, Any]) -> str:
    """What every table must say about the data set."""
    notes = [dataset["note"]] if dataset["note"] else []
    if not dataset["verified"]:
        notes.append("not verified against the published checksums")
    return "; ".join(notes)
