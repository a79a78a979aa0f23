"""ICNN tables 2, 6 and 7: networks of several categories, and the accuracy of all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from clearfilters.reporting.part_lines import Line, average, lines
from clearfilters.reporting.part_notes import (
    ACCURACIES,
    HOW_INTERPRETABLE,
    HOW_LOCATED,
    LOSSES,
    STATES,
    TARGETS,
    common,
    counts,
    filters_by_category,
    not_run,
)
from clearfilters.reporting.part_published import (
    DATASETS,
    PAPER_ROLES,
    column_of,
    paper_rows,
    row_beside,
)
from clearfilters.reporting.part_quantities import (
    ACCURACY,
    ACCURACY_PERCENT,
    CONSTANT,
    INTERPRETABILITY,
    LOCATION,
    OF_SEVERAL_BY_CODE,
    OF_SEVERAL_BY_PAPER,
    OF_SEVERAL_BY_PAPER_SIDE,
    PARTS_OF_SEVERAL,
    RANDOM,
    Quantity,
    is_single,
)
from clearfilters.reporting.published import published
from clearfilters.reporting.records import PARTS, Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads

HEADS = ("Measured", "Data", "Network", "Training")
# As in the paper.
DIGITS = 3
PERCENT_DIGITS = 2
TABLE2 = ("VOC, logistic", "VOC, softmax")
# ILSVRC with softmax is ours.
TABLE6 = ("ILSVRC, logistic", "ILSVRC, softmax", "VOC, logistic", "VOC, softmax")
TABLE7_ONE = ("ILSVRC", "VOC", "CUB")


@dataclass(frozen=True)
class Block:
    """The rows of one quantity.

    Attributes:
        measured: what they say in the first column.
        number: of the paper's table whose values stand there; None for none.
        roles: of the experiments that have a row.
        baselines: keys of BASELINES.
        accuracy: whether the accuracy stands in further columns.
    """

    measured: str
    quantity: Quantity
    number: str | None
    roles: tuple[str, ...] = PARTS
    baselines: tuple[str, ...] = ()
    accuracy: bool = False


TABLE2_BLOCKS = (Block("part interpretability", PARTS_OF_SEVERAL, "table2", accuracy=True),)
TABLE6_BLOCKS = (
    Block(
        "location deviation, by the side",
        OF_SEVERAL_BY_PAPER_SIDE,
        "table6",
        PAPER_ROLES,
        (RANDOM, CONSTANT),
    ),
    Block(
        "location instability, by the diagonal",
        OF_SEVERAL_BY_PAPER,
        None,
        baselines=(RANDOM, CONSTANT),
        accuracy=True,
    ),
    Block("the same, category as in the authors' code", OF_SEVERAL_BY_CODE, None),
)
TABLE7_BLOCKS = (Block("accuracy", ACCURACY_PERCENT, "table7"),)


@reads(INTERPRETABILITY, LOCATION)
def icnn_table2(records: Records) -> Table:
    """Part interpretability of filters of networks of several categories."""
    title = "ICNN table 2: part interpretability, several categories, Pascal VOC Part"
    experiments = [
        e
        for e in records.experiments(*PARTS, analysis=INTERPRETABILITY)
        if e.dataset in DATASETS["VOC"] and not is_single(records, e, INTERPRETABILITY)
    ]
    if not experiments:
        filled_by = "networks of several categories of Pascal VOC (data of format `voc-icnn`)"
        return not_run("icnn_table2", title, HEADS, filled_by)
    columns = [*_columns(TABLE2), *_accuracies(records, experiments, TABLE2, INTERPRETABILITY)]
    rows = _rows(records, TABLE2_BLOCKS, TABLE2, experiments, INTERPRETABILITY)
    notes = (
        *common(records, experiments),
        HOW_INTERPRETABLE,
        "A filter counts for the category that activates it most.",
        STATES,
        ACCURACIES,
        counts(records, experiments, INTERPRETABILITY),
    )
    return Table("icnn_table2", title, HEADS, columns, list(rows), notes)


@reads(LOCATION)
def icnn_table6(records: Records) -> Table:
    """Location deviation of filters of networks of several categories."""
    title = "ICNN table 6: location deviation, several categories"
    experiments = [e for e in _of_the_paper(records) if not is_single(records, e)]
    if not experiments:
        filled_by = (
            "networks of several categories of ILSVRC Animal-Part or Pascal VOC (data of format "
            "`ilsvrc-parts` or `voc-icnn`, or rendered: `animals-ilsvrc`)"
        )
        return not_run("icnn_table6", title, HEADS, filled_by)
    columns = [*_columns(TABLE6), *_accuracies(records, experiments, TABLE6, LOCATION)]
    rows = _rows(records, TABLE6_BLOCKS, TABLE6, experiments, LOCATION)
    notes = (
        *common(records, experiments),
        HOW_LOCATED,
        TARGETS,
        LOSSES,
        STATES,
        ACCURACIES,
        filters_by_category(records, experiments),
        counts(records, experiments),
    )
    return Table("icnn_table6", title, HEADS, columns, list(rows), notes)


@reads(LOCATION)
def icnn_table7(records: Records) -> Table:
    """Accuracy of every network, of one category (mean over categories) and of several."""
    title = "ICNN table 7: classification accuracy"
    experiments = _of_the_paper(records)
    if not experiments:
        filled_by = "any network with part filters on ILSVRC Animal-Part, Pascal VOC or CUB"
        return not_run("icnn_table7", title, HEADS, filled_by)
    names = (*TABLE6, *TABLE7_ONE)
    columns = [
        Column(name, f"several categories: {name}", "percent", PERCENT_DIGITS) for name in TABLE6
    ]
    columns += [
        Column(name, f"one category: {name}", "percent", PERCENT_DIGITS) for name in TABLE7_ONE
    ]
    notes = (
        *common(records, experiments),
        "One category: mean over the categories that were measured, for the seeds that all of "
        "these have.",
        LOSSES,
        ACCURACIES,
    )
    rows = _rows(records, TABLE7_BLOCKS, names, experiments, LOCATION)
    return Table("icnn_table7", title, HEADS, columns, list(rows), notes)


def _of_the_paper(records: Records) -> list[Experiment]:
    """Experiments on the paper's data sets; of CUB birds against background, not the species."""
    several = (*DATASETS["ILSVRC"], *DATASETS["VOC"])
    return [
        e
        for e in records.experiments(*PARTS, analysis=LOCATION)
        if e.dataset in several or (e.dataset in DATASETS["CUB"] and is_single(records, e))
    ]


