"""A small run under Snakemake and DVC: what is made again and what is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project import PROJECT, Project, shrink

from clearfilters.registry import MEASUREMENTS as REGISTERED

pytestmark = pytest.mark.slow(minutes=8)

Edit = Callable[[dict[str, Any]], None]
RESULTS = "results/quick"
SUMMARY = f"{RESULTS}/summary.json"
PARTS = "rendered-six-interpretable"
STAGES = ["data", "train", "measure", "report"]
TABLES = ("data", "lsg_table1", "lsg_gate_statistics", "lsg_table4", "icnn_filters")
FIGURES = ("lsg_figure6", "detection_importance")
# Without black-box attacks, which none of them reads.
MEASUREMENTS = tuple(sorted(REGISTERED.keys() - {"one_pixel", "local_search"}))
DIGITS = ('"Accuracy", "fraction")', '"Accuracy", "fraction", 2)')
DIGITS_OF = "src/clearfilters/reporting/tables/classification.py"
ALWAYS = {"claims", "summary", "page"}


def make_smaller(params: dict[str, Any]) -> None:
    """`shrink`, with a network with part filters in place of localization and trade-off."""
    shrink(params)
    params["run"].update(
        experiments=["resnet20-std", "resnet20-lsg", PARTS],
        datasets=["digits", "animals-six"],
        localized=[],
        tradeoff=None,
    )
    parts = params["experiments"][PARTS]
    parts["role"] = "weighted"
    parts["model"]["width"] = 4
    parts["model"]["head"]["hidden"] = [8, 8]
    parts["training"]["epochs"] = 1
    parts["training"]["schedule"]["milestones"] = [1]
    params["experiments"]["resnet20-std"]["training"] = {}


# Numbers of which each shapes other files, as DVC names them.
NUMBERS = {
    "attacks.detection.trees": 3,
    "analysis.gate_statistics.threshold": 0.5,
    "experiments.resnet20-std.training.lr": 0.1,
    "attacks.white_box.pgd-lsg.eps": 0.3,
    f"experiments.{PARTS}.method.weight": 2.0,
}


def set_numbers(**changed: float) -> Edit:
    """`NUMBERS`, with those changed that are given."""

    def edit(params: dict[str, Any]) -> None:
        for name, value in {**NUMBERS, **changed}.items():
            *blocks, key = name.split(".")
            block = params
            for each in blocks:
                block = block[each]
            block[key] = value

    return edit


DETECTION = {"detection resnet20-std 0", "table lsg_table4", "figure detection_importance"}
OF_FEATURES = {"table lsg_table1", "table lsg_gate_statistics", "figure lsg_figure6"}
# What a changed number makes anew, and nothing else.
MADE_ANEW: dict[str, tuple[dict[str, float], set[str]]] = {
    "forest size": ({"attacks.detection.trees": 4}, {*DETECTION, *ALWAYS}),
    "tightening threshold": (
        {"analysis.gate_statistics.threshold": 0.4},
        {
            "measured_model resnet20-std 0",
            "measured_model resnet20-lsg 0",
            "gallery resnet20-lsg",
            *OF_FEATURES,
            *ALWAYS,
        },
    ),
    "an experiment's learning rate": (
        {"experiments.resnet20-std.training.lr": 0.05},
        {
            "trained_model resnet20-std 0",
            "curves resnet20-std",
            "measured_model resnet20-std 0",
            *DETECTION,
            *OF_FEATURES,
            *ALWAYS,
        },
    ),
    "an attack's eps": ({"attacks.white_box.pgd-lsg.eps": 0.25}, {*DETECTION, *ALWAYS}),
    "a filter loss's weight": (
        {f"experiments.{PARTS}.method.weight": 3.0},
        {
            f"trained_model {PARTS} 0",
            f"curves {PARTS}",
            f"network_measurement part_location {PARTS} 0",
            "table icnn_filters",
            *ALWAYS,
        },
    ),
}


def edit_digits(project: Project, *, back: bool = False) -> None:
    """The digits of a table's column, which stand in its code."""
    path = project.folder / DIGITS_OF
    old, new = reversed(DIGITS) if back else DIGITS
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def agree(project: Project) -> None:
    """Neither has anything to do."""
    assert project.pending() == {}
    assert "up to date" in project.run("dvc", "status")


def made_since(project: Project, before: dict[str, float]) -> set[str]:
    """The files that were written since."""
    return {path for path, date in dates(project).items() if before.get(path) != date}


