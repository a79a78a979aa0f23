"""From raw files to the processed store."""

from importlib import import_module
from pathlib import Path

from clearfilters.data.store import RawData, write_store
from clearfilters.params.datasets import DatasetParams

# The reader of each format. Each module offers read_raw(data, raw, out, download=...) -> RawData;
# only the one asked for is imported, so that a store depends on no other reader.
READERS: dict[str, str] = {
    "digits": "clearfilters.data.digits",
    "cifar10": "clearfilters.data.cifar",
    "animals": "clearfilters.data.embedded_animals",
    "animals-cub": "clearfilters.data.embedded_cub",
    "animals-ilsvrc": "clearfilters.data.embedded_ilsvrc",
    "voc-parts": "clearfilters.data.voc_parts",
    "voc-icnn": "clearfilters.data.voc_icnn",
    "imagefolder": "clearfilters.data.imagefolder",
    "cub": "clearfilters.data.cub",
    "ilsvrc-parts": "clearfilters.data.ilsvrc_parts",
}


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
    reader = import_module(READERS[data.format])
    found: RawData = reader.read_raw(data, raw, out, download=download)
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
