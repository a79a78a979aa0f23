"""EXPLAINER tables 3 and 7: p, the share of part features, over networks and categories."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from clearfilters.reporting.explainer_lines import (
    family_of,
    mean_cell,
    restricted,
    row_beside,
    trained_lines,
)
from clearfilters.reporting.explainer_notes import (
    HOW_SHARED,
    OF_SEVERAL,
    explained_notes,
    p_notes,
)
from clearfilters.reporting.explainer_quantities import EXPLANATION, P
from clearfilters.reporting.part_lines import Line, average
from clearfilters.reporting.part_notes import not_run
from clearfilters.reporting.part_published import paper_rows
from clearfilters.reporting.part_quantities import LOCATION, categories_of, is_single
from clearfilters.reporting.published import published
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads
from clearfilters.reporting.tables.explainers import AVERAGE, HEADS, SEVERAL, VOC

MEASURED = "p"
# As in the paper.
TABLE3_DIGITS = 4
TABLE7_DIGITS = 2
# Those of ILSVRC are ours.
TABLE3 = (
    "VOC, one category",
    "VOC, several categories",
    "CUB, one category",
    "ILSVRC, one category",
    "ILSVRC, several categories",
)
BIRDS = "CUB"
FILLED_BY = (
    "explainers (role `explainer`) of performers on Pascal VOC, ILSVRC Animal-Part or CUB (data of "
    "format `voc-icnn`, `ilsvrc-parts` or `cub`, or rendered: `animals-ilsvrc`, `animals-cub`)"
)
Cells = Callable[[Records, Line], dict[str, Cell]]


@reads(EXPLANATION, LOCATION)
def explainer_table3(records: Records) -> Table:
    """P of networks of one category, mean over categories, and of several."""
    title = "EXPLAINER table 3: p of explainers"
    columns = [Column(name, name, "", TABLE3_DIGITS) for name in TABLE3]
    return _table(records, "table3", title, columns, _by_task)


@reads(EXPLANATION, LOCATION)
def explainer_table7(records: Records) -> Table:
    """P of every category."""
    title = "EXPLAINER table 7: p of explainers, by category (ours: ILSVRC, too)"
    found = {
        category
        for e in _explainers(records)
        if is_single(records, e) and family_of(e.dataset) != BIRDS
        for category in categories_of(records, e)
    }
    names = (*VOC, *sorted(found - set(VOC)), AVERAGE, SEVERAL, BIRDS)
    headings = {AVERAGE: "Average", SEVERAL: "several categories", BIRDS: "CUB"}
    columns = [Column(name, headings.get(name, name), "", TABLE7_DIGITS) for name in names]
    return _table(records, "table7", title, columns, _by_category)


def _explainers(records: Records) -> list[Experiment]:
    """On the paper's data sets; of CUB birds against background, not the species."""
    return [
        e
        for e in records.experiments("explainer", analysis=LOCATION)
        if (family := family_of(e.dataset)) is not None
        and (family != BIRDS or is_single(records, e))
    ]


def _table(
    records: Records, number: str, title: str, columns: Sequence[Column], cells_of: Cells
) -> Table:
    experiments = _explainers(records)
    if not experiments:
        return not_run(f"explainer_{number}", title, HEADS, FILLED_BY)
    notes = (
        *explained_notes(records, experiments),
        HOW_SHARED,
        OF_SEVERAL,
        *p_notes(records, experiments),
    )
    rows = list(_rows(records, number, experiments, cells_of))
    return Table(f"explainer_{number}", title, HEADS, columns, rows, notes)


def _rows(
    records: Records, number: str, experiments: Sequence[Experiment], cells_of: Cells
) -> Iterator[Row]:
    """The paper's values that stand beside none of ours, then ours."""
    values, shown, ours = published("EXPLAINER", number), set(), []
    for line in trained_lines(records, experiments):
        cells = cells_of(records, line)
        for column in cells:
            key = (row_beside(line) or "", column)
            if key in values:
                cells[column] = replace(cells[column], published=values[key])
                shown.add(key)
        heads = (MEASURED, line.dataset, line.network, line.training)
        ours.append(Row(f"{MEASURED} / {line.key}", heads, cells))
    yield from paper_rows(MEASURED, values, shown)
    yield from ours


def _by_task(records: Records, line: Line) -> dict[str, Cell]:
    family = family_of(line.dataset)
    cells = {
        f"{family}, {task}": mean_cell(records, restricted(records, line, several=several), P)
        for task, several in (("one category", False), ("several categories", True))
    }
    return {column: cell for column, cell in cells.items() if cell.mean is not None}


def _by_category(records: Records, line: Line) -> dict[str, Cell]:
    one, several = (restricted(records, line, several=which) for which in (False, True))
    if family_of(line.dataset) == BIRDS:
        return {BIRDS: mean_cell(records, one, P)}
    samples = one.samples(records, P)
    cells = {category: line.cell(sample) for category, sample in samples.items()}
    cells |= {
        AVERAGE: line.cell(average(samples.values())),
        SEVERAL: mean_cell(records, several, P),
    }
    return {column: cell for column, cell in cells.items() if cell.mean is not None}
