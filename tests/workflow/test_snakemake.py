"""The Snakefile: what it would run, what it refuses, and that it is clean."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from project import ROOT, Project, shrink

from clearfilters.params.loading import load_params
from clearfilters.params.measurements import of_kind
from clearfilters.workflow import FEATURE_RULES, Plan

Copy = Callable[..., Project]
RENDERED = ("animals", "animals-cub", "animals-ilsvrc", "animals-six")
STORES = {"store_digits", *(f"store_{name}" for name in RENDERED)}
# Those that some experiment is trained on.
TRAINED = {"store_digits", "store_animals"}
# One job for all that is measured of a model's features: of digits, of animals, of the grid.
MEASURED = {*FEATURE_RULES.values()}


def test_jobs_share_the_memory_of_the_machine(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    memory = psutil.virtual_memory().total // 10**6
    assert f'mem_mb=Resource("mem_mb", {memory})' in project.snakemake("store_digits")
    # A job that asks for more than there is gets all there is.
    out = project.snakemake("store_digits", "--force", "--resources", "gpu=1", "mem_mb=100")
    assert 'mem_mb=Resource("mem_mb", 100)' in out and "1 of 1 steps (100%) done" in out


def test_a_new_clone_makes_everything(copy_project: Copy, default_params: dict[str, Any]) -> None:
    plan = Plan(default_params)
    seeds = [job.experiment for group in plan.groups.values() for job in group]
    assert copy_project().pending() == {
        **dict.fromkeys(STORES, 1),
        "data_record": len(plan.datasets),
        "trained_model": len(seeds),
        **{
            name: sum(seeds.count(experiment) for experiment in experiments)
            for name, _, experiments in plan.feature_jobs()
        },
        "network_measurement": len(plan.metric_files(*of_kind("network"))),
        "detection": len(plan.params.attacks.experiments),
        "gallery": len(plan.gallery_files()),
        "table": len(plan.tables),
        "figure": len(plan.figures),
        "contact_sheet": 1,
        "claims": 1,
        "summary": 1,
        "curves": len(plan.params.run.experiments),
        "page": 1,
    }


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        ("data", STORES),
        ("data_records", {*STORES, "data_record"}),
        ("train", {*TRAINED, "trained_model"}),
        (
            "metrics",
            {*STORES, "data_record", "trained_model", "network_measurement", "detection"}
            | MEASURED,
        ),
        ("metrics_mis", {*TRAINED, "trained_model"} | MEASURED - {"measured_tradeoff_model"}),
        ("metrics_localization", {"store_animals", "trained_model", "network_measurement"}),
        (
            "metrics_detection",
            {"store_digits", "trained_model", "detection"},
        ),
        ("metrics_local_search", {"store_digits", "trained_model", "network_measurement"}),
        ("train_resnet20-lsg", {"store_digits", "trained_model"}),
    ],
)
def test_targets(copy_project: Copy, target: str, rules: set[str]) -> None:
    project = copy_project()
    project.change(shrink)
    assert project.pending(target).keys() - {target} == rules


@pytest.mark.parametrize("preset", sorted((ROOT / "workflow/presets").glob("*.yaml")), ids=str)
def test_presets_replace_the_list_of_experiments(
    copy_project: Copy, preset: Path, preset_files: Callable[[Path], list[Path]]
) -> None:
    run = yaml.safe_load(preset.read_text())["run"]
    files = [str(file) for file in preset_files(preset)]
    jobs = copy_project().pending_jobs("--configfile", *files)
    trained = {job.split()[1] for job in jobs if job.startswith("trained_model ")}
    assert run["name"] != "quick"
    assert trained
    if "experiments" in run:
        assert {name for name in trained if "/" not in name} == set(run["experiments"])


def test_a_misspelt_key_ends_in_one_message(copy_project: Copy) -> None:
    project = copy_project()
    project.change(lambda params: params["training"].update(learning_rate=0.1))
    out = project.snakemake("--dry-run", "all", ok=False)
    assert "training.learning_rate" in out
    assert "Traceback" not in out


def test_failed_job_shows_its_message(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    project.change(lambda params: params["datasets"]["cifar10"].update(verify=True))
    project.change(lambda params: params["run"].update(datasets=["cifar10", "animals"]))
    project.change(lambda params: params["raw"].update(root="nowhere", download=False))
    out = project.snakemake("data", ok=False)
    assert "clearfilters: nowhere" in out
    log = project.folder / "results/quick/logs/store-cifar10.log"
    assert "clearfilters: nowhere" in log.read_text()


def test_profile_and_slurm_profile_are_valid(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    assert "specific profile profiles/default" in project.snakemake("--dry-run", "store_digits")
    slurm = ("--workflow-profile", "slurm", "--dry-run", "store_digits")
    assert "profiles/slurm" in project.snakemake(*slurm)


def test_lint_is_clean(copy_project: Copy) -> None:
    project = copy_project()
    assert "clean" in project.run("workflow/lint")
    rule = project.folder / "workflow/rules/data.smk"
    rule.write_text(rule.read_text().replace("    log:\n        ", "    message:\n        "))
    assert "No log directive" in project.run("workflow/lint", ok=False)
    rule.write_text("rule broken\n")
    project.run("workflow/lint", ok=False)


def test_the_slurm_profile_names_rules_that_exist() -> None:
    rules = {
        name
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for name in re.findall(r"^ *rule (\w+):", path.read_text(), re.MULTILINE)
    }
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
    assert {*profile["set-threads"], *profile["set-resources"]} <= rules | MEASURED


def test_the_default_parameters_are_valid(default_params: dict[str, Any]) -> None:
    assert load_params(default_params).run.name == "quick"


@pytest.mark.parametrize("target", ["all", "tables"])
def test_a_preset_is_the_last_word_of_what_make_runs(target: str) -> None:
    # --configfile takes every word that follows for another file, targets too.
    # Run by `make test`, it would say which directory it enters and leaves.
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.installed", target, "PRESET=p.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.rstrip().endswith("--configfile p.yaml")


def test_an_experiment_may_have_any_name(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    fixed = {
        rule.partition("_")[2]
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for rule in re.findall(r"^ *rule (\w+):", path.read_text(), re.MULTILINE)
    }
    names = sorted(name for name in fixed | {"samples", "all"} if name and "_" not in name)

    def add(params: dict[str, Any]) -> None:
        for name in names:
            base = params["experiments"]["resnet20-std"]
            params["experiments"][name] = {**base, "label": name}
        params["run"]["experiments"] += names
        params["attacks"]["experiments"] += names

    project.change(add)
    assert project.pending()["trained_model"] == 4 + len(names)


def test_a_key_given_twice_is_refused(copy_project: Copy) -> None:
    project = copy_project()
    (project.folder / "mine.yaml").write_text("training: {lr: 0.1}\ntraining: {epochs: 1}\n")
    out = project.snakemake("--dry-run", "all", "--configfile", "mine.yaml", ok=False)
    assert "mine.yaml: line 2: key `training` stands twice" in out


def test_a_nested_value_of_the_command_line_is_a_number(copy_project: Copy) -> None:
    project = copy_project()
    project.change(shrink)
    given = ("--dry-run", "store_digits", "--config")
    project.snakemake(*given, "training={lr: 0.05, flip: false}")
    out = project.snakemake(*given, "training={lr: fast}", ok=False)
    assert "training.lr: Input should be a valid number (found: 'fast')" in out
