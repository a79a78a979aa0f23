"""The trade-off of density, accuracy, leakage and Φ over λ and a."""

from collections.abc import Sequence
from statistics import fmean

from clearfilters.reporting.notes import TIMES, provenance_note, seeds_text
from clearfilters.reporting.records import METHODS, Experiment, Records, Sample
from clearfilters.reporting.table import Cell, Column, Row, Table, cell, reads

TRADEOFF_COLUMNS = (
    Column("lambda", "λ", "", None),
    Column("a", "a", "", None),
    Column("accuracy", "Accuracy", "fraction"),
    Column("accuracy_difference", "minus STD", "points", 2),
    Column("density_trained", "L1 density, trained gate", "fraction"),
    Column("leakage_other", "Leakage, other-class images", "fraction"),
    Column("leakage_noise", "Leakage, noise", "fraction"),
    Column("phi", "Φ", "nats"),
)


@reads("classification", "phi", "leakage")
def lsg_tradeoff(records: Records) -> Table:
    """Density, accuracy, leakage and phi over lambda and a, and the named methods below."""
    grid = records.experiments("tradeoff", analysis="classification")
    grid.sort(key=lambda e: tuple(-1.0 if v is None else v for v in lambda_and_a(records, e)))
    experiments = grid + [
        e
        for e in records.experiments(*METHODS, analysis="classification")
        if not grid or e.setting == grid[0].setting
    ]
    rows = []
    for e in experiments:
        cells = {
            "accuracy": cell(records.sample(e, "classification", "accuracy")),
            "accuracy_difference": cell(accuracy_difference(records, e)),
            "density_trained": cell(records.sample(e, "phi", "trained_density")),
            "leakage_other": cell(records.sample(e, "leakage", "other_images")),
            "leakage_noise": cell(records.sample(e, "leakage", "noise_images")),
            "phi": cell(records.sample(e, "phi", "phi_test")),
        }
        for key, value in zip(("lambda", "a"), lambda_and_a(records, e), strict=True):
            cells[key] = Cell(value, None, len(e.seeds)) if value is not None else Cell()
        rows.append(Row(e.label, (e.label, str(e.epochs), seeds_text(e.seeds)), cells))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "minus STD: against the STD network of the same kind that is nearest in epochs, seed by "
        f"seed where both ran it, else against its mean. {_std_epochs(records, experiments)}",
        "Not in the papers: no published column.",
    )
    heads = ("Training", "Epochs", "Seeds")
    title = "Trade-off of density, accuracy, leakage and Φ over λ and a"
    return Table("lsg_tradeoff", title, heads, TRADEOFF_COLUMNS, rows, notes)


def lambda_and_a(records: Records, e: Experiment) -> tuple[float | None, float | None]:
    """λ and a of an LSG objective (Eq. 3); None for other methods."""
    objective = records.parameters(e)["method"].get("objective", {})
    if objective.get("name") != "lsg":
        return None, None
    return float(objective["lambda"]), float(objective["a"])


def accuracy_difference(records: Records, e: Experiment) -> Sample:
    """Test accuracy minus that of STD, in percentage points; empty without an STD network."""
    std = records.partner(e, "std")
    if std is None or e.role == "std":
        return {}
    reference = records.sample(std, "classification", "accuracy")
    if not reference:
        return {}
    mean = fmean(reference.values())
    sample = records.sample(e, "classification", "accuracy")
    return {seed: 100 * (value - reference.get(seed, mean)) for seed, value in sample.items()}


def _std_epochs(records: Records, experiments: Sequence[Experiment]) -> str:
    differing = list(
        dict.fromkeys(
            f"{'the grid' if e.role == 'tradeoff' else e.label} "
            f"({e.epochs} against {std.epochs} epochs)"
            for e in experiments
            if (std := records.partner(e, "std")) is not None and std.epochs != e.epochs
        )
    )
    return f"Not at equal epochs: {', '.join(differing)}." if differing else "All at equal epochs."
