"""A quick run that is killed at random moments, started again each time, against one left alone.

    python -m benchmarks.kills [--kills 20]

Both run in clones of this repository, with this environment, by the command of `make all`. A kill
is SIGKILL to Snakemake and all of its jobs. No other command is given between two starts. The
result, benchmarks/results/kills.json, says when it was killed and which files differ at the end.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/kills.json"
# What must be the same: what is made of the measurements.
COMPARED = ("tables/*", "claims.csv")


def clone(folder: Path) -> Path:
    """A clone of this repository."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    """`make all` without setting the environment up, in a process group of its own."""
    command = [sys.executable, "workflow/alone.py", "snakemake", "--cores", "all", "all"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "run.log").open("ab"),
        start_new_session=True,
    )


def finish(folder: Path) -> float:
    """Run to the end; returns the seconds, and stops where the run fails."""
    begun = time.perf_counter()
    if start(folder).wait() != 0:
        sys.exit(f"the run failed; see {folder / 'run.log'}")
    return time.perf_counter() - begun


def kill_at_random(folder: Path, kills: int, longest: float, seed: int) -> list[float]:
    """Start and kill; returns the seconds that each start had."""
    moments = random.Random(seed)
    seconds = []
    for number in range(kills):
        process = start(folder)
        seconds.append(round(moments.uniform(1.0, longest), 1))
        try:
            process.wait(timeout=seconds[-1])
            sys.exit(f"the run ended before kill {number + 1}; see {folder / 'run.log'}")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        print(f"kill {number + 1} after {seconds[-1]} s", file=sys.stderr)
    return seconds


def contents(folder: Path) -> dict[str, str]:
    """What is compared of a run: path -> SHA-256."""
    results = folder / "results/quick"
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in COMPARED
        for path in sorted(results.glob(pattern))
    }


def main() -> None:
    """Run both and write the result; exit status 1 where files differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        alone, killed = clone(Path(temporary, "alone")), clone(Path(temporary, "killed"))
        undisturbed = finish(alone)
        # So that the kills together fall into one run, which goes on after the last.
        longest = 1.6 * undisturbed / arguments.kills
        seconds = kill_at_random(killed, arguments.kills, longest, arguments.seed)
        rest = finish(killed)
        expected, found = contents(alone), contents(killed)
    paths = expected.keys() | found.keys()
    different = [path for path in paths if expected.get(path) != found.get(path)]
    result: dict[str, Any] = {
        "kills": arguments.kills,
        "seconds_before_each_kill": seconds,
        "seconds_after_the_last": round(rest, 1),
        "seconds_undisturbed": round(undisturbed, 1),
        "files_compared": len(expected),
        "files_that_differ": sorted(different),
        "cores": os.cpu_count(),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
