"""From raw files to the processed store."""

from pathlib import Path

from clearfilters.data.store import RawData, write_store
from clearfilters.params.datasets import DatasetParams
from clearfilters.registry import DATASETS, load


def prepare(data: DatasetParams, raw: Path, out: Path, *, download: bool) -> None:
    """Read the raw data set and write its processed store.

    Args:
        data: which data set, and how to read it.
        raw: folder of the raw files (unused by embedded data sets).
        out: the store's folder.
        download: whether missing raw files may be downloaded.

    Raises:
        ClearfiltersError: if the raw files are missing or malformed.
    """
    found: RawData = load(DATASETS[data.format].reader)(data, raw, out, download=download)
    write_store(
        out,
        found.splits,
        dataset=data.format,
        source=found.source,
        note=data.note,
        classes=found.classes,
        raw_sha256=found.raw_sha256,
        verified=found.verified,
        parameters=data.model_dump(),
        skipped=found.skipped,
        masks_note=found.masks_note,
    )