def dates(project: Project) -> dict[str, float]:
    """When each trained network, measurement, table and figure was written."""
    kinds = ("checkpoints/**/*.safetensors", "metrics/**/*.json", "tables/*.csv", "figures/*.png")
    return {
        str(path.relative_to(project.folder / RESULTS)): path.stat().st_mtime
        for kind in kinds
        for path in (project.folder / RESULTS).glob(kind)
    }


def test_a_run_under_snakemake_and_dvc(copy_project: Callable[..., Project]) -> None:
    project = a_small_run(copy_project)
    project.snakemake("all")
    assert project.repro() == STAGES
    assert project.repro() == []
    agree(project)
    project.save("A run")
    a_deleted_file_is_made_again(project)
    each_number_makes_its_own_files_anew(project)
    first = whole(project)
    changed_by_an_experiment_and_back_by_dvc(project, first)
    an_experiment_elsewhere(project)
    a_clone_has_what_is_shipped(project, copy_project)
    recorded_measurements_are_enough(project, copy_project)


def a_small_run(copy_project: Callable[..., Project]) -> Project:
    project = copy_project()
    project.change(make_smaller)
    project.change(set_numbers())
    project.keep(TABLES=TABLES, FIGURES=FIGURES, MEASUREMENTS=MEASUREMENTS)
    project.run("git", "init", "--quiet")
    project.run("git", "config", "user.name", "A reader")
    project.run("git", "config", "user.email", "reader@example.org")
    project.save("The project")
    return project


def a_deleted_file_is_made_again(project: Project) -> None:
    """`all` notices the loss of anything that it promises; in a group none is made of another."""
    for lost in (
        {"data/processed/quick/animals-six/test/images.npy": "store_animals-six"},
        {f"{RESULTS}/checkpoints/resnet20-std/seed0/history.csv": "trained_model"},
        {f"{RESULTS}/metrics/mis/resnet20-std/seed0.json": "measured_model"},
        {
            f"{RESULTS}/filters/resnet20-lsg.html": "gallery",
            f"{RESULTS}/tables/lsg_table1.md": "table",
            f"{RESULTS}/figures/lsg_figure6.png": "figure",
            f"{RESULTS}/summary.json": "summary",
            f"{RESULTS}/claims.csv": "claims",
        },
    ):
        for number, file in enumerate(lost):
            (project.folder / file).rename(project.folder / f"hidden{number}")
        assert set(lost.values()) <= project.pending().keys()
        for number, file in enumerate(lost):
            (project.folder / f"hidden{number}").rename(project.folder / file)


def each_number_makes_its_own_files_anew(project: Project) -> None:
    """The jobs that Snakemake would run, which DVC's stages ask it for."""
    for name, (numbers, expected) in MADE_ANEW.items():
        project.change(set_numbers(**numbers))
        assert project.pending_jobs() == expected, name
    project.change(set_numbers())
    edit_digits(project)
    assert project.pending_jobs() == {"table lsg_table1", "page"}
    edit_digits(project, back=True)
    assert project.pending() == {}


def whole(project: Project) -> dict[str, bytes]:
    """What a run's numbers are in."""
    kinds = ("checkpoints/**/*.safetensors", "metrics/**/*.json", "tables/*", "*.csv", "*.json")
    return {k: v for kind in kinds for k, v in project.contents(f"{RESULTS}/{kind}").items()}


def changed_by_an_experiment_and_back_by_dvc(project: Project, first: dict[str, bytes]) -> None:
    """All numbers at once: exactly the files of all are written anew; then they are as before."""
    before = dates(project)
    edit_digits(project)
    changed = [
        f"--set-param={name}={value}"
        for numbers, _ in MADE_ANEW.values()
        for name, value in numbers.items()
    ]
    project.run("dvc", "exp", "run", "--name", "all", *changed)
    made = made_since(project, before)
    networks = {path for path in made if path.startswith("checkpoints/")}
    trained = ("resnet20-std", PARTS)
    assert networks == {f"checkpoints/{name}/seed0/model.safetensors" for name in trained}
    measured = {path.split("/")[2] for path in made if path.startswith("metrics/")}
    assert measured == {"resnet20-std", "resnet20-lsg", PARTS}
    shown = {Path(path).stem for path in made if path.startswith(("tables/", "figures/"))}
    assert shown == {*TABLES, *FIGURES} - {"data"}
    log = (project.folder / f"{RESULTS}/logs/measure/resnet20-lsg-seed0.log").read_text()
    lines = [line for line in log.splitlines() if line.endswith((": measured", ": recorded"))]
    assert lines == ["gate_statistics: measured"] and "mis: kept" in log
    diff = json.loads(project.run("dvc", "metrics", "diff", "--json"))
    assert {name.split(".")[0] for name in diff[SUMMARY]} == {"resnet20-std", PARTS}
    agree(project)

    before = dates(project)
    project.change(set_numbers())
    edit_digits(project, back=True)
    assert project.repro() == STAGES
    assert made_since(project, before) == made
    assert whole(project) == first
    agree(project)


