"""The mutual information score (MIS), and its floor."""

from collections.abc import Sequence

from clearfilters.reporting.notes import TIMES, provenance_note
from clearfilters.reporting.records import METHODS, Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, cell, reads

# The score, and what it is for shuffled labels.
MIS = ("mis", "mis_floor")
MIS_COLUMNS = (
    Column("mis", "MIS", "nats"),
    Column("mis_floor", "MIS floor", "nats"),
)


def mis_cells(records: Records, e: Experiment) -> dict[str, Cell]:
    """The score, and what it is for shuffled labels."""
    return {
        "mis": cell(records.sample(e, "mis", "mis")),
        "mis_floor": cell(records.sample(e, "mis_floor", "floor")),
    }


def floor_note(records: Records, experiments: Sequence[Experiment]) -> str:
    """What the floor is."""
    shuffles = {
        len(m.values["shuffled"])
        for e in experiments
        for m in records.measurements(e, "mis_floor").values()
    }
    times = f" (mean of {', '.join(map(str, sorted(shuffles)))})" if shuffles else ""
    return (
        f"MIS floor: the same estimate with the test labels shuffled{times}, where there is "
        "nothing to know; a dead filter has about as much. Empty where it was not measured."
    )


@reads(*MIS)
def csg_mis(records: Records) -> Table:
    """CSG section 4: mutual information score, a row per method."""
    experiments = records.experiments(*METHODS, analysis="mis")
    rows = [
        Row(
            e.label,
            (e.network, e.label, str(e.epochs), str(len(e.seeds))),
            mis_cells(records, e),
        )
        for e in experiments
    ]
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "MIS = mean over filters of the largest mutual information between the filter's pooled "
        "activation and membership of a class; at most the entropy of that membership.",
        floor_note(records, experiments),
        "No published column: CSG's tables are not at hand.",
    )
    heads = ("Network", "Training", "Epochs", "Seeds")
    title = "CSG: mutual information score (MIS)"
    return Table("csg_mis", title, heads, MIS_COLUMNS, rows, notes)
