"""The tables of the registry."""

from pathlib import Path

from clearfilters.errors import ClearfiltersError
from clearfilters.registry import TABLES, load
from clearfilters.reporting.records import Index
from clearfilters.reporting.records import load as load_records
from clearfilters.reporting.table import Table, TableSpec, write_csv, write_markdown


def table_spec(table_id: str) -> TableSpec:
    """The entry of a table.

    Raises:
        ClearfiltersError: if there is none of this id.
    """
    if table_id not in TABLES:
        raise ClearfiltersError(f"no table `{table_id}`; there are: {', '.join(TABLES)}")
    found: TableSpec = load(TABLES[table_id])
    return found


def build_table(table_id: str, index: Index) -> Table:
    """Make a table from the measurements it reads.

    Raises:
        ClearfiltersError: for an unknown id, or a measurement that is missing, malformed or made
            with other parameters.
    """
    spec = table_spec(table_id)
    return spec(load_records(index, spec.analyses))


def write_table(table_id: str, index: Index, out_csv: Path, out_md: Path) -> None:
    """Write a table in long form and as Markdown. Raises as `build_table` does."""
    table = build_table(table_id, index)
    write_csv(table, out_csv)
    write_markdown(table, out_md)
