"""Regenerate every committed run's tables, claims and figures' numbers, and fail on a difference.

python workflow/tables_check.py [RUN ...]             # make tables-check
python workflow/tables_check.py --record [RUN ...]    # of new measurements: metrics.sha256
"""

import argparse
import sys
from pathlib import Path

from clearfilters.committed import PRESETS, check_run, committed_runs, record_metrics
from clearfilters.errors import ClearfiltersError

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Print every difference, or record; the exit status is 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="*", help="default: all of workflow/committed_runs.yaml")
    parser.add_argument("--record", action="store_true", help="the SHA-256 of the measurements")
    arguments = parser.parse_args()
    differs = False
    try:
        for run in arguments.run or committed_runs(ROOT):
            if arguments.record:
                print(f"{record_metrics(ROOT, run).relative_to(ROOT)}: written")
                continue
            found = check_run(ROOT, run)
            print(*found, sep="\n", end="\n" if found else "")
            print(f"results/{run}: {_verdict(run, len(found))}", flush=True)
            differs |= bool(found)
    except ClearfiltersError as error:
        sys.exit(f"tables-check: {error}")
    return int(differs)


def _verdict(run: str, differences: int) -> str:
    if not differences:
        return "tables, claims and figures are what its measurements give"
    presets = " ".join(str(PRESETS / preset) for preset in committed_runs(ROOT)[run])
    return (
        f"{differences} lines above; where the measurements are right, make them again: "
        f'make tables PRESET="{presets}"'
    )


if __name__ == "__main__":
    sys.exit(main())
