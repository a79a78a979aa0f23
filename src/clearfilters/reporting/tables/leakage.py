"""The leakage probe: how far the gate path reads the label off the open channels."""

from clearfilters.reporting.notes import TIMES, provenance_note
from clearfilters.reporting.records import METHODS, Experiment, Records, Sample
from clearfilters.reporting.table import Column, Row, Table, cell, reads
from clearfilters.reporting.tables.filters import gate_source

LEAKAGE_COLUMNS = (
    ("other_images", "Other-class images"),
    ("other_images_random_gate", "the same, random gate"),
    ("other_images_blind", "the same, blind head"),
    ("noise_images", "Noise images"),
    ("noise_images_random_gate", "the same, random gate"),
    ("noise_images_blind", "the same, blind head"),
)


@reads("leakage", "classification", "phi")
def lsg_leakage(records: Records) -> Table:
    """The leakage probe: how far the gate path reads the label off the open channels."""
    experiments = records.experiments(*METHODS, analysis="leakage")
    rows = []
    for e in experiments:
        cells = {key: cell(records.sample(e, "leakage", key)) for key, _ in LEAKAGE_COLUMNS}
        cells["gate_accuracy"] = cell(records.sample(e, "classification", "gate_accuracy"))
        cells["density"] = cell(_gate_density(records, e))
        rows.append(
            Row(e.label, (e.label, gate_source(records, e, "leakage"), str(len(e.seeds))), cells)
        )
    columns = [Column(key, heading, "fraction") for key, heading in LEAKAGE_COLUMNS]
    columns.append(Column("gate_accuracy", "Gate-path accuracy", "fraction"))
    columns.append(Column("density", "Density of this gate", "fraction"))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "Share of answers c when gate row c is open, mean over classes: on test images of the "
        "other classes, and on noise. A head that ignores which channels are open scores the "
        "blind value, error/(C - 1) and 1/C; one that reads only the gate scores 1. The random "
        "gate has the same density.",
        "Gate: the trained one, or the one fitted for Φ where the network was trained without.",
        "Not measured in the papers: no published column.",
    )
    title = "Label leakage through the gate"
    return Table("lsg_leakage", title, ("Training", "Gate", "Seeds"), columns, rows, notes)


def _gate_density(records: Records, e: Experiment) -> Sample:
    """Density of the gate that the analyses use: the trained one, else the fitted one."""
    return records.sample(e, "phi", "trained_density") or records.sample(e, "phi", "fitted_density")
