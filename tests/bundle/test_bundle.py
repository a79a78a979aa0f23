"""A bundle from end to end at toy length on the CPU: packed, run, stopped, gone on with, put."""

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clearfilters.artifacts import CHECKPOINT_FILES
from clearfilters.bundle.contents import Training
from clearfilters.bundle.pack import pack
from clearfilters.bundle.returned import LARGEST, pack_returned, put
from clearfilters.bundle.run import Running, Work, train_all
from clearfilters.errors import ClearfiltersError
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop
from clearfilters.training.checkpoint import load_checkpoint

Build = Callable[..., TrainingSlice]
ENOUGH = 300  # seconds, far more than the toy trainings need
LIMIT = 2**24


def training(make_slice: Build, name: str, *, epochs: int = 2) -> Training:
    """A toy training on the digits."""
    slice_ = make_slice(epochs=epochs).model_dump(by_alias=True)
    return Training(name, 0, "digits", slice_)


def run(bundle: Path, folder: Path, *options: str) -> str:
    """Run a bundle as its user does; what it printed."""
    command = [
        sys.executable, str(bundle), "--seconds", str(ENOUGH), "--work", str(folder / "work"),
        "--out", str(folder / "out"), "--device", "cpu", *options,
    ]  # fmt: skip
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # small nets are fastest with one thread
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=alone
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def stores(tmp_path: Path, digits_store: Path) -> Path:
    """Prepared stores, as `snakemake data` leaves them."""
    shutil.copytree(digits_store, tmp_path / "stores/digits")
    return tmp_path / "stores"


def results_folder(tmp_path: Path) -> Path:
    """Where `put` puts."""
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "toy"


def unfinished(parameters: TrainingSlice, store: Path, state: Path) -> None:
    """Train one epoch of several, as a training that is then stopped."""

    class Stopped(Exception):
        pass

    def stop(_: object, history: list[dict[str, object]]) -> None:
        if history[-1]["epoch"] == 1:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(loop, "report", stop)
        loop.train(parameters, store, state.parent / "none", state, torch.device("cpu"))


@pytest.mark.slow
def test_from_end_to_end(tmp_path: Path, stores: Path, make_slice: Build) -> None:
    good, long = training(make_slice, "good"), training(make_slice, "long", epochs=3)
    broken = Training("broken", 0, "digits", {**good.slice_, "training": "no"})
    pack([good, broken], [], [], tmp_path / "first.zip", LIMIT)
    printed = run(tmp_path / "first.zip", tmp_path, "--at-once", "2")
    assert "good-seed0: finished" in printed and "broken-seed0: failed: " in printed
    assert "training" in printed.split("broken-seed0: failed: ")[1].splitlines()[0]
    report = json.loads((tmp_path / "out/report.json").read_text())
    outcomes = {entry["training"]: entry["outcome"][:6] for entry in report["trainings"]}
    assert outcomes == {"good-seed0": "finish", "broken-seed0": "failed"}

    state = tmp_path / "work/resume/long-seed0.pt"
    unfinished(make_slice(epochs=3), stores / "digits", state)
    written = pack_returned(tmp_path / "work", tmp_path / "out")
    assert [path.name for path in written] == ["finished-1.zip", "unfinished-1.zip", "logs-1.zip"]
    results = results_folder(tmp_path)
    placed, refused = put([good, long], written[:2], results, stores)
    assert sorted(placed) == ["good-seed0", "long-seed0.pt"] and not refused
    assert (results / "resume/long-seed0.pt").is_file()
    here = results / "checkpoints/good/seed0"
    assert {path.name for path in here.iterdir()} == set(CHECKPOINT_FILES)
    load_checkpoint(here)

    # What is there is not trained again, on another machine either.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    pack([good, long], [], [], tmp_path / "second.zip", LIMIT)
    printed = run(tmp_path / "second.zip", elsewhere, "--returned", *map(str, written[:2]))
    assert "good-seed0" not in printed and "long-seed0: finished" in printed
    assert "resuming after epoch 0" in (elsewhere / "work/logs/long-seed0.log").read_text()


