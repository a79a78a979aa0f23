"""After a killed run, and beside one that is alive."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import Project, shrink

Copy = Callable[..., Project]
ALONE = ("python", "workflow/alone.py", "snakemake", "--cores", "1")


def start(project: Project) -> subprocess.Popen[bytes]:
    """A run of its own process group, once it has the lock and a job at work."""
    process = subprocess.Popen(
        ["snakemake", "--cores", "1", "store_digits"],
        cwd=project.folder,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # The note on a job's outputs stands from its start to its end.
    noted = project.folder / ".snakemake/incomplete"
    while not (noted.is_dir() and any(noted.iterdir())):
        assert process.poll() is None
        time.sleep(0.05)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_killed_run_goes_on_and_a_living_one_is_left_alone(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    first = start(project)
    out = project.run(*ALONE, "store_digits", ok=False)
    assert f"another run is going on (process {first.pid}: " in out and "Wait for its end" in out
    kill(first)
    assert "lock" in project.snakemake("store_digits", ok=False).lower()
    out = project.run(*ALONE, "store_digits")
    assert "removing its lock" in out
    assert (project.folder / "data/processed/quick/digits/meta.json").is_file()
    assert "removing its lock" not in project.run(*ALONE, "--dry-run", "store_digits")


@pytest.mark.slow
def test_a_half_written_output_is_made_again(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    kill(start(project))
    # What the killed job was at, as if it had been writing.
    half = project.folder / "data/processed/quick/digits/meta.json"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_text("half")
    project.run(*ALONE, "store_digits")
    assert half.read_text().startswith("{")


def test_an_unlocked_folder_runs_the_command_as_it_is(copy_project: Copy) -> None:
    project = copy_project()
    assert project.run("python", "workflow/alone.py", "echo", "a b", "c").strip() == "a b c"


def test_the_code_beside_the_snakefile_runs(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    del project.environment["PYTHONPATH"]
    package = project.folder / "src/clearfilters/__init__.py"
    package.write_text(package.read_text() + 'print("code of the copy")\n')
    out = project.snakemake("store_digits")
    # The Snakefile's own, and the job's.
    assert out.count("code of the copy") >= 2
    assert (
        "code of the copy" in (project.folder / "results/quick/logs/store-digits.log").read_text()
    )


@pytest.mark.parametrize("way", ["--directory", "--snakefile"])
def test_the_workflow_runs_in_another_folder(copy_project: Copy, tmp_path: Path, way: str) -> None:
    project = copy_project()
    there = tmp_path / "elsewhere"
    there.mkdir()
    argument = there
    if way == "--snakefile":
        argument, project.folder = project.folder / "Snakefile", there
    out = project.snakemake(way, str(argument), "--dry-run", "store_digits")
    assert f"Working directory: {there}" in out and "store_digits" in out
    # Parameters of that folder come first.
    (there / "params.yaml").write_text("run: {name: quick}")
    assert "run.datasets" in project.snakemake(way, str(argument), "store_digits", ok=False)


def test_data_may_be_a_link_to_another_disk(copy_project: Copy, tmp_path: Path) -> None:
    project = copy_project()
    shutil.copy(Path(__file__).parents[2] / "Makefile", project.folder)
    project.change(shrink)
    project.run("git", "init", "--quiet")
    (tmp_path / "disk").mkdir()
    (project.folder / "data").symlink_to(tmp_path / "disk")
    project.snakemake("store_digits")
    assert (tmp_path / "disk/processed/quick/digits/meta.json").is_file()
    assert "data" not in project.run("git", "status", "--porcelain", "--", "data")
    for target in ("commit", "release"):
        out = project.run("make", "-o", ".venv/.installed", target, ok=False)
        assert "behind a link, and data is one" in out and "raw.root" in out
        assert "Building DAG" not in out


def test_raw_data_may_lie_in_the_home_folder(copy_project: Copy, tmp_path: Path) -> None:
    project = copy_project()
    cifar = {"format": "cifar10", "note": "none", "verify": True}

    def missing(params: dict[str, Any]) -> None:
        shrink(params)
        params["raw"] = {"root": "~/raw", "download": False}
        params["datasets"]["cifar10"] = cifar
        params["run"]["datasets"].append("cifar10")

    project.change(missing)
    project.environment["HOME"] = str(tmp_path)
    project.snakemake("store_cifar10", ok=False)
    log = project.folder / "results/quick/logs/store-cifar10.log"
    assert f"clearfilters: {tmp_path}/raw" in log.read_text()


@pytest.mark.parametrize("target", ["commit", "pull", "release"])
def test_dvc_without_git_says_what_to_do(copy_project: Copy, target: str) -> None:
    project = copy_project("a b")
    shutil.copy(Path(__file__).parents[2] / "Makefile", project.folder)
    project.environment["GIT_CEILING_DIRECTORIES"] = str(project.folder.parent)
    out = project.run("make", "-o", ".venv/.installed", target, ok=False)
    assert "run git init, then this again" in out


def test_a_folder_with_a_blank_in_its_path(copy_project: Copy) -> None:
    project = copy_project("a b")
    project.change(shrink)
    shutil.copy(Path(__file__).parents[2] / "Makefile", project.folder)
    binaries = project.folder / ".venv/bin"
    binaries.mkdir(parents=True)
    for name in ("python", "snakemake"):
        command = shutil.which(name, path=project.environment["PATH"])
        assert command is not None
        (binaries / name).write_text(f'#!/bin/sh\nexec "{command}" "$@"\n')
        (binaries / name).chmod(0o755)
    # What make runs is what it says: only the targets are cut down, through Snakemake's own option.
    project.run("make", "-o", ".venv/.installed", "all", "OVERLAY=--until store_digits")
    assert (project.folder / "data/processed/quick/digits/meta.json").is_file()
