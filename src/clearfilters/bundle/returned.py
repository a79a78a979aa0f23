"""What comes back from the other machine: packed there, put in place here."""

import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearfilters.artifacts import CHECKPOINT_FILES, atomic_path, parameters_hash
from clearfilters.bundle.contents import (
    CHECKPOINTS,
    RESUME,
    Training,
    extract,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.training.checkpoint import load_checkpoint, load_resume_state

LARGEST = 15 * 2**20  # bytes of one zip file that goes back


def pack_returned(work: Path, out: Path) -> list[Path]:
    """Write `finished-N.zip`, `unfinished-N.zip` and `logs-N.zip`.

    Each holds at most `LARGEST` bytes, unless one training alone has more.

    Args:
        work: the folder of the run, with `checkpoints/`, `resume/` and `logs/`.
        out: the folder to write to.

    Returns:
        The files.
    """
    checkpoints = work / CHECKPOINTS
    whole = [meta.parent for meta in sorted(checkpoints.glob("*/meta.json"))]
    groups = {
        "finished": [
            [(folder / name, f"{folder.name}/{name}") for name in CHECKPOINT_FILES]
            for folder in whole
        ],
        "unfinished": [[(path, path.name)] for path in sorted((work / RESUME).glob("*.pt"))],
        "logs": [[(path, path.name)] for path in sorted((work / "logs").glob("*.log"))],
    }
    written = []
    for name, group in groups.items():
        for number, part in enumerate(_parts(group), 1):
            with (
                atomic_path(out / f"{name}-{number}.zip") as temporary,
                zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file,
            ):
                for path, member in part:
                    file.write(path, member)
            written.append(out / f"{name}-{number}.zip")
    return written


def _parts(group: Sequence[list[tuple[Path, str]]]) -> list[list[tuple[Path, str]]]:
    """Files that stay together, gathered into parts of at most `LARGEST` bytes."""
    parts: list[list[tuple[Path, str]]] = []
    room = 0
    for together in group:
        size = sum(path.stat().st_size for path, _ in together)
        if not parts or size > room:
            parts.append([])
            room = LARGEST
        parts[-1].extend(together)
        room -= size
    return parts


def put(
    trainings: Sequence[Training], returned: Sequence[Path], results: Path, stores: Path
) -> tuple[list[str], dict[str, str]]:
    """Put finished checkpoints in place as if trained here, and states to resume from.

    Args:
        trainings: of the run.
        returned: the zip files that came back.
        results: the run's folder, `results/<run>`.
        stores: the folder of the prepared stores, which must be older than the checkpoints.

    Returns:
        The names of what was put in place, and of each that was refused the reason.

    Raises:
        ClearfiltersError: if a file is no zip file, or a store is not prepared.
    """
    for dataset in sorted({training.dataset for training in trainings}):
        if not (stores / dataset / "meta.json").exists():
            raise ClearfiltersError(
                f"{stores / dataset}: not prepared yet, and a store that is newer than its "
                "checkpoints trains them again; run `snakemake --cores 2 data` with the same "
                "preset first"
            )
    by_name = {training.name: training for training in trainings}
    placed: list[str] = []
    results.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=results.parent) as temporary:
        folder = Path(temporary)
        refused = extract(returned, folder)
        for path in sorted([*folder.glob(f"{CHECKPOINTS}/*"), *folder.glob(f"{RESUME}/*")]):
            try:
                _put_one(by_name, path, results)
            except ClearfiltersError as error:
                refused[path.name] = str(error)
            else:
                placed.append(path.name)
    return placed, refused


def _put_one(by_name: Mapping[str, Training], path: Path, results: Path) -> None:
    training = by_name.get(path.name.removesuffix(".pt"))
    if training is None:
        raise ClearfiltersError(f"{path.name}: the run has no such training; check the preset")
    expected = parameters_hash(training.slice_)
    if path.is_file():
        if load_resume_state(path, expected) is None:
            raise ClearfiltersError(f"{path.name}: the state of a training with other parameters")
        target = results / RESUME / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        return
    missing = [name for name in CHECKPOINT_FILES if not (path / name).exists()]
    if missing:
        raise ClearfiltersError(f"{path.name}: {missing[0]} is missing; fetch the zip files again")
    _, meta = load_checkpoint(path)
    found = parameters_hash(meta["parameters"])
    if found != expected or meta.get("parameters_hash") != expected:
        raise ClearfiltersError(
            f"{path.name}: trained with parameters {found[:12]}, but the preset's are "
            f"{expected[:12]}; train again, or use the preset that it was packed with"
        )
    target = results / CHECKPOINTS / training.experiment / f"seed{training.seed}"
    target.mkdir(parents=True, exist_ok=True)
    for name in CHECKPOINT_FILES:
        shutil.move(path / name, target / name)
