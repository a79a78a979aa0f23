"""Where the published values of interpretable CNNs stand: in rows of their own, or beside ours."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace

from clearfilters.reporting.part_lines import Line
from clearfilters.reporting.part_quantities import TRAINED, is_single, loss_of
from clearfilters.reporting.published import Published
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.table import Cell, Row

# The networks of the registry that are the paper's.
PAPER_NETWORKS = {
    "caffe-alexnet": "AlexNet",
    "vgg16": "VGG-16",
    "vgg-m": "VGG-M",
    "vgg-s": "VGG-S",
}
# The trainings that are the paper's.
PAPER_ROLES = ("ordinary", "interpretable")
# The paper's data sets, each as published and as rendered; only the first is the paper's own.
DATASETS = {
    "ILSVRC": ("ilsvrc-parts", "animals-ilsvrc"),
    "VOC": ("voc-icnn",),
    "CUB": ("cub", "animals-cub"),
}
Values = Mapping[tuple[str, str], Published]


def row_beside(line: Line) -> str | None:
    """The paper's row whose values stand beside ours, if it is of that network and data."""
    e = line.experiments[0]
    own = any(line.dataset == formats[0] for formats in DATASETS.values())
    if line.state != TRAINED or not own or e.role not in PAPER_ROLES:
        return None
    network = PAPER_NETWORKS.get(e.model)
    return None if network is None else f"{network} / {e.role}"


def paper_rows(measured: str, values: Values, shown: Set[tuple[str, str]]) -> Iterator[Row]:
    """A row per network of the paper, with its values that stand beside none of ours.

    Args:
        measured: what the table's first column says.
        values: (row, column) -> published value.
        shown: the keys of those beside ours.
    """
    for name in dict.fromkeys(row for row, _ in values):
        cells = {
            column: Cell(published=value)
            for (row, column), value in values.items()
            if row == name and (row, column) not in shown
        }
        if cells:
            network, training = name.split(" / ")
            yield Row(f"{measured} / {name}", (measured, "paper", network, training), cells)


def beside_published(
    measured: str, values: Values, ours: Iterable[tuple[Line, str | None, Mapping[str, Cell]]]
) -> Iterator[Row]:
    """The paper's rows that stand beside none of ours, then ours with its values beside them.

    Args:
        measured: what the table's first column says.
        values: (row, column) -> published value.
        ours: a line, the paper's row beside it or None, and its cells by column.
    """
    lines = list(ours)
    beside = {row for _, row, _ in lines}
    yield from paper_rows(measured, values, {key for key in values if key[0] in beside})
    for line, row, cells in lines:
        found = dict(cells)
        for (name, column), value in values.items():
            if name == row:
                found[column] = replace(found.get(column, Cell()), published=value)
        heads = (measured, line.dataset, line.network, line.training)
        yield Row(f"{measured} / {line.key}", heads, found)


def column_of(records: Records, e: Experiment, analysis: str) -> str:
    """The column of tables 2, 6 and 7 that an experiment on one of DATASETS fills."""
    family = next(name for name, formats in DATASETS.items() if e.dataset in formats)
    return family if is_single(records, e, analysis) else f"{family}, {loss_of(records, e)}"
