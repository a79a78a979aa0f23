"""What a job keeps of an earlier run: files, each with a key of all that shaped it.

Snakemake deletes a job's outputs before it runs. A job that makes several things has a folder that
is no output, and makes only those whose key is another: parameters, inputs or code have changed.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearfilters.artifacts import file_sha256, parameters_hash, read_json, write_json
from clearfilters.errors import ClearfiltersError

KEYS = "keys.json"


@dataclass(frozen=True)
class Kept:
    """What was made before, each by a name, with the key of what shaped it."""

    folder: Path

    def is_current(self, name: str, key: str, files: Iterable[Path]) -> bool:
        """Whether these files are there, and were made with this key."""
        return self._keys().get(name) == key and all(file.is_file() for file in files)

    @contextmanager
    def making(self, name: str, key: str) -> Iterator[None]:
        """Make it anew: its key is forgotten before, and known once it is whole.

        Else a job that is killed in between would leave new files with an old key.
        """
        others = {other: known for other, known in self._keys().items() if other != name}
        write_json(self.folder / KEYS, others)
        yield
        write_json(self.folder / KEYS, {**others, name: key})

    def _keys(self) -> dict[str, str]:
        try:
            keys: dict[str, str] = read_json(self.folder / KEYS)
        except ClearfiltersError:  # nothing kept yet, or damaged: all is made again
            return {}
        return keys


def model_inputs(checkpoint: Path, store: Path) -> dict[str, Path]:
    """The files that tell a trained network and its store, for `key_of`."""
    return {
        "weights": checkpoint / "model.safetensors",
        "checkpoint": checkpoint / "meta.json",
        "store": store / "meta.json",
    }


def key_of(slice_: Mapping[str, Any], inputs: Mapping[str, Path], code: Iterable[str]) -> str:
    """The key of what has these parameters, is made from these files, by this code."""
    return parameters_hash(
        {
            "parameters": slice_,
            "inputs": {name: file_sha256(path) for name, path in inputs.items()},
            "code": sorted(file_sha256(Path(path)) for path in code),
        }
    )


def say(text: str) -> None:
    """A line of a job's log."""
    print(text, file=sys.stderr)
