"""The tables of the class-specific-gate papers (LSG, CSG), and of what they do not measure."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from clearfilters.reporting.published import Published, published
from clearfilters.reporting.records import ROLES, Experiment, Records, Sample
from clearfilters.reporting.table import (
    EMPTY,
    Cell,
    Column,
    Row,
    Table,
    cell,
    provenance_note,
    seeds_text,
)

# The trade-off runs have a table of their own.
METHODS = tuple(role for role in ROLES if role != "tradeoff")
# The CIFAR networks by the published one that they are relatives of. ImageNet's networks, some of
# the same name, are none.
RELATIVES = {
    "resnet8": "ResNet20",
    "resnet20": "ResNet20",
    "resnet32": "ResNet20",
    "resnet44": "ResNet20",
    "resnet56": "ResNet20",
    "resnet110": "ResNet20",
    "alexnet": "AlexNet",
}
NO_CSG = "CSG's own tables are not at hand: rows without a published value."
TIMES = "Numbers are mean ± sample standard deviation over seeds; a single seed has no ±."


def published_network(records: Records, experiment: Experiment) -> str | None:
    """The published CIFAR-10 network whose values stand beside an experiment's, if any.

    A run that has that very network shows the values beside it alone; one that has only a
    relative (the quick run) shows them there.
    """
    name = RELATIVES.get(experiment.model)
    if name is None or experiment.model == name.lower():
        return name
    present = any(e.model == name.lower() for e in records.experiments())
    return None if present else name


def _density_interval(records: Records, experiment: Experiment) -> str:
    """Whether the trained gates lie in CSG's convergence interval (appendix A), as a remark."""
    verdicts = records.sample(experiment, "phi", "within_interval")
    if not verdicts:
        return ""
    interval = next(iter(records.measurements(experiment, "phi").values())).values["interval"]
    inside = sum(verdict == 1 for verdict in verdicts.values())
    return f"[{inside} of {len(verdicts)} in {interval[0]:.3g} to {interval[1]:.3g}]"


def orientation(experiments: Sequence[Experiment]) -> list[str]:
    """A warning where the published values are of other data or of other networks."""
    other = sorted({e.dataset for e in experiments} - {"cifar10"})
    narrow = sorted({e.network for e in experiments if e.width is not None})
    if not other and not narrow:
        return []
    return [
        "This run differs from the paper's setting "
        f"({', '.join(other + narrow)}): the published values are here for orientation only."
    ]


TABLE1_COLUMNS = (
    Column("accuracy", "Accuracy", "fraction"),
    Column("cross_entropy", "Cross entropy", "nats"),
    Column("density_trained", "L1 density, trained gate", "fraction"),
    Column("density_fitted", "L1 density, fitted gate", "fraction"),
    Column("phi", "Φ", "nats"),
    Column("cic", "CIC", "correlation"),
    Column("mis", "MIS", "nats"),
    Column("leakage", "Leakage, other-class images", "fraction"),
)


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
        "mis": cell(records.sample(e, "mis", "mis")),
        "leakage": cell(records.sample(e, "leakage", "other_images")),
    }


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


CIC_ROWS = (
    ("CIC", "CIC", "cic"),
    ("CIC absolute", "CIC of absolute values", "cic_absolute"),
    ("CIC distinct", "CIC without self-pairs", "cic_distinct"),
    ("CIC absolute distinct", "CIC of absolute values, no self-pairs", "cic_absolute_distinct"),
)


