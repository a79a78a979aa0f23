"""What a bundle and what comes back hold, and where."""

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearfilters.artifacts import CHECKPOINT_FILES
from clearfilters.errors import ClearfiltersError

TRAININGS = "trainings.json"  # of a bundle: the slices, in the order they are trained in
# Members of the zip files that come back.
FINISHED = re.compile(rf"[a-z0-9-]+-seed\d+/({'|'.join(map(re.escape, CHECKPOINT_FILES))})")
UNFINISHED = re.compile(r"[a-z0-9-]+-seed\d+\.pt")
# Where they lie in a folder, on the other machine and before they are put in place here.
CHECKPOINTS, RESUME = "checkpoints", "resume"


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


def extract(returned: Sequence[Path], folder: Path) -> dict[str, str]:
    """Extract what came back: checkpoints to `checkpoints/<name>/`, states to `resume/<name>.pt`.

    Args:
        returned: the zip files.
        folder: where to.

    Returns:
        Of each member that was left out, as no file of a training, the reason.

    Raises:
        ClearfiltersError: if a file is no zip file, or is damaged.
    """
    left_out: dict[str, str] = {}
    for path in returned:
        try:
            with zipfile.ZipFile(path) as members:
                for name in members.namelist():
                    if FINISHED.fullmatch(name):
                        members.extract(name, folder / CHECKPOINTS)
                    elif UNFINISHED.fullmatch(name):
                        members.extract(name, folder / RESUME)
                    else:
                        left_out[name] = f"{path}: no file of a training; left alone"
        except (OSError, zipfile.BadZipFile, zlib.error) as error:
            raise ClearfiltersError(
                f"{path}: cannot be read as a zip file ({error}); fetch it again"
            ) from None
    return left_out
