"""A whole tiny run: what is made again, and what is not, under Snakemake and DVC."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import PROJECT, Project, shrink

pytestmark = pytest.mark.slow


def set_threshold(value: float) -> Callable[[dict[str, Any]], None]:
    return lambda params: params["analysis"]["gate_statistics"].update(threshold=value)


def set_lr(value: float) -> Callable[[dict[str, Any]], None]:
    return lambda params: params["experiments"]["resnet20-std"].update(training={"lr": value})


def agree(project: Project) -> None:
    """Neither has anything to do."""
    assert project.pending() == {}
    assert "up to date" in project.run("dvc", "status")
    assert project.repro() == []


def test_only_what_a_parameter_touches_is_made_again(copy_project: Callable[..., Project]) -> None:
    project = copy_project()
    project.run("git", "init", "--quiet")
    project.change(shrink)
    project.change(set_threshold(0.5))
    project.change(set_lr(0.1))

    project.commit()
    agree(project)
    a_deleted_file_is_made_again(project)
    first_metrics = project.contents("results/quick/metrics/**/*.json")
    first_tables = project.contents("results/quick/tables/*")
    first_weights = project.contents("results/quick/checkpoints/**/model.safetensors")
    assert len(first_weights) == 4

    # The threshold, by Snakemake.
    project.change(set_threshold(0.4))
    pending = project.pending()
    assert pending["measured_model"] == 2
    # Each table that reads anything of these models is made again, a second each.
    assert pending.keys() == {"measured_model", "gallery", "table", "figure", "claims", "page"}
    project.commit()
    agree(project)
    tables = project.contents("results/quick/tables/*")
    different = {Path(path).stem for path in tables if tables[path] != first_tables[path]}
    assert different == {"lsg_gate_statistics"}
    for log in ("resnet20-std-seed0", "resnet20-lsg-seed0"):
        lines = (project.folder / f"results/quick/logs/measure/{log}.log").read_text().splitlines()
        measured = [line for line in lines if line.endswith((": measured", ": recorded"))]
        assert measured == ["gate_statistics: measured"]
        assert "features: kept" in lines and "mis: kept" in lines

    # An experiment's learning rate, by DVC.
    project.change(set_lr(0.05))
    assert project.pending()["trained_model"] == 1
    assert project.repro() == ["train", "measure", "report"]
    weights = project.contents("results/quick/checkpoints/**/model.safetensors")
    different = {path for path in weights if weights[path] != first_weights[path]}
    assert different == {"results/quick/checkpoints/resnet20-std/seed0/model.safetensors"}
    agree(project)

    # The threshold back, by DVC.
    project.change(set_threshold(0.5))
    assert project.repro() == ["measure", "report"]
    agree(project)

    # The learning rate back, by Snakemake: everything is as it was.
    project.change(set_lr(0.1))
    assert project.pending()["trained_model"] == 1
    project.commit()
    agree(project)
    assert project.contents("results/quick/checkpoints/**/model.safetensors") == first_weights
    assert project.contents("results/quick/metrics/**/*.json") == first_metrics
    assert project.contents("results/quick/tables/*") == first_tables

    recorded_measurements_are_enough(project, copy_project)


def a_deleted_file_is_made_again(project: Project) -> None:
    """`all` notices the loss of anything that it promises."""
    results = "results/quick"
    for file, rule in (
        ("data/processed/quick/animals-cub/test/images.npy", "store_animals-cub"),
        (f"{results}/checkpoints/resnet20-std/seed0/history.csv", "trained_model"),
        (f"{results}/metrics/mis/resnet20-std/seed0.json", "measured_model"),
        (f"{results}/filters/resnet20-lsg.html", "gallery"),
        (f"{results}/tables/lsg_table1.md", "table"),
        (f"{results}/figures/lsg_figure4.png", "figure"),
        (f"{results}/claims.csv", "claims"),
    ):
        kept, hidden = project.folder / file, project.folder / "hidden"
        kept.rename(hidden)
        assert rule in project.pending(), file
        hidden.rename(kept)


def recorded_measurements_are_enough(
    project: Project, copy_project: Callable[..., Project]
) -> None:
    """In a clone without data and checkpoints, tables and page come out the same."""
    clone = copy_project("clone", [name for name in PROJECT if name != "params.yaml"])
    shutil.copy(project.folder / "params.yaml", clone.folder)
    metrics = "results/quick/metrics"
    shutil.copytree(project.folder / metrics, clone.folder / metrics)
    for path in (clone.folder / "src").rglob("*.py"):
        path.touch()
    assert clone.pending().keys() == {"table", "figure", "contact_sheet", "claims", "page"}
    clone.snakemake("all")
    assert not (clone.folder / "data").exists()
    for pattern in ("results/quick/tables/*", "results/quick/*.html", "results/quick/claims.csv"):
        assert clone.contents(pattern) == project.contents(pattern)
    # With other parameters, the measurements are not enough.
    clone.change(set_threshold(0.1))
    assert "trained_model" in clone.pending()
