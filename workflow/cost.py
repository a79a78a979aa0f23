"""Where the time of a run went, by step, from Snakemake's benchmark files: make cost.

A job has one thread, so its seconds are processor time where as many jobs run as there are cores.
What a job needs until its work begins, the start of Python and what it imports, is measured here,
now, and taken off each step. What is left of the run's wall-clock time times its cores is
Snakemake's own work and idling.

python workflow/cost.py [results/<run>] [--wall SECONDS --cores N]
"""

import argparse
import csv
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Of a folder of benchmarks: what its jobs do, and the module that they import first.
STEPS = {
    "store": ("data", "clearfilters.data.prepare"),
    "data": ("data", "clearfilters.data.record"),
    "train": ("training, and the features", "clearfilters.training.loop"),
    "measure": ("analyses of features", "clearfilters.measuring"),
    "network": ("analyses of networks, black-box attacks", "clearfilters.training.localization"),
    "adversarial": ("attacks", "clearfilters.attacks.adversarial"),
    "detection": ("detection of attacks", "clearfilters.attacks.detection"),
    "gallery": ("galleries of filters", "clearfilters.gallery.command"),
    "table": ("tables, figures, page", "clearfilters.reporting.tables"),
    "figure": ("tables, figures, page", "clearfilters.reporting.figures"),
    "report": ("tables, figures, page", "clearfilters.reporting.page"),
}
REPEATS = 3


def job_seconds(folder: Path) -> list[float]:
    """The wall-clock seconds of each job of a folder of benchmarks."""
    found = []
    for path in sorted(folder.rglob("*.tsv")):
        with path.open() as stream:
            found += [float(line["s"]) for line in csv.DictReader(stream, delimiter="\t")]
    return found


def start_up(module: str) -> float:
    """Seconds until a job that imports this module can begin; the least of some tries."""

    def once() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        return time.perf_counter() - begun

    return min(once() for _ in range(REPEATS))


def main() -> None:
    """Print a line per step, and the share of start-up and orchestration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", default=ROOT / "results/quick")
    parser.add_argument("--wall", type=float, help="seconds that the whole run took")
    parser.add_argument("--cores", type=int, default=2, help="that it had")
    arguments = parser.parse_args()
    benchmarks = arguments.run / "benchmarks"
    if not benchmarks.is_dir():
        sys.exit(f"{benchmarks}: no such folder; it is written when the run is made: make all")
    work: dict[str, float] = {}
    jobs: dict[str, int] = {}
    starting = 0.0
    for name, (label, module) in STEPS.items():
        seconds = job_seconds(benchmarks / name)
        if not seconds:
            continue
        first = len(seconds) * start_up(module)
        starting += first
        work[label] = work.get(label, 0.0) + sum(seconds) - first
        jobs[label] = jobs.get(label, 0) + len(seconds)
    rows = [(label, jobs[label], work[label]) for label in work]
    rows.append(("start-up of jobs", sum(jobs.values()), starting))
    total = sum(seconds for _, _, seconds in rows)
    if arguments.wall is not None:
        rest = arguments.wall * arguments.cores - total
        rows.append(("Snakemake, and idle cores", 1, rest))
        total += rest
    for label, count, seconds in rows:
        print(f"{label:45s} {count:4d} jobs {seconds:8.1f} s {seconds / total:6.1%}")
    print(f"{'all':45s} {sum(jobs.values()):4d} jobs {total:8.1f} s")


if __name__ == "__main__":
    main()
