"""Checkpoints: round trip, and one clear error for each way they can be wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from clearfilters.artifacts import parameters_hash
from clearfilters.data.store import read_meta
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.gate_training import GateTraining
from clearfilters.methods.method import Method
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import (
    load_checkpoint,
    load_resume_state,
    save_checkpoint,
    save_resume_state,
)

Build = Callable[..., Any]
Save = Callable[[Path, TrainingSlice], Method]
HISTORY = [{"epoch": 0, "phase": "std", "train_loss": 2.0, "test_accuracy": None}]


@pytest.fixture
def save(digits_store: Path, fresh_method: Callable[[TrainingSlice], Method]) -> Save:
    """Writes a checkpoint of an untrained network, with a random gate if it has one."""

    def saved(folder: Path, parameters: TrainingSlice) -> Method:
        method = fresh_method(parameters)
        if isinstance(method, GateTraining):
            torch.nn.init.uniform_(method.gate.values)
        meta = read_meta(digits_store)
        save_checkpoint(folder, method, HISTORY, parameters, meta, torch.device("cpu"))
        return method.eval()

    return saved


@pytest.mark.parametrize("with_gate", [False, True])
def test_round_trip(
    tmp_path: Path, make_slice: Build, gate_block: Build, save: Save, with_gate: bool
) -> None:
    parameters = make_slice(method=gate_block() if with_gate else None)
    saved = save(tmp_path, parameters)
    found, meta = load_checkpoint(tmp_path)
    images = torch.rand(3, 3, 32, 32)
    assert torch.equal(found.network(images), saved.network(images))
    assert not found.training and not found.network.training
    assert found.arrays().keys() == ({"gate"} if with_gate else set())
    if with_gate:
        assert torch.equal(found.arrays()["gate"], saved.arrays()["gate"])
    assert meta["classes"] == [str(digit) for digit in range(10)]
    expected = parameters.model_dump(by_alias=True)
    assert meta["parameters"] == expected
    assert meta["parameters_hash"] == parameters_hash(expected)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.columns) == ["epoch", "phase", "train_loss", "test_accuracy"]
    assert history["test_accuracy"].isna().all()


def one_error(folder: Path, *parts: str) -> None:
    """Loading fails with one error of a few lines that names all the parts."""
    with pytest.raises(ClearfiltersError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert len(message.splitlines()) == 1 and len(message) < 600


@pytest.mark.parametrize(
    "other",
    [{"name": "resnet20", "width": 8}, {"name": "resnet32", "width": 4}, {"name": "alexnet"}],
)
def test_weights_of_another_architecture(
    tmp_path: Path, make_slice: Build, save: Save, other: dict[str, Any]
) -> None:
    save(tmp_path / "ours", make_slice())
    save(tmp_path / "other", make_slice(model=other))
    (tmp_path / "other" / "model.safetensors").rename(tmp_path / "ours" / "model.safetensors")
    one_error(tmp_path / "ours", "model.safetensors", "another architecture", "resnet20", "width 4")


def test_more_classes_than_the_weights_have(tmp_path: Path, make_slice: Build, save: Save) -> None:
    save(tmp_path, make_slice())
    meta = json.loads((tmp_path / "meta.json").read_text())
    meta["classes"].append("eleven")
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    one_error(tmp_path, "model.safetensors", "head")


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_truncated_weights(tmp_path: Path, make_slice: Build, save: Save, size: int) -> None:
    save(tmp_path, make_slice())
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    one_error(tmp_path, str(path), "cannot be read")


def test_missing_files(tmp_path: Path, make_slice: Build, save: Save) -> None:
    save(tmp_path, make_slice())
    (tmp_path / "model.safetensors").unlink()
    one_error(tmp_path, "model.safetensors")
    one_error(tmp_path / "nowhere", "meta.json", "no such file")


@pytest.mark.parametrize("content", [{}, [], {"parameters": {"model": {}}}, {"parameters": 3}])
def test_a_meta_file_that_describes_no_checkpoint(
    tmp_path: Path, make_slice: Build, save: Save, content: Any
) -> None:
    save(tmp_path, make_slice())
    (tmp_path / "meta.json").write_text(json.dumps(content))
    with pytest.raises(ClearfiltersError, match=r"meta\.json: not the description"):
        load_checkpoint(tmp_path)


def test_weights_hold_plain_tensors_only(
    tmp_path: Path, make_slice: Build, gate_block: Build, save: Save
) -> None:
    save(tmp_path, make_slice(method=gate_block()))
    tensors = load_file(tmp_path / "model.safetensors")
    assert "gate" in tensors and "backbone.head.weight" in tensors
    assert all(not name.startswith("_orig") for name in tensors)


def test_resume_state(tmp_path: Path) -> None:
    path = tmp_path / "resume" / "state.pt"
    assert load_resume_state(path, "abc") is None
    save_resume_state(path, {"parameters_hash": "abc", "history": [{"epoch": 0}]})
    state = load_resume_state(path, "abc")
    assert state is not None and state["history"] == [{"epoch": 0}]
    assert load_resume_state(path, "other") is None  # of other parameters: of no use
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ClearfiltersError, match=r"state\.pt: cannot be resumed from"):
        load_resume_state(path, "abc")


def test_a_resume_state_runs_no_code(tmp_path: Path) -> None:
    path, marker = tmp_path / "state.pt", tmp_path / "it ran"

    class Opens:
        def __reduce__(self) -> tuple[Any, tuple[str, str]]:
            return open, (str(marker), "w")

    torch.save({"parameters_hash": "abc", "history": Opens()}, path)
    with pytest.raises(ClearfiltersError, match=r"state\.pt"):
        load_resume_state(path, "abc")
    assert not marker.exists()
