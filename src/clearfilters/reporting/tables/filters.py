"""Tables of what filters share between classes: correlation (LSG table 2), gates and MIS."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from clearfilters.reporting.notes import NO_CSG, TIMES, orientation, provenance_note
from clearfilters.reporting.published import Published, published
from clearfilters.reporting.published_networks import published_network
from clearfilters.reporting.records import METHODS, Experiment, Records, Sample
from clearfilters.reporting.table import EMPTY, Cell, Column, Row, Table, cell, reads

# The published values stand beside it: see the table's note.
PUBLISHED_CIC = "cic_absolute"
CIC_ROWS = (
    ("CIC", "CIC", "cic"),
    ("CIC absolute", "CIC of absolute values", "cic_absolute"),
    ("CIC distinct", "CIC without self-pairs", "cic_distinct"),
    ("CIC absolute distinct", "CIC of absolute values, no self-pairs", "cic_absolute_distinct"),
)


@reads("correlation")
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
            theirs = found[1] if found and quantity == PUBLISHED_CIC else None
            cells[e.label] = cell(records.sample(e, "correlation", quantity), theirs)
        if quantity == PUBLISHED_CIC:
            cells |= {column: Cell(published=values[("CIC", column)]) for column in missing}
        rows.append(Row(key, (heading,), cells))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "Published values: CIFAR-10; the paper's LSG networks here are those trained with the "
        "fixed gate. They stand beside the row of absolute values: the paper's formula has no "
        "absolute values, but signed correlations of filters nearly cancel (those of our CIFAR-10 "
        "networks are near 0), and what is published for STD ResNet20 is of the size that ours "
        "has without signs. That suggests, and does not prove, that the paper took absolute "
        "values. Our AlexNet's are below the paper's either way.",
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


@reads("gate_statistics", "classification")
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
            (e.label, gate_source(records, e, "gate_statistics"), str(len(e.seeds))),
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


def gate_source(records: Records, e: Experiment, analysis: str) -> str:
    """Which gates an analysis used: trained ones, fitted ones or both."""
    return ", ".join(
        sorted({str(m.values["source"]) for m in records.measurements(e, analysis).values()})
    )
