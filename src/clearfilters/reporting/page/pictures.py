"""The figures of a run as a page shows them."""

import base64
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clearfilters.reporting.drawing import FigureSpec, read_caption
from clearfilters.reporting.figures import CONTACT_SHEET, figure_spec, not_run
from clearfilters.reporting.numbers import numbers_path
from clearfilters.reporting.records import Records


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        shown: what it shows, in a sentence.
        data: the PNG in base64; empty if it was not drawn.
        numbers: the CSV beside it; empty if there is none.
        rule: Snakemake's, that makes it.
        missing: why it was not drawn.
    """

    id: str
    title: str
    shown: str = ""
    caption: str = ""
    data: str = ""
    width: int = 0
    height: int = 0
    numbers: str = ""
    rule: str = "figure"
    missing: str = ""

    @property
    def alt(self) -> str:
        """For who cannot see it."""
        return f"{self.title}. {self.shown}".rstrip()


def pictures(run_folder: Path, records: Records, figure_ids: Sequence[str]) -> list[Picture]:
    """The contact sheet of the animals, where a data set is rendered, and these figures."""
    return [
        *_contact_sheet(run_folder, records),
        *(_picture(run_folder, records, figure_id) for figure_id in figure_ids),
    ]


def _contact_sheet(run_folder: Path, records: Records) -> list[Picture]:
    if not any("style" in d.provenance["parameters"] for d in records.data.values()):
        return []
    shown = "A row per class of rendered images, and below it the same with outlines and parts."
    return [_drawn(run_folder, CONTACT_SHEET, "The embedded animals", shown)]


def _picture(run_folder: Path, records: Records, figure_id: str) -> Picture:
    spec = figure_spec(figure_id)
    missing = not_run(figure_id, records.measured())
    if missing:
        return Picture(figure_id, spec.title, missing=f"lacks {', '.join(missing)}")
    return _drawn(run_folder, figure_id, spec.title, shown_by(spec))


def shown_by(spec: FigureSpec) -> str:
    """What a figure shows, in a sentence: what its function says of itself."""
    return (inspect.getdoc(spec.draw) or "").split("\n")[0]


def _drawn(run_folder: Path, figure_id: str, title: str, shown: str) -> Picture:
    from PIL import Image

    path = run_folder / "figures" / f"{figure_id}.png"
    if not path.exists():
        return Picture(figure_id, title, missing=f"{path.name} was not drawn")
    with Image.open(path) as image:
        width, height = image.size
    numbers = numbers_path(path)
    return Picture(
        figure_id,
        title,
        shown,
        read_caption(path),
        base64.b64encode(path.read_bytes()).decode(),
        width,
        height,
        numbers.as_posix() if numbers.exists() else "",
        "contact_sheet" if figure_id == CONTACT_SHEET else "figure",
    )
