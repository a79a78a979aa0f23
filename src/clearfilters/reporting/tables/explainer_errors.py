"""EXPLAINER tables 5, 6 and 10: errors of performers, explainers, and interpretable ResNets."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from clearfilters.reporting.explainer_lines import (
    EXPLAINED_NETWORKS,
    family_of,
    mean_cell,
    restricted,
    trained_lines,
)
from clearfilters.reporting.explainer_notes import HOW_WRONG, OF_SEVERAL, explained_notes
from clearfilters.reporting.explainer_quantities import (
    AGREEMENT,
    EXPLAINER_ERROR,
    EXPLANATION,
    MORE_ERRORS,
    PERFORMER_ERROR,
    alike,
)
from clearfilters.reporting.part_lines import Line, average, lines
from clearfilters.reporting.part_notes import ACCURACIES, common, not_run
from clearfilters.reporting.part_published import DATASETS, paper_rows
from clearfilters.reporting.part_quantities import (
    ERROR_PERCENT,
    LOCATION,
    TRAINED,
    categories_of,
    is_single,
    loss_of,
)
from clearfilters.reporting.published import published
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads
from clearfilters.reporting.tables.explainers import AVERAGE, VOC
from clearfilters.reporting.tables.explainers import HEADS as RESNET_HEADS

HEADS = ("Measured", "Data", "Network", "Task")
MEASURED = "error"
# As in the paper.
DIGITS = 2
PERFORMER = Column("performer", "Performer", "percent", DIGITS)
EXPLAINER = Column("explainer", "Explainer", "percent", DIGITS)
CLASSIFYING = Column("explainer+cls", "Explainer+cls", "percent", DIGITS)
DIFFERENCE = Column("difference", "Difference", "points", DIGITS)
AGREEING = Column("agreement", "Agreement, explainer", "fraction", 3)
# Of explainers that reconstruct.
MEASURES = (
    (PERFORMER, PERFORMER_ERROR),
    (EXPLAINER, EXPLAINER_ERROR),
    (DIFFERENCE, MORE_ERRORS),
    (AGREEING, AGREEMENT),
)
ONE, SEVERAL = "one category", "several categories"
RESNETS = ("resnet101", "resnet152")
CLASSIFIERS = (
    "Explainer+cls: trained with the classification loss in place of the reconstruction's; where "
    "it was not for every category of a row, the row has none. It may have "
    "fewer seeds than the row."
)
FILLED_BY = (
    "on Pascal VOC, ILSVRC Animal-Part or CUB (data of format `voc-icnn`, `ilsvrc-parts` or `cub`, "
    "or rendered: `animals-ilsvrc`, `animals-cub`)"
)


@reads(EXPLANATION, LOCATION)
def explainer_table5(records: Records) -> Table:
    """Errors of performers of several categories, and of their explainers."""
    title = "EXPLAINER table 5: classification errors, several categories"
    experiments = [
        e
        for e in _explainers(records)
        if not is_single(records, e) and loss_of(records, e) == "logistic"
    ]
    if not experiments:
        filled_by = (
            "explainers (role `explainer`) of performers of several categories, each for itself "
            f"(loss `multi-label-logistic`), {FILLED_BY}"
        )
        return not_run("explainer_table5", title, HEADS, filled_by)
    columns = [column for column, _ in MEASURES]
    rows = list(_rows(records, "table5", experiments, columns))
    notes = (*explained_notes(records, experiments), HOW_WRONG)
    return Table("explainer_table5", title, HEADS, columns, rows, notes)


@reads(EXPLANATION, LOCATION)
def explainer_table10(records: Records) -> Table:
    """Errors of performers and of their explainers with both losses."""
    title = "EXPLAINER table 10: classification errors (ours: ILSVRC, too)"
    experiments = _explainers(records)
    if not experiments:
        filled_by = f"explainers (roles `explainer`, `explainer-cls`) of performers {FILLED_BY}"
        return not_run("explainer_table10", title, HEADS, filled_by)
    columns = [PERFORMER, EXPLAINER, CLASSIFYING, DIFFERENCE, AGREEING]
    rows = list(_rows(records, "table10", experiments, columns))
    notes = (*explained_notes(records, experiments), HOW_WRONG, CLASSIFIERS, OF_SEVERAL)
    return Table("explainer_table10", title, HEADS, columns, rows, notes)


@reads(LOCATION)
def explainer_table6(records: Records) -> Table:
    """Errors of ResNets with and without an interpretable layer (ICNN's, not an explainer's)."""
    title = "EXPLAINER table 6: classification errors of ResNets with an interpretable layer"
    experiments = [
        e
        for e in records.experiments("ordinary", "interpretable", analysis=LOCATION)
        if e.model in RESNETS and e.dataset in DATASETS["VOC"] and is_single(records, e)
    ]
    if not experiments:
        filled_by = (
            "`resnet101` and `resnet152` with a top of their own (roles `ordinary` and "
            "`interpretable`) on one category of Pascal VOC (data of format `voc-icnn`)"
        )
        return not_run("explainer_table6", title, RESNET_HEADS, filled_by)
    found = {c for e in experiments for c in categories_of(records, e)}
    columns = [Column(c, c, "percent", DIGITS) for c in (*VOC, *sorted(found - set(VOC)))]
    columns.append(Column(AVERAGE, "Average", "percent", DIGITS))
    values, shown, ours = published("EXPLAINER", "table6"), set(), []
    for line in lines(records, experiments, LOCATION, ()):
        e = line.experiments[0]
        if line.state == TRAINED:
            samples = line.samples(records, ERROR_PERCENT)
            cells = {category: line.cell(sample) for category, sample in samples.items()}
            cells[AVERAGE] = line.cell(average(samples.values()))
            beside = f"{EXPLAINED_NETWORKS[e.model]} / {e.role}"
            shown |= {key for key in values if key[0] == beside}
            cells |= {
                column: replace(cells.get(column, Cell()), published=value)
                for (row, column), value in values.items()
                if row == beside
            }
            heads = (MEASURED, line.dataset, line.network, line.training)
            ours.append(Row(f"{MEASURED} / {line.key}", heads, cells))
    rows = [*paper_rows(MEASURED, values, shown), *ours]
    notes = (*common(records, experiments, tuple(EXPLAINED_NETWORKS)), ACCURACIES)
    return Table("explainer_table6", title, RESNET_HEADS, columns, rows, notes)


def _explainers(records: Records) -> list[Experiment]:
    """On the paper's data sets; of CUB birds against background, not the species."""
    return [
        e
        for e in records.experiments("explainer", analysis=LOCATION)
        if family_of(e.dataset) is not None
        and (family_of(e.dataset) != "CUB" or is_single(records, e))
    ]


