#!/usr/bin/env python3
"""After a stage of dvc.yaml: keep Snakemake's records of the stage's files as one more file.

    python workflow/keep_records.py results/quick/records/train.json results/quick/checkpoints

See clearfilters/travelling.py. The Snakefile gives the records back where they are needed.
"""

import sys
from pathlib import Path

# The code beside this file, as in the Snakefile.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from clearfilters.travelling import keep_records

if __name__ == "__main__":
    out, *places = (Path(argument) for argument in sys.argv[1:])
    keep_records(places, out)
