"""Every table by its id. To add one, write its function and add an entry to TABLES."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.records import DATA, Index, Records, load
from clearfilters.reporting.table import Table, write_csv, write_markdown
from clearfilters.reporting.tables import (
    black_box,
    classification,
    data,
    detection,
    filters,
    leakage,
    localization,
    mis,
    tradeoff,
)


@dataclass(frozen=True)
class TableSpec:
    """How a table is made, and the analyses whose measurements it reads."""

    build: Callable[[Records], Table]
    analyses: tuple[str, ...]


# The score, and what it is for shuffled labels.
MIS = ("mis", "mis_floor")
TABLES = {
    "data": TableSpec(data.data, (DATA,)),
    "lsg_table1": TableSpec(
        classification.lsg_table1, ("classification", "phi", "correlation", *MIS, "leakage")
    ),
    "lsg_table2": TableSpec(filters.lsg_table2, ("correlation",)),
    "lsg_table3": TableSpec(localization.lsg_table3, ("localization",)),
    "lsg_gate_statistics": TableSpec(
        filters.lsg_gate_statistics, ("gate_statistics", "classification")
    ),
    "csg_mis": TableSpec(mis.csg_mis, MIS),
    "csg_localization": TableSpec(localization.csg_localization, ("localization",)),
    "lsg_leakage": TableSpec(leakage.lsg_leakage, ("leakage", "classification", "phi")),
    "lsg_tradeoff": TableSpec(tradeoff.lsg_tradeoff, ("classification", "phi", "leakage")),
    "lsg_table4": TableSpec(detection.lsg_table4, ("detection",)),
    "csg_detection": TableSpec(detection.csg_detection, ("detection",)),
    "lsg_table5": TableSpec(black_box.lsg_table5, ("one_pixel", "local_search")),
}


def table_spec(table_id: str) -> TableSpec:
    """The entry of a table.

    Raises:
        ClearfiltersError: if there is none of this id.
    """
    if table_id not in TABLES:
        raise ClearfiltersError(f"no table `{table_id}`; there are: {', '.join(TABLES)}")
    return TABLES[table_id]


def build_table(table_id: str, index: Index) -> Table:
    """Make a table from the measurements it reads.

    Raises:
        ClearfiltersError: for an unknown id, or a measurement that is missing, malformed or made
            with other parameters.
    """
    spec = table_spec(table_id)
    return spec.build(load(index, spec.analyses))


def write_table(table_id: str, index: Index, out_csv: Path, out_md: Path) -> None:
    """Write a table in long form and as Markdown. Raises as `build_table` does."""
    table = build_table(table_id, index)
    write_csv(table, out_csv)
    write_markdown(table, out_md)
