"""Which explainers and performers share a row, and which of the paper's rows stands beside it.

As of part filters, a network of one category fills one column: a row is a way of training.
"""

from collections.abc import Sequence
from dataclasses import replace

from clearfilters.reporting.explainer_quantities import INPUT, eta_of, performer_of, ratio_of
from clearfilters.reporting.part_lines import Line, average, by_training, told_apart
from clearfilters.reporting.part_published import DATASETS, PAPER_NETWORKS
from clearfilters.reporting.part_quantities import (
    BASELINES,
    LOCATION,
    TRAINED,
    UNTRAINED,
    Quantity,
    is_single,
    loss_of,
)
from clearfilters.reporting.records import EXPLAINERS, Experiment, Records
from clearfilters.reporting.table import Cell

# The networks of the registry that the paper explains.
EXPLAINED_NETWORKS = {**PAPER_NETWORKS, "resnet101": "ResNet-101", "resnet152": "ResNet-152"}
# What the paper calls a row: the role of its first experiment, and the state -> its name.
PAPER_ROWS = {
    ("ordinary", TRAINED): "performer",
    ("explainer", TRAINED): "explainer",
    ("explainer", INPUT): "input",
}


def explainer_lines(
    records: Records,
    experiments: Sequence[Experiment],
    *,
    states: Sequence[str] = (INPUT, UNTRAINED),
    baselines: Sequence[str] = tuple(BASELINES),
) -> list[Line]:
    """Rows by data set and network: performers, each with its explainers, and baselines.

    Args:
        records: of the run.
        experiments: explainers whose filters were located.
        states: INPUT, UNTRAINED: what has a row beside the trained explainers.
        baselines: keys of BASELINES.
    """
    found: list[Line] = []
    for dataset, network in dict.fromkeys((e.dataset, e.network) for e in experiments):
        own = [e for e in experiments if (e.dataset, e.network) == (dataset, network)]
        rows: list[tuple[str, str, list[Experiment]]] = []
        for performers, explainers in _by_performer(records, own):
            if performers:
                rows.append(("performer", TRAINED, performers))
            if INPUT in states:
                rows.append(("input of the explainer", INPUT, explainers))
            rows += [
                (explainer_name(records, group[0]), TRAINED, group)
                for group in by_training(records, explainers, LOCATION, place)
            ]
            if UNTRAINED in states:
                rows.append(("explainer, untrained", UNTRAINED, explainers))
        rows += [(f"baseline: {BASELINES[state]}", state, own) for state in baselines]
        names = told_apart([name for name, _, _ in rows], [group for _, _, group in rows])
        found += [
            Line(dataset, network, name, state, tuple(group))
            for name, (_, state, group) in zip(names, rows, strict=True)
        ]
    return found


def trained_lines(records: Records, experiments: Sequence[Experiment]) -> list[Line]:
    """The rows of the trained explainers alone."""
    lines = explainer_lines(records, experiments, states=(), baselines=())
    return [line for line in lines if line.experiments[0].role in EXPLAINERS]


def _by_performer(
    records: Records, explainers: Sequence[Experiment]
) -> list[tuple[list[Experiment], list[Experiment]]]:
    """Performers by how they were trained, none where they were not measured; their explainers."""
    explained = {e.name: performer_of(records, e) for e in explainers}
    performers = {p.name: p for p in explained.values() if p is not None}
    groups = by_training(records, list(performers.values()), LOCATION, lambda *_: ())
    found = [(group, [e for e in explainers if explained[e.name] in group]) for group in groups]
    alone = [e for e in explainers if explained[e.name] is None]
    return [*found, *([([], alone)] if alone else [])]


def place(records: Records, e: Experiment) -> tuple[float, ...]:
    """By role, then by eta, then by the ratio of the filter loss."""
    return EXPLAINERS.index(e.role), eta_of(records, e), ratio_of(records, e) or 0.0


def explainer_name(records: Records, e: Experiment) -> str:
    """How an explainer was trained."""
    if e.role == "explainer-cls":
        return "explainer, classification loss"
    if e.role == "explainer-eta":
        return f"explainer, η {eta_of(records, e):,g}"
    if e.role == "explainer-ratio":
        ratio = ratio_of(records, e)
        falling = records.parameters(e)["method"]["falling"]
        how = "at {:g}, falling" if falling else "held at {:g}"
        return (
            "explainer, no filter loss"
            if ratio is None
            else (f"explainer, filter loss {how.format(ratio)}")
        )
    return "explainer"


def restricted(records: Records, line: Line, *, several: bool) -> Line:
    """The part of a row whose networks have one category, or several.

    Of several those whose categories stand each for itself (logistic), as the paper's.
    """
    own = (
        e
        for e in line.experiments
        if is_single(records, e) != several and not (several and loss_of(records, e) == "softmax")
    )
    return replace(line, experiments=tuple(own))


def mean_cell(records: Records, line: Line, quantity: Quantity) -> Cell:
    """A row's mean over its categories."""
    return line.cell(average(line.samples(records, quantity).values()))


def family_of(dataset: str) -> str | None:
    """The paper's data set that one of ours is, as published or as rendered."""
    return next((name for name, formats in DATASETS.items() if dataset in formats), None)


def row_beside(line: Line) -> str | None:
    """The paper's row whose values stand beside ours, if it is of that network and data."""
    e = line.experiments[0]
    own = line.dataset in (DATASETS["VOC"][0], DATASETS["CUB"][0])
    network, name = EXPLAINED_NETWORKS.get(e.model), PAPER_ROWS.get((e.role, line.state))
    return f"{network} / {name}" if own and network and name else None