def an_experiment_elsewhere(project: Project) -> None:
    """`dvc exp run --temp` makes what its number shapes; the commands show what that did."""
    there = "experiments.resnet20-std.training.lr=0.02"
    out = project.run("dvc", "exp", "run", "--temp", "--name", "slower", "--set-param", there)
    # In a folder without Snakemake's records, what DVC puts there is known all the same.
    assert jobs_started(out, "trained_model") == 1
    assert "store_digits" not in out
    agree(project)
    diff = json.loads(project.run("dvc", "metrics", "diff", "HEAD", "slower", "--json"))
    assert {name.split(".")[0] for name in diff[SUMMARY]} == {"resnet20-std"}
    params = json.loads(project.run("dvc", "params", "diff", "HEAD", "slower", "--json"))
    assert params["params.yaml"] == {
        "experiments.resnet20-std.training.lr": {"old": 0.1, "new": 0.02, "diff": -0.08}
    }
    table = project.run("dvc", "exp", "show", "--only-changed", "--csv")
    assert {"all", "slower"} <= {cell for line in table.splitlines() for cell in line.split(",")}
    project.run("dvc", "plots", "diff", "HEAD", "slower")
    page = (project.folder / "dvc_plots/index.html").read_text()
    assert "resnet20-std" in page and '"rev": "slower"' in page and '"rev": "HEAD"' in page


def jobs_started(out: str, rule: str) -> int:
    """How many jobs of a rule Snakemake's tables of jobs count."""
    lines = [line.split() for line in out.splitlines()]
    return sum(int(line[1]) for line in lines if len(line) == 2 and line[0] == rule)


def a_clone_has_what_is_shipped(project: Project, copy_project: Callable[..., Project]) -> None:
    """`make pull` in a fresh clone: nothing to do; made again, all is the same, untrained."""
    project.run("dvc", "push")
    folder = project.folder.parent / "pulled"
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--allow-empty", "--message", "Its remote")
    project.run("git", "clone", "--quiet", str(project.folder), str(folder))
    clone = Project(folder)
    shipped = ("metrics", "gates", "tables", "figures", "claims.csv", "report.html", "records")
    files = [f"{RESULTS}/{name}" for name in shipped if name != "records"]
    files += [f"{RESULTS}/records/{stage}.json" for stage in ("measure", "report")]
    clone.run("dvc", "pull", "--quiet", *files)
    assert not (folder / "data").exists() and not (folder / RESULTS / "checkpoints").exists()
    assert clone.pending() == {}
    pulled = whole(clone)
    reporting = ("table", "figure", "claims", "summary", "page")
    out = clone.snakemake("all", "--forcerun", *reporting)
    assert jobs_started(out, "table") == len(TABLES)
    assert not any(rule in out for rule in ("trained_model", "measured_model", "store_"))
    assert whole(clone) == pulled
    for pattern in (f"{RESULTS}/tables/*", f"{RESULTS}/figures/*", f"{RESULTS}/report.html"):
        assert clone.contents(pattern) == project.contents(pattern)
    # A changed number is seen, though Snakemake made nothing here before.
    clone.change(set_numbers(**{"attacks.detection.trees": 5}))
    assert "trained_model" in clone.pending()


def recorded_measurements_are_enough(
    project: Project, copy_project: Callable[..., Project]
) -> None:
    """In a copy without DVC, data and checkpoints, tables and page come out the same."""
    kept = [name for name in PROJECT if name not in ("params.yaml", "src")]
    clone = copy_project("clone", kept)
    shutil.copy(project.folder / "params.yaml", clone.folder)
    shutil.copytree(project.folder / "src", clone.folder / "src")
    metrics = f"{RESULTS}/metrics"
    shutil.copytree(project.folder / metrics, clone.folder / metrics)
    for path in (clone.folder / "src").rglob("*.py"):
        path.touch()
    made = {"table", "figure", "contact_sheet", "claims", "summary", "page"}
    assert clone.pending().keys() == made
    clone.snakemake("all")
    assert not (clone.folder / "data").exists()
    for pattern in (f"{RESULTS}/tables/*", f"{RESULTS}/*.html", f"{RESULTS}/claims.csv"):
        assert clone.contents(pattern) == project.contents(pattern)
