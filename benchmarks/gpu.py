"""What a GPU makes of the work: images/s of training, attacks and features, and its own limits.

`make bench-gpu` writes `benchmarks/results/gpu-<card>.json`. Every figure is of this run, of
ResNet20 on random images; without a GPU it says so and ends. Takes under four minutes.
"""

import argparse
import json
import multiprocessing
import platform
import re
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import workload
from benchmarks.usual_loop import UsualLoop
from clearfilters.artifacts import write_json
from clearfilters.attacks.one_pixel import one_pixel
from clearfilters.attacks.white_box import attack_images
from clearfilters.data.augmentation import as_network_input
from clearfilters.methods.gate import Path as GatePath
from clearfilters.params.attacks import CwParams, OnePixelParams, PgdParams
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.features import pooled_and_logits
from clearfilters.training.loop import Trainer

RESULTS = Path(__file__).parent / "results"
IMAGES = 50_000  # of a training, as CIFAR-10 has
USUAL_IMAGES = 12_800  # the usual loop is slow
EPOCHS = 3  # timed, after one that captures
MATRIX = 8192  # side of the matrices of the product
COPY_BYTES = 2**32
REPEATS = 10  # of a copy and a product
PATHS: dict[GatePath, str | None] = {"std": None, "gate": "alternating", "joint": "joint"}


def seconds(work: Callable[[], Any]) -> float:
    """Wall-clock seconds of some work, until the device has finished it."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def device_limits() -> dict[str, float]:
    """GB/s of a copy on the device, read and written bytes; TFLOP/s of a bf16 matrix product."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    factor = torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16)

    def copies() -> None:
        for _ in range(REPEATS):
            target.copy_(source)

    def products() -> None:
        for _ in range(REPEATS):
            factor @ factor

    copies()
    products()
    return {
        "copy_gb_per_s": 2 * COPY_BYTES * REPEATS / seconds(copies) / 1e9,
        "bf16_tflop_per_s": 2 * MATRIX**3 * REPEATS / seconds(products) / 1e12,
    }


def trainer(path: GatePath, **training: Any) -> Trainer:
    """A training whose epochs are timed."""
    slice_ = workload.parameters(PATHS[path])
    slice_ = slice_.model_copy(update={"training": slice_.training.model_copy(update=training)})
    return workload.our_training(slice_, IMAGES, torch.device("cuda"))


def images_per_second(path: GatePath, *, eager: bool = False, **training: Any) -> float:
    """Of an epoch of a path, with some training parameters changed."""
    trained = trainer(path, **training)
    if eager:
        trained.steps[path] = partial(trained.train_batch, path)
    trained.epoch(0, path)
    return timed(trained, path)


def timed(trained: Trainer, path: GatePath) -> float:
    """Images per second of a training's next epochs."""

    def epochs() -> None:
        for number in range(1, EPOCHS + 1):
            trained.epoch(number, path)

    return EPOCHS * IMAGES / seconds(epochs)


def training_speed() -> dict[str, float]:
    """Images per second of each kind of epoch, and what precision, batch and determinism do."""
    make_deterministic()
    found: dict[str, float] = {path: images_per_second(path) for path in PATHS}
    found["std, eager"] = images_per_second("std", eager=True)
    found["std, batch 128"] = images_per_second("std", batch_size=128)
    found["std, float32"] = images_per_second("std", precision="float32")
    found["std, compiled"] = images_per_second("std", compile=True)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    found["std, not deterministic"] = images_per_second("std")
    torch.backends.cudnn.benchmark = False
    usual = UsualLoop(workload.random_split(USUAL_IMAGES), torch.device("cuda"))
    usual.epoch()
    found["usual loop (DataLoader, 2 workers, float32)"] = USUAL_IMAGES / seconds(usual.epoch)
    make_deterministic()
    return found


def _one_of_several(together: Any, speeds: Any) -> None:
    make_deterministic()
    trained = trainer("std")
    trained.epoch(0, "std")
    together.wait()
    speeds.put(timed(trained, "std"))


def side_by_side(count: int) -> float:
    """Images per second of `count` STD trainings together, each in its own process."""
    context = multiprocessing.get_context("spawn")
    together, speeds = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=_one_of_several, args=(together, speeds)) for _ in range(count)
    ]
    for process in processes:
        process.start()
    total = sum(speeds.get() for _ in processes)
    for process in processes:
        process.join()
    return float(total)


def attack_speed() -> dict[str, float]:
    """Images (PGD, 10 steps; CW, 100 steps) and queries (one-pixel) per second."""
    model = workload.network().eval().requires_grad_(False).cuda()
    pixels = torch.from_numpy(workload.random_split(2000).images)
    images = as_network_input(pixels).contiguous().cuda()
    labels = model(images).argmax(dim=1)
    pgd = PgdParams(
        method="pgd", targeted=False, eps=8 / 255, alpha=2 / 255, steps=10, train_per_class=1
    )
    cw = CwParams(
        method="cw", targeted=False, c=1.0, kappa=0.0, steps=100, lr=0.01, train_per_class=1
    )
    pixel = OnePixelParams(
        images=50, population=400, generations=5, mutation=0.5, batch_size=4000, seed=0
    )
    few, ids = labels[: pixel.images].cpu().numpy(), np.arange(pixel.images)
    asked = 0

    def count(_: Any, inputs: tuple[torch.Tensor]) -> None:
        nonlocal asked
        asked += len(inputs[0])

    white = {
        "pgd": seconds(lambda: attack_images(model, images, labels, pgd, 1000)),
        "cw": seconds(lambda: attack_images(model, images, labels, cw, 1000)),
    }
    hook = model.register_forward_pre_hook(count)
    took = seconds(lambda: one_pixel(model, images[: pixel.images], few, ids, pixel))
    hook.remove()
    return {
        **{f"{name}_images_per_s": len(images) / spent for name, spent in white.items()},
        "one_pixel_queries_per_s": asked / took,
    }


def features() -> dict[str, float]:
    """Images per second of the recorded features, and how far GPU and CPU differ."""
    images = workload.random_split(10_000).images
    model = workload.network().eval()
    on_cpu, cpu_logits = pooled_and_logits(model, images, 1000, torch.device("cpu"))
    found: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward() -> None:
        model.cuda()
        found.append(pooled_and_logits(model, images, 1000, torch.device("cuda")))

    forward()
    took = seconds(forward)
    pooled, logits = found[-1]
    return {
        "images_per_s": len(images) / took,
        "largest_difference_of_pooled": float((pooled - on_cpu).abs().max()),
        "largest_difference_of_logits": float((logits - cpu_logits).abs().max()),
        "other_predictions": int((logits.argmax(1) != cpu_logits.argmax(1)).sum()),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON")
    out = parser.parse_args().out
    if not torch.cuda.is_available():
        print("no GPU here: nothing measured")
        return
    card = torch.cuda.get_device_name()
    parts: dict[str, Callable[[], dict[str, float]]] = {
        "device": device_limits,
        "training_images_per_s": training_speed,
        "trainings_side_by_side_images_per_s": lambda: {
            str(count): side_by_side(count) for count in (2, 4)
        },
        "attacks": attack_speed,
        "features": features,
    }
    result: dict[str, Any] = {
        "card": card,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("torch", "torchvision", "numpy")},
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }
    for name, part in parts.items():
        start = time.perf_counter()
        result[name] = part()
        print(f"{name} ({time.perf_counter() - start:.0f} s): {json.dumps(result[name])}")
    write_json(out / f"gpu-{re.sub('[^a-z0-9]+', '-', card.lower())}.json", result)


if __name__ == "__main__":
    main()
