"""A copy of the project with a run of minutes cut down to seconds."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = (
    "Snakefile",
    "params.yaml",
    "pyproject.toml",
    "dvc.yaml",
    ".dvcignore",
    ".gitignore",
    ".dvc/config",
    ".dvc/.gitignore",
    "src",
    "workflow",
)


class Project:
    """A copy of the project in a folder of its own, and the tools run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }

    def run(self, *command: str, ok: bool = True) -> str:
        """Run a command; returns what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == ok, f"{command}: {done.returncode}\n{done.stdout[-8000:]}"
        return done.stdout

    def snakemake(self, *arguments: str, ok: bool = True) -> str:
        return self.run("snakemake", "--cores", "2", *arguments, ok=ok)

    def pending(self, *arguments: str) -> dict[str, int]:
        """How many jobs of each rule Snakemake would run for `all`; targets left out."""
        lines = self.snakemake("--dry-run", *(arguments or ["all"])).splitlines()
        if any("Nothing to be done" in line for line in lines):
            return {}
        start = next(i for i, line in enumerate(lines) if line.startswith("Job stats"))
        rows = [line.split() for line in lines[start + 3 :]]
        counts = {row[0]: int(row[1]) for row in rows[: rows.index([])]}
        targets = (
            "all",
            "total",
            "data",
            "train",
            "features",
            "metrics",
            "tables",
            "figures",
            "galleries",
        )
        return {rule: count for rule, count in counts.items() if rule not in targets}

    def pending_jobs(self, *options: str) -> set[str]:
        """The jobs that Snakemake would run for `all`: rule and values of its wildcards."""
        out = self.snakemake(*options, "--dry-run", "--quiet", "progress", "--", "all")
        return jobs_of(out) - {"all"}

    def repro(self, *arguments: str) -> list[str]:
        """The stages that `dvc repro` runs, though it may run those of its cache of runs."""
        out = self.run("dvc", "repro", *arguments)
        # It has none of stages that leave their files in place.
        assert "is cached" not in out
        return [line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage")]

    def save(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def change(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit params.yaml."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        edit(params)
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def keep(self, **entries: Collection[str]) -> None:
        """Of dictionaries of the registry these entries only: for each a job starts Python."""
        registry = self.folder / "src/clearfilters/registry.py"
        lines = [
            f"{name} = {{key: entry for key, entry in {name}.items() if key in {keys}}}\n"
            for name, keys in entries.items()
        ]
        registry.write_text(registry.read_text() + "".join(lines))

    def contents(self, pattern: str) -> dict[str, bytes]:
        """The files of a glob, by path."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.glob(pattern))
            if path.is_file()
        }


def jobs_of(out: str) -> set[str]:
    """The jobs that Snakemake lists: rule and values of its wildcards."""
    found: list[str] = []
    for line in out.splitlines():
        if match := re.match(r"(?:local)?rule ([\w-]+):", line):
            found.append(match[1])
        elif match := re.match(r" +wildcards: (.*)", line):
            values = [item.split("=", 1)[1] for item in match[1].split(", ")]
            found[-1] = " ".join([found[-1], *values])
    return set(found)


def shrink(params: dict[str, Any]) -> None:
    """Three experiments and one point of the trade-off, one seed, one epoch, tiny networks."""
    params["run"].update(seeds=[0], experiments=["resnet20-std", "resnet20-lsg"])
    params["run"]["experiments"].append("animals-std")
    params["run"]["localized"] = ["animals-std"]
    params["datasets"]["animals"].update(images_per_class=4, image_size=16)
    params["datasets"]["animals-cub"].update(images_per_species=2, negatives=4, image_size=16)
    params["datasets"]["animals-ilsvrc"].update(images_per_class=10, negatives=10, image_size=16)
    params["datasets"]["animals-six"].update(images_per_class=10, image_size=16)
    params["contact_sheet"]["columns"] = 1
    params["experiments"]["animals-std"]["training"] = {}
    params["localization"]["gradmap"].update(filters=2, images_per_class=1)
    params["localization"].update(random_maps=2, examples=1)
    params["run"]["tradeoff"].update(lambdas=[0.3], a=[0.01], training={})
    params["training"].update(epochs=1, batch_size=256)
    params["training"]["schedule"]["warmup_epochs"] = 0
    for name in params["run"]["experiments"]:
        params["experiments"][name]["model"]["width"] = 4
    params["experiments"]["resnet20-lsg"]["method"]["path"]["gate_phases"] = [0]
    params["analysis"]["correlation"]["filters_per_class"]["resnet20"] = 1
    attacks = params["attacks"]
    attacks["experiments"] = ["resnet20-std"]
    attacks["sampling"].update(test_per_class=2, batch_size=20)
    for attack in attacks["white_box"].values():
        attack["train_per_class"] = 4
        if "steps" in attack:
            attack["steps"] = 2
    for detectors in attacks["detection"]["tables"].values():
        detectors["sizes"] = [2, 4]
    attacks["detection"].update(shared_size=4, repetitions=2, trees=3, min_positives=1)
    attacks["one_pixel"].update(images=2, population=5, generations=1)
    attacks["local_search"].update(images=2, rounds=1, candidates=8)
    params["analysis"]["phi"]["max_iterations"] = 20
