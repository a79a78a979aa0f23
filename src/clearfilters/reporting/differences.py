"""What differs between a file of results that was kept and one that was made anew, cell by cell."""

import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clearfilters.reporting.numbers import FIGURE_COLUMNS
from clearfilters.reporting.table import CSV_COLUMNS

# By the first column of a CSV: what names a line. Of lines named alike the first is compared with
# the first. What a figure has at an x is its number; of a matrix so is the row.
KEYS = {
    CSV_COLUMNS[0]: CSV_COLUMNS[:3],
    FIGURE_COLUMNS[0]: FIGURE_COLUMNS[:3],
    "id": ("id",),
}
# Of a file.
SHOWN = 20

Key = tuple[str, ...]
Line = dict[str, str]


def file_differences(kept: Path, made: Path) -> list[str]:
    """A line per difference, `kept` first; no more than SHOWN, and one that says how many more.

    Args:
        kept: a CSV of tables, claims or figures, or another text.
        made: what it should be.
    """
    # Bytes that are no text are a difference, too.
    before, after = (path.read_text(encoding="utf-8", errors="replace") for path in (kept, made))
    if before == after:
        return []
    if kept.suffix == ".csv":
        found = list(_cells(before, after)) or ["the order or the form of the lines differs"]
    else:
        found = list(_texts(before, after))
    more = len(found) - SHOWN
    return found[:SHOWN] + ([f"... and {more} more"] if more > 0 else [])


def _cells(before: str, after: str) -> Iterator[str]:
    (old_columns, old), (new_columns, new) = _lines(before), _lines(after)
    if old_columns != new_columns:
        yield f"columns: {_versus(', '.join(old_columns), ', '.join(new_columns))}"
        return
    for key in [*new, *(key for key in old if key not in new)]:
        name = _name(key, old.get(key), new.get(key))
        if key not in old:
            yield f"{name}: not committed; regenerated: {_rest(new[key], key)}"
        elif key not in new:
            yield f"{name}: committed {_rest(old[key], key)}; not regenerated"
        else:
            for column, value in new[key].items():
                if old[key][column] != value:
                    yield f"{name}: {column}: {_versus(old[key][column], value)}"


def _name(key: Key, old: Line | None, new: Line | None) -> str:
    """What names a line; of an entry of a matrix its row, too."""
    row = (old or {}).get("y", "")
    if row and row == (new or {}).get("y"):
        return ", ".join([*key[:-1], row])
    return ", ".join(part for part in key if part)


def _lines(text: str) -> tuple[list[str], dict[Key, Line]]:
    """The columns of a CSV, and its lines by what names them and how many of the name came before.

    Cells that a line lacks are empty, and what it has too much stands in a column of no name.
    """
    reader = csv.DictReader(io.StringIO(text), restkey="", restval="")
    columns = list(reader.fieldnames or [""])
    seen: Counter[Key] = Counter()
    lines: dict[Key, Line] = {}
    for line in reader:
        key = tuple(line.get(column, "") for column in KEYS.get(columns[0], columns))
        lines[*key, str(seen[key] or "")] = {name: str(cell) for name, cell in line.items()}
        seen[key] += 1
    return columns, lines


def _rest(line: Line, key: Key) -> str:
    return ", ".join(f"{name} {cell}" for name, cell in line.items() if cell and cell not in key)


def _versus(before: str, after: str) -> str:
    return f"committed {before or 'nothing'}, regenerated {after or 'nothing'}"


def _texts(before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    for number, line in enumerate(lines):
        # Behind the two names of files.
        if number > 1 and line[0] in "+-":
            yield f"{'committed' if line[0] == '-' else 'regenerated'}: {line[1:]}"
