"""Trainings that stop: a loss that is no number, and labels that no class has."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from digits_training import run, start

from clearfilters.data.store import Split, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop

Build = Callable[..., TrainingSlice]
Block = Callable[..., dict[str, Any]]


def diverges(parameters: TrainingSlice, store: Path, folder: Path) -> str:
    """Train, which must fail and leave no checkpoint; returns the message."""
    with pytest.raises(ClearfiltersError) as caught:
        run(parameters, store, folder)
    assert not (folder / "checkpoint").exists()
    return str(caught.value)


def test_a_nan_loss_names_the_epoch_and_the_cause(
    tmp_path: Path, digits_store: Path, make_slice: Build
) -> None:
    message = diverges(make_slice(lr=1e30), digits_store, tmp_path)
    assert "epoch 0 (std)" in message
    assert "training.lr = 1e+30" in message
    assert not (tmp_path / "resume.pt").exists()


def test_a_nan_loss_of_the_gate_path_names_its_weight(
    tmp_path: Path, digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    objective = {"name": "lsg", "lambda": 1e35, "a": 0.1, "s_density": 0.1}
    parameters = make_slice(method=gate_block(objective=objective))
    message = diverges(parameters, digits_store, tmp_path)
    assert "epoch 1 (gate)" in message and "lambda" in message
    # The epoch before is kept, and can be trained on from with a smaller weight or not at all.
    state = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert len(state["history"]) == 1
    assert all(
        torch.isfinite(value).all()
        for value in state["method"].values()
        if value.is_floating_point()
    )


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_every_loss_that_is_no_number_stops(
    digits_store: Path, make_slice: Build, loss: float
) -> None:
    trainer = start(make_slice(), digits_store)
    with pytest.raises(ClearfiltersError, match="epoch 7"):
        loop.check_finite(loss, 7, "std", trainer.method, trainer.training)


def test_labels_out_of_range_stop_before_training(
    tmp_path: Path, digits_store: Path, make_slice: Build
) -> None:
    store = tmp_path / "store"
    for name in ("train", "test"):
        (store / name).mkdir(parents=True)
        split = read_split(digits_store, name)
        bad = Split(split.images, np.where(split.labels == 3, 10, split.labels))
        np.save(store / name / "images.npy", bad.images)
        np.save(store / name / "labels.npy", bad.labels)
    (store / "meta.json").write_bytes((digits_store / "meta.json").read_bytes())
    assert "labels out of range" in diverges(make_slice(), store, tmp_path)
