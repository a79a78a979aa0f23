"""Which experiments with part filters share a row.

A network of one category fills one column of the paper's tables. So a row is a way of training, and
holds the experiments of a data set and a network that differ in their category only.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from clearfilters.reporting.part_quantities import (
    BASELINES,
    TRAINED,
    UNTRAINED,
    Quantity,
    Values,
    categories_of,
    filters_of,
    loss_of,
    ratio_of,
    weight_of,
)
from clearfilters.reporting.records import PARTS, Experiment, Records, Sample
from clearfilters.reporting.table import Cell, cell

TRAININGS = {
    "ordinary": "ordinary",
    "interpretable": "interpretable",
    "masks-only": "masks only",
    "loss-only": "filter loss only",
    "weighted": "interpretable, loss × {weight:,g}",
    "held": "interpretable, loss held at {ratio:g}",
    "mixed": "{ordinary} of {filters} filters ordinary, loss × {weight:,g}",
}


@dataclass(frozen=True)
class Line:
    """A row: a way of training, the networks before any training, or a baseline.

    Attributes:
        state: TRAINED, UNTRAINED, or a key of BASELINES.
        experiments: those whose measurements fill it.
    """

    dataset: str
    network: str
    training: str
    state: str
    experiments: tuple[Experiment, ...]

    @property
    def key(self) -> str:
        """What names it in CSVs."""
        return f"{self.dataset} / {self.network} / {self.training}"

    @property
    def is_baseline(self) -> bool:
        """Whether no network is needed for it."""
        return self.state in BASELINES

    def samples(self, records: Records, quantity: Quantity) -> dict[str, Sample]:
        """Category -> number per seed; of experiments with the same seed the first counts.

        A baseline is the same for all trainings: its number is that of the lowest seed.
        """
        found: dict[str, Sample] = {}
        for e in self.experiments:
            for category in categories_of(records, e, quantity.analysis):
                sample = records.sample(e, quantity.analysis, _picked(quantity, category, self))
                found[category] = {**sample, **found.get(category, {})}
        if self.is_baseline:
            return {c: {0: sample[min(sample)]} for c, sample in found.items() if sample}
        return found

    def cell(self, sample: Sample) -> Cell:
        """Of the line's numbers; a baseline has no seeds."""
        found = cell(sample)
        return Cell(found.mean) if self.is_baseline else found


def _picked(quantity: Quantity, category: str, line: Line) -> Callable[[Values], float | None]:
    return lambda values: quantity.find(values, category, line.state)


def average(samples: Iterable[Sample]) -> Sample:
    """Mean over categories, for the seeds that all of them have; those without any are left out."""
    measured = [sample for sample in samples if sample]
    if not measured:
        return {}
    seeds = set.intersection(*(set(sample) for sample in measured))
    return {seed: fmean(sample[seed] for sample in measured) for seed in sorted(seeds)}


def lines(
    records: Records,
    experiments: Sequence[Experiment],
    analysis: str,
    baselines: Sequence[str] = tuple(BASELINES),
) -> list[Line]:
    """Rows by data set and network: each way of training, before any training, baselines.

    Args:
        records: of the run.
        experiments: whose measurements fill the rows.
        analysis: the measurement that they show.
        baselines: keys of BASELINES.
    """
    found: list[Line] = []
    for dataset, network in dict.fromkeys((e.dataset, e.network) for e in experiments):
        own = [e for e in experiments if (e.dataset, e.network) == (dataset, network)]
        groups = [
            *((TRAINED, group) for group in by_training(records, own, analysis, _place)),
            *((UNTRAINED, group) for group in _by_start(records, own, analysis)),
        ]
        names = _names(records, groups)
        found += [
            Line(dataset, network, name, state, tuple(group))
            for name, (state, group) in zip(names, groups, strict=True)
        ]
        found += [
            Line(dataset, network, f"baseline: {BASELINES[state]}", state, tuple(own))
            for state in baselines
        ]
    return found


