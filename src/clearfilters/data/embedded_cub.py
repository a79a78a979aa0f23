"""The embedded birds: rendered in the layout of CUB-200-2011, then read as the real ones are."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from clearfilters.data import cub
from clearfilters.data.animals.cub_layout import write_cub
from clearfilters.data.animals.ilsvrc_layout import write_negatives
from clearfilters.data.store import RawData
from clearfilters.params.datasets import AnimalsCubParams


def read_raw(data: AnimalsCubParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """Render the birds, and background images if they are asked for, and read them.

    The raw files are discarded.

    Raises:
        ClearfiltersError: see `cub.read_raw`.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_cub(
            folder,
            seed=data.seed,
            style=data.style,
            images_per_species=data.images_per_species,
            jpeg_quality=data.jpeg_quality,
        )
        if data.background is not None:
            write_negatives(
                folder / data.background.folder,
                seed=data.seed,
                style=data.style,
                count=data.negatives,
                jpeg_quality=data.jpeg_quality,
            )
        found = cub.read_raw(data, folder, out, download=False)
    return replace(found, source="rendered birds in the layout of CUB-200-2011", verified=True)
