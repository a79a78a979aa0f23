"""The embedded animals: rendered in the layout of Pascal VOC, then read as the real ones are."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from clearfilters.data.animals.voc_layout import write_voc
from clearfilters.data.pascal_part import FOLDER
from clearfilters.data.store import RawData
from clearfilters.data.voc_parts import read_devkit
from clearfilters.params.datasets import AnimalsParams


def read_raw(data: AnimalsParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """Render the animals, read them, and discard the raw files.

    They are rendered in half a minute; files kept for later would be those of an older renderer.

    Raises:
        ClearfiltersError: see `read_devkit`.
    """
    with TemporaryDirectory() as folder:
        write_voc(
            Path(folder),
            seed=data.seed,
            style=data.style,
            images_per_class=data.images_per_class,
            jpeg_quality=data.jpeg_quality,
        )
        found = read_devkit(Path(folder, FOLDER), data)
    return replace(found, source="rendered animals in the layout of Pascal VOC", verified=True)
