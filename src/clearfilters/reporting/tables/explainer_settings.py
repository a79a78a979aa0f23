"""Ours of explainers: what eta and the filter loss change, and which parts the score rests on."""

from collections.abc import Iterator, Sequence

from clearfilters.reporting.explainer_lines import explainer_lines, explainer_name, mean_cell
from clearfilters.reporting.explainer_notes import (
    HOW_EXPLAINED,
    HOW_SHARED,
    HOW_WRONG,
    explained_notes,
    p_notes,
)
from clearfilters.reporting.explainer_quantities import (
    AGREEMENT,
    CONTRIBUTIONS,
    EXPLAINER_ERROR,
    EXPLANATION,
    FIRST_RATIO,
    PERFORMER_ERROR,
    RECONSTRUCTION,
    RISES,
    SECOND_RATIO,
    SETTLED,
    P,
    eta_of,
    ratio_of,
)
from clearfilters.reporting.part_notes import HOW_FOLLOWED, STATES, counts, not_run
from clearfilters.reporting.part_quantities import (
    CONSTANT,
    INSTABILITY,
    LOCATION,
    QUALITIES,
    TRAINED,
    Quantity,
    Values,
    categories_of,
    loss_of,
)
from clearfilters.reporting.records import EXPLAINERS, Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, cell, reads

ETA_HEADS = ("Category", "Data", "Network", "Training")
ETA: tuple[tuple[Column, Quantity], ...] = (
    (Column("p", "p", "", 3), P),
    (Column("settled", "p settled", "share of seeds", 1), SETTLED),
    (Column("rises", "Loss rose", "epochs", 1), RISES),
    *RECONSTRUCTION,
    (Column("performer_error", "Error, performer", "percent", 2), PERFORMER_ERROR),
    (Column("explainer_error", "Error, explainer", "percent", 2), EXPLAINER_ERROR),
    (Column("agreement", "Agreement", "fraction", 3), AGREEMENT),
    (Column("instability", "Location instability", "of the diagonal"), INSTABILITY),
    *QUALITIES,
    (Column("ratio_1", "Filter loss, conv-interp-1", "of the target's gradient", 4), FIRST_RATIO),
    (Column("ratio_2", "Filter loss, conv-interp-2", "of the target's gradient", 4), SECOND_RATIO),
)
# Of the training, not of what is measured.
ETA_COLUMNS = (
    Column("eta", "η", "", None),
    Column("ratio", "Ratio", "", None),
    *(column for column, _ in ETA),
)
HOW_SET = (
    "η: the weight of -log p. Ratio: of the filter loss's gradient to the target's, which each "
    "filter is held at (published: 1/300, over the number of the epoch); without, there is no "
    "filter loss. Filter loss: the same ratio as it came out over all filters of a layer, in the "
    "last batch of the training. p settled: share of the seeds whose p has; loss rose: in how many "
    "epochs. Location and what stands behind it: of several categories their mean."
)
PARTS_HEADS = ("Category", "Data", "Network", "Training", "Part")
PARTS_COLUMNS = (
    Column("filters", "Filters", "", 1),
    Column("contribution", "Contribution", "score", 3),
    Column("share", "Share", "of the interpretable track", 3),
)
HOW_ASSIGNED = (
    "Each filter of conv-interp-2 counts for the landmark with which its place has the largest R², "
    "or for other, where that is small; the last columns have other limits than the one that "
    "counts. "
    "Contribution: to the explainer's score, by the linear model, mean over the category's "
    "annotated test objects; the parts', the ordinary track's and the biases' add up to the "
    "explainer's score. Share: of the sum over all filters, where that is above 0."
)


@reads(EXPLANATION, LOCATION)
def explainer_eta(records: Records) -> Table:
    """P, reconstruction, errors and location of every explainer, by category."""
    title = "Explainers over η and the filter loss: p, reconstruction, errors, location"
    experiments = records.experiments(*EXPLAINERS, analysis=LOCATION)
    if not experiments:
        filled_by = "any explainer on data with landmarks"
        return not_run("explainer_eta", title, ETA_HEADS, filled_by)
    rows = [
        row
        for category, having in explained(records, experiments).items()
        for row in _eta_rows(records, category, having)
    ]
    notes = (
        *explained_notes(records, experiments),
        HOW_SET,
        HOW_SHARED,
        HOW_WRONG,
        HOW_EXPLAINED,
        HOW_FOLLOWED,
        STATES,
        *p_notes(records, experiments),
        counts(records, experiments),
    )
    return Table("explainer_eta", title, ETA_HEADS, ETA_COLUMNS, rows, notes)


