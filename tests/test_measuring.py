"""One job for a model's features and measurements: only what has changed is made again."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from clearfilters.analysis.recording import Model
from clearfilters.artifacts import parameters_hash, read_json
from clearfilters.attacks.attacked_model import measure_detection
from clearfilters.data.store import read_meta
from clearfilters.measuring import measure_model
from clearfilters.training.checkpoint import save_checkpoint

CPU = torch.device("cpu")
Build = Callable[..., Any]
PHI = {
    "a": 0.01, "s_density": 0.4, "init": 0.5, "tolerance": 1e-3, "window": 5, "max_iterations": 20,
}  # fmt: skip
OWN: dict[str, Any] = {
    "leakage": {"analysis": {"leakage": {"random_gate_seed": 0}, "phi": PHI}},
    "classification": {"analysis": {"classification": {}}},
    "phi": {"analysis": {"phi": PHI}},
    "gate_statistics": {"analysis": {"gate_statistics": {"threshold": 0.5}, "phi": PHI}},
}


class Job:
    """The job of one model, and what it says that it made."""

    def __init__(self, folder: Path, store: Path, training: dict[str, Any]) -> None:
        self.folder, self.store = folder, store
        features = {**training, "features": {"batch_size": 64, "noise_images": 5, "noise_seed": 0}}
        self.slices: dict[str, Any] = {"features": features, "own": copy.deepcopy(OWN)}

    def run(self, capsys: pytest.CaptureFixture[str]) -> set[str]:
        """What was recorded or measured anew."""
        capsys.readouterr()
        features = self.folder / "features"
        measure_model(
            self.slices,
            Model("net", 0, features, features / "gates.npz"),
            store=self.store,
            checkpoint=self.folder / "checkpoint",
            metrics=self.folder / "metrics",
            gates=self.folder / "gates.npz",
            device=lambda: CPU,
        )
        lines = [line.split(": ") for line in capsys.readouterr().err.splitlines()]
        assert {name for name, _ in lines} == {"features", *OWN}
        return {name for name, did in lines if did != "kept"}

    def metric(self, analysis: str) -> Path:
        return self.folder / f"metrics/{analysis}/net/seed0.json"


@pytest.fixture
def job(
    tmp_path: Path, digits_store: Path, make_slice: Build, gate_block: Build, fresh_method: Build
) -> Job:
    parameters = make_slice(method=gate_block())
    torch.manual_seed(0)
    meta = read_meta(digits_store)
    save_checkpoint(
        tmp_path / "checkpoint", fresh_method(parameters), [], parameters, meta, CPU
    )  # fmt: skip
    return Job(tmp_path, digits_store, parameters.model_dump(by_alias=True))


def test_everything_once_and_nothing_twice(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.run(capsys) == {"features", *OWN}
    before = {name: job.metric(name).read_bytes() for name in OWN}
    gates = (job.folder / "gates.npz").read_bytes()
    for name in OWN:  # as Snakemake does before a job
        job.metric(name).unlink()
    (job.folder / "gates.npz").unlink()
    assert job.run(capsys) == set()
    assert {name: job.metric(name).read_bytes() for name in OWN} == before
    assert (job.folder / "gates.npz").read_bytes() == gates
    for name in OWN:
        provenance = read_json(job.metric(name))["provenance"]
        slice_ = {**job.slices["features"], **OWN[name]}
        assert provenance["parameters_hash"] == parameters_hash(slice_)


def test_only_what_depends_on_a_number(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.run(capsys)
    own = job.slices["own"]
    own["gate_statistics"]["analysis"]["gate_statistics"]["threshold"] = 0.25
    assert job.run(capsys) == {"gate_statistics"}
    for name in ("phi", "leakage", "gate_statistics"):
        own[name]["analysis"]["phi"]["a"] = 0.02
    assert job.run(capsys) == {"phi", "leakage", "gate_statistics"}
    job.slices["features"]["features"]["noise_images"] = 6
    assert job.run(capsys) == {"features", *OWN}


def test_what_was_lost_is_made_again(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.run(capsys)
    features = job.folder / "features"
    (features / "kept/classification.json").unlink()
    assert job.run(capsys) == {"classification"}
    (features / "gates.npz").unlink()
    assert "phi" in job.run(capsys)
    (features / "noise.npz").unlink()
    assert "features" in job.run(capsys)


def test_attacks_that_are_current_are_kept(
    job: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[str] = []
    monkeypatch.setattr(
        "clearfilters.attacks.attacked_model.record_detection",
        lambda samples, slice_, **_: recorded.append(samples.name),
    )
    fgsm = {"method": "fgsm", "targeted": True, "eps": 0.3, "train_per_class": 1}
    training = {key: value for key, value in job.slices["features"].items() if key != "features"}
    slice_: dict[str, Any] = {
        **training,
        "sampling": {"seed": 0, "test_per_class": 1, "batch_size": 10},
        "white_box": {"weak": {**fgsm, "eps": 0.1}, "strong": fgsm},
        "detection": {},
    }

    def attacked() -> set[str]:
        capsys.readouterr()
        measure_detection(
            slice_, experiment="net", seed=0, checkpoint=job.folder / "checkpoint",
            store=job.store, samples=job.folder / "samples", out=job.folder / "detection.json",
            device=lambda: CPU,
        )  # fmt: skip
        lines = capsys.readouterr().err.splitlines()
        return {line.split(":")[0] for line in lines if line.endswith(": attacked")}

    assert attacked() == {"weak", "strong"}
    assert attacked() == set()
    slice_["white_box"]["weak"]["eps"] = 0.05
    assert attacked() == {"weak"}
    (job.folder / "samples/strong.json").unlink()
    assert attacked() == {"strong"}
    assert recorded == ["samples"] * 4
