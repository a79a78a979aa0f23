"""What a processed store holds, recorded beside a run's measurements, for the report."""

from pathlib import Path
from typing import Any

from clearfilters.artifacts import file_sha256, parameters_hash, write_json
from clearfilters.data.store import read_meta
from clearfilters.errors import ClearfiltersError
from clearfilters.params import DatasetParams


def record_data(data: DatasetParams, store: Path, out: Path) -> None:
    """Write what was prepared, and its parameters, as a measurement is written.

    Args:
        data: what the store was prepared with.
        store: its folder.
        out: the JSON.

    Raises:
        ClearfiltersError: if the store is incomplete or of another format or note.
    """
    meta = read_meta(store)
    if (meta.dataset, meta.note) != (data.format, data.note):
        raise ClearfiltersError(
            f"{store / 'meta.json'}: prepared as `{meta.dataset}` with the note `{meta.note}`, but "
            f"the parameters say `{data.format}`, `{data.note}`; prepare the data again "
            "(`snakemake --cores 8 data`)"
        )
    parameters: dict[str, Any] = data.model_dump()
    wanted = parameters.get("image_size", meta.image_size)
    if wanted != meta.image_size:
        raise ClearfiltersError(
            f"{store / 'meta.json'}: images of {meta.image_size} pixels, but the parameters say "
            f"{wanted}; prepare the data again (`snakemake --cores 8 data`)"
        )
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
