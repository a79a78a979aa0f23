"""dvc.yaml against the Snakefile: the same files, and no parameter that no stage knows."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project

from clearfilters.workflow import Plan

# Shape no result: where raw files lie.
NO_PARAMETER = {"raw"}
TARGETS = {"data": "data", "train": "train", "measure": "metrics", "report": "all"}


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return found


def outs(stage: dict[str, Any]) -> list[str]:
    """The paths of a stage's outputs."""
    return [path for out in stage["outs"] for path in out]


def test_each_stage_asks_snakemake_and_leaves_its_files_in_place(stages: dict[str, Any]) -> None:
    assert set(stages) == set(TARGETS)
    for name, stage in stages.items():
        asked, kept = stage["cmd"]
        assert asked == f"snakemake {TARGETS[name]} --cores all"
        # Snakemake's records of what the stage made are among what it made.
        records = f"results/${{run.name}}/records/{name}.json"
        assert kept.startswith(f"python workflow/keep_records.py {records} ")
        assert records in outs(stage)
        assert all(options["persist"] for out in stage["outs"] for options in out.values())
        # Whatever the code: Snakemake knows what of it a file depends on.
        assert {"src/clearfilters", "Snakefile", "workflow/rules"} <= set(stage["deps"])


def test_make_pull_names_what_is_pushed(stages: dict[str, Any]) -> None:
    pushed = {
        path.replace("${run.name}", "quick")
        for stage in stages.values()
        for out in stage["outs"]
        for path, options in out.items()
        if options.get("push", True)
    }
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.installed", "pull"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert set(shown.splitlines()[-1].split("--remote repository ")[1].split()) == pushed


def test_every_parameter_is_known_to_a_stage(
    stages: dict[str, Any], default_params: dict[str, Any]
) -> None:
    known = {key for stage in stages.values() for key in stage["params"]}
    assert known == set(default_params) - NO_PARAMETER


def test_a_stage_depends_on_what_it_reads(stages: dict[str, Any]) -> None:
    stores, checkpoints = outs(stages["data"])[0], outs(stages["train"])[0]
    assert stores in stages["train"]["deps"]
    assert {stores, checkpoints} <= set(stages["measure"]["deps"])
    assert "results/${run.name}/metrics" in outs(stages["measure"])
    assert "results/${run.name}/metrics" in stages["report"]["deps"]


def test_the_stages_hold_every_file_that_a_user_is_promised(
    stages: dict[str, Any], default_params: dict[str, Any]
) -> None:
    plan = Plan(default_params)
    folders = [
        Path(out.replace("${run.name}", plan.name))
        for stage in stages.values()
        for out in outs(stage)
    ]
    # What DVC compares commits by is in git.
    compared = [Path(plan.results, "curves"), Path(plan.results, "summary.json")]
    for file in plan.promised_files():
        assert any(Path(file).is_relative_to(place) for place in (*folders, *compared)), file


def test_dvc_reads_the_stages(copy_project: Callable[..., Project]) -> None:
    project = copy_project()
    project.run("git", "init", "--quiet")
    assert project.run("dvc", "stage", "list", "--name-only").split() == list(TARGETS)
