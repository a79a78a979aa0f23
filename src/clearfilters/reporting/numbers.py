"""The numbers of a figure, which stand beside it: `results/<run>/figures/<id>.csv`.

A line per number, in the order in which they are drawn (reporting/panel.py):

- panel: the part of the figure, as its title or its row has it;
- series: the curve, matrix, group of points or picture in it, or what is stated in words;
- x, y: the place on the panel's axes. Of a matrix the column and the row, by name or else by
  number, the first 0, from the top. Of a picture x is its place in its row, the first 1;
- lower, upper: the ends of the bar or the band about y (one sample standard deviation over seeds,
  or the seeds' range: the caption says which); empty where there is none;
- value: what the colour says (empty where it is grey) or what is stated; of a picture what stands
  below it, or what it was chosen by.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from clearfilters.artifacts import atomic_path
from clearfilters.reporting.table import number

# On an axis, or what is read there: a number or a name.
Place = str | float | None


@dataclass(frozen=True)
class Line:
    """A line of the CSV; see the module for its columns."""

    panel: str
    series: str
    x: Place = None
    y: Place = None
    lower: float | None = None
    upper: float | None = None
    value: Place = None


FIGURE_COLUMNS = tuple(field.name for field in fields(Line))


def numbers_path(figure: Path) -> Path:
    """Where the numbers of a figure stand."""
    return figure.with_suffix(".csv")


def write_numbers(lines: Sequence[Line], out: Path) -> None:
    """Write the CSV: six significant digits as in tables, nothing for None and NaN."""
    with atomic_path(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(FIGURE_COLUMNS)
        writer.writerows([_text(place) for place in astuple(line)] for line in lines)


def _text(place: Place) -> str:
    if isinstance(place, str):
        return place
    return number(None if place is None or math.isnan(place) else place)
