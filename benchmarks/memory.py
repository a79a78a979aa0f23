"""Peak memory of CIFAR training: below 2 GiB.

Each loop runs in a process of its own, on the CPU, with all 50,000 training and 10,000 test images
in reach: ours reads a store as training does, pads the images, trains a few batches with a gate and
evaluates; the usual loop trains as many batches. The figure is the largest resident set of the
process, the interpreter and PyTorch included; for the usual loop without its workers. Linux's VmHWM
gives it: `ru_maxrss` would do, but a process starts with that of its parent.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.usual_loop import UsualLoop
from clearfilters.data.store import read_split, write_store
from clearfilters.training.checkpoint import build_method
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.evaluation import evaluate
from clearfilters.training.inputs import to_device
from clearfilters.training.loop import Trainer

REQUIRED_GIB = 2.0
CPU = torch.device("cpu")


def _ours(batches: int, store: Path) -> None:
    make_deterministic()
    slice_ = workload.parameters("joint")
    data = to_device(read_split(store, "train"), CPU, slice_.training)
    test = to_device(read_split(store, "test"), CPU)
    method = build_method(slice_, workload.network()).to(memory_format=torch.channels_last)
    # All images stay resident; only the epoch is shorter.
    data = replace(data, labels=data.labels[: batches * workload.BATCH])
    Trainer(method, data, slice_.training, 0).epoch(0, "joint")
    some = slice(batches * workload.BATCH)
    test = replace(
        test,
        image_of_row=test.image_of_row[some],
        mirrored=test.mirrored[some],
        labels=test.labels[some],
    )
    evaluate(method, test)


def _baseline(batches: int, store: Path) -> None:
    usual = UsualLoop(read_split(store, "train"), CPU)
    usual.loader = islice(usual.loader, batches)
    usual.epoch()


LOOPS: dict[str, Callable[[int, Path], None]] = {"ours": _ours, "baseline": _baseline}


def measure(loop: str, batches: int, store: Path) -> None:
    """Run a loop in this process and print its peak resident set in KiB."""
    LOOPS[loop](batches, store)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def _peak_gib(loop: str, batches: int, store: Path) -> float:
    code = (
        "import sys; from pathlib import Path; from benchmarks.memory import measure; "
        "measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, loop, str(batches), str(store)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(process.stdout) / 2**20


def run(batches: int) -> Row:
    """Train `batches` batches of 256 images in each loop."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        write_store(
            store,
            {
                "train": workload.random_split(workload.TRAIN_IMAGES),
                "test": workload.random_split(workload.TEST_IMAGES, seed=1),
            },
            dataset="cifar10",
            source="random pixels",
            note="",
            classes=[str(index) for index in range(workload.CLASSES)],
            raw_sha256={},
            verified=False,
            parameters=workload.parameters(None).data.model_dump(),
        )
        ours, baseline = (_peak_gib(loop, batches, store) for loop in LOOPS)
    return Row(
        name="peak memory, CIFAR training",
        ours=f"{ours:.2f} GiB",
        baseline=f"{baseline:.2f} GiB (usual loop without its workers)",
        ratio=f"{ours / baseline:.2f}x",
        required=f"ours below {REQUIRED_GIB:g} GiB",
        met=ours < REQUIRED_GIB,
        notes=f"{batches} batches with all images resident, CPU",
    )
