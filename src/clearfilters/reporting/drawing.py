"""What the figures share: their style, heat maps, and how they are saved.

matplotlib is imported when something is drawn, so that reading the registry of figures is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import atomic_path
from clearfilters.reporting.numbers import Line, numbers_path, write_numbers
from clearfilters.reporting.records import Records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

# Okabe and Ito's palette, told apart by people with any colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
WIDTH = 7.0  # inches; readable at the width of a phone and of a page column
RESOLUTION = 110  # dots per inch; keeps a figure below 200 KB
CAPTION_KEY = "Description"


@dataclass(frozen=True)
class Drawing:
    """A finished figure, the caption that goes with it, and the numbers that it shows.

    Attributes:
        lines: what stands beside it as CSV, written down by its panels (reporting/panel.py).
        colors: how many it is reduced to, which keeps a file of photographs small; None leaves all.
    """

    figure: Figure
    caption: str
    lines: Sequence[Line]
    colors: int | None = None


@dataclass(frozen=True)
class FigureSpec:
    """A function that draws a figure, and what it needs.

    Attributes:
        draw: makes it.
        title: heading on the page.
        needs: (role, analysis) pairs without any of which there is nothing to show; all of one
            setting, since only there can they be compared.
        also: further analyses that it reads.
    """

    draw: Callable[[Records], Drawing]
    title: str
    needs: tuple[tuple[str, str], ...]
    also: tuple[str, ...]

    def __call__(self, records: Records) -> Drawing:
        """Draw it."""
        return self.draw(records)

    @property
    def analyses(self) -> tuple[str, ...]:
        """Every analysis whose measurements the figure reads."""
        return tuple(dict.fromkeys([*(analysis for _, analysis in self.needs), *self.also]))


def shows(
    title: str, *, needs: Sequence[tuple[str, str]], also: Sequence[str] = ()
) -> Callable[[Callable[[Records], Drawing]], FigureSpec]:
    """Declare a function a figure; see `FigureSpec`."""

    def declared(draw: Callable[[Records], Drawing]) -> FigureSpec:
        return FigureSpec(draw, title, tuple(needs), tuple(also))

    return declared


def new_figure(height: float, rows: int, columns: int, **options: Any) -> tuple[Figure, Any]:
    """A figure of the common width, whose texts are shown as they are: `$` starts no formula.

    Args:
        height: inches.
        rows: of axes.
        columns: of axes.
        options: for `Figure.subplots`.

    Returns:
        The figure and its axes, (rows, columns).
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Labels and names of classes are the user's.
    matplotlib.rcParams["text.parse_math"] = False
    figure = Figure(figsize=(WIDTH, height), dpi=RESOLUTION, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def heat_map(
    axes: Axes,
    matrix: npt.ArrayLike,
    *,
    limits: tuple[float, float],
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    color_map: str = SEQUENTIAL,
    steps: int = 256,
) -> AxesImage:
    """Draw a matrix with named rows and columns; NaN entries are grey.

    Args:
        axes: where.
        matrix: (rows, columns).
        limits: values of the first and the last colour.
        row_names: all of them, or none.
        column_names: all of them, or none.
        color_map: matplotlib's name of it.
        steps: number of colours; few keep the file of a large noisy matrix small.
    """
    from matplotlib import colormaps

    colors = colormaps[color_map].resampled(steps).with_extremes(bad="#bbbbbb")
    masked = np.ma.masked_invalid(np.asarray(matrix, dtype=float))
    image = axes.imshow(
        masked, aspect="auto", interpolation="nearest", cmap=colors, vmin=limits[0], vmax=limits[1]
    )
    if len(row_names):
        axes.set_yticks(range(len(row_names)), row_names, fontsize=8)
    if len(column_names):
        axes.set_xticks(range(len(column_names)), column_names, fontsize=8, rotation=90)
    return image


def save(drawing: Drawing, out: Path) -> None:
    """Write a PNG that carries its caption, and no version or date that would change it.

    Its numbers go beside it (`numbers_path`).
    """
    write_numbers(drawing.lines, numbers_path(out))
    metadata = {CAPTION_KEY: drawing.caption, "Software": None}
    with atomic_path(out) as temporary:
        drawing.figure.savefig(temporary, format="png", metadata=metadata)
        if drawing.colors is not None:
            _reduce(temporary, drawing.colors, drawing.caption)


def _reduce(path: Path, colors: int, caption: str) -> None:
    """Reduce the colours of a PNG that carries a caption, in place."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    with Image.open(path) as image:
        reduced = image.convert("RGB").quantize(colors)
    texts = PngInfo()
    texts.add_itxt(CAPTION_KEY, caption)
    reduced.save(path, format="png", pnginfo=texts)


def read_caption(path: Path) -> str:
    """The caption that `save` stored in a figure."""
    from PIL import Image

    with Image.open(path) as image:
        return str(image.info.get(CAPTION_KEY, ""))
