"""What several tests share: small networks on a small part of the digits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from snakemake.utils import update_config

from clearfilters.data import digits
from clearfilters.data.store import Split, read_meta, write_store
from clearfilters.methods.method import Method
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method, build_network

ROOT = Path(__file__).parents[1]

# How the digits of the tests are prepared.
DIGITS = {
    "format": "digits", "note": "", "test_fraction": 0.2, "split_seed": 0, "enlargement": 4,
}  # fmt: skip
LSG = {"name": "lsg", "lambda": 0.5, "a": 0.05, "s_density": 0.1}
ALTERNATING = {"scheme": "alternating", "period": 3, "gate_phases": [1], "warmup_epochs": 0}
PLAIN = {"init": 0.5, "optimizer": "plain", "lr": 1.0}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small nets are fastest with one thread, and byte-identical results need a fixed number."""
    torch.set_num_threads(1)


@pytest.fixture
def default_params() -> dict[str, Any]:
    """The content of params.yaml, fresh for each test and without aliases, as Snakemake has it."""
    content: dict[str, Any] = {}
    update_config(content, yaml.safe_load((ROOT / "params.yaml").read_text()))
    return content


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A processed store of 256 training and 64 test digits."""
    splits = digits.read_digits(test_fraction=0.2, split_seed=0, enlargement=4)
    train, test = splits["train"], splits["test"]
    root = tmp_path_factory.mktemp("digits")
    write_store(
        root,
        {
            "train": Split(train.images[:256], train.labels[:256]),
            "test": Split(test.images[:64], test.labels[:64]),
        },
        dataset="digits",
        source="scikit-learn load_digits",
        note="",
        classes=digits.CLASSES,
        raw_sha256={},
        verified=True,
        parameters=DIGITS,
    )
    return root


@pytest.fixture
def make_slice() -> Callable[..., TrainingSlice]:
    """Builds a training slice: a ResNet20 of width 4 (K = 16) on digits, unless told otherwise."""

    def build(
        *,
        method: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        seed: int = 0,
        **training: Any,
    ) -> TrainingSlice:
        defaults: dict[str, Any] = {
            "epochs": 3,
            "batch_size": 64,
            "optimizer": "sgd",
            "lr": 0.1,
            "momentum": 0.9,
            "weight_decay": 0.0001,
            "schedule": {"name": "cosine", "warmup_epochs": 0, "milestones": [], "gamma": 0.1},
            "crop_padding": 2,
            "crop_border": "black",
            "flip": False,
            "precision": "float32",
            "compile": False,
            "evaluate_every": 2,
        }
        content = {
            "data": DIGITS,
            "model": model or {"name": "resnet20", "width": 4},
            "method": method or {"name": "std"},
            "training": {**defaults, **training},
            "seed": seed,
        }
        return TrainingSlice.model_validate(content)

    return build


@pytest.fixture
def fresh_method(digits_store: Path) -> Callable[[TrainingSlice], Method]:
    """Builds the untrained method of a training slice on digits."""

    def build(parameters: TrainingSlice) -> Method:
        meta = read_meta(digits_store)
        network = build_network(parameters, meta.classes, meta.mean, meta.std, meta.image_size)
        return build_method(parameters, network)

    return build


@pytest.fixture
def gate_block() -> Callable[..., dict[str, Any]]:
    """Builds the method block of a gate experiment: LSG, alternating, unless told otherwise."""

    def build(**changes: Any) -> dict[str, Any]:
        moves = {} if "fixed" in changes else {"update": PLAIN}
        return {"name": "gate", "objective": LSG, "path": ALTERNATING, **moves, **changes}

    return build
