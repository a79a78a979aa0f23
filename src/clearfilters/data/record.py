"""What a processed store holds, recorded beside a run's measurements, for the report."""

from pathlib import Path
from typing import Any

from clearfilters.artifacts import file_sha256, parameters_hash, write_json
from clearfilters.data.store import check_store
from clearfilters.params.datasets import DatasetParams


def record_data(data: DatasetParams, store: Path, out: Path) -> None:
    """Write what was prepared, and its parameters, as a measurement is written.

    Args:
        data: what the store was prepared with.
        store: its folder.
        out: the JSON.

    Raises:
        ClearfiltersError: if the store is incomplete or was prepared with other parameters.
    """
    parameters: dict[str, Any] = data.model_dump()
    meta = check_store(store, parameters)
    values = {
        "source": meta.source,
        "note": meta.note,
        "verified": meta.verified,
        "classes": meta.classes,
        "counts": meta.counts,
        "image_size": meta.image_size,
        "annotations": meta.annotations,
        "masks_note": meta.masks_note,
        "skipped": meta.skipped,
    }
    provenance = {
        "parameters": parameters,
        "parameters_hash": parameters_hash(parameters),
        "inputs": {"meta.json": file_sha256(store / "meta.json"), **meta.raw_sha256},
    }
    write_json(out, {"values": values, "provenance": provenance})