def _rows(
    records: Records, number: str, experiments: Sequence[Experiment], columns: Sequence[Column]
) -> Iterator[Row]:
    """The paper's rows that stand beside none of ours, then ours."""
    values, shown, ours = published("EXPLAINER", number), set(), []
    for line, task, beside in _tasks(records, experiments):
        cells = _cells(records, line)
        for column in columns:
            if (beside, column.key) in values:
                cell = cells.get(column.key, Cell())
                cells[column.key] = replace(cell, published=values[beside, column.key])
                shown.add((beside, column.key))
        heads = (MEASURED, line.dataset, line.network, task)
        ours.append(Row(f"{MEASURED} / {line.dataset} / {line.network} / {task}", heads, cells))
    yield from paper_rows(MEASURED, values, shown)
    yield from ours


def _tasks(records: Records, experiments: Sequence[Experiment]) -> Iterator[tuple[Line, str, str]]:
    """Parts of rows by task: several categories, one, each of these; with the paper's row or ""."""
    for line in trained_lines(records, experiments):
        other = "" if line.training == "explainer" else f", {line.training}"
        own = line.dataset in (DATASETS["VOC"][0], DATASETS["CUB"][0])
        network = EXPLAINED_NETWORKS.get(line.experiments[0].model)
        for several, task in ((True, SEVERAL), (False, ONE)):
            part = restricted(records, line, several=several)
            if part.experiments:
                beside = f"{network} / {family_of(line.dataset)}, {task}"
                yield part, task + other, beside if own and network else ""
        # `part` has one category each now.
        each = dict.fromkeys(categories_of(records, e)[0] for e in part.experiments)
        for category in each if len(each) > 1 else ():
            yield _of_category(records, part, category), f"{ONE}: {category}{other}", ""


def _of_category(records: Records, line: Line, category: str) -> Line:
    own = (e for e in line.experiments if categories_of(records, e) == [category])
    return replace(line, experiments=tuple(own))


def _cells(records: Records, line: Line) -> dict[str, Cell]:
    cells = {column.key: mean_cell(records, line, quantity) for column, quantity in MEASURES}
    classifying = [c for e in line.experiments for c in alike(records, e, "explainer-cls")]
    other = replace(line, experiments=tuple({c.name: c for c in classifying}.values()))
    if _categories(records, other) == _categories(records, line):
        cells[CLASSIFYING.key] = mean_cell(records, other, EXPLAINER_ERROR)
    return cells


def _categories(records: Records, line: Line) -> set[str]:
    return {category for e in line.experiments for category in categories_of(records, e)}