def lsg_table2(records: Records) -> Table:
    """LSG table 2: a column per network, the paper's four first, then every other method."""
    values = published("LSG", "table2")
    experiments = records.experiments(*METHODS, analysis="correlation")
    paired = [e for e in experiments if e.role in ("std", "fixed")]
    # The paper puts AlexNet first.
    paired.sort(key=lambda e: not e.model.startswith("alexnet"))
    experiments = paired + [e for e in experiments if e not in paired]
    beside = {e.label: _table2_published(records, e, values) for e in experiments}
    missing = [c for _, c in values if not any(b and b[0] == c for b in beside.values())]
    columns = [Column(e.label, e.label, "correlation") for e in experiments]
    columns += [Column(c, f"{c} (not run here)", "correlation") for c in missing]
    rows = []
    for key, heading, quantity in CIC_ROWS:
        cells = {}
        for e in experiments:
            found = beside[e.label]
            theirs = found[1] if found and quantity == "cic" else None
            cells[e.label] = cell(records.sample(e, "correlation", quantity), theirs)
        if quantity == "cic":
            cells |= {column: Cell(published=values[("CIC", column)]) for column in missing}
        rows.append(Row(key, (heading,), cells))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "Published values: CIFAR-10; the paper's LSG networks here are those trained with the "
        "fixed gate. They stand beside the row CIC only; the other rows are ours.",
        *orientation(experiments),
        f"m, the filters per class: {_filters_per_class(records, experiments)}. A filter in the "
        "groups of two classes pairs with itself (correlation 1) in the paper's formula; the rows "
        "without self-pairs leave these out.",
        NO_CSG,
    )
    title = "LSG table 2: inter-class filter correlation (CIC)"
    return Table("lsg_table2", title, ("Model",), columns, rows, notes)


def _table2_published(
    records: Records, e: Experiment, values: dict[tuple[str, str], Published]
) -> tuple[str, Published] | None:
    method = {"std": "STD", "fixed": "LSG"}.get(e.role)
    network = published_network(records, e)
    if method is None or network is None:
        return None
    column = f"{method} {network}"
    return column, values[("CIC", column)]


def _filters_per_class(records: Records, experiments: Sequence[Experiment]) -> str:
    found = {}
    for e in experiments:
        values = records.first(e, "correlation")
        if values is not None:
            found[e.network] = values["m"]
    return ", ".join(f"{m} of {network}" for network, m in found.items()) or EMPTY


MONOPOLIZED = Column("monopolized_per_class", "Own filters per class", "filters", 2)
SHARED = Column("shared", "Shared filters", "filters", 2)


def lsg_gate_statistics(records: Records) -> Table:
    """LSG section 4.3: filters that one class has to itself, and shared ones, at threshold h."""
    experiments = records.experiments(*METHODS, analysis="gate_statistics")
    classes = dict.fromkeys(name for e in experiments for name in records.classes(e))
    columns = [
        MONOPOLIZED,
        Column("monopolized_share_per_class", "Own share per class", "fraction"),
        SHARED,
        Column("shared_share", "Shared share", "fraction"),
        Column("tightened_density", "Density, tightened", "fraction"),
        Column("tightened_gate_accuracy", "Gate-path accuracy, tightened", "fraction"),
        *(Column(f"monopolized {name}", f"Own: {name}", "filters", 2) for name in classes),
    ]
    rows = [
        Row(
            e.label,
            (e.label, _source(records, e, "gate_statistics"), str(len(e.seeds))),
            _statistics_cells(records, e),
        )
        for e in experiments
    ]
    thresholds = sorted(
        {
            m.values["threshold"]
            for e in experiments
            for m in records.measurements(e, "gate_statistics").values()
        }
    )
    notes = (
        provenance_note(records, experiments),
        TIMES,
        f"Threshold h = {', '.join(map(str, thresholds)) or EMPTY}: a filter belongs to a "
        "class if that class alone has a gate of at least h, and is shared otherwise.",
        "Published: about 10 % of the filters for each class (6 of ResNet20's 64) and 10 % shared, "
        "over 20 gates on CIFAR-10 (LSG section 4.3); 6 and 4 filters (CSG appendix E).",
        *orientation(experiments),
    )
    heads = ("Training", "Gate", "Gates")
    title = "LSG section 4.3: filters per class"
    return Table("lsg_gate_statistics", title, heads, columns, rows, notes)


