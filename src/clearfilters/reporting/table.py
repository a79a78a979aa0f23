"""A table as data, and its two written forms: long CSV, and Markdown laid out like the paper's."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clearfilters.artifacts import atomic_path
from clearfilters.reporting.digits import FORMAT
from clearfilters.reporting.published import Published
from clearfilters.reporting.records import Records, Sample, summarize

CSV_COLUMNS = ("table", "row", "column", "mean", "std", "seeds", "published", "unit")
FLAG = "†"
EMPTY = "-"


@dataclass(frozen=True)
class Column:
    """A column: its key in the CSV, its heading, the unit, and decimals shown (None: as needed)."""

    key: str
    heading: str
    unit: str
    digits: int | None = 4


def _decimals(value: float, digits: int | None) -> str:
    return f"{value:g}" if digits is None else f"{value:.{digits}f}"


@dataclass(frozen=True)
class Cell:
    """Our number over seeds beside the published one; either may be missing.

    Attributes:
        remark: shown behind our number (say, whether it lies in an interval).
    """

    mean: float | None = None
    std: float | None = None
    seeds: int = 0
    published: Published | None = None
    remark: str = ""

    @property
    def flagged(self) -> bool:
        """Whether the published number is one that must not be compared with."""
        return self.published is not None and not self.published.comparable

    def ours(self, digits: int | None) -> str:
        """`mean ± std`, the mean alone for a single seed, or a dash."""
        if self.mean is None:
            return EMPTY
        text = _decimals(self.mean, digits)
        if self.std is not None:
            text += f" ± {_decimals(self.std, digits)}"
        return f"{text} {self.remark}".rstrip()

    def theirs(self, digits: int | None) -> str:
        """The published number with its flag, or nothing."""
        if self.published is None:
            return ""
        value = self.published.value
        text = "illegible" if value is None else _decimals(value, digits)
        return text + (FLAG if self.flagged else "")


@dataclass(frozen=True)
class Row:
    """A row: its key in the CSV, what stands in the leading columns, and cells by column key."""

    key: str
    heads: tuple[str, ...]
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Table:
    """A finished table. `notes` stand below it, what it was made from first."""

    id: str
    title: str
    heads: tuple[str, ...]
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class TableSpec:
    """A function that makes a table, and the analyses whose measurements it reads."""

    build: Callable[[Records], Table]
    analyses: tuple[str, ...]

    def __call__(self, records: Records) -> Table:
        """Make it."""
        return self.build(records)


def reads(*analyses: str) -> Callable[[Callable[[Records], Table]], TableSpec]:
    """Declare a function a table, made from the measurements of these analyses."""

    def declared(build: Callable[[Records], Table]) -> TableSpec:
        return TableSpec(build, analyses)

    return declared


def cell(sample: Sample, published: Published | None = None, remark: str = "") -> Cell:
    """A cell from one number per seed (none: an empty cell that may still show the paper's)."""
    summary = summarize(sample)
    if summary is None:
        return Cell(published=published)
    return Cell(summary.mean, summary.std, summary.seeds, published, remark)


def flag_notes(table: Table) -> list[str]:
    """Why each flagged published value is not compared with, each reason once."""
    reasons = {
        cell.published.note: None
        for row in table.rows
        for cell in row.cells.values()
        if cell.published is not None and cell.flagged
    }
    return [f"{FLAG} not comparable: {reason}" for reason in reasons]


def write_csv(table: Table, out: Path) -> None:
    """Write the long form: one line per cell that has our number or the paper's."""
    with atomic_path(out) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for row in table.rows:
            for column in table.columns:
                cell = row.cells.get(column.key, Cell())
                theirs = cell.published.value if cell.published else None
                if cell.mean is None and theirs is None:
                    continue
                numbers = (number(cell.mean), number(cell.std), cell.seeds, number(theirs))
                writer.writerow((table.id, row.key, column.key, *numbers, column.unit))


def number(value: float | None) -> str:
    """SIGNIFICANT_DIGITS, so that rounding noise does not change a file; empty for None."""
    return "" if value is None else f"{value:{FORMAT}}"


def write_markdown(table: Table, out: Path) -> None:
    """Write the layout of the paper, the published value in brackets behind ours."""
    lines = [f"# {table.title}", ""]
    lines.append(_line([*table.heads, *(column.heading for column in table.columns)]))
    alignment = ["---"] * len(table.heads) + ["---:"] * len(table.columns)
    lines.append("| " + " | ".join(alignment) + " |")
    for row in table.rows:
        cells = [_text(row.cells.get(c.key, Cell()), c.digits) for c in table.columns]
        lines.append(_line([*row.heads, *cells]))
    lines.append("")
    lines += [f"- {note}" for note in (*table.notes, *flag_notes(table))]
    with atomic_path(out) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _text(cell: Cell, digits: int | None) -> str:
    theirs = cell.theirs(digits)
    return f"{cell.ours(digits)} (paper {theirs})" if theirs else cell.ours(digits)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
