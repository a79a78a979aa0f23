"""EXPLAINER tables 2, 4, 8 and 9: location instability of performers, explainers, their input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clearfilters.reporting.explainer_lines import (
    explainer_lines,
    mean_cell,
    restricted,
    row_beside,
)
from clearfilters.reporting.explainer_notes import HOW_EXPLAINED, explained_notes
from clearfilters.reporting.explainer_quantities import INPUT
from clearfilters.reporting.part_lines import Line, average
from clearfilters.reporting.part_notes import (
    AVERAGES,
    HOW_FOLLOWED,
    STATES,
    counts,
    not_run,
)
from clearfilters.reporting.part_published import DATASETS, beside_published
from clearfilters.reporting.part_quantities import (
    INSTABILITY,
    LOCATION,
    OF_SEVERAL_BY_CODE,
    QUALITIES,
    UNTRAINED,
    categories_of,
    is_single,
)
from clearfilters.reporting.published import published
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads

HEADS = ("Measured", "Data", "Network", "Training")
MEASURED = "location instability"
AVERAGE, SEVERAL = "average", "several"
VOC = ("bird", "cat", "cow", "dog", "horse", "sheep")
UNIT = "of the diagonal"


@dataclass(frozen=True)
class Layout:
    """A table of the paper.

    Attributes:
        number: in published.csv.
        datasets: formats of the data that fill it.
        categories: of the paper, in its order; none where it gives the average alone.
        states: INPUT, UNTRAINED: what has a row beside performer and explainer.
        digits: as in the paper.
        filled_by: what would fill it, where nothing does.
    """

    number: str
    title: str
    datasets: tuple[str, ...]
    categories: tuple[str, ...]
    states: tuple[str, ...]
    digits: int
    filled_by: str

    @property
    def id(self) -> str:
        """Of the table."""
        return f"explainer_{self.number}"


# ILSVRC is not in the paper.
ANIMALS = (*DATASETS["VOC"], *DATASETS["ILSVRC"])
OF_ANIMALS = (
    "explainers (role `explainer`) of performers on Pascal VOC or ILSVRC Animal-Part (data of "
    "format `voc-icnn` or `ilsvrc-parts`, or rendered: `animals-ilsvrc`)"
)
OF_BIRDS = (
    "explainers (role `explainer`) of performers that tell birds from background (data of format "
    "`cub`, or rendered: `animals-cub`)"
)
TABLE2 = Layout(
    "table2",
    "EXPLAINER table 2: location instability, Pascal VOC Part (ours: ILSVRC, too)",
    ANIMALS,
    VOC,
    (UNTRAINED,),
    3,
    OF_ANIMALS,
)
TABLE4 = Layout(
    "table4",
    "EXPLAINER table 4: location instability, birds of CUB-200-2011",
    DATASETS["CUB"],
    (),
    (UNTRAINED,),
    4,
    OF_BIRDS,
)
TABLE8 = replace(
    TABLE2,
    number="table8",
    title="EXPLAINER table 8: location instability and the input's, Pascal VOC Part "
    "(ours: ILSVRC, too)",
    states=(INPUT, UNTRAINED),
)
TABLE9 = replace(
    TABLE4,
    number="table9",
    title="EXPLAINER table 9: location instability and the input's, birds of CUB-200-2011",
    states=(INPUT, UNTRAINED),
)


@reads(LOCATION)
def explainer_table2(records: Records) -> Table:
    """Location instability of performers and explainers of animals."""
    return _table(records, TABLE2)


@reads(LOCATION)
def explainer_table4(records: Records) -> Table:
    """Location instability of performers and explainers of birds."""
    return _table(records, TABLE4)


@reads(LOCATION)
def explainer_table8(records: Records) -> Table:
    """Table 2 with the maps that the explainers read."""
    return _table(records, TABLE8)


@reads(LOCATION)
def explainer_table9(records: Records) -> Table:
    """Table 4 with the maps that the explainers read."""
    return _table(records, TABLE9)


def _table(records: Records, layout: Layout) -> Table:
    experiments = [
        e
        for e in records.experiments("explainer", analysis=LOCATION)
        if e.dataset in layout.datasets and (layout.categories or is_single(records, e))
    ]
    if not experiments:
        return not_run(layout.id, layout.title, HEADS, layout.filled_by)
    names = _categories(records, layout, experiments)
    columns = [Column(name, name, UNIT, layout.digits) for name in names]
    columns.append(Column(AVERAGE, "Average", UNIT, layout.digits))
    if layout.categories:
        columns.append(Column(SEVERAL, "several categories", UNIT, layout.digits))
    columns += [column for column, _ in QUALITIES]
    notes = (
        *explained_notes(records, experiments),
        HOW_EXPLAINED,
        HOW_FOLLOWED,
        STATES,
        AVERAGES,
        counts(records, experiments),
    )
    return Table(
        layout.id, layout.title, HEADS, columns, list(_rows(records, layout, experiments)), notes
    )


def _categories(
    records: Records, layout: Layout, experiments: Sequence[Experiment]
) -> tuple[str, ...]:
    """The paper's, then those of ours alone that networks of one category have."""
    if not layout.categories:
        return ()
    found = {c for e in experiments if is_single(records, e) for c in categories_of(records, e)}
    return (*layout.categories, *sorted(found - set(layout.categories)))


def _rows(records: Records, layout: Layout, experiments: Sequence[Experiment]) -> Iterator[Row]:
    """The paper's rows that stand beside none of ours, then ours that have numbers."""
    ours = explainer_lines(records, experiments, states=layout.states)
    values = published("EXPLAINER", layout.number)
    found = [(line, row_beside(line), _cells(records, line)) for line in ours]
    measured = [one for one in found if any(cell.mean is not None for cell in one[2].values())]
    return beside_published(MEASURED, values, measured)


def _cells(records: Records, line: Line) -> dict[str, Cell]:
    one = restricted(records, line, several=False)
    samples = one.samples(records, INSTABILITY)
    cells = {category: line.cell(sample) for category, sample in samples.items()}
    cells[AVERAGE] = line.cell(average(samples.values()))
    cells |= {column.key: mean_cell(records, one, quantity) for column, quantity in QUALITIES}
    several = restricted(records, line, several=True)
    return {**cells, SEVERAL: mean_cell(records, several, OF_SEVERAL_BY_CODE)}
