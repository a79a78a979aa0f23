"""What a bundle and what comes back hold, and where."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearfilters.errors import ClearfiltersError

TRAININGS = "trainings.json"  # of a bundle: the slices, in the order they are trained in
CHECKPOINT_FILES = ("model.safetensors", "history.csv", "meta.json")
# Members of the zip files that come back.
FINISHED = re.compile(
    r"(?P<name>[a-z0-9-]+-seed\d+)/(?P<file>model\.safetensors|history\.csv|meta\.json)"
)
UNFINISHED = re.compile(r"(?P<name>[a-z0-9-]+-seed\d+)\.pt")


@dataclass(frozen=True)
class Training:
    """One training of a bundle.

    Attributes:
        experiment: its name in params.yaml.
        seed: of the training.
        dataset: the data set's name.
        slice_: everything that shapes the checkpoint.
    """

    experiment: str
    seed: int
    dataset: str
    slice_: dict[str, Any]

    @property
    def name(self) -> str:
        """The training in one word: a file's name."""
        return f"{self.experiment}-seed{self.seed}"


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip file for reading.

    Raises:
        ClearfiltersError: if it is none, or damaged.
    """
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ClearfiltersError(
            f"{path}: cannot be read as a zip file ({error}); fetch it again"
        ) from None
