"""Trained networks that were not trained in this folder, but put there: by `dvc pull`, or by hand.

Snakemake has no record of them, so it goes by their dates, and these say nothing. Each says itself
with which parameters it was trained.
"""

import os
from pathlib import Path

from snakemake.persistence.file import FilePersistence

from clearfilters.artifacts import parameters_hash, read_json
from clearfilters.params.jobs import Job
from clearfilters.params.slices import training_slice
from clearfilters.travelling import LONG_AGO, SNAKEMAKE
from clearfilters.workflow import Plan


def settle_networks(plan: Plan) -> None:
    """Give each network of a run without a record of Snakemake's the date that it should have.

    One of the current parameters is dated as its newest input, so that it is not trained again
    because its data were prepared after it had come; that later its code changes is seen. What code
    trained it is not known. One of other parameters is dated before its inputs, so that it is
    trained again.

    Args:
        plan: of the run. Networks whose data are not prepared are left alone.

    Raises:
        ClearfiltersError: if the `meta.json` of a network is damaged.
    """
    known = FilePersistence(nolock=True, path=SNAKEMAKE)
    jobs = [job for group in plan.groups.values() for job in group]
    # Explainers last: an input of each is another network.
    for job in sorted(jobs, key=lambda job: job.performer is not None):
        files = plan.checkpoint_of(job.experiment, job.seed)
        if not any(known._read_record(file) for file in files):
            _settle(plan, job, [Path(file) for file in files])


def _settle(plan: Plan, job: Job, files: list[Path]) -> None:
    performer = plan.performer_files(job.experiment, str(job.seed))
    inputs = [Path(file) for file in (*plan.store_files(job.dataset), *performer)]
    if not all(path.is_file() for path in (*files, *inputs)):
        return
    date = max(path.stat().st_mtime for path in inputs)
    meta = next(path for path in files if path.suffix == ".json")
    if read_json(meta).get("parameters_hash") != parameters_hash(training_slice(plan.params, job)):
        date = LONG_AGO
    elif min(path.stat().st_mtime for path in files) >= date:
        return
    for path in files:
        os.utime(path, (date, date))
