"""Fine-tuning of a small network."""

from collections.abc import Callable
from typing import Any

import pytest

from clearfilters import registry
from clearfilters.params.slices import TrainingSlice

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
