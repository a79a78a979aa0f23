"""`make tables-check`: what is changed by hand in the results in git is named."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project

from clearfilters.committed import (
    HASHES,
    check_run,
    committed_runs,
    plan_of,
    record_metrics,
    regenerate,
)
from clearfilters.errors import ClearfiltersError

# The smallest.
RUN = "cifar10-pilot"
RESULTS = f"results/{RUN}"
PHI = "metrics/phi/resnet20-lsg/seed0.json"
ACCURACY = "metrics/classification/resnet20-lsg/seed0.json"


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run's measurements, and what they give by the code of now."""
    root = tmp_path_factory.mktemp("committed")
    ignored = shutil.ignore_patterns("checkpoints", "tables", "figures", "claims.csv", HASHES)
    shutil.copytree(ROOT / RESULTS, root / RESULTS, ignore=ignored)
    shutil.copytree(ROOT / "workflow", root / "workflow")
    shutil.copy(ROOT / "params.yaml", root)
    plan = plan_of(root, RUN)
    regenerate(plan, root / RESULTS, root / RESULTS)
    for file in plan.figure_files:
        (root / file).touch()
    record_metrics(root, RUN)
    return root


@pytest.fixture
def root(regenerated: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(regenerated, tmp_path / "project")


def replace(path: Path, pattern: str, new: str) -> None:
    """Change the first match in a file."""
    text = path.read_text()
    changed = re.sub(pattern, new, text, count=1, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed)


def change(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change a measurement."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")


def test_nothing_is_wrong_with_what_the_measurements_give(root: Path) -> None:
    assert check_run(root, RUN) == []


# File -> what is changed by hand, and what is said of it.
EDITS = {
    "tables/lsg_table1.csv": (
        r"(ResNet20 STD,accuracy,)[\d.]+",
        r"\g<1>0.99",
        r"lsg_table1, ResNet20 STD, accuracy: mean: committed 0\.99, regenerated 0\.86\d*",
    ),
    "tables/lsg_table1.md": (
        r"(ResNet20 STD .*)0\.86\d\d",
        r"\g<1>0.9914",
        r"committed: \| .*0\.9914.*\n.*regenerated: \| .*0\.86.*",
    ),
    "claims.csv": (
        r"^(lsg_table1_accuracy:resnet20-lsg,.*,)0\.8401",
        r"\g<1>0.9401",
        "lsg_table1_accuracy:resnet20-lsg: left_mean: committed 0.9401, regenerated 0.8401",
    ),
    "figures/lsg_figure4.csv": (
        r"^(ResNet20 LSG,density,.*,)[\d.]+$",
        r"\g<1>0.5",
        r"ResNet20 LSG, density: value: committed 0\.5, regenerated 0\.10\d*",
    ),
}


def test_a_change_by_hand_is_named(root: Path) -> None:
    for file, (pattern, new, _) in EDITS.items():
        replace(root / RESULTS / file, pattern, new)
    found = check_run(root, RUN)
    for file, (_, _, said) in EDITS.items():
        own = [line for line in found if line.startswith(f"{RESULTS}/{file}: ")]
        assert re.fullmatch(f"{RESULTS}/{file}: {said}", "\n".join(own))
    # Of the Markdown the line before and the line after; no other file is named.
    assert len(found) == len(EDITS) + 1


def test_a_changed_measurement_is_named_with_what_it_changes(root: Path) -> None:
    change(root / RESULTS / ACCURACY, lambda content: content["values"].update(accuracy=0.75))
    found = check_run(root, RUN)
    assert found[0].startswith(f"{RESULTS}/{ACCURACY}: SHA-256: {HASHES} has ")
    cell = "lsg_table1, ResNet20 LSG, accuracy: mean: committed 0.8401, regenerated 0.75"
    assert f"{RESULTS}/tables/lsg_table1.csv: {cell}" in found


def test_a_measurement_that_no_table_shows(root: Path) -> None:
    change(root / RESULTS / PHI, lambda content: content["values"].update(iterations=1))
    (found,) = check_run(root, RUN)
    assert found.startswith(f"{RESULTS}/{PHI}: SHA-256")
    # A measurement that is right is recorded with one command.
    record_metrics(root, RUN)
    assert check_run(root, RUN) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda p: p.update(parameters_hash="0" * 64), "measured with parameters 000000000000"),
        (lambda p: p["parameters"]["analysis"]["phi"].update(a=0.5), "parameters_hash: "),
    ],
)
def test_a_measurement_of_other_parameters(
    edit: Callable[[dict[str, Any]], None], said: str, root: Path
) -> None:
    change(root / RESULTS / PHI, lambda content: edit(content["provenance"]))
    assert any(line.startswith(f"{RESULTS}/{PHI}: {said}") for line in check_run(root, RUN))
    with pytest.raises(ClearfiltersError, match=PHI):
        record_metrics(root, RUN)


