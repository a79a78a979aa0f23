"""150 cached epochs of fine-tuning against 150 uncached ones: half of what counting predicts.

EfficientNet-Lite0 on random images of 128x128, the last two bottlenecks and the last convolution
trained in batches of 32. The cached time includes the frozen blocks' passes over all views; the
uncached epochs are timed three at a time, and 150 of them extrapolated. The prediction counts the
multiply-adds of convolutions and linear layers, forward and backward.
"""

from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import median_ratio, seconds
from clearfilters.data.store import Split
from clearfilters.models.classifier import build_classifier
from clearfilters.params.networks import FineTuneParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.training import TrainingParams
from clearfilters.training.checkpoint import build_method
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.frozen import Cache, train_above
from clearfilters.training.inputs import Images, to_device
from clearfilters.training.loop import Trainer

NETWORK = "efficientnet-lite0"
SIDE = 128
BATCH = 32
VIEWS = 8
EPOCHS = 150
TIMED_UNCACHED = 3
REQUIRED_SHARE = 0.5


def _slice(views: int) -> TrainingSlice:
    base = workload.parameters(None)
    return base.model_copy(
        update={
            "model": base.model.model_copy(update={"name": NETWORK}),
            "training": base.training.model_copy(
                update={
                    "epochs": EPOCHS, "batch_size": BATCH, "optimizer": "adam", "lr": 1e-5,
                    "crop_padding": SIDE // 8, "precision": "float32",
                }
            ),
            "finetune": FineTuneParams(
                weights=None, trained_blocks=3, gate_path_lr=1e-3, views=views
            ),
        }
    )  # fmt: skip


def _images(count: int, augmentation: TrainingParams | None = None) -> Images:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    split = Split(images, generator.integers(0, 5, count))
    return to_device(split, workload.device(), augmentation)


def _start(views: int, count: int) -> Trainer:
    """A training before its first epoch; caching happens here."""
    torch.manual_seed(0)
    model = build_classifier(
        NETWORK, num_classes=5, width=None, mean=workload.MEAN, std=workload.STD
    )
    where = workload.device()
    slice_ = _slice(views)
    method = build_method(slice_, model).to(where).to(memory_format=torch.channels_last)
    images = _images(count, slice_.training)
    data, _ = train_above(method, slice_, images, _images(1), Cache(None, ""))
    return Trainer(method, data, slice_.training, 0)


def _train(views: int, count: int, epochs: int) -> None:
    """Fine-tune for some epochs, the caching included; no evaluation on either side."""
    trainer = _start(views, count)
    for epoch in range(epochs):
        trainer.epoch(epoch, "std")
    workload.wait(workload.device())


@torch.no_grad()
def predicted_ratio(epochs: int) -> float:
    """How many times the multiply-adds of a cached training an uncached one has."""
    trainer = _start(0, BATCH)
    chosen = torch.arange(BATCH, device=workload.device())
    with FlopCounterMode(display=False) as frozen:
        batch = trainer.data.batch(chosen, torch.Generator(workload.device()))
    with FlopCounterMode(display=False) as trained:
        trainer.method(batch)
    # Backward, each layer's inputs and weights take a product of the same size. (PyTorch's counter
    # is not asked: it takes the backward pass of a depthwise convolution for that of a full one.)
    step = 3 * trained.get_total_flops()
    uncached = epochs * (frozen.get_total_flops() + step)
    return float(uncached / (VIEWS * frozen.get_total_flops() + epochs * step))


def run(repeats: int, count: int, epochs: int = EPOCHS) -> Row:
    """Time trainings on `count` images."""
    make_deterministic()
    predicted = predicted_ratio(epochs)
    cached, uncached = partial(_train, VIEWS, count, epochs), partial(_train, 0, count)
    _train(VIEWS, count, 1)
    times: dict[str, list[float]] = {"cached": [], "uncached": []}
    for _ in range(repeats):
        times["cached"].append(seconds(cached))
        # Without what is done once: building the network, reading the images.
        once = seconds(partial(uncached, 0))
        per_epoch = (seconds(partial(uncached, TIMED_UNCACHED)) - once) / TIMED_UNCACHED
        times["uncached"].append(once + epochs * per_epoch)
    ratio = median_ratio(times["uncached"], times["cached"])
    required = REQUIRED_SHARE * predicted
    ours, baseline = (sorted(times[name])[repeats // 2] for name in ("cached", "uncached"))
    return Row(
        name=f"fine-tuning, {epochs} epochs",
        ours=f"{ours:.1f} s (cached)",
        baseline=f"{baseline:.1f} s (uncached, from {TIMED_UNCACHED} epochs)",
        ratio=f"{ratio:.2f}x",
        required=f"at least {required:.2f}x",
        met=ratio >= required,
        notes=f"EfficientNet-Lite0, last 3 of 18 blocks, {count} images of {SIDE}x{SIDE}, {VIEWS} "
        f"views; multiply-adds predict {predicted:.2f}x, half of it is required",
    )