def test_what_still_runs_when_the_time_is_over_is_stopped(
    tmp_path: Path, make_slice: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_: Work, one: Training, device: str) -> Running:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return Running(one, process, (tmp_path / device).open("ab"), time.monotonic())

    monkeypatch.setattr("clearfilters.bundle.run.start", endless)
    trainings = [training(make_slice, name) for name in ("first", "second", "third")]
    begun = time.monotonic()
    ended = train_all(Work(tmp_path / "work"), trainings, 2, begun + 1, "cpu")
    assert time.monotonic() - begun < 60
    assert [(entry["training"], entry["outcome"]) for entry in ended] == [
        ("first-seed0", "stopped"),
        ("second-seed0", "stopped"),
    ]


def test_a_bundle_over_its_limit_names_what_is_large(tmp_path: Path) -> None:
    noise = tmp_path / "noise.npz"
    noise.write_bytes(os.urandom(2**20))
    with pytest.raises(ClearfiltersError, match=r"limit of 1 MiB .*noise\.npz 1\.0"):
        pack([], [noise], [], tmp_path / "bundle.zip", 2**20)
    assert not (tmp_path / "bundle.zip").exists()
    with pytest.raises(ClearfiltersError, match=r"absent\.npz: no such file"):
        pack([], [tmp_path / "absent.npz"], [], tmp_path / "bundle.zip", 2**20)


def test_a_member_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    pack([], [], [], tmp_path / "bundle.zip", LIMIT)
    with zipfile.ZipFile(tmp_path / "bundle.zip", "a") as bundle:
        bundle.writestr("../outside.txt", "x")
    command = [sys.executable, "bundle.zip", "--seconds", "9", "--work", "work", "--out", "out"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 1 and "../outside.txt would leave" in ended.stderr
    assert not (tmp_path / "outside.txt").exists() and not (tmp_path / "work/src").exists()


def test_what_is_not_the_presets_is_refused(
    tmp_path: Path, stores: Path, make_slice: Build
) -> None:
    trained = tmp_path / "trained"
    one = make_slice(epochs=1)
    loop.train(one, stores / "digits", trained, tmp_path / "state.pt", torch.device("cpu"))
    other = training(make_slice, "toy", epochs=7)
    with zipfile.ZipFile(tmp_path / "finished-1.zip", "w") as returned:
        for path in trained.iterdir():
            returned.write(path, f"toy-seed0/{path.name}")
            returned.write(path, f"unknown-seed0/{path.name}")
        returned.writestr("../escaped-seed0.pt", "x")
        returned.writestr("toy-seed0.pt", "not a state")
    results = results_folder(tmp_path)
    placed, refused = put([other], [tmp_path / "finished-1.zip"], results, stores)
    assert placed == []
    assert "trained with parameters" in refused["toy-seed0"]
    assert "no such training" in refused["unknown-seed0"]
    assert "no file of a training" in refused["../escaped-seed0.pt"]
    assert "cannot be resumed" in refused["toy-seed0.pt"]
    assert not results.exists() and not (tmp_path / "escaped-seed0.pt").exists()
    with zipfile.ZipFile(tmp_path / "half.zip", "w") as returned:
        returned.write(trained / "meta.json", "toy-seed0/meta.json")
    _, refused = put([other], [tmp_path / "half.zip"], results, stores)
    assert "model.safetensors is missing" in refused["toy-seed0"]
    (tmp_path / "cut.zip").write_bytes(b"PK")
    with pytest.raises(ClearfiltersError, match=r"cut\.zip: cannot be read"):
        put([other], [tmp_path / "cut.zip"], results, stores)
    with pytest.raises(ClearfiltersError, match="not prepared yet"):
        put([other], [], results, tmp_path / "nowhere")


def test_parts_stay_below_their_limit(tmp_path: Path) -> None:
    resume = tmp_path / "work/resume"
    resume.mkdir(parents=True)
    for number in range(5):
        (resume / f"toy-seed{number}.pt").write_bytes(os.urandom(LARGEST * 2 // 5))
    written = pack_returned(tmp_path / "work", tmp_path / "out")
    assert [path.name for path in written] == [f"unfinished-{part}.zip" for part in (1, 2, 3)]
    assert all(path.stat().st_size < LARGEST * 1.01 for path in written)