def test_missing_and_superfluous_files(root: Path) -> None:
    missing = ["tables/lsg_table2.md", "claims.csv", "figures/lsg_figure5.csv"]
    missing.append("figures/lsg_figure5.png")
    superfluous = ["metrics/phi/mine/seed0.json", "tables/mine.csv", "figures/lsg_figure7.csv"]
    for file in missing:
        (root / RESULTS / file).unlink()
    for file in superfluous:
        path = root / RESULTS / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    found = check_run(root, RUN)
    for file in missing:
        assert f"{RESULTS}/{file}: missing" in found
    for file in superfluous:
        assert any(line.startswith(f"{RESULTS}/{file}: superfluous") for line in found)
    # The measurement is not among the recorded hashes, either.
    assert len(found) == len(missing) + len(superfluous) + 1


def test_a_missing_measurement(root: Path) -> None:
    (root / RESULTS / PHI).unlink()
    found = check_run(root, RUN)
    assert found and all(line.startswith(f"{RESULTS}/{PHI}: ") for line in found)


def test_measurements_without_recorded_hashes(root: Path) -> None:
    (root / RESULTS / HASHES).unlink()
    (found,) = check_run(root, RUN)
    assert found.startswith(f"{RESULTS}/{HASHES}: missing") and "--record" in found


def test_the_command(root: Path) -> None:
    project = Project(root)
    project.environment["PYTHONPATH"] = str(ROOT / "src")
    command = (sys.executable, "workflow/tables_check.py", RUN)
    assert "are what its measurements give" in project.run(*command)
    replace(root / RESULTS / "claims.csv", "not reproduced", "reproduced")
    out = project.run(*command, ok=False)
    assert f"{RESULTS}/claims.csv: " in out
    assert 'make tables PRESET="workflow/presets/cifar10-pilot.yaml"' in out


def test_presets_of_another_run(root: Path) -> None:
    with pytest.raises(ClearfiltersError, match="no run `mine`; there are: cifar10, "):
        check_run(root, "mine")
    runs = {**committed_runs(root), RUN: ["voc.yaml"]}
    (root / "workflow/committed_runs.yaml").write_text(yaml.safe_dump(runs))
    with pytest.raises(ClearfiltersError, match="presets of `cifar10-pilot` make the run `voc`"):
        check_run(root, RUN)


@pytest.mark.parametrize("text", ["", "- cifar10\n", "cifar10: cifar10.yaml\n", "cifar10: [1]\n"])
def test_a_list_of_runs_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/committed_runs.yaml").write_text(text)
    with pytest.raises(ClearfiltersError, match=r"^workflow/committed_runs\.yaml: a line `run: "):
        committed_runs(tmp_path)


def test_every_run_in_git_is_listed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no git repository")
    # The quick run has its summary and curves there only.
    metrics = [path.split("/") for path in listed.stdout.splitlines() if "/metrics/" in path]
    runs = {run for _, run, *_ in metrics}
    assert runs == set(committed_runs(ROOT))
    for run in runs:
        assert plan_of(ROOT, run).results == f"results/{run}"


def test_a_measurement_that_lacks_a_number_is_named(root: Path) -> None:
    change(root / RESULTS / PHI, lambda content: content["values"].clear())
    found = check_run(root, RUN)
    assert [line.partition(": ")[0] for line in found] == [f"{RESULTS}/{PHI}"]
