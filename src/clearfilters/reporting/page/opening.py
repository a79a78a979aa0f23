"""How a page begins: what was done, on what and at which scale, in three sentences."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clearfilters.reporting.records import Experiment, Records

# The methods, and what their networks are; one that is not named here is called by its name.
METHODS = {
    "std": "ordinary",
    "gate": "with class-specific gates",
    "part-filters": "with interpretable part filters",
    "explainer": "to explain trained networks",
}
# What the sources of data are called where they name files.
SOURCES = {"cifar-10-batches-py": "CIFAR-10", "scikit-learn load_digits": "scikit-learn's digits"}
# The figure that a page opens with: the first of these that the run has.
PICTURES = ("icnn_figure5", "lsg_figure8", "lsg_tradeoff", "lsg_figure4", "explainer_figure4")


def sentences(records: Records) -> list[str]:
    """What was done, on what, and at which scale; true for every run that has an experiment."""
    experiments = records.experiments()
    if not experiments:
        return ["No experiment of this run is recorded."]
    return [_done(records, experiments), _on(records, experiments), _scale(records, experiments)]


def picture(drawn: Sequence[str]) -> str:
    """The id of the figure to open with, of those drawn; empty if there is none."""
    return next((id_ for id_ in (*PICTURES, *drawn) if id_ in drawn), "")


def sources_of(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the records of data sets name as their sources, each once."""
    return list(dict.fromkeys(_source(v["source"]) for v in values))


def _done(records: Records, experiments: Sequence[Experiment]) -> str:
    networks: dict[str, int] = {}
    for e in experiments:
        method = records.parameters(e)["method"]["name"]
        kind = METHODS.get(method, f"with the method {method}")
        networks[kind] = networks.get(kind, 0) + len(e.seeds)
    total = sum(networks.values())
    parts = [f"{count} {kind}" for kind, count in networks.items()]
    measured = len(records.provenances())
    return (
        f"{_count(total, 'network')} {_were(total)} trained in "
        f"{_count(len(experiments), 'experiment')} ({', '.join(parts)}) and measured as the papers "
        f"do, in {_count(measured, 'measurement')}."
    )


def _on(records: Records, experiments: Sequence[Experiment]) -> str:
    values = [record.values for record in records.data.values()]
    if not values:
        return f"The data: {_listed(sorted({e.dataset for e in experiments}))}."
    sources = sources_of(values)
    copies = sources_of([v for v in values if not v["verified"]])
    unverified = "not verified against the published checksums"
    if copies == sources:
        sources[-1] += f", {unverified}"
    elif copies:
        sources[-1] += f" ({unverified}: {_listed(copies)})"
    train, test = (sum(v["counts"][split] for v in values) for split in ("train", "test"))
    side = _range([v["image_size"] for v in values], "pixel")
    return (
        f"The data {_were(len(sources), 'is', 'are')} {_listed(sources)}: {train:,} training and "
        f"{test:,} test images in {_count(len(values), 'data set')}, {side} a side."
    )


def _source(source: str) -> str:
    name, *remarks = SOURCES.get(source, source).split(", ")
    return f"{name} ({', '.join(remarks)})" if remarks else name


def _scale(records: Records, experiments: Sequence[Experiment]) -> str:
    networks = list(dict.fromkeys(e.network for e in experiments))
    devices = sorted({str(t["device"]) for e in experiments for t in records.training(e)})
    epochs = _range([e.epochs for e in experiments], "epoch")
    seeds = _range([len(e.seeds) for e in experiments], "seed")
    return (
        f"The scale: {_listed(networks)}, {epochs}, {seeds} an experiment, on {_listed(devices)}."
    )


def _range(numbers: Iterable[int], noun: str) -> str:
    """`1 epoch`, `15 epochs`, `6 to 15 epochs`."""
    found = sorted(set(numbers))
    if len(found) == 1:
        return _count(found[0], noun)
    return f"{found[0]:,} to {_count(found[-1], noun)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _were(number: int, one: str = "was", several: str = "were") -> str:
    return one if number == 1 else several


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
