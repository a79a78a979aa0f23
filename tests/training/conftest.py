"""Fine-tuning of a small network, and explainers of small ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from squares import split_of, write

from clearfilters import registry
from clearfilters.methods.explainer_training import Explainer
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop

Build = Callable[..., TrainingSlice]


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry has the network `tiny`."""
    monkeypatch.setitem(registry.NETWORKS, "tiny", "tiny_network:tiny")


@pytest.fixture
def tuned(make_slice: Build) -> Build:
    """Builds a training slice that fine-tunes the last two blocks of `tiny`."""

    def build(changes: dict[str, Any] | None = None, **options: Any) -> TrainingSlice:
        slice_ = make_slice(**{"model": {"name": "tiny"}, **options})
        block = {"weights": None, "trained_blocks": 2, "gate_path_lr": 0.02, "views": 2}
        content = {**slice_.model_dump(by_alias=True), "finetune": {**block, **(changes or {})}}
        return TrainingSlice.model_validate(content)

    return build


@pytest.fixture
def square_store(tmp_path: Path, explainer_slice: Build) -> Path:
    """Twelve squares for training and six for testing, mirrored, too."""
    data = explainer_slice().data.model_dump()
    return write(tmp_path / "store", split_of(12, 0), split_of(6, 1), data)


@pytest.fixture
def train_explainer(tmp_path: Path, square_store: Path) -> Callable[..., Path]:
    """Trains a slice's performer, unless it is there, and its explainer; returns the folder."""

    def run(parameters: TrainingSlice, name: str = "explainer", **options: Any) -> Path:
        assert parameters.performer is not None
        performer = tmp_path / "performer"
        if not performer.exists():
            loop.train(
                parameters.performer,
                square_store,
                performer,
                tmp_path / "p.pt",
                torch.device("cpu"),
            )
        folders = {"frozen": tmp_path / "frozen", "performer": performer, **options}
        loop.train(
            parameters,
            square_store,
            tmp_path / name,
            tmp_path / f"{name}.pt",
            torch.device("cpu"),
            **folders,
        )
        return tmp_path / name

    return run


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Explainer]:
    """The methods of trainings, as they are when they are written."""
    found: list[Explainer] = []
    original = loop.save_checkpoint

    def save(folder: Path, method: Explainer, *arguments: Any, **options: Any) -> None:
        found.append(method)
        original(folder, method, *arguments, **options)

    monkeypatch.setattr(loop, "save_checkpoint", save)
    return found


@pytest.fixture
def small_resnet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in the registry as `tiny`."""
    monkeypatch.setitem(registry.NETWORKS, "tiny", "tiny_network:small_residual")