def by_training(
    records: Records,
    experiments: Sequence[Experiment],
    analysis: str,
    place: Callable[[Records, Experiment], tuple[float, ...]],
) -> list[list[Experiment]]:
    """Experiments by how they were trained; two of one category are in two groups.

    Args:
        records: of the run.
        experiments: of one data set and network.
        analysis: the measurement whose categories they are told apart by.
        place: what they are sorted by.
    """
    kinds: dict[tuple[Any, ...], list[list[Experiment]]] = {}
    for e in sorted(experiments, key=lambda e: place(records, e)):
        method = records.parameters(e)["method"]
        groups = kinds.setdefault((e.role, _canonical(method), *_start(records, e)), [])
        for group in groups:
            if not any(_overlap(records, e, other, analysis) for other in group):
                group.append(e)
                break
        else:
            groups.append([e])
    return [group for groups in kinds.values() for group in groups]


def _by_start(
    records: Records, experiments: Sequence[Experiment], analysis: str
) -> list[list[Experiment]]:
    """Experiments whose networks were measured before training, by what these are."""
    groups: dict[tuple[Any, ...], list[Experiment]] = {}
    for e in experiments:
        categories = (records.first(e, analysis) or {"categories": {}})["categories"]
        if any(found[UNTRAINED] is not None for found in categories.values()):
            groups.setdefault(_start(records, e), []).append(e)
    return list(groups.values())


def _start(records: Records, e: Experiment) -> tuple[Any, ...]:
    """What tells untrained networks of one data set apart."""
    return filters_of(records, e), _canonical(records.parameters(e)["model"].get("top"))


def _canonical(parameters: Any) -> str:
    return json.dumps(parameters, sort_keys=True)


def _place(records: Records, e: Experiment) -> tuple[float, ...]:
    """By role, then by weight or ratio."""
    return PARTS.index(e.role), weight_of(records, e) or 0.0, ratio_of(records, e) or 0.0


def _overlap(records: Records, one: Experiment, other: Experiment, analysis: str) -> bool:
    """Whether two experiments would fill the same cells."""
    fills = [
        (set(found := categories_of(records, e, analysis)), len(found) > 1 and loss_of(records, e))
        for e in (one, other)
    ]
    return fills[0][1] == fills[1][1] and bool(fills[0][0] & fills[1][0])


def _names(records: Records, groups: Sequence[tuple[str, list[Experiment]]]) -> list[str]:
    """What rows of one network are called; where that is not enough, by their experiments."""
    several = len({filters_of(records, e) for _, group in groups for e in group}) > 1
    names = []
    for state, group in groups:
        e = group[0]
        name = _training_name(records, e) if state == TRAINED else _start_name(records, e)
        names.append(f"{name}, {filters_of(records, e)} filters" if several else name)
    return told_apart(names, [group for _, group in groups])


def told_apart(names: Sequence[str], groups: Sequence[Sequence[Experiment]]) -> list[str]:
    """Names of groups, equal ones with the labels of the experiments behind them."""
    return [
        name if names.count(name) == 1 else f"{name} ({', '.join(e.label for e in group)})"
        for name, group in zip(names, groups, strict=True)
    ]


def _training_name(records: Records, e: Experiment) -> str:
    """How a network was trained, with the weight or the ratio of the loss."""
    top = records.parameters(e)["model"].get("top") or {}
    return TRAININGS[e.role].format(
        weight=weight_of(records, e),
        ratio=ratio_of(records, e),
        ordinary=top.get("ordinary", 0),
        filters=filters_of(records, e),
    )


def _start_name(records: Records, e: Experiment) -> str:
    top = records.parameters(e)["model"].get("top") or {}
    if not top.get("interpretable"):
        return "untrained, ordinary"
    if top.get("ordinary"):
        return f"untrained, {top['ordinary']} of {filters_of(records, e)} filters ordinary"
    return "untrained, interpretable" if top.get("masks") else "untrained, without masks"
