"""The values that the papers publish, transcribed once in published.csv.

A value that cannot be what its paper says it is stands there too, with `comparable` false and the
reason in `note`: it is shown, flagged and never compared with.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """One number of a paper's table.

    Attributes:
        value: None where the text at hand is illegible.
        comparable: False if the number cannot be the quantity its column names.
        note: why not, or what the number is.
    """

    value: float | None
    comparable: bool
    note: str


@cache
def published(paper: str, table: str) -> dict[tuple[str, str], Published]:
    """The published values of one table: (row, column) -> value.

    Args:
        paper: short name as in docs ("LSG", "CSG").
        table: "table1", "section4.3", ...; an unknown one has no values.
    """
    text = files("clearfilters.reporting").joinpath("published.csv").read_text(encoding="utf-8")
    return {
        (line["row"], line["column"]): Published(
            value=float(line["value"]) if line["value"] else None,
            comparable=line["comparable"] == "true",
            note=line["note"],
        )
        for line in csv.DictReader(text.splitlines())
        if (line["paper"], line["table"]) == (paper, table)
    }
