"""Ours about part filters: each category by itself, and the weight of the filter loss."""

from collections.abc import Sequence

from clearfilters.reporting.part_lines import Line, lines
from clearfilters.reporting.part_notes import (
    ACCURACIES,
    HOW_FOLLOWED,
    HOW_LOCATED,
    STATES,
    common,
    counts,
    not_run,
)
from clearfilters.reporting.part_quantities import (
    ACCURACY,
    CONSTANT,
    ERROR_PERCENT,
    INSTABILITY,
    LOCATION,
    QUALITIES,
    TEST_ONLY,
    TRAINED,
    Quantity,
    categories_of,
    followed,
    is_single,
    loss_of,
    ratio_of,
    weight_of,
)
from clearfilters.reporting.records import PARTS, Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, reads

FILTERS_HEADS = ("Category", "Task", "Data", "Network", "Training")
FILTERS: tuple[tuple[Column, Quantity], ...] = (
    (Column("accuracy", "Accuracy", "fraction", 3), ACCURACY),
    (Column("instability", "Location instability", "of the diagonal"), INSTABILITY),
    (Column("test_only", "the same, test objects alone", "of the diagonal"), TEST_ONLY),
    *QUALITIES,
)
WEIGHT_HEADS = ("Category", "Data", "Network", "Training")
WEIGHT: tuple[tuple[Column, Quantity], ...] = (
    (Column("error", "Error", "percent", 2), ERROR_PERCENT),
    (Column("instability", "Location instability", "of the diagonal"), INSTABILITY),
    *QUALITIES,
)
# Of the loss, not of what is measured.
WEIGHT_COLUMNS = (
    Column("weight", "Weight of the loss", "", None),
    Column("ratio", "Held at", "", None),
    *(column for column, _ in WEIGHT),
)
HOW_WEIGHTED = (
    "Weight: factor of the filter loss, 1 is the authors' code's, 0 masks alone. Held at: ratio of "
    "the filter loss's gradient to the task's, for which the weight changes while training."
)
HOW_SHARED = (
    "Best for: share of the filters whose place has its largest R² with that landmark; filters "
    "that never move have none."
)


@reads(LOCATION)
def icnn_filters(records: Records) -> Table:
    """What tables 3 to 6 average over: every category by itself, in every state."""
    title = "Filters of interpretable and ordinary CNNs, category by category"
    experiments = records.experiments(*PARTS, analysis=LOCATION)
    if not experiments:
        filled_by = "any network with part filters on data with landmarks"
        return not_run("icnn_filters", title, FILTERS_HEADS, filled_by)
    shares = _shares(records, experiments)
    measured = (*FILTERS, *shares)
    rows = [
        Row(
            f"{category} / {task} / {line.key}",
            (category, task, line.dataset, line.network, line.training),
            _cells(records, line, category, measured),
        )
        for task in dict.fromkeys(_task(records, e) for e in experiments)
        for category, having in _by_category(records, experiments, task).items()
        for line in lines(records, having, LOCATION)
    ]
    notes = (
        *common(records, experiments),
        HOW_LOCATED,
        HOW_FOLLOWED,
        HOW_SHARED,
        STATES,
        ACCURACIES,
        counts(records, experiments),
    )
    columns = [column for column, _ in measured]
    return Table("icnn_filters", title, FILTERS_HEADS, columns, rows, notes)


@reads(LOCATION)
def icnn_weight(records: Records) -> Table:
    """Error, instability, R² and difference over the weight of the filter loss."""
    title = "Weight of the filter loss: error, location instability, and what filters follow"
    graded = weighed(records)
    if not graded:
        filled_by = (
            "networks of one category with the filter loss at other weights (role `weighted`), "
            "held at a ratio of the task's gradient (`held`), or with filters left ordinary "
            "(`mixed`)"
        )
        return not_run("icnn_weight", title, WEIGHT_HEADS, filled_by)
    rows = []
    for (dataset, category), experiments in graded.items():
        for line in lines(records, experiments, LOCATION, (CONSTANT,)):
            cells = _cells(records, line, category, WEIGHT)
            if line.state == TRAINED:
                e = line.experiments[0]
                cells["weight"] = Cell(weight_of(records, e))
                cells["ratio"] = Cell(ratio_of(records, e))
            heads = (category, dataset, line.network, line.training)
            rows.append(Row(f"{category} / {line.key}", heads, cells))
    every = [e for experiments in graded.values() for e in experiments]
    notes = (
        *common(records, every),
        HOW_WEIGHTED,
        HOW_LOCATED,
        HOW_FOLLOWED,
        ACCURACIES,
        counts(records, every),
    )
    return Table("icnn_weight", title, WEIGHT_HEADS, WEIGHT_COLUMNS, rows, notes)


def weighed(records: Records) -> dict[tuple[str, str], list[Experiment]]:
    """(Data, category) -> its networks of one category, where the loss has several weights."""
    found: dict[tuple[str, str], list[Experiment]] = {}
    for e in records.experiments(*PARTS, analysis=LOCATION):
        if is_single(records, e):
            found.setdefault((e.dataset, categories_of(records, e)[0]), []).append(e)
    return {
        key: experiments
        for key, experiments in found.items()
        if any(e.role in ("weighted", "held", "mixed") for e in experiments)
    }


def _task(records: Records, e: Experiment) -> str:
    return "one category" if is_single(records, e) else f"several, {loss_of(records, e)}"


def _by_category(
    records: Records, experiments: Sequence[Experiment], task: str
) -> dict[str, list[Experiment]]:
    found: dict[str, list[Experiment]] = {}
    for e in experiments:
        if _task(records, e) == task:
            for category in categories_of(records, e):
                found.setdefault(category, []).append(e)
    return found


def _shares(records: Records, experiments: Sequence[Experiment]) -> list[tuple[Column, Quantity]]:
    """How the filters share the landmarks out."""
    landmarks = {
        landmark: None
        for e in experiments
        for found in (records.first(e, LOCATION) or {})["categories"].values()
        for landmark in found["landmarks"]
    }
    return [
        (Column(f"follows {name}", f"Best for: {name}", "fraction", 3), followed(name))
        for name in landmarks
    ]


def _cells(
    records: Records, line: Line, category: str, measured: Sequence[tuple[Column, Quantity]]
) -> dict[str, Cell]:
    return {
        column.key: line.cell(line.samples(records, quantity).get(category, {}))
        for column, quantity in measured
    }