def filters_total(values: dict[str, Any]) -> int:
    """K: tightening makes every filter either one class's own or shared."""
    return int(values["monopolized_total"]) + int(values["shared"])


def monopolized_share(values: dict[str, Any]) -> float:
    """Share of all filters that a class has to itself, mean over classes."""
    return fmean(values["monopolized"]) / filters_total(values)


def shared_share(values: dict[str, Any]) -> float:
    """Share of all filters that are shared."""
    return float(values["shared"]) / filters_total(values)


def _statistics_cells(records: Records, e: Experiment) -> dict[str, Cell]:
    def sample(quantity: str | Callable[[dict[str, Any]], float | None]) -> Sample:
        return records.sample(e, "gate_statistics", quantity)

    theirs: dict[str, Published] = {}
    if published_network(records, e) == "ResNet20":
        source = {"lsg": ("LSG", "section4.3"), "csg": ("CSG", "appendixE")}.get(e.role)
        if source is not None:
            theirs = {column: value for (_, column), value in published(*source).items()}
    cells = {
        "monopolized_per_class": cell(
            sample(lambda v: fmean(v["monopolized"])), theirs.get("monopolized_per_class")
        ),
        "monopolized_share_per_class": cell(
            sample(monopolized_share), theirs.get("monopolized_share_per_class")
        ),
        "shared": cell(sample("shared"), theirs.get("shared")),
        "shared_share": cell(sample(shared_share), theirs.get("shared_share")),
        "tightened_density": cell(sample("tightened_density")),
        "tightened_gate_accuracy": cell(sample("tightened_gate_accuracy")),
    }
    for number, name in enumerate(records.classes(e)):
        cells[f"monopolized {name}"] = cell(sample(_class_count(number)))
    return cells


def _class_count(number: int) -> Callable[[dict[str, Any]], float]:
    return lambda values: float(values["monopolized"][number])


def _source(records: Records, e: Experiment, analysis: str) -> str:
    return ", ".join(
        sorted({str(m.values["source"]) for m in records.measurements(e, analysis).values()})
    )


def csg_mis(records: Records) -> Table:
    """CSG section 4: mutual information score, a row per method."""
    experiments = records.experiments(*METHODS, analysis="mis")
    rows = [
        Row(
            e.label,
            (e.network, e.label, str(e.epochs), str(len(e.seeds))),
            {"mis": cell(records.sample(e, "mis", "mis"))},
        )
        for e in experiments
    ]
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "MIS = mean over filters of the largest mutual information between the filter's pooled "
        "activation and membership of a class; at most the entropy of that membership.",
        "No published column: CSG's tables are not at hand.",
    )
    heads = ("Network", "Training", "Epochs", "Seeds")
    title = "CSG: mutual information score (MIS)"
    return Table("csg_mis", title, heads, (Column("mis", "MIS", "nats"),), rows, notes)


LEAKAGE_COLUMNS = (
    ("other_images", "Other-class images"),
    ("other_images_random_gate", "the same, random gate"),
    ("other_images_blind", "the same, blind head"),
    ("noise_images", "Noise images"),
    ("noise_images_random_gate", "the same, random gate"),
    ("noise_images_blind", "the same, blind head"),
)


def lsg_leakage(records: Records) -> Table:
    """The leakage probe: how far the gate path reads the label off the open channels."""
    experiments = records.experiments(*METHODS, analysis="leakage")
    rows = []
    for e in experiments:
        cells = {key: cell(records.sample(e, "leakage", key)) for key, _ in LEAKAGE_COLUMNS}
        cells["gate_accuracy"] = cell(records.sample(e, "classification", "gate_accuracy"))
        cells["density"] = cell(_gate_density(records, e))
        rows.append(
            Row(e.label, (e.label, _source(records, e, "leakage"), str(len(e.seeds))), cells)
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
