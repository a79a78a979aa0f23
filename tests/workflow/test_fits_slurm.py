"""The check of the SLURM profile against what `sinfo` lists."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT

# Two kinds of node in `gpu`, small ones in the default partition.
SINFO = """\
short*|2|4000|(null)|1:00:00
gpu|16|64000+|gpu:a100:2(S:0-1)|2-00:00:00
gpu|64|256000|(null)|infinite
"""


@pytest.fixture
def check(tmp_path: Path):
    def run(listing: str | None, *arguments: str) -> tuple[int, str]:
        environment = dict(os.environ, PATH=str(tmp_path))
        if listing is not None:
            (tmp_path / "listing").write_text(listing)
            (tmp_path / "sinfo").write_text(f"#!/bin/sh\n/bin/cat '{tmp_path}/listing'\n")
            (tmp_path / "sinfo").chmod(0o755)
        done = subprocess.run(
            [sys.executable, "workflow/fits_slurm.py", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def profile(folder: Path, **content: object) -> str:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_the_profile_fits_nodes_that_have_enough(check) -> None:
    code, out = check(SINFO, "--partition", "gpu")
    assert code == 0 and "every job fits partition `gpu`" in out


def test_each_job_that_fits_no_node_is_named_with_what_it_lacks(check) -> None:
    code, out = check(SINFO)
    assert code == 1
    assert (
        "trained_model: gpu 1 (there: 0), mem_mb 8000 (there: 4000), runtime 720 (there: 60), "
        "threads 4 (there: 2)\n" in out
    )
    assert "network_measurement: gpu 1 (there: 0), mem_mb 8000 (there: 4000)" in out
    assert "other rules" not in out
    assert "name another partition" in out


def test_a_job_needs_all_on_one_node(check, tmp_path: Path) -> None:
    wants = {"a": {"gpu": 1, "mem_mb": 100000}, "b": {"gpu": 2, "runtime": 2880}}
    path = profile(
        tmp_path, **{"set-resources": wants, "default-resources": {"slurm_partition": "gpu"}}
    )
    code, out = check(SINFO, "--profile", path)
    assert code == 1
    assert "a: " in out and "b: " not in out


def test_a_partition_that_is_not_there(check) -> None:
    code, out = check(SINFO, "--partition", "long")
    assert code == 1 and "no partition `long` here; there are: short, gpu" in out


def test_without_slurm(check) -> None:
    code, out = check(None)
    assert code == 1 and "login node of a SLURM cluster" in out
