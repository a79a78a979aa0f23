"""Training curves of an experiment, the mean over its seeds: `dvc plots show`, `diff`."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from clearfilters.artifacts import atomic_path
from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.digits import FORMAT

EPOCH = "epoch"
CURVES = ("train_loss", "train_accuracy")


def write_curves(histories: Sequence[Path], out: Path) -> None:
    """Write a row per epoch: `epoch`, and the mean of each of CURVES over the seeds.

    Args:
        histories: `history.csv` of each seed.
        out: the CSV.

    Raises:
        ClearfiltersError: if a history lacks a column, or is no history.
    """
    read = [_read(path) for path in histories]
    with atomic_path(out) as temporary:
        mean = pd.concat(read).groupby(EPOCH, as_index=False).mean()
        mean.to_csv(temporary, index=False, float_format=f"%{FORMAT}")


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, usecols=[EPOCH, *CURVES])
    except (OSError, ValueError) as error:
        raise ClearfiltersError(
            f"{path}: columns {EPOCH}, {', '.join(CURVES)} expected ({error}); train again"
        ) from None
