"""Networks with a linear head, and a picture for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from clearfilters.data.store import read_meta
from clearfilters.methods.gate_training import GateTraining
from clearfilters.methods.method import Method
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import save_checkpoint


@pytest.fixture
def checkpoint(
    tmp_path: Path,
    digits_store: Path,
    make_slice: Callable[..., TrainingSlice],
    gate_block: Callable[..., dict[str, Any]],
    fresh_method: Callable[[TrainingSlice], Method],
) -> Path:
    """A checkpoint of a random network of K = 16 filters, with a gate; `plain` has none."""
    torch.manual_seed(0)
    parameters, meta = make_slice(method=gate_block()), read_meta(digits_store)
    method = fresh_method(parameters)
    assert isinstance(method, GateTraining)
    torch.nn.init.normal_(method.network.head.bias)
    with torch.no_grad():
        gate = method.gate.values.zero_()
        gate[3, :] = 1.0
        gate[5, 0::2] = 0.5
        gate[:, 7] = 1.0
    save_checkpoint(tmp_path / "gated", method, [], parameters, meta, torch.device("cpu"))
    without = make_slice()
    plain = fresh_method(without)
    save_checkpoint(tmp_path / "plain", plain, [], without, meta, torch.device("cpu"))
    return tmp_path / "gated"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A random colour picture, 40 high and 52 wide."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path
