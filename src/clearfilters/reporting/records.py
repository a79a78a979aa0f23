"""The recorded measurements of a run, checked and arranged for tables, figures and claims.

They are named by an *index*: a list of entries `{analysis, experiment, seed, path, expected_hash,
label, role}`, one per measurement that the run's parameters call for, and `{analysis: data,
dataset, path, expected_hash}`, one per data set. An experiment that was not run has no entry; an
entry whose file is absent or was measured with other parameters is an error.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import Measurement, parameters_hash, read_measurement
from clearfilters.errors import ClearfiltersError

Index = Sequence[Mapping[str, Any]]
# Seed -> number. Means and standard deviations are taken over it.
Sample = dict[int, float]
# The analysis of the records of data sets.
DATA = "data"
DATA_KEYS = ("analysis", "dataset", "path", "expected_hash")
ENTRY_KEYS = ("analysis", "experiment", "seed", "path", "expected_hash", "label", "role")
# The order of rows: what is compared with first, then the methods, then the ablations; roles of
# other methods come last. The trade-off runs have a table of their own.
METHODS = ("std", "lsg", "csg", "negatives", "joint", "dense", "fixed")
# Of part filters: with masks and loss at the authors' weight, with one of them alone, with the loss
# at another weight, with the loss held at a ratio of the task's gradient, and with some filters of
# each layer left ordinary.
PARTS = ("ordinary", "interpretable", "masks-only", "loss-only", "weighted", "held", "mixed")
# Of explainers: as published, with the classification loss, at another weight of -log p, and with
# the filter loss at another ratio or none.
EXPLAINERS = ("explainer", "explainer-cls", "explainer-eta", "explainer-ratio")
ROLES = (*METHODS, "tradeoff", *PARTS, *EXPLAINERS)


def _place(role: str) -> int:
    return ROLES.index(role) if role in ROLES else len(ROLES)


@dataclass(frozen=True)
class Experiment:
    """One network trained in one way, over its seeds.

    Attributes:
        width: None is the published width.
        dataset: the format of its data, which several data sets of a run may have.
        data_hash: of the parameters of its data, which tells them apart.
    """

    name: str
    label: str
    role: str
    model: str
    width: int | None
    dataset: str
    dataset_note: str
    data_hash: str
    epochs: int
    seeds: tuple[int, ...]

    @property
    def network(self) -> str:
        """The network as tables name it."""
        return self.model if self.width is None else f"{self.model} (width {self.width})"

    @property
    def setting(self) -> tuple[str, str]:
        """Data and network: only experiments that share both are compared."""
        return self.data_hash, self.network


def expand_index(run_folder: Path, compact: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The index from its compact form, which the workflow hands over.

    Args:
        run_folder: `results/<run>`.
        compact: `experiments`: experiment -> {label, role, seeds: seed -> analysis -> hash of its
            parameters}; `data`: data set -> hash of its parameters.
    """
    return [
        {
            "analysis": DATA,
            "dataset": dataset,
            "path": str(run_folder / "metrics" / DATA / f"{dataset}.json"),
            "expected_hash": hash_,
        }
        for dataset, hash_ in compact[DATA].items()
    ] + [
        {
            "analysis": analysis,
            "experiment": experiment,
            "seed": int(seed),
            "path": str(run_folder / "metrics" / analysis / experiment / f"seed{seed}.json"),
            "expected_hash": hash_,
            "label": about["label"],
            "role": about["role"],
        }
        for experiment, about in compact["experiments"].items()
        for seed, hashes in about["seeds"].items()
        for analysis, hash_ in hashes.items()
    ]


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation (ddof 1; None for a single seed) over `seeds` seeds."""

    mean: float
    std: float | None
    seeds: int


def matrix_of(rows: Sequence[Sequence[float] | None]) -> npt.NDArray[np.float64]:
    """A recorded matrix as an array; a null row (a class without samples) becomes NaN."""
    width = max((len(row) for row in rows if row is not None), default=len(rows))
    return np.array([[np.nan] * width if row is None else row for row in rows], dtype=np.float64)


def summarize(sample: Sample) -> Summary | None:
    """Mean and spread of a sample; None if it is empty."""
    values = list(sample.values())
    if not values:
        return None
    return Summary(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


class Records:
    """Measurements by experiment, analysis and seed."""

    def __init__(
        self,
        experiments: dict[str, Experiment],
        measurements: dict[tuple[str, str], dict[int, Measurement]],
        data: dict[str, Measurement],
    ) -> None:
        """Take what `load` has read; measurements are keyed by (experiment, analysis).

        `data` holds what was recorded of each data set, in the order of the index.
        """
        self._experiments = experiments
        self._measurements = measurements
        self.data = data

    def experiments(self, *roles: str, analysis: str | None = None) -> list[Experiment]:
        """Experiments of these roles (default: all), by network and role.

        Args:
            roles: ROLES, and those of other methods.
            analysis: only those for which this measurement was recorded.
        """
        found = [
            experiment
            for experiment in self._experiments.values()
            if (not roles or experiment.role in roles)
            and (analysis is None or (experiment.name, analysis) in self._measurements)
        ]
        # Stable: experiments of one network and role stay in the order of the index.
        networks = list(dict.fromkeys(e.network for e in self._experiments.values()))
        return sorted(found, key=lambda e: (networks.index(e.network), _place(e.role)))

    def measurements(self, experiment: Experiment, analysis: str) -> dict[int, Measurement]:
        """Seed -> measurement, by ascending seed; empty if not recorded."""
        return self._measurements.get((experiment.name, analysis), {})

    def first(self, experiment: Experiment, analysis: str) -> dict[str, Any] | None:
        """The values of the lowest seed, for pictures that show one model."""
        return next((m.values for m in self.measurements(experiment, analysis).values()), None)

    def sample(
        self,
        experiment: Experiment,
        analysis: str,
        quantity: str | Callable[[dict[str, Any]], float | None],
    ) -> Sample:
        """One number per seed; seeds for which it is null are left out.

        Args:
            experiment: whose.
            analysis: which measurement.
            quantity: a key of its values, or a function of them.
        """
        sample = {}
        for seed, measurement in self.measurements(experiment, analysis).items():
            values = measurement.values
            found = values[quantity] if isinstance(quantity, str) else quantity(values)
            if found is not None:
                sample[seed] = float(found)
        return sample

    def partner(
        self, experiment: Experiment, role: str, analysis: str | None = None
    ) -> Experiment | None:
        """The experiment of `role` to compare with: same data and network, nearest in epochs.

        Args:
            experiment: whose partner.
            role: see ROLES.
            analysis: only one for which this measurement was recorded.
        """
        same = [
            other
            for other in self.experiments(role, analysis=analysis)
            if other.setting == experiment.setting
        ]
        return min(same, key=lambda other: abs(other.epochs - experiment.epochs), default=None)

    def pairs(self, role: str, partner: str, analysis: str) -> list[tuple[Experiment, Experiment]]:
        """Each experiment of `role` behind its partner, where both have this measurement.

        Args:
            role: see ROLES.
            partner: role of the partner.
            analysis: which measurement.
        """
        return [
            (found, experiment)
            for experiment in self.experiments(role, analysis=analysis)
            if (found := self.partner(experiment, partner, analysis)) is not None
        ]

    def measured(self) -> list[dict[str, Any]]:
        """`role`, `analysis` and `setting` of everything that was recorded of experiments."""
        return [
            {"role": e.role, "analysis": analysis, "setting": e.setting}
            for e in self._experiments.values()
            for name, analysis in self._measurements
            if name == e.name
        ]

    def classes(self, experiment: Experiment) -> list[str]:
        """The names of an experiment's classes, by label; its classification must be loaded."""
        seeds = self._measurements[experiment.name, "classification"]
        return [str(name) for name in next(iter(seeds.values())).values["classes"]]

    def provenances(self) -> list[dict[str, Any]]:
        """Where every measurement comes from."""
        return [m.provenance for seeds in self._measurements.values() for m in seeds.values()]

    def training(self, experiment: Experiment) -> list[dict[str, Any]]:
        """The `training` part of the provenance, once per measurement of the experiment."""
        return [
            measurement.provenance["training"]
            for (name, _), seeds in self._measurements.items()
            if name == experiment.name
            for measurement in seeds.values()
        ]

    def parameters(self, experiment: Experiment) -> dict[str, Any]:
        """The resolved parameters of the experiment's lowest recorded seed."""
        for (name, _), seeds in self._measurements.items():
            if name == experiment.name:
                parameters: dict[str, Any] = next(iter(seeds.values())).provenance["parameters"]
                return parameters
        raise KeyError(experiment.name)


