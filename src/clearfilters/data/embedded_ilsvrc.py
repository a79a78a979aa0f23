"""The embedded animals: rendered in the layout of ILSVRC Animal-Part, then read as real ones."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from clearfilters.data import ilsvrc_parts
from clearfilters.data.animals.ilsvrc_layout import WNIDS, write_ilsvrc
from clearfilters.data.store import RawData
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import AnimalsIlsvrcParams


def read_raw(data: AnimalsIlsvrcParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """Render the animals of the categories, and background images, and read them.

    The raw files are discarded.

    Raises:
        ClearfiltersError: for a category that is not rendered; see `ilsvrc_parts.read_raw`.
    """
    classes = {wnid: name for name, wnid in WNIDS.items()}
    for name, wnid in data.categories.items():
        if wnid not in classes:
            raise ClearfiltersError(
                f"animals-ilsvrc: category `{name}` is {wnid}, which is not rendered; there are "
                f"{', '.join(f'{wnid} ({animal})' for animal, wnid in WNIDS.items())}; correct "
                "params.yaml"
            )
    with TemporaryDirectory() as name:
        write_ilsvrc(
            Path(name),
            seed=data.seed,
            style=data.style,
            images_per_class=data.images_per_class,
            negatives=data.negatives,
            jpeg_quality=data.jpeg_quality,
            classes=[classes[wnid] for wnid in data.categories.values()],
        )
        found = ilsvrc_parts.read_raw(data, Path(name), out, download=False)
    source = "rendered animals in the layout of ILSVRC 2013 DET Animal-Part"
    return replace(found, source=source, verified=True)
