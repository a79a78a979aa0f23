"""ICNN tables 1, 3, 4 and 5: filters of networks of one category, and what needs no training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from clearfilters.reporting.part_lines import Line, average, lines
from clearfilters.reporting.part_notes import (
    ACCURACIES,
    AVERAGES,
    HOW_FOLLOWED,
    HOW_INTERPRETABLE,
    HOW_LOCATED,
    STATES,
    best_parts,
    common,
    counts,
    not_run,
)
from clearfilters.reporting.part_published import (
    DATASETS,
    PAPER_ROLES,
    beside_published,
    row_beside,
)
from clearfilters.reporting.part_quantities import (
    ACCURACY,
    BASELINES,
    CONSTANT,
    DEVIATION,
    INSTABILITY,
    INTERPRETABILITY,
    LOCATION,
    PARTS_OF_ONE,
    QUALITIES,
    RANDOM,
    TEST_ONLY,
    TRAINED,
    Quantity,
    Values,
    categories_of,
    is_single,
    statistic,
)
from clearfilters.reporting.published import published
from clearfilters.reporting.records import PARTS, Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads

HEADS = ("Measured", "Data", "Network", "Training")
AVERAGE = "average"
# As in the paper.
DIGITS = 3
VOC = ("bird", "cat", "cow", "dog", "horse", "sheep")
ILSVRC = (
    *("goldfish", "bird", "frog", "turtle", "lizard", "koala", "lobster", "dog", "fox", "cat"),
    *("lion", "tiger", "bear", "rabbit", "hamster", "squirrel", "horse", "zebra", "swine"),
    *("hippo", "cattle", "sheep", "antelope", "camel", "otter", "armadillo", "monkey"),
    *("elephant", "red-panda", "giant-panda"),
)
Beside = Sequence[tuple[Column, Quantity]]
ACCURACY_COLUMN = (Column("accuracy", "Accuracy", "fraction", DIGITS), ACCURACY)
LOCATION_BESIDE: Beside = (
    ACCURACY_COLUMN,
    (Column("test_only", "Average, test objects alone", "fraction", DIGITS), TEST_ONLY),
    *QUALITIES,
)


@dataclass(frozen=True)
class Block:
    """The rows of one quantity.

    Attributes:
        measured: what they say in the first column.
        compared: whether the paper's values stand there.
        roles: of the experiments that have a row.
        beside: averages that stand in further columns.
    """

    measured: str
    quantity: Quantity
    compared: bool
    roles: tuple[str, ...] = PARTS
    beside: Beside = ()


@dataclass(frozen=True)
class Layout:
    """A table of the paper with a column per category.

    Attributes:
        number: in published.csv.
        datasets: formats of the data that fill it.
        categories: of the paper, in its order; none where it gives the average alone.
        baselines: keys of BASELINES.
        filled_by: what would fill it, where nothing does.
    """

    number: str
    title: str
    analysis: str
    datasets: tuple[str, ...]
    categories: tuple[str, ...]
    baselines: tuple[str, ...]
    filled_by: str

    @property
    def id(self) -> str:
        """Of the table."""
        return f"icnn_{self.number}"


LOCATION_BLOCKS = (
    Block("location deviation, by the side", DEVIATION, True, roles=PAPER_ROLES),
    Block("location instability, by the diagonal", INSTABILITY, False, beside=LOCATION_BESIDE),
)
TABLE1 = Layout(
    "table1",
    "ICNN table 1: part interpretability, one category, Pascal VOC Part",
    INTERPRETABILITY,
    DATASETS["VOC"],
    VOC,
    (RANDOM, CONSTANT),
    "networks of one category of Pascal VOC with parts (data of format `voc-icnn`)",
)
TABLE3 = Layout(
    "table3",
    "ICNN table 3: location deviation, one category, ILSVRC 2013 DET Animal-Part",
    LOCATION,
    DATASETS["ILSVRC"],
    ILSVRC,
    tuple(BASELINES),
    "networks of one category of ILSVRC Animal-Part (data of format `ilsvrc-parts`, or rendered: "
    "`animals-ilsvrc`)",
)
TABLE4 = Layout(
    "table4",
    "ICNN table 4: location deviation, one category, Pascal VOC Part",
    LOCATION,
    DATASETS["VOC"],
    VOC,
    tuple(BASELINES),
    "networks of one category of Pascal VOC (data of format `voc-icnn`)",
)
TABLE5 = Layout(
    "table5",
    "ICNN table 5: location deviation, birds of CUB-200-2011",
    LOCATION,
    DATASETS["CUB"],
    (),
    tuple(BASELINES),
    "networks of birds against background (data of format `cub`, or rendered: `animals-cub`)",
)


@reads(INTERPRETABILITY, LOCATION)
def icnn_table1(records: Records) -> Table:
    """Part interpretability of filters of networks of one category, with other radii beside it."""
    experiments = _experiments(records, TABLE1)
    beside = (ACCURACY_COLUMN, *_radii(records, experiments))
    block = Block("part interpretability", PARTS_OF_ONE, True, beside=beside)
    notes = [HOW_INTERPRETABLE, STATES, AVERAGES, ACCURACIES]
    if experiments:
        notes += [*best_parts(records, experiments), counts(records, experiments, TABLE1.analysis)]
    return _table(records, TABLE1, (block,), experiments, notes)


@reads(LOCATION)
def icnn_table3(records: Records) -> Table:
    """Location deviation of filters of networks of one category of ILSVRC."""
    return _location_table(records, TABLE3)


@reads(LOCATION)
def icnn_table4(records: Records) -> Table:
    """Location deviation of filters of networks of one category of VOC."""
    return _location_table(records, TABLE4)


@reads(LOCATION)
def icnn_table5(records: Records) -> Table:
    """Location deviation of filters of networks of the birds of CUB."""
    return _location_table(records, TABLE5)


def _location_table(records: Records, layout: Layout) -> Table:
    experiments = _experiments(records, layout)
    notes = [HOW_LOCATED, HOW_FOLLOWED, STATES, AVERAGES, ACCURACIES]
    if experiments:
        notes.append(counts(records, experiments))
    return _table(records, layout, LOCATION_BLOCKS, experiments, notes)


def _experiments(records: Records, layout: Layout) -> list[Experiment]:
    return [
        e
        for e in records.experiments(*PARTS, analysis=layout.analysis)
        if e.dataset in layout.datasets and is_single(records, e, layout.analysis)
    ]


def _radii(records: Records, experiments: Sequence[Experiment]) -> list[tuple[Column, Quantity]]:
    """Part interpretability by the radius of the discs, in pixels."""
    radii: dict[str, None] = {}
    for e in experiments:
        for found in (records.first(e, INTERPRETABILITY) or {})["categories"].values():
            radii |= dict.fromkeys(found[TRAINED]["radius"])
    return [
        (
            Column(f"radius_{radius}", f"Average, radius {radius}", "fraction", DIGITS),
            statistic(_at_radius(radius), INTERPRETABILITY),
        )
        for radius in sorted(radii, key=float)
    ]


def _at_radius(radius: str) -> Callable[[Values], float | None]:
    return lambda found: found["radius"].get(radius)


def _table(
    records: Records,
    layout: Layout,
    blocks: Sequence[Block],
    experiments: Sequence[Experiment],
    notes: Sequence[str],
) -> Table:
    if not experiments:
        return not_run(layout.id, layout.title, HEADS, layout.filled_by)
    rows = [row for block in blocks for row in _rows(records, layout, block, experiments)]
    names = list(layout.categories)
    if names:
        found = {c for e in experiments for c in categories_of(records, e, layout.analysis)}
        names += sorted(found - set(names))
    columns = [Column(name, name, "fraction", DIGITS) for name in names]
    columns.append(Column(AVERAGE, "Average", "fraction", DIGITS))
    columns += [column for block in blocks for column, _ in block.beside]
    every = (*common(records, experiments), *notes)
    return Table(layout.id, layout.title, HEADS, columns, rows, every)


def _rows(
    records: Records, layout: Layout, block: Block, experiments: Sequence[Experiment]
) -> Iterator[Row]:
    """The paper's rows that stand beside none of ours, then ours."""
    own = [e for e in experiments if e.role in block.roles]
    ours = lines(records, own, layout.analysis, layout.baselines)
    values = published("ICNN", layout.number) if block.compared else {}
    found = [(line, row_beside(line), _cells(records, block, line)) for line in ours]
    return beside_published(block.measured, values, found)


def _cells(records: Records, block: Block, line: Line) -> dict[str, Cell]:
    samples = line.samples(records, block.quantity)
    cells = {category: line.cell(sample) for category, sample in samples.items()}
    cells[AVERAGE] = line.cell(average(samples.values()))
    for column, quantity in block.beside:
        cells[column.key] = line.cell(average(line.samples(records, quantity).values()))
    return cells
