"""Trainings on digits."""

from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file

from clearfilters.data.store import read_meta, read_split
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import inputs, loop
from clearfilters.training.checkpoint import build_method, build_network

CPU = torch.device("cpu")
ADAM = {"init": 0.5, "optimizer": "adam", "lr": 0.05}


def start(parameters: TrainingSlice, store: Path) -> loop.Trainer:
    """A training before its first epoch."""
    torch.manual_seed(parameters.seed)
    meta = read_meta(store)
    network = build_network(parameters, meta.classes, meta.mean, meta.std, meta.image_size)
    data = inputs.to_device(read_split(store, "train"), CPU, parameters.training)
    method = build_method(parameters, network)
    return loop.Trainer(method, data, parameters.training, parameters.seed)


def run(
    parameters: TrainingSlice, store: Path, folder: Path
) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    """Train; returns the tensors written and the history."""
    loop.train(parameters, store, folder / "checkpoint", folder / "resume.pt", CPU)
    history = pd.read_csv(folder / "checkpoint" / "history.csv")
    return load_file(folder / "checkpoint" / "model.safetensors"), history
