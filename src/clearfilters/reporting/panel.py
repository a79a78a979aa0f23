"""Axes that write down what is drawn in them, so that a figure and its numbers cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from clearfilters.reporting.drawing import heat_map
from clearfilters.reporting.numbers import Line, Place
from clearfilters.reporting.records import Sample, summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.image import AxesImage

Numbers = npt.NDArray[Any]
# The lower and the upper ends at each point of a curve.
Band = tuple[Numbers, Numbers]
Stated = TypeVar("Stated", int, float, float | None)


@dataclass(frozen=True)
class Panel:
    """A part of a figure.

    `series` of a method is that of its lines; `style` goes to matplotlib.

    Attributes:
        name: the `panel` of its lines.
        axes: where it is drawn.
        lines: the figure's, to which each method adds what it draws.
    """

    name: str
    axes: Axes
    lines: list[Line]

    def curve(
        self,
        series: str,
        x: Sequence[Any] | Numbers,
        y: Sequence[Any] | Numbers,
        band: Band | None = None,
        place: Callable[[Any], float] = float,
        **style: Any,
    ) -> None:
        """Draw a curve.

        Args:
            series: its name.
            x: of its points: numbers, or names.
            y: likewise, numbers.
            band: drawn in the curve's colour.
            place: where an x is drawn.
            style: of the curve.
        """
        places = [place(one) for one in x]
        (drawn,) = self.axes.plot(places, y, **style)
        ends: tuple[Any, Any] = ([None] * len(places),) * 2
        if band is not None:
            self.axes.fill_between(places, *band, color=drawn.get_color(), alpha=0.2, linewidth=0)
            ends = band
        for point in zip(x, y, *ends, strict=True):
            self.lines.append(Line(self.name, series, *point))

    def means(
        self,
        series: str,
        samples: Sequence[tuple[float, Sample]],
        place: Callable[[float], float] = float,
        **style: Any,
    ) -> None:
        """Draw a curve of means with bars of one sample standard deviation, where there are any.

        Args:
            series: its name.
            samples: x, and the numbers there, one per seed.
            place: where an x is drawn.
            style: of the curve.
        """
        found = [(x, shown) for x, sample in samples if (shown := summarize(sample)) is not None]
        if not found:
            return
        for x, shown in found:
            mean, std = shown.mean, shown.std
            lower, upper = (None, None) if std is None else (mean - std, mean + std)
            self.lines.append(Line(self.name, series, x, mean, lower, upper))
        places = [place(x) for x, _ in found]
        means = [shown.mean for _, shown in found]
        spreads = [shown.std or 0.0 for _, shown in found]
        self.axes.errorbar(places, means, spreads, markersize=4, capsize=2, **style)

    def level(self, series: str, sample: Sample, **style: Any) -> None:
        """Draw a horizontal line at the mean of numbers, one per seed, if there are any."""
        shown = summarize(sample)
        if shown is not None:
            self.axes.axhline(shown.mean, **style)
            self.lines.append(Line(self.name, series, y=shown.mean))

    def points(
        self, points: Mapping[str, tuple[float, float, float]], **style: Any
    ) -> PathCollection:
        """Draw points x, y by their series; the third number of each is its colour."""
        for series, (x, y, value) in points.items():
            self.lines.append(Line(self.name, series, x, y, value=value))
        places, heights, colors = zip(*points.values(), strict=True)
        return self.axes.scatter(places, heights, c=colors, **style)

    def heat_map(
        self,
        series: str,
        matrix: npt.ArrayLike,
        *,
        limits: tuple[float, float],
        row_names: Sequence[str] = (),
        column_names: Sequence[str] = (),
    ) -> AxesImage:
        """Draw a matrix; the arguments are those of `drawing.heat_map`."""
        self.cells(series, matrix, row_names, column_names)
        return heat_map(
            self.axes, matrix, limits=limits, row_names=row_names, column_names=column_names
        )

    def cells(
        self,
        series: str,
        matrix: npt.ArrayLike,
        rows: Sequence[Place] = (),
        columns: Sequence[Place] = (),
        *,
        symmetric: bool = False,
    ) -> None:
        """Write down a matrix that is drawn in another way.

        Args:
            series: what its entries are.
            matrix: (rows, columns).
            rows: what stands for each row; its number if there are none.
            columns: likewise.
            symmetric: each entry beside the diagonal once, above it.
        """
        entries = np.asarray(matrix, dtype=float)
        height, width = entries.shape
        y, x = rows or range(height), columns or range(width)
        self.lines.extend(
            Line(self.name, series, x[column], y[row], value=float(entry))
            for (row, column), entry in np.ndenumerate(entries)
            if not symmetric or column >= row
        )

    def picture(self, series: str, place: int, pixels: npt.ArrayLike, value: Place = None) -> None:
        """Show an image (H, W, 3) or (H, W).

        Args:
            series: what it is of.
            place: of it in its row, the first 1.
            pixels: uint8.
            value: what is said of it, or what it was chosen by.
        """
        self.axes.imshow(pixels, interpolation="nearest")
        self.lines.append(Line(self.name, series, place, value=value))

    def stated(self, series: str, value: Stated) -> Stated:
        """A number that stands in the panel's title or below it; returns it."""
        self.lines.append(Line(self.name, series, value=value))
        return value