def explained(records: Records, experiments: Sequence[Experiment]) -> dict[str, list[Experiment]]:
    """Category -> the explainers of performers of it alone; those of several by their loss."""
    found: dict[str, list[Experiment]] = {}
    for e in experiments:
        names = categories_of(records, e)
        category = (
            names[0] if len(names) == 1 else f"{len(names)} categories, {loss_of(records, e)}"
        )
        found.setdefault(category, []).append(e)
    return found


def _eta_rows(records: Records, category: str, experiments: Sequence[Experiment]) -> Iterator[Row]:
    for line in explainer_lines(records, experiments, baselines=(CONSTANT,)):
        cells = {column.key: mean_cell(records, line, quantity) for column, quantity in ETA}
        e = line.experiments[0]
        if line.state == TRAINED and e.role in EXPLAINERS:
            cells |= {"eta": Cell(eta_of(records, e)), "ratio": Cell(ratio_of(records, e))}
        heads = (category, line.dataset, line.network, line.training)
        yield Row(f"{category} / {line.key}", heads, cells)


@reads(CONTRIBUTIONS)
def explainer_parts(records: Records) -> Table:
    """Filters and contribution of every part, as in EXPLAINER figure 5."""
    title = "Parts that explainers' scores rest on"
    experiments = records.experiments(*EXPLAINERS, analysis=CONTRIBUTIONS)
    if not experiments:
        filled_by = "any explainer on data with landmarks"
        return not_run("explainer_parts", title, PARTS_HEADS, filled_by)
    rows = [row for e in experiments for row in _part_rows(records, e)]
    columns = [*PARTS_COLUMNS, *_by_limit(records, experiments)]
    notes = (*explained_notes(records, experiments), HOW_ASSIGNED)
    return Table("explainer_parts", title, PARTS_HEADS, columns, rows, notes)


def _by_limit(records: Records, experiments: Sequence[Experiment]) -> list[Column]:
    """The share by the R² from which a filter counts for a part: it hangs on that."""
    limits: set[str] = set()
    for e in experiments:
        for found in (records.first(e, CONTRIBUTIONS) or {})["categories"].values():
            limits |= set(found["by_limit"])
    return [
        Column(f"share_from_{limit}", f"Share, R² from {limit}", "of the interpretable track", 3)
        for limit in sorted(limits, key=float)
    ]


def _part_rows(records: Records, e: Experiment) -> Iterator[Row]:
    """Of each category its parts, what stands beside them in the sum, and the sum."""
    for category, found in (records.first(e, CONTRIBUTIONS) or {})["categories"].items():
        sums = ("ordinary", "rest", "explainer_score", "score")
        names = ("ordinary track", "biases", "the explainer's score", "the performer's score")
        rows = [(part, _of_part(records, e, category, part)) for part in found["parts"]]
        rows += [
            (name, {"contribution": _cell(records, e, category, (key,))})
            for key, name in zip(sums, names, strict=True)
        ]
        for part, cells in rows:
            training = f"{explainer_name(records, e)} ({e.label})"
            heads = (category, e.dataset, e.network, training, part)
            yield Row(f"{category} / {e.dataset} / {e.network} / {e.label} / {part}", heads, cells)


def _of_part(records: Records, e: Experiment, category: str, part: str) -> dict[str, Cell]:
    cells = {
        column.key: _cell(records, e, category, ("parts", part, column.key))
        for column in PARTS_COLUMNS
    }
    for column in _by_limit(records, [e]):
        limit = column.key.removeprefix("share_from_")
        cells[column.key] = _cell(records, e, category, ("by_limit", limit, part, "share"))
    return cells


def _cell(records: Records, e: Experiment, category: str, path: Sequence[str]) -> Cell:
    """A number of a category, which a seed may lack."""

    def find(values: Values) -> float | None:
        found = values["categories"].get(category)
        for key in path:
            found = None if found is None else found.get(key)
        return found

    return cell(records.sample(e, CONTRIBUTIONS, find))
