"""The training step on each device: captured and eager are the same, stopped and resumed too.

Needs no fixture of another file, so that it runs on a machine that has only torch and pytest.
"""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from clearfilters.data.store import Split
from clearfilters.methods.gate import Path
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop
from clearfilters.training.checkpoint import build_method, build_network
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.inputs import to_device
from clearfilters.training.step import WARMUP_STEPS, CapturedStep, make_step

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]
# Six batches of 32 and one of 8 an epoch.
IMAGES, BATCH, CLASSES = 200, 32, 5
PATHS: list[Path] = ["std", "gate", "joint", "std", "gate"]


def slice_of(optimizer: str, negatives: float = 0.0) -> TrainingSlice:
    """A narrow network with a gate."""
    schedule = {"name": "cosine", "warmup_epochs": 1, "milestones": [], "gamma": 0.1}
    theta = "adam" if optimizer == "adam" else "sgd"
    return TrainingSlice.model_validate(
        {
            "data": {"format": "cifar10", "note": "", "verify": False},
            "model": {"name": "resnet8", "width": 4},
            "method": {
                "name": "gate",
                "objective": {"name": "lsg", "lambda": 0.5, "a": 0.05, "s_density": 0.3},
                "path": {
                    "scheme": "alternating", "period": 3, "gate_phases": [1], "warmup_epochs": 0,
                },
                "update": {"init": 0.5, "optimizer": optimizer, "lr": 0.1},
                "negative_weight": negatives,
            },
            "training": {
                "epochs": len(PATHS), "batch_size": BATCH, "optimizer": theta, "lr": 0.05,
                "momentum": 0.9, "weight_decay": 0.001, "schedule": schedule, "crop_padding": 2,
                "flip": True, "precision": "float32", "compile": False, "evaluate_every": 1,
            },
            "seed": 3,
        }
    )  # fmt: skip


def trainer(device: str, parameters: TrainingSlice) -> loop.Trainer:
    """A training of random images before its first epoch."""
    make_deterministic()
    torch.set_num_threads(1)
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (IMAGES, 12, 12, 3), dtype=np.uint8)
    split = Split(pixels, draws.integers(0, CLASSES, IMAGES))
    torch.manual_seed(0)
    classes = [str(number) for number in range(CLASSES)]
    network = build_network(parameters, classes, (0.5,) * 3, (0.25,) * 3, 12)
    where = torch.device(device)
    method = build_method(parameters, network).to(where).to(memory_format=torch.channels_last)
    data = to_device(split, where, parameters.training)
    return loop.Trainer(method, data, parameters.training, parameters.seed)


def result(trained: loop.Trainer) -> dict[str, Tensor]:
    """All tensors of the method."""
    return {key: value.cpu().clone() for key, value in trained.method.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


@pytest.mark.parametrize("negatives", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", ["plain", "adam"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_step_as_the_device_has_it_equals_an_eager_one(
    device: str, optimizer: str, negatives: float
) -> None:
    parameters = slice_of(optimizer, negatives)
    ours, eager = trainer(device, parameters), trainer(device, parameters)
    for path in set(PATHS):
        eager.steps[path] = partial(eager.train_batch, path)
    start = result(ours)
    for epoch, path in enumerate(PATHS):
        assert ours.epoch(epoch, path) == eager.epoch(epoch, path)
    assert_same(result(ours), result(eager))
    moved = [key for key, value in result(ours).items() if not torch.equal(value, start[key])]
    assert "gate.values" in moved and "network.backbone.head.weight" in moved
    if device == "cuda":
        for step in ours.steps.values():
            assert isinstance(step, CapturedStep) and step.graph is not None


@pytest.mark.parametrize("optimizer", ["plain", "adam"])
@pytest.mark.parametrize("device", DEVICES)
def test_stopped_and_resumed_equals_uninterrupted(device: str, optimizer: str) -> None:
    parameters = slice_of(optimizer)
    whole, first, second = (trainer(device, parameters) for _ in range(3))
    for epoch, path in enumerate(PATHS):
        whole.epoch(epoch, path)
    for epoch, path in enumerate(PATHS[:2]):
        first.epoch(epoch, path)
    second.restore(copy.deepcopy(first.snapshot("hash")))
    for epoch, path in list(enumerate(PATHS))[2:]:
        second.epoch(epoch, path)
    assert_same(result(whole), result(second))


@needs_gpu
def test_what_cannot_be_captured_runs_eagerly_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    device = torch.device("cuda")
    total = torch.zeros((), device=device)

    def waits(chosen: Tensor) -> None:
        total.add_(float(chosen.sum()))  # reads a number back

    step = make_step(waits, 4, torch.Generator(device))
    runs = WARMUP_STEPS + 3
    for number in range(runs):
        step(torch.full((4,), number, device=device))
    assert float(total) == 4 * sum(range(runs))
    assert capsys.readouterr().err.count("no CUDA graph") == 1
