"""dvc.yaml against the Snakefile: same files, same modules, same parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project

from clearfilters.analysis.measurements import MEASUREMENTS
from clearfilters.data.prepare import READERS
from clearfilters.params.measurements import ANALYSES
from clearfilters.reporting.figures import FIGURES
from clearfilters.reporting.tables import TABLES
from clearfilters.step_code import step_files
from clearfilters.workflow import TRADEOFF, Plan

STEPS = {
    "data": "prepare",
    "data_records": "record_data",
    "train": "train",
    "train_tradeoff": "train",
    "features": "features",
    "features_tradeoff": "features",
    "localization": "localization",
    "adversarial": "adversarial",
    "detection": "detection",
    "black_box": "black_box",
    "tables": "table",
    "figures": "figure",
}


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return found


def covers(stage: dict[str, Any], files: list[str]) -> set[str]:
    """The files that no dependency of the stage is or contains."""
    deps = [Path(dep) for dep in stage["deps"]]
    return {f for f in files if not any(Path(f).is_relative_to(dep) for dep in deps)}


@pytest.mark.parametrize(("stage", "step"), STEPS.items())
def test_stages_depend_on_the_modules_of_their_step(
    stages: dict[str, Any], stage: str, step: str
) -> None:
    assert covers(stages[stage], step_files(step)) == set()


@pytest.mark.parametrize("stage", ["train", "features", "adversarial", "detection", "black_box"])
def test_expensive_stages_depend_on_no_other_module(stages: dict[str, Any], stage: str) -> None:
    modules = {dep for dep in stages[stage]["deps"] if dep.startswith("src/")}
    assert modules == set(step_files(STEPS[stage]))


def test_the_figures_depend_on_the_renderer(stages: dict[str, Any]) -> None:
    assert covers(stages["figures"], step_files("contact_sheet")) == set()


def test_the_data_stage_depends_on_every_reader(stages: dict[str, Any]) -> None:
    for format_ in READERS:
        assert covers(stages["data"], step_files("prepare", format_)) == set()


def test_analysis_and_report_stages_depend_on_their_modules(stages: dict[str, Any]) -> None:
    for analysis in MEASUREMENTS:
        for stage in ("phi", "measure", "measure_gates"):
            assert covers(stages[stage], step_files("measure", analysis)) == set()
    assert covers(stages["report"], step_files("claims") + step_files("report")) == set()


def test_every_analysis_has_one_stage(stages: dict[str, Any]) -> None:
    listed = [
        "phi",
        *stages["measure"]["matrix"]["analysis"],
        *stages["measure_gates"]["matrix"]["analysis"],
        *(stage for stage in ("localization", "detection") if stage in stages),
        *stages["black_box"]["matrix"]["analysis"],
    ]
    assert sorted(listed) == sorted(ANALYSES)


@pytest.mark.parametrize(("stage", "registry"), [("tables", TABLES), ("figures", FIGURES)])
def test_reports_depend_on_the_analyses_they_read(
    stages: dict[str, Any], stage: str, registry: dict[str, Any]
) -> None:
    read = {analysis for entry in registry.values() for analysis in entry.analyses}
    deps = {Path(d).name for d in stages[stage]["deps"] if d.startswith("results/")}
    assert deps == read


def test_dvc_resolves_the_stages_to_the_files_of_the_plan(
    copy_project: Callable[..., Project], default_params: dict[str, Any]
) -> None:
    project = copy_project()
    project.run("git", "init", "--quiet")
    lines = project.run("dvc", "stage", "list").splitlines()
    outs = {line.split()[0]: line.split()[-1] for line in lines}
    plan = Plan(default_params)
    for group in plan.groups:
        suffix = f"_{TRADEOFF}" if group == TRADEOFF else f"@{group}"
        for step, files in (
            ("train", plan.checkpoint_files(group)),
            ("features", plan.feature_files(group)),
        ):
            folder = outs[f"{step}{suffix}"]
            assert all(file.startswith(f"{folder}/") for file in files)
    for dataset in plan.datasets:
        folder = outs[f"data@{dataset}"]
        assert all(file.startswith(f"{folder}/") for file in plan.store_files(dataset))
        assert plan.data_record(dataset).startswith(f"{outs['data_records']}/")
    for experiment in plan.attacked:
        for stage, files in (
            ("adversarial@", plan.adversarial_files(experiment)),
            ("detection@", plan.metric_files("detection", experiment=experiment)),
            ("black_box@one_pixel-", plan.metric_files("one_pixel", experiment=experiment)),
            ("black_box@local_search-", plan.metric_files("local_search", experiment=experiment)),
        ):
            assert all(file.startswith(f"{outs[stage + experiment]}/") for file in files)
    for experiment in plan.localized:
        folder = outs[f"localization@{experiment}"]
        files = plan.metric_files("localization", experiment=experiment)
        assert all(file.startswith(f"{folder}/") for file in files)


def test_a_training_stage_names_its_own_experiment_only(stages: dict[str, Any]) -> None:
    expected = ["run.seeds", "training", "experiments.${item.experiment}"]
    assert stages["train"]["params"] == expected
