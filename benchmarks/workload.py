"""The one workload of all benchmarks: ResNet20 on random images of CIFAR-10's shape, batch 256."""

import numpy as np
import torch

from clearfilters.data.store import Split
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method
from clearfilters.training.inputs import to_device
from clearfilters.training.loop import Trainer

CLASSES = 10
SIDE = 32
TRAIN_IMAGES = 50_000
TEST_IMAGES = 10_000
BATCH = 256
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def wait(where: torch.device) -> None:
    """Let the device finish what it was given."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def random_split(count: int, seed: int = 0) -> Split:
    """Random images (count, 32, 32, 3) and labels."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    return Split(images, generator.integers(0, CLASSES, count))


def parameters(scheme: str | None) -> TrainingSlice:
    """The papers' CIFAR-10 training; `scheme` is alternating, joint or None for no gate."""
    gate = {
        "name": "gate",
        "objective": {"name": "lsg", "lambda": 0.1, "a": 0.02, "s_density": 0.1},
        "path": {"scheme": scheme, "period": 3, "gate_phases": [1], "warmup_epochs": 0},
        "update": {"init": 0.5, "optimizer": "plain", "lr": 0.1},
    }
    return TrainingSlice.model_validate(
        {
            "data": {"format": "cifar10", "note": "", "verify": False},
            "model": {"name": "resnet20"},
            "method": {"name": "std"} if scheme is None else gate,
            "training": {
                "epochs": 200,
                "batch_size": BATCH,
                "optimizer": "sgd",
                "lr": 0.1,
                "momentum": 0.9,
                "weight_decay": 0.0001,
                "schedule": {
                    "name": "cosine", "warmup_epochs": 0, "milestones": [], "gamma": 0.1,
                },
                "crop_padding": 4,
                "crop_border": "black",
                "flip": True,
                "precision": "bf16",
                "compile": False,
                "evaluate_every": 1,
            },
            "seed": 0,
        }
    )  # fmt: skip


def network() -> Classifier:
    """A fresh ResNet20 (K = 64)."""
    torch.manual_seed(0)
    return build_classifier("resnet20", num_classes=CLASSES, width=None, mean=MEAN, std=STD)


def our_training(slice_: TrainingSlice, count: int, where: torch.device) -> Trainer:
    """Our training of a fresh ResNet20 on `count` images, before its first epoch."""
    method = build_method(slice_, network()).to(where).to(memory_format=torch.channels_last)
    data = to_device(random_split(count), where, slice_.training)
    return Trainer(method, data, slice_.training, slice_.seed)