def _columns(names: Sequence[str]) -> list[Column]:
    return [Column(name, name, "fraction", DIGITS) for name in names]


def _accuracies(
    records: Records, experiments: Sequence[Experiment], names: Sequence[str], analysis: str
) -> list[Column]:
    """Columns of the accuracies of the networks that the run has."""
    present = {column_of(records, e, analysis) for e in experiments}
    return [
        Column(_accuracy(name), f"Accuracy: {name}", "fraction", DIGITS)
        for name in names
        if name in present
    ]


def _accuracy(column: str) -> str:
    return f"accuracy, {column}"


def _rows(
    records: Records,
    blocks: Sequence[Block],
    names: Sequence[str],
    experiments: Sequence[Experiment],
    analysis: str,
) -> Iterator[Row]:
    """By quantity the paper's rows, less what stands beside ours, then ours that have numbers."""
    for block in blocks:
        own = [e for e in experiments if e.role in block.roles]
        values = {} if block.number is None else published("ICNN", block.number)
        ours, shown = [], set()
        for line in lines(records, own, analysis, block.baselines):
            beside = row_beside(line)
            cells: dict[str, Cell] = {}
            for name in names:
                part = _filling(records, line, name, analysis)
                cells[name] = _mean(records, part, block.quantity)
                if block.accuracy:
                    cells[_accuracy(name)] = _mean(records, part, ACCURACY)
                if part.experiments and beside is not None and (beside, name) in values:
                    cells[name] = replace(cells[name], published=values[beside, name])
                    shown.add((beside, name))
            if any(cell.mean is not None for cell in cells.values()):
                heads = (block.measured, line.dataset, line.network, line.training)
                ours.append(Row(f"{block.measured} / {line.key}", heads, cells))
        yield from paper_rows(block.measured, values, shown)
        yield from ours


def _filling(records: Records, line: Line, column: str, analysis: str) -> Line:
    """The part of a row that fills a column."""
    own = (e for e in line.experiments if column_of(records, e, analysis) == column)
    return replace(line, experiments=tuple(own))


def _mean(records: Records, line: Line, quantity: Quantity) -> Cell:
    return line.cell(average(line.samples(records, quantity).values()))
