"""Train a bundle's networks on the machine that it was brought to, within a given time.

Finished checkpoints and the states of unfinished trainings in the work folder, or in the zip files
of an earlier run, are gone on from.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from clearfilters.artifacts import CHECKPOINT_FILES, parameters_hash, read_json, write_json
from clearfilters.bundle.contents import (
    CHECKPOINTS,
    RESUME,
    TRAININGS,
    Training,
    extract,
)
from clearfilters.bundle.returned import pack_returned
from clearfilters.data.prepare import prepare
from clearfilters.errors import ClearfiltersError
from clearfilters.params.reading import parse
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import device_description

POLL = 0.2  # seconds between looks at the running trainings
GRACE = 5.0  # seconds that a stopped training has to end
REASON_LINES = 3  # of a failed training's log
MPS = "nvidia-cuda-mps-control"


@dataclass
class Running:
    """A training that runs in a process of its own."""

    training: Training
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started: float


class Work:
    """The folders of a bundle's run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def checkpoint(self, training: Training) -> Path:
        """Where a finished training lies."""
        return self.folder / CHECKPOINTS / training.name

    def resume(self, training: Training) -> Path:
        """Where an unfinished training's state lies."""
        return self.folder / RESUME / f"{training.name}.pt"

    def store(self, training: Training) -> Path:
        """The prepared data of a training."""
        return self.folder / "data" / training.dataset

    def is_finished(self, training: Training) -> bool:
        """Whether its checkpoint is whole, and of these parameters."""
        meta = self.checkpoint(training) / CHECKPOINT_FILES[-1]
        expected = parameters_hash(training.slice_)
        return meta.exists() and read_json(meta)["parameters_hash"] == expected


def prepare_data(work: Work, trainings: Sequence[Training]) -> None:
    """Prepare the store of each data set that has none yet, from the raw data unpacked before."""
    by_dataset = {training.dataset: training for training in reversed(trainings)}
    absent = [one for one in by_dataset.values() if not (work.store(one) / "meta.json").exists()]
    raw = work.folder / "raw"
    if absent and (raw / "unpack.py").exists():
        subprocess.run([sys.executable, raw / "unpack.py", raw], check=True)
    for one in absent:
        prepare(parse(TrainingSlice, one.slice_).data, raw, work.store(one), download=False)


def start(work: Work, training: Training, device: str) -> Running:
    """Begin a training."""
    command = [
        sys.executable, "-m", "clearfilters.cli", "train",
        "--parameters", json.dumps(training.slice_),
        "--data", str(work.store(training)), "--raw", str(work.folder / "raw"),
        "--resume", str(work.resume(training)), "--out", str(work.checkpoint(training)),
        "--device", device,
    ]  # fmt: skip
    log = (work.logs / f"{training.name}.log").open("ab")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    print(f"started {training.name}")
    return Running(training, process, log, time.monotonic())


def _reason(log: Path, status: int) -> str:
    """Why a training failed: what it said last."""
    lines = log.read_text(errors="replace").strip().splitlines() or [f"exit status {status}"]
    return " ".join(lines[-REASON_LINES:])


def end(work: Work, running: Running) -> dict[str, Any]:
    """Close an ended training and say how it ended."""
    running.log.close()
    took = time.monotonic() - running.started
    name = running.training.name
    status = running.process.returncode
    if status == 0:
        outcome = "finished"
    elif status < 0:
        outcome = "stopped"
    else:
        outcome = f"failed: {_reason(work.logs / f'{name}.log', status)}"
    print(f"{name}: {outcome} after {took:.0f} s")
    return {"training": name, "outcome": outcome, "seconds": round(took, 1)}


def train_all(
    work: Work, trainings: Sequence[Training], at_once: int, until: float, device: str
) -> list[dict[str, Any]]:
    """Train in order, some at once, until `until` (of the monotonic clock).

    Returns:
        For each training that was started: its name, outcome and seconds.
    """
    waiting = [training for training in trainings if not work.is_finished(training)]
    running: list[Running] = []
    ended: list[dict[str, Any]] = []
    while (waiting or running) and time.monotonic() < until:
        while waiting and len(running) < at_once:
            running.append(start(work, waiting.pop(0), device))
        time.sleep(POLL)
        for one in [one for one in running if one.process.poll() is not None]:
            running.remove(one)
            ended.append(end(work, one))
    for one in running:
        one.process.terminate()
    for one in running:
        try:
            one.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()
        ended.append(end(work, one))
    return ended


def start_sharing(device: str, at_once: int) -> bool:
    """Let processes use one GPU at the same time (NVIDIA MPS), where the machine has it."""
    if device != "cuda" or at_once == 1 or shutil.which(MPS) is None:
        return False
    return subprocess.run([MPS, "-d"], check=False).returncode == 0


def main() -> int:
    """Run as the bundle's arguments say; returns the exit status."""
    begun = time.monotonic()
    parser = argparse.ArgumentParser(prog="python3 bundle.zip")
    parser.add_argument("--seconds", type=float, required=True, help="when to stop")
    parser.add_argument("--at-once", type=int, default=1, help="trainings side by side")
    parser.add_argument("--work", type=Path, required=True, help="where to unpack and train")
    parser.add_argument("--out", type=Path, required=True, help="folder of what goes back")
    parser.add_argument("--returned", type=Path, nargs="*", default=[], help="of an earlier run")
    parser.add_argument("--device", help="cuda or cpu; by default cuda where there is one")
    try:
        run(parser.parse_args(), begun)
    except ClearfiltersError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run(args: argparse.Namespace, begun: float) -> None:
    """Prepare, train and pack; `begun` (of the monotonic clock) is when the time began."""
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    work = Work(args.work)
    content = json.loads((args.work / TRAININGS).read_text())
    trainings = [Training(**training) for training in content]
    extract(args.returned, work.folder)
    prepare_data(work, trainings)
    sharing = start_sharing(device, args.at_once)
    prepared = time.monotonic() - begun
    print(f"data ready after {prepared:.0f} s; {args.at_once} at once, shared by MPS: {sharing}")
    ended = train_all(work, trainings, args.at_once, begun + args.seconds, device)
    if sharing:
        subprocess.run([MPS], input=b"quit\n", check=False)
    write_json(
        args.out / "report.json",
        {
            "device": device_description(torch.device(device)),
            "torch": torch.__version__,
            "at_once": args.at_once,
            "mps": sharing,
            "seconds_of_preparation": round(prepared, 1),
            "seconds": round(time.monotonic() - begun, 1),
            "trainings": ended,
        },
    )
    pack_returned(work.folder, args.out)


if __name__ == "__main__":
    sys.exit(main())
