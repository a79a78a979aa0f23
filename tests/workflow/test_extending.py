"""The walk of docs/extending.md, followed word for word in a copy of the project."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project, shrink

pytestmark = pytest.mark.slow

# The table and the figure of the walk.
OWN = "peak_distance"
REGISTRY = "src/clearfilters/registry.py"
BLOCK = re.compile(
    r"```\w+\n# (?P<file>\S+?)(?:: (?P<registry>[A-Z]+))?\n(?P<text>.*?)```", re.DOTALL
)


def make_smaller(params: dict[str, Any]) -> None:
    """`shrink`, without galleries, trade-off and attacks."""
    shrink(params)
    params["run"].update(datasets=["digits", "animals"], galleries=[], tradeoff=None)
    params["attacks"]["experiments"] = []


def follow(project: Project) -> list[str]:
    """Write each file of the walk, and add each line to its registry; returns the new files."""
    written = []
    for block in BLOCK.finditer((ROOT / "docs/extending.md").read_text()):
        path, text = project.folder / block["file"], block["text"]
        if block["registry"] is None:
            assert not path.exists()
            path.write_text(text)
            written.append(block["file"])
            continue
        assert block["file"] == REGISTRY
        before = path.read_text()
        start = f"\n{block['registry']} = {{\n"
        assert before.count(start) == 1
        path.write_text(before.replace(start, start + text))
    return written


def test_a_method_a_measurement_a_table_and_a_figure_of_ones_own(
    copy_project: Callable[..., Project],
) -> None:
    project = copy_project()
    project.change(make_smaller)
    project.keep(TABLES=("data", OWN), FIGURES=("lsg_figure6", OWN))
    project.snakemake("all")
    weights = project.contents("results/quick/checkpoints/**/*")
    metrics = project.contents("results/quick/metrics/**/*.json")

    written = follow(project)
    assert len(written) == 5
    # The new measurement needs a block; the new experiment is not yet in the run.
    overlay = yaml.safe_load((project.folder / "workflow/presets/spotlight.yaml").read_text())
    project.change(lambda params: params["analysis"].update(overlay["analysis"]))
    pending = project.pending("all")
    assert pending == {"network_measurement": 1, "table": 1, "claims": 1, "page": 1}

    preset = "--configfile=workflow/presets/spotlight.yaml"
    pending = project.pending("all", preset)
    assert pending["trained_model"] == 1
    project.snakemake("all", preset)
    after = project.contents("results/quick/checkpoints/**/*")
    assert {path: after[path] for path in weights} == weights
    measured = project.contents("results/quick/metrics/**/*.json")
    assert {path: measured[path] for path in metrics} == metrics

    results = project.folder / "results/quick"
    history = (results / "checkpoints/animals-spotlight/seed0/history.csv").read_text()
    assert history.splitlines()[0].endswith("width,activity")
    # Digits have no landmarks, so it is left out there.
    new = {Path(path).parts[3:5] for path in measured.keys() - metrics.keys()}
    assert ("peak_distance", "animals-spotlight") in new and ("peak_distance", "animals-std") in new
    assert not any(name == ("peak_distance", "resnet20-std") for name in new)
    table = (results / "tables/peak_distance.csv").read_text()
    assert "ResNet8 spotlight, animals" in table
    numbers = (results / "figures/peak_distance.csv").read_text()
    assert "ResNet8 spotlight, animals" in numbers
    page = (results / "report.html").read_text()
    assert page.count("Filters and a landmark") >= 2
    assert project.pending("all", preset) == {}
