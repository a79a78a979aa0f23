"""The numbers of README's tables, against the tables of the committed runs that they are from."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
# Above each table: its file, the columns, and what the file's rows have before the name.
CHECKED = re.compile(
    r"<!-- checked: (?P<file>\S+) \| (?P<columns>[^|]+?)(?: \| (?P<before>.+?))? -->\n"
    r"\|.*\n\|[-|]+\n(?P<rows>(?:\|.*\n)+)"
)
CELL = re.compile(r"(?P<mean>[\d.]+)(?: ± (?P<std>[\d.]+))?(?: \(paper (?P<published>[\d.]+)\))?")
TABLES = list(CHECKED.finditer(README))


def rounded_as(shown: str, recorded: str) -> str:
    """A recorded number with as many digits as are shown."""
    digits = len(shown.partition(".")[2])
    return str(Decimal(recorded).quantize(Decimal(1).scaleb(-digits)))


def differences(table: re.Match[str]) -> list[str]:
    """Every number of a table that its file does not have, with what it has."""
    with (ROOT / table["file"]).open(newline="") as lines:
        recorded = {(line["row"], line["column"]): line for line in csv.DictReader(lines)}
    found = []
    before = f"{table['before']} " if table["before"] else ""
    for row in table["rows"].splitlines():
        name, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        columns = table["columns"].split()
        assert len(cells) == len(columns), row
        for column, cell in zip(columns, cells, strict=True):
            if not cell:
                continue
            shown = CELL.fullmatch(cell)
            assert shown is not None, cell
            line = recorded[before + name, column]
            for kind, value in shown.groupdict().items():
                if value is None:
                    continue
                if not line[kind] or rounded_as(value, line[kind]) != value:
                    found.append(f"{name}, {column}, {kind}: {value}, recorded {line[kind]}")
    return found


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["file"])
def test_numbers_are_those_of_the_committed_tables(table: re.Match[str]) -> None:
    assert differences(table) == []


def test_every_table_of_numbers_is_checked() -> None:
    assert README.count("<!-- checked:") == len(TABLES) == 3
    assert sum(len(table["rows"].splitlines()) for table in TABLES) == 10


def test_another_number_is_found() -> None:
    changed = CHECKED.search(README.replace("0.882 ± 0.001", "0.883 ± 0.001"))
    assert changed is not None
    assert differences(changed) == ["ResNet20 STD, accuracy, mean: 0.883, recorded 0.8816"]


def test_files_that_the_readme_links_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", README)
    for link in (a or b for a, b in links):
        assert (ROOT / link).exists(), link