def check_index(index: Index) -> None:
    """Refuse an index with missing keys, or two entries for one measurement or one label.

    Raises:
        ClearfiltersError: naming the entry.
    """
    seen = set()
    labels: dict[str, str] = {}
    for entry in index:
        of_data = entry.get("analysis") == DATA
        keys = DATA_KEYS if of_data else ENTRY_KEYS
        missing = [key for key in keys if key not in entry]
        if missing:
            raise ClearfiltersError(
                f"index: entry {dict(entry)} lacks {', '.join(missing)}; every entry needs "
                f"{', '.join(keys)}"
            )
        named = ("dataset",) if of_data else ("experiment", "seed")
        key = (entry["analysis"], *(entry[name] for name in named))
        if key in seen:
            raise ClearfiltersError(f"index: {'/'.join(map(str, key))} is listed twice")
        seen.add(key)
        if of_data:
            continue
        owner = labels.setdefault(entry["label"], entry["experiment"])
        if owner != entry["experiment"]:
            raise ClearfiltersError(
                f"index: experiments `{owner}` and `{entry['experiment']}` share the label "
                f"`{entry['label']}`; table rows are named by it, so give each its own"
            )


def load(index: Index, analyses: Collection[str] | None = None) -> Records:
    """Read the measurements that an index names.

    Args:
        index: see the module; the paths are used as they stand.
        analyses: read only these; None reads all.

    Raises:
        ClearfiltersError: if a file is missing or malformed, or was measured with parameters
            other than the expected ones (the message names the file and both hashes).
    """
    check_index(index)
    measurements: dict[tuple[str, str], dict[int, Measurement]] = {}
    entries: dict[str, Mapping[str, Any]] = {}
    data = {
        entry["dataset"]: read_measurement(Path(entry["path"]), entry["expected_hash"])
        for entry in index
        if entry["analysis"] == DATA and (analyses is None or DATA in analyses)
    }
    of_models = [entry for entry in index if entry["analysis"] != DATA]
    for entry in sorted(of_models, key=lambda entry: int(entry["seed"])):
        if analyses is not None and entry["analysis"] not in analyses:
            continue
        measurement = read_measurement(Path(entry["path"]), entry["expected_hash"])
        by_seed = measurements.setdefault((entry["experiment"], entry["analysis"]), {})
        by_seed[entry["seed"]] = measurement
    for entry in of_models:
        entries.setdefault(entry["experiment"], entry)
    experiments = {
        name: _experiment(entry, measurements)
        for name, entry in entries.items()
        if any(experiment == name for experiment, _ in measurements)
    }
    return Records(experiments, measurements, data)


def _experiment(
    entry: Mapping[str, Any], measurements: dict[tuple[str, str], dict[int, Measurement]]
) -> Experiment:
    by_seed = [seeds for (name, _), seeds in measurements.items() if name == entry["experiment"]]
    provenance = next(iter(by_seed[0].values())).provenance
    model = provenance["parameters"]["model"]
    training = provenance["training"]
    return Experiment(
        name=entry["experiment"],
        label=entry["label"],
        role=entry["role"],
        model=model["name"],
        width=model["width"],
        dataset=training["dataset"],
        dataset_note=training["dataset_note"],
        data_hash=parameters_hash(provenance["parameters"]["data"]),
        epochs=training["epochs"],
        seeds=tuple(sorted({seed for seeds in by_seed for seed in seeds})),
    )
