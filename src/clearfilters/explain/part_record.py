"""Which parts an explainer's filters are of: from the measurement of its checkpoint."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearfilters.artifacts import file_sha256, read_json
from clearfilters.errors import ClearfiltersError
from clearfilters.training.compact import original_sha256
from clearfilters.training.contributions import OTHER

ANALYSIS = "part_contributions"
# Of results/<run>: the folders of checkpoints and of measurements.
CHECKPOINTS, METRICS = "checkpoints", "metrics"


@dataclass(frozen=True)
class FilterParts:
    """The parts of a category.

    Attributes:
        names: of the parts.
        part_of: of each filter of conv-interp-2 its part, None for none.
    """

    names: list[str]
    part_of: list[str | None]


def record_path(checkpoint: Path) -> Path:
    """Where the workflow writes the measurement of a checkpoint.

    Raises:
        ClearfiltersError: if the checkpoint does not lie where the workflow writes it.
    """
    *above, name = Path(os.path.abspath(checkpoint)).parts
    if CHECKPOINTS not in above:
        raise ClearfiltersError(
            f"{checkpoint}: lies not in results/<run>/{CHECKPOINTS}, so that its measurement "
            f"{ANALYSIS} is not known; name its JSON with --parts"
        )
    end = len(above) - 1 - above[::-1].index(CHECKPOINTS)
    return Path(*above[:end], METRICS, ANALYSIS, *above[end + 1 :], f"{name}.json")


def read_parts(path: Path, checkpoint: Path, meta: Mapping[str, Any]) -> dict[str, FilterParts]:
    """The parts of each category that has annotated objects.

    Args:
        path: the measurement.
        checkpoint: folder of the explainer.
        meta: its `meta.json`.

    Raises:
        ClearfiltersError: if the file is missing, is no such measurement, or is of another
            checkpoint.
    """
    if not path.is_file():
        raise ClearfiltersError(
            f"{path}: no such file; which parts filters are of is measured with the workflow "
            f"({ANALYSIS}): run it for this checkpoint, or name its JSON with --parts"
        )
    content = read_json(path)
    try:
        if content["provenance"]["analysis"] != ANALYSIS:
            raise KeyError(ANALYSIS)
        measured_on = content["provenance"]["inputs"]["checkpoint/model.safetensors"]
        found = {
            category: FilterParts(
                [name for name in values["parts"] if name != OTHER], values["part_of_filter"]
            )
            for category, values in content["values"]["categories"].items()
        }
    except (KeyError, TypeError, AttributeError):
        raise ClearfiltersError(
            f"{path}: no measurement `{ANALYSIS}`; name one with --parts"
        ) from None
    own = original_sha256(checkpoint, meta)
    # Of a compact checkpoint it may have been measured itself.
    if measured_on not in (own, file_sha256(checkpoint / "model.safetensors")):
        raise ClearfiltersError(
            f"{path}: measured on weights {measured_on[:12]}, but {checkpoint} has {own[:12]}; "
            f"measure {ANALYSIS} of this checkpoint, or name its JSON with --parts"
        )
    return found
