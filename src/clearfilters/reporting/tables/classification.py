"""LSG table 1: accuracy, density of the gate and the measures of filter ambiguity."""

from clearfilters.reporting.notes import NO_CSG, TIMES, orientation, provenance_note
from clearfilters.reporting.published import Published, published
from clearfilters.reporting.published_networks import published_network
from clearfilters.reporting.records import METHODS, Experiment, Records
from clearfilters.reporting.table import EMPTY, Cell, Column, Row, Table, cell, reads
from clearfilters.reporting.tables.mis import MIS, MIS_COLUMNS, floor_note, mis_cells

TABLE1_COLUMNS = (
    Column("accuracy", "Accuracy", "fraction"),
    Column("cross_entropy", "Cross entropy", "nats"),
    Column("density_trained", "L1 density, trained gate", "fraction"),
    Column("density_fitted", "L1 density, fitted gate", "fraction"),
    Column("phi", "Φ", "nats"),
    Column("cic", "CIC", "correlation"),
    *MIS_COLUMNS,
    Column("leakage", "Leakage, other-class images", "fraction"),
)


@reads("classification", "phi", "correlation", *MIS, "leakage")
def lsg_table1(records: Records) -> Table:
    """LSG table 1, with CIC, MIS and leakage beside it and a row for every method."""
    values = published("LSG", "table1")
    experiments = records.experiments(*METHODS, analysis="classification")
    rows, shown = [], set()
    for e in experiments:
        paper_row = _table1_row(records, e)
        shown.add(paper_row)
        rows.append(
            Row(
                e.label,
                (e.dataset, e.network, e.label, str(e.epochs), str(len(e.seeds))),
                _table1_cells(records, e, values, paper_row),
            )
        )
    for paper_row in dict.fromkeys(row for row, _ in values):
        if paper_row not in shown:
            rows.append(_table1_not_run(paper_row, values))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "Published values: CIFAR-10 with ResNet20 and PASCAL VOC with ResNet152, 150 epochs.",
        *orientation(experiments),
        "Φ is measured on test features with a gate fitted to the frozen network, by the same "
        "procedure for every row; a and s are ours, since the paper gives none. A fitted density "
        "of 1/C is the least there is; Φ then is the cross entropy behind the gate alone, which "
        "label leakage lowers too.",
        "The published density of STD stands beside the fitted gate, the only one STD has; in "
        "brackets, for CSG, how many trained gates lie in the convergence interval [1/C, g/(CK)].",
        "Leakage: share of test images of other classes answered c behind gate row c; see "
        "lsg_leakage.",
        floor_note(records, experiments),
        NO_CSG,
    )
    heads = ("Data set", "Network", "Training", "Epochs", "Seeds")
    title = "LSG table 1: classification, sparsity and filter ambiguity"
    return Table("lsg_table1", title, heads, TABLE1_COLUMNS, rows, notes)


def _table1_row(records: Records, e: Experiment) -> str | None:
    """The row of the paper's table 1 that stands beside an experiment."""
    if e.role not in ("std", "lsg"):
        return None
    method = e.role.upper()
    if e.model == "resnet152":
        return f"PASCAL VOC 2010 / ResNet152 / {method}"
    if published_network(records, e) == "ResNet20":
        return f"CIFAR-10 / ResNet20 / {method}"
    return None


def _table1_cells(
    records: Records, e: Experiment, values: dict[tuple[str, str], Published], row: str | None
) -> dict[str, Cell]:
    def theirs(column: str) -> Published | None:
        return None if row is None else values[(row, column)]

    trained = records.sample(e, "phi", "trained_density")
    density = theirs("l1_density")
    return {
        "accuracy": cell(records.sample(e, "classification", "accuracy"), theirs("accuracy")),
        "cross_entropy": cell(
            records.sample(e, "classification", "cross_entropy"), theirs("cross_entropy")
        ),
        "density_trained": cell(
            trained, density if trained else None, _density_interval(records, e)
        ),
        "density_fitted": cell(
            records.sample(e, "phi", "fitted_density"), None if trained else density
        ),
        "phi": cell(records.sample(e, "phi", "phi_test"), theirs("phi")),
        "cic": cell(records.sample(e, "correlation", "cic")),
        **mis_cells(records, e),
        "leakage": cell(records.sample(e, "leakage", "other_images")),
    }


def _density_interval(records: Records, experiment: Experiment) -> str:
    """Whether the trained gates lie in CSG's convergence interval (appendix A), as a remark."""
    verdicts = records.sample(experiment, "phi", "within_interval")
    if not verdicts:
        return ""
    interval = next(iter(records.measurements(experiment, "phi").values())).values["interval"]
    inside = sum(verdict == 1 for verdict in verdicts.values())
    return f"[{inside} of {len(verdicts)} in {interval[0]:.3g} to {interval[1]:.3g}]"


def _table1_not_run(paper_row: str, values: dict[tuple[str, str], Published]) -> Row:
    dataset, network, method = paper_row.split(" / ")
    density = "density_trained" if method == "LSG" else "density_fitted"
    cells = {
        "accuracy": Cell(published=values[(paper_row, "accuracy")]),
        "cross_entropy": Cell(published=values[(paper_row, "cross_entropy")]),
        density: Cell(published=values[(paper_row, "l1_density")]),
        "phi": Cell(published=values[(paper_row, "phi")]),
    }
    return Row(paper_row, (dataset, network, f"{method} (not run here)", EMPTY, "0"), cells)
