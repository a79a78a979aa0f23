"""The numbers and curves that DVC compares, against the recorded files read plainly."""

import json
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd
import pytest

from clearfilters.committed import committed_runs, plan_of
from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.curves import write_curves
from clearfilters.reporting.records import expand_index
from clearfilters.reporting.summary import ANALYSES, write_summary

ROOT = Path(__file__).resolve().parents[2]
# Quantity of the summary -> the measurement, and where in its values it stands.
PLACES = {
    "accuracy": ("classification", "accuracy"),
    "density": ("phi", "trained_density"),
    "phi": ("phi", "phi_test"),
    "mis": ("mis", "mis"),
    "p": ("explanation", "p"),
}


def recorded(run: str, experiment: str, analysis: str, key: str) -> list[Any]:
    """A value of each seed, where it was measured."""
    files = sorted((ROOT / "results" / run / "metrics" / analysis / experiment).glob("*.json"))
    found = [json.loads(path.read_text())["values"].get(key) for path in files]
    return [value for value in found if value is not None]


@pytest.fixture(scope="module", params=list(committed_runs(ROOT)))
def summary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summary of a run in git, made now."""
    run = str(request.param)
    out = tmp_path_factory.mktemp("summary") / run
    index = plan_of(ROOT, run).index(*ANALYSES)
    write_summary(expand_index(ROOT / "results" / run, index), out)
    return out


def test_means_and_spreads_are_those_of_the_recorded_seeds(summary: Path) -> None:
    found = json.loads(summary.read_text())
    checked = 0
    for experiment, values in found.items():
        for quantity, place in PLACES.items():
            numbers = recorded(summary.name, experiment, *place)
            if not numbers:
                continue
            checked += 1
            assert values[quantity] == pytest.approx(fmean(numbers), rel=1e-5)
            if len(numbers) > 1:
                assert values[f"{quantity}_std"] == pytest.approx(stdev(numbers), rel=1e-4)
            else:
                assert f"{quantity}_std" not in values
    assert checked >= 4


def test_the_summary_in_git_is_the_one_made_now(summary: Path) -> None:
    assert (ROOT / "results" / summary.name / "summary.json").read_bytes() == summary.read_bytes()


def test_the_auc_is_that_of_the_detectors_with_most_images(summary: Path) -> None:
    found = json.loads(summary.read_text())
    for experiment, values in found.items():
        seeds = []
        for detectors in recorded(summary.name, experiment, "detection", "detectors"):
            most = {name: max(one["size"] for one in sizes) for name, sizes in detectors.items()}
            seeds.append(
                [
                    fmean(one["auc"])
                    for name, sizes in detectors.items()
                    for one in sizes
                    if one["size"] == most[name] and one["auc"] is not None
                ]
            )
        means = [fmean(seed) for seed in seeds if seed]
        assert ("detection_auc" in values) == bool(means)
        if means:
            assert values["detection_auc"] == pytest.approx(fmean(means), rel=1e-5)


def test_curves_are_means_over_seeds(tmp_path: Path) -> None:
    losses = ([2.0, 1.0], [4.0, 2.0])
    for seed, loss in enumerate(losses):
        table = {"epoch": [0, 1], "train_loss": loss, "train_accuracy": [0.5, 1.0], "lr": [1, 1]}
        pd.DataFrame(table).to_csv(tmp_path / f"{seed}.csv", index=False)
    write_curves([tmp_path / "0.csv", tmp_path / "1.csv"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "epoch,train_loss,train_accuracy",
        "0,3,0.5",
        "1,1.5,1",
    ]


@pytest.mark.parametrize("content", ["", "epoch,train_loss\n0,1\n"])
def test_what_is_no_history_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(content)
    with pytest.raises(ClearfiltersError, match=f"{path}: columns epoch, train_loss"):
        write_curves([path], tmp_path / "out.csv")
