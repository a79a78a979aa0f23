"""Snakemake's records of a run's files, kept beside them so that they go where DVC takes them.

Snakemake knows what a file was made of from its records below `.snakemake/`, which neither git nor
DVC keeps. Of a file without a record it believes the date alone: changed parameters and code pass
unseen, and what DVC has put in place looks newer or older than it is. So each stage of dvc.yaml has
one more output, the records of its others without times, and the Snakefile gives Snakemake back the
record of each file that is not what Snakemake's own record is of, but what the kept one is of.

Such a file also gets a date before that of anything it was made of. Snakemake then compares every
input with its checksum in the record, and decides by itself.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypedDict

from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from clearfilters.artifacts import file_sha256, read_json, write_json
from clearfilters.errors import ClearfiltersError

# Below a run's folder: a file per stage.
RECORDS = "records"
SNAKEMAKE = Path(".snakemake")
# What of a record tells whether a file is current; the others are times and hashes of a process.
FIELDS = (
    "rule",
    "input",
    "log",
    "params",
    "code",
    "software_stack_hash",
    "input_checksums",
    "record_format_version",
)
# Seconds since 1970: the first of January 2000, before any input was written.
LONG_AGO = 946_684_800.0


class Job(TypedDict):
    """What one job made.

    Attributes:
        outputs: file -> SHA-256 of its content.
        record: Snakemake's record of each.
    """

    outputs: dict[str, str]
    record: dict[str, Any]


def keep_records(places: Iterable[Path], out: Path) -> None:
    """Write the records of the files in these folders, or of these files.

    The same files made of the same give the same content. Files that are not what Snakemake has
    recorded are left out.

    Args:
        places: folders and files, relative to the current folder, in which Snakemake runs.
        out: the JSON, a list of Job.
    """
    known = FilePersistence(nolock=True, path=SNAKEMAKE)
    jobs: dict[str, Job] = {}
    for path in sorted({path for place in places for path in _files(place)}):
        record = known._read_record(str(path))
        if record is None or record.endtime != path.stat().st_mtime:
            continue
        content = {field: record.get(field) for field in FIELDS}
        # No two jobs have a log in common.
        job = jobs.setdefault(str(record.log), {"outputs": {}, "record": content})
        job["outputs"][str(path)] = file_sha256(path)
    write_json(out, [jobs[name] for name in sorted(jobs)])


def restore_records(folder: Path) -> list[str]:
    """Give Snakemake the records of files that it did not make here, or not as they are now.

    Args:
        folder: of the kept records.

    Returns:
        The files whose records were restored.

    Raises:
        ClearfiltersError: if a file of kept records is damaged, or of another version.
    """
    known = FilePersistence(nolock=True, path=SNAKEMAKE)
    jobs = [job for path in sorted(folder.glob("*.json")) for job in _read(path)]
    dates = _dates(jobs)
    restored: list[str] = []
    # What a job was made of comes first: it has the later date.
    for job in sorted(jobs, key=lambda job: -dates[next(iter(job["outputs"]))]):
        # DVC leaves a file that has the same content. If what it was made of was put in place, its
        # own record may be that of other inputs.
        of_restored = not {*job["record"]["input"]}.isdisjoint(restored)
        foreign = any(_is_foreign(known, Path(name)) for name in job["outputs"])
        if not (foreign or of_restored) or not _is_as_kept(job):
            continue
        for name in job["outputs"]:
            date = dates[name]
            os.utime(name, (date, date))
            record = _record(job, date)
            known._write_record(name, record)
            restored.append(name)
    return restored


def _read(path: Path) -> list[Job]:
    jobs: list[Job] = read_json(path)
    try:
        for job in jobs:
            _record(job, LONG_AGO)
            if not job["outputs"]:
                raise ValueError("a job without outputs")
    except (LookupError, TypeError, ValueError) as error:
        raise ClearfiltersError(
            f"{path}: records of Snakemake's as this version keeps them expected, found another "
            f"content ({type(error).__name__}); bring it again (dvc checkout --force {path}), "
            "or delete it"
        ) from None
    return jobs


def _record(job: Job, date: float) -> MetadataRecord:
    return MetadataRecord(**job["record"], starttime=date, endtime=date)


def _files(place: Path) -> list[Path]:
    return [path for path in (place, *place.rglob("*")) if path.is_file()]


def _is_foreign(known: FilePersistence, path: Path) -> bool:
    """Whether a file is there that is not what Snakemake has recorded."""
    if not path.is_file():
        return False
    record = known._read_record(str(path))
    return record is None or record.endtime != path.stat().st_mtime


def _is_as_kept(job: Job) -> bool:
    """Whether all that a job made is there, with the content that it had."""
    return all(
        Path(name).is_file() and file_sha256(Path(name)) == content
        for name, content in job["outputs"].items()
    )


def _dates(jobs: Iterable[Job]) -> dict[str, float]:
    """A date for each output, a second before the earliest of those that it was made of."""
    makers = {output: job for job in jobs for output in job["outputs"]}
    dates: dict[str, float] = {}

    def date(output: str) -> float:
        if output not in dates:
            job = makers[output]
            before = [date(name) for name in job["record"]["input"] if name in makers]
            dates.update(dict.fromkeys(job["outputs"], min(before, default=LONG_AGO) - 1))
        return dates[output]

    for output in makers:
        date(output)
    return dates
