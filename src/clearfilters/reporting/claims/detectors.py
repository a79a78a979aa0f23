"""How much better adversarial samples are detected by one network's features than by another's."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.records import Experiment, Records, Sample
from clearfilters.reporting.tables.detection import ANALYSIS, attacks_of, auc_percent, sizes_of

# Seed -> what both sides have there.
Pairs = dict[int, tuple[float, float]]
# Quantities of an attack, each with the table that names its attacks and sizes.
DETECTION_QUANTITIES = {
    "auc_difference_of_lsg_table4": "lsg_table4",
    "auc_difference_of_csg_detection": "csg_detection",
}


@dataclass(frozen=True)
class Differences:
    """What an attack gives.

    Attributes:
        smallest: seed -> the smallest difference of the AUC in percent over the sizes that both
            sides measured; empty where there is no such size.
        sizes: those that were judged, in words.
        note: the numbers of each size, and attack success and accuracy of both sides.
    """

    smallest: Sample
    sizes: str
    note: str


def smallest_differences(
    records: Records, e: Experiment, std: Experiment, quantity: str
) -> Iterator[tuple[str, Differences]]:
    """Each attack of the table, if the subject was attacked.

    Args:
        records: of the run.
        e: whose AUC it is.
        std: whose AUC is subtracted.
        quantity: a key of DETECTION_QUANTITIES.
    """
    table = DETECTION_QUANTITIES[quantity]
    if records.measurements(e, ANALYSIS):
        for attack in attacks_of(records, e, table):
            yield attack, _differences(records, e, std, attack, sizes_of(records, [e], table))


def _differences(
    records: Records, e: Experiment, std: Experiment, attack: str, wanted: list[int]
) -> Differences:
    pairs = {
        size: _paired(*(auc_percent(records, side, attack, size) for side in (e, std)))
        for size in wanted
    }
    judged = [size for size, pair in pairs.items() if pair]
    success = _success(records, e, std, attack)
    if not judged:
        lacking = f"at no n were both {e.label} and {std.label} measured on one seed"
        return Differences({}, "n", "; ".join([lacking, *success]))
    numbers = [f"n = {size}: {_against(pairs[size])}" for size in judged]
    left_out = [size for size in wanted if size not in judged]
    if left_out:
        numbers.append(f"not measured on both sides: n = {_listed(left_out)}")
    smallest = {
        seed: min(pair[seed][0] - pair[seed][1] for pair in pairs.values() if seed in pair)
        for seed in sorted({seed for pair in pairs.values() for seed in pair})
    }
    return Differences(smallest, f"n = {_listed(judged)}", "; ".join([*numbers, *success]))


def _paired(ours: Sample, theirs: Sample) -> Pairs:
    """By the seeds that both measured."""
    return {seed: (ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())}


def _against(pairs: Pairs, digits: int = 2) -> str:
    """The means of both sides over the seeds that they share."""
    ours, theirs = (fmean(side) for side in zip(*pairs.values(), strict=True))
    return f"{ours:.{digits}f} against {theirs:.{digits}f} ({seeds_text(list(pairs))})"


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes))


def _success(records: Records, e: Experiment, std: Experiment, attack: str) -> list[str]:
    """Attack success and clean accuracy of both, which the AUC must be read beside."""

    def fact(owner: Experiment, key: str) -> Sample:
        def find(values: dict[str, Any]) -> float | None:
            about = values["attacks"].get(attack)
            return None if about is None else about["test"][key]

        return records.sample(owner, ANALYSIS, find)

    parts = []
    for name, key in (("attack success", "success_rate"), ("clean accuracy", "clean_accuracy")):
        if pairs := _paired(fact(e, key), fact(std, key)):
            parts.append(f"{name} {_against(pairs, 3)}")
    return parts
