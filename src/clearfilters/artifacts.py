"""Files that later steps rely on: written whole or not at all, traceable to their parameters."""

import hashlib
import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.errors import ClearfiltersError

# Of a checkpoint folder; the last is written last, so it tells that all are there.
CHECKPOINT_FILES = ("model.safetensors", "history.csv", "meta.json")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` on success, remove it on failure.

    The temporary name keeps the suffix of `path`, since some writers (numpy) append a missing one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON; NaN and infinity are refused, since JSON has neither."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, allow_nan=False, separators=(",", ":")) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ClearfiltersError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ClearfiltersError(f"{path}: no such file; run the step that makes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ClearfiltersError(
            f"{path}: not valid JSON ({error}); delete it and run the step that makes it again"
        ) from None


def parameters_hash(parameters: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of `parameters`: equal exactly when they are equal."""
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Measurement:
    """One recorded measurement: its values and where they come from (docs: README, Formats)."""

    values: dict[str, Any]
    provenance: dict[str, Any]


def read_measurement(path: Path, expected_hash: str) -> Measurement:
    """Read a measurement and check that it was made with the expected parameters.

    Args:
        path: the JSON.
        expected_hash: hash of the parameters, or its first digits.

    Raises:
        ClearfiltersError: if the file is missing or malformed, or its parameters are not those
            whose hash is `expected_hash`.
    """
    content = read_json(path)
    try:
        measurement = Measurement(content["values"], content["provenance"])
        found = measurement.provenance["parameters_hash"]
    except (KeyError, TypeError):
        raise ClearfiltersError(
            f"{path}: not a measurement (keys `values` and `provenance.parameters_hash` expected); "
            "delete it and measure again"
        ) from None
    if not found.startswith(expected_hash):
        raise ClearfiltersError(
            f"{path}: measured with parameters {found[:12]}, but the current parameters are "
            f"{expected_hash[:12]}; measure again (`snakemake --cores 8 metrics`) or restore the "
            "parameters in params.yaml"
        )
    return measurement


def read_arrays(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a .npz file by name; nothing is unpickled.

    Args:
        path: the file.
        required: names that it must have.
        optional: names to read if it has them.

    Raises:
        ClearfiltersError: if the file is missing, damaged, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = [*required, *(name for name in optional if name in archive)]
            return {name: archive[name] for name in names}
    except FileNotFoundError:
        raise ClearfiltersError(f"{path}: no such file; run the step that makes it") from None
    except KeyError:
        raise ClearfiltersError(
            f"{path}: arrays {', '.join(required)} expected; delete it and make it again"
        ) from None
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ClearfiltersError(
            f"{path}: damaged or not a .npz file ({error}); delete it and make it again"
        ) from None
