"""Gate and joint epochs against STD epochs: at most 1.03 and 1.05 times as long.

Each path has its own network and runs `Trainer.epoch` on the same images, in turn.
"""

from collections.abc import Callable

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.methods.gate import Path
from clearfilters.training.determinism import make_deterministic

REQUIRED: dict[Path, float] = {"gate": 1.03, "joint": 1.05}


def _epoch(path: Path, count: int) -> Callable[[], object]:
    scheme = "joint" if path == "joint" else "alternating"
    slice_ = workload.parameters(None if path == "std" else scheme)
    trainer = workload.our_training(slice_, count, workload.device())
    return lambda: trainer.epoch(0, path)


def run(repeats: int, batches: int) -> list[Row]:
    """Time epochs of `batches` batches of 256 images."""
    make_deterministic()
    count = batches * workload.BATCH
    paths: tuple[Path, ...] = ("std", *REQUIRED)
    works: dict[str, Callable[[], object]] = {path: _epoch(path, count) for path in paths}
    found = interleaved(works, repeats)
    rows = []
    for path, required in REQUIRED.items():
        ratio = median_ratio(found[path], found["std"])
        ours, baseline = (sorted(found[name])[repeats // 2] for name in (path, "std"))
        rows.append(
            Row(
                name=f"{path} epoch, ResNet20",
                ours=f"{1000 * ours / batches:.1f} ms/batch",
                baseline=f"{1000 * baseline / batches:.1f} ms/batch (STD epoch)",
                ratio=f"{ratio:.3f}x",
                required=f"at most {required:g}x",
                met=ratio <= required,
                notes=f"{batches} batches per epoch, median of {repeats} epochs in turn",
            )
        )
    return rows
