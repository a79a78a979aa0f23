"""Pack what a GPU machine without network needs to train a preset's networks."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import clearfilters
from clearfilters.artifacts import atomic_path
from clearfilters.bundle.contents import TRAININGS, Training
from clearfilters.errors import ClearfiltersError
from clearfilters.params.jobs import jobs
from clearfilters.params.run import Params
from clearfilters.params.slices import training_slice

MEBIBYTE = 2**20
SHOWN = 3  # largest members that an error names


def trainings_of(params: Params, first: Sequence[str] = ()) -> list[Training]:
    """The trainings of a run, the wanted ones first: seed by seed, then experiment by experiment.

    Args:
        params: the run.
        first: experiments that come before the others, in this order.

    Raises:
        ClearfiltersError: if the run has no experiment of such a name.
    """
    found = [
        Training(job.experiment, job.seed, job.dataset, training_slice(params, job))
        for job in jobs(params)
    ]
    names = list(dict.fromkeys(training.experiment for training in found))
    for name in first:
        if name not in names:
            raise ClearfiltersError(
                f"--first: the run has no experiment `{name}`; its experiments: {', '.join(names)}"
            )
    order = [*first, *(name for name in names if name not in first)]
    return sorted(
        found,
        key=lambda training: (
            training.experiment not in first,
            training.seed,
            order.index(training.experiment),
        ),
    )


def pack(
    trainings: Sequence[Training],
    raw: Sequence[Path],
    wheels: Sequence[Path],
    out: Path,
    limit: int,
) -> None:
    """Write a bundle: a zip file that Python runs.

    Args:
        trainings: in the order they are to be trained in.
        raw: files of the raw data, as the data set's format wants them, or an `unpack.py` that
            writes them to the folder that it is given, with what it reads.
        wheels: of the packages that the other machine lacks.
        out: the file to write.
        limit: the most bytes that it may have.

    Raises:
        ClearfiltersError: if a file is missing, or the bundle is over its limit.
    """
    members = {f"raw/{path.name}": path for path in raw}
    members |= {f"wheels/{path.name}": path for path in wheels}
    package = Path(clearfilters.__path__[0])
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            members[f"src/clearfilters/{path.relative_to(package)}"] = path
    members["__main__.py"] = Path(__file__).with_name("there.py")
    for path in members.values():
        if not path.is_file():
            raise ClearfiltersError(f"{path}: no such file; nothing was packed")
    with atomic_path(out) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as bundle:
            content = json.dumps([asdict(training) for training in trainings])
            bundle.writestr(TRAININGS, content)
            for name, path in members.items():
                bundle.write(path, name)
            largest = sorted(bundle.infolist(), key=lambda member: -member.compress_size)[:SHOWN]
        size = temporary.stat().st_size
        if size > limit:
            named = ", ".join(
                f"{member.filename} {member.compress_size / MEBIBYTE:.1f}" for member in largest
            )
            raise ClearfiltersError(
                f"{out}: would have {size / MEBIBYTE:.1f} MiB, over the limit of "
                f"{limit / MEBIBYTE:g} MiB (the largest members, in MiB: {named}); leave wheels "
                "out, pack fewer data, or raise --limit"
            )
