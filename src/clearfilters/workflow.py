"""What the Snakefile asks: which files a run has, and what shapes each."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from clearfilters.artifacts import CHECKPOINT_FILES, parameters_hash, read_measurement, write_json
from clearfilters.data.store import ANNOTATION_FILES, ROW_FILES, SPLITS
from clearfilters.errors import ClearfiltersError
from clearfilters.params.jobs import TRADEOFF, Job, data_params, jobs
from clearfilters.params.loading import load_params
from clearfilters.params.measurements import of_kind
from clearfilters.params.slices import (
    analyses_of,
    attacks_of,
    contact_sheet_slice,
    features_slice,
    gallery_analyses,
    gallery_slice,
    group_of,
    measurement_slice,
    own_slice,
    training_slice,
)
from clearfilters.registry import DATASETS, FIGURES, MEASUREMENTS, TABLES
from clearfilters.reporting.figures import CONTACT_SHEET, not_run
from clearfilters.reporting.records import DATA
from clearfilters.step_code import model_files, sample_files, step_files

STORE_FILES = (
    "meta.json",
    "train/images.npy",
    "train/labels.npy",
    "test/images.npy",
    "test/labels.npy",
)
HISTORY = CHECKPOINT_FILES[1]
TABLE_KINDS = ("csv", "md")
FIGURE_KINDS = ("png", "csv")
# Enough of a hash to tell parameters apart.
HASH_DIGITS = 16
# The rule that measures the features of each group of jobs; where some of a group have other
# measurements, more of the name with a number.
FEATURE_RULES: dict[str, str] = {
    "plain": "measured_model",
    "localized": "measured_localized_model",
    TRADEOFF: "measured_tradeoff_model",
}
# Where indexes lie: beside Snakemake's own records, and like them made again when missing.
INDEX_FOLDER = Path(".snakemake/clearfilters-index")


class Plan:
    """The files of one run, and everything that shapes each.

    Attributes:
        name: of the run.
        data: folder of the processed stores.
        results: folder of the run's results.
        groups: the jobs by experiment; those of the trade-off's grid are one group.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Validate the merged parameters.

        Raises:
            ClearfiltersError: naming every key that is wrong.
        """
        self.params = load_params(config)
        self.name = self.params.run.name
        self.data = f"data/processed/{self.name}"
        self.results = f"results/{self.name}"
        self._jobs = {(job.experiment, job.seed): job for job in jobs(self.params)}
        # Every table and figure asks for them again.
        self._hashes: dict[tuple[str, int, str], str] = {}
        self.groups: dict[str, list[Job]] = {}
        for job in self._jobs.values():
            single = job.experiment in self.params.run.experiments
            self.groups.setdefault(job.experiment if single else TRADEOFF, []).append(job)

    @property
    def experiments(self) -> list[str]:
        """Every experiment, each point of the trade-off's grid included."""
        return list(dict.fromkeys(experiment for experiment, _ in self._jobs))

    @property
    def tables(self) -> list[str]:
        """Ids of the run's tables."""
        return list(TABLES)

    @property
    def figures(self) -> list[str]:
        """Ids of the figures whose experiments the run has."""
        entries = [
            {
                "role": job.role,
                "analysis": analysis,
                "setting": (job.dataset, job.model.name, job.model.width),
            }
            for job in self._jobs.values()
            for analysis in analyses_of(self.params, job)
        ]
        return [figure for figure in FIGURES if not not_run(figure, entries)]

    def promised_files(self) -> list[str]:
        """What a user is promised of the run: stores, networks, measurements, galleries, report.

        Where the run is recorded only, what is made of the measurements.
        """
        report = [
            *(f"{self.results}/tables/{id_}.{kind}" for id_ in self.tables for kind in TABLE_KINDS),
            *self.figure_files,
            f"{self.results}/claims.csv",
            f"{self.results}/summary.json",
            f"{self.results}/report.html",
        ]
        if self.is_recorded:
            return report
        stores = [file for dataset in self.datasets for file in self.store_files(dataset)]
        measurements = self.metric_files(DATA, *MEASUREMENTS)
        made = [*stores, *self.checkpoint_files(), *measurements, *self.gallery_files()]
        return [*made, *report, *self.curves]

    @property
    def datasets(self) -> list[str]:
        """Names of the run's data sets."""
        return self.params.run.datasets

    def store_files(self, dataset: str) -> list[str]:
        """The files of the processed store of a data set."""
        data = data_params(self.params, dataset)
        kinds = [ANNOTATION_FILES[kind] for kind in data.annotations]
        files = (*ROW_FILES, *kinds) if data.INDEXED else kinds
        some = [f"{split}/{file}" for split in SPLITS for file in files]
        return [f"{self.data}/{dataset}/{file}" for file in (*STORE_FILES, *some)]

    def store_of(self, experiment: str) -> list[str]:
        """The files of the store that an experiment is trained on."""
        return self.store_files(self._first(experiment).dataset)

    def checkpoint_files(self, group: str | None = None) -> list[str]:
        """The files of the checkpoints of one group, or of all."""
        chosen = self._jobs.values() if group is None else self.groups[group]
        return [file for job in chosen for file in self.checkpoint_of(job.experiment, job.seed)]

    def checkpoint_of(self, experiment: str, seed: int) -> list[str]:
        """The files of the checkpoint of one training."""
        folder = f"{self.results}/checkpoints/{experiment}/seed{seed}"
        return [f"{folder}/{file}" for file in CHECKPOINT_FILES]

    def performer_files(self, experiment: str, seed: str) -> list[str]:
        """The checkpoint of the network that an explainer explains; none of other networks."""
        performer = self._job(experiment, seed).performer
        if performer is None:
            return []
        return self.checkpoint_of(performer.experiment, performer.seed)

    def metric_files(self, *analyses: str, experiment: str | None = None) -> list[str]:
        """The measurements of these analyses, of one experiment or of all.

        For all, where `data` is among the analyses, the records of the data sets too.
        """
        of_data = DATA in analyses and experiment is None
        return [self.data_record(dataset) for dataset in self.datasets if of_data] + [
            file
            for job in self._jobs.values()
            if experiment in (None, job.experiment)
            for analysis, file in self._metrics_of(job)
            if analysis in analyses
        ]

    def data_record(self, dataset: str) -> str:
        """The record of what was prepared of a data set."""
        return f"{self.results}/metrics/{DATA}/{dataset}.json"

    @property
    def curves(self) -> list[str]:
        """The training curves of each experiment; those of the trade-off's grid have none."""
        return [f"{self.results}/curves/{name}.csv" for name in self.groups if name != TRADEOFF]

    def histories(self, experiment: str) -> list[str]:
        """What the trainings of an experiment recorded by epoch, one file a seed."""
        return [file for file in self.checkpoint_files(experiment) if file.endswith(HISTORY)]

    @property
    def contact_sheet(self) -> list[str]:
        """The figure of the rendered animals and its numbers; none if the run has none."""
        if contact_sheet_slice(self.params) is None:
            return []
        return [f"{self.results}/figures/{CONTACT_SHEET}.{kind}" for kind in FIGURE_KINDS]

    @property
    def figure_files(self) -> list[str]:
        """Every figure and its numbers, the contact sheet last."""
        own = [
            f"{self.results}/figures/{id_}.{kind}" for id_ in self.figures for kind in FIGURE_KINDS
        ]
        return [*own, *self.contact_sheet]

    @property
    def galleries(self) -> list[str]:
        """The experiments of the run whose filters are shown."""
        run = self.params.run
        return [name for name in run.galleries if name in run.experiments]

    def gallery_files(self) -> list[str]:
        """The first page of each gallery."""
        return [f"{self.results}/filters/{experiment}.html" for experiment in self.galleries]

    def shown_metrics(self, experiment: str) -> list[str]:
        """The measurements that the gallery of an experiment shows."""
        job = self._first(experiment)
        shown = gallery_analyses(self.params, job)
        return [file for analysis, file in self._metrics_of(job) if analysis in shown]

    def gallery_slice(self, experiment: str) -> str:
        """What shapes the gallery of an experiment, as JSON."""
        return _json(gallery_slice(self.params, self._first(experiment)))

    def first_seed(self, experiment: str) -> int:
        """The first seed of an experiment."""
        return self._first(experiment).seed

    @cached_property
    def is_recorded(self) -> bool:
        """Whether this is a clone that has the run's measurements, and nothing to measure.

        In a clone every file is as new as any other, so Snakemake would take the measurements for
        outdated, and train every network to make them again.
        """
        if Path(self.data).exists() or Path(self.results, "features").exists():
            return False
        return all(
            _is_current(self.data_record(dataset), data_params(self.params, dataset).model_dump())
            for dataset in self.datasets
        ) and all(
            _is_current(file, measurement_slice(self.params, job, analysis))
            for job in self._jobs.values()
            for analysis, file in self._metrics_of(job)
        )

    def _metrics_of(self, job: Job) -> list[tuple[str, str]]:
        return [
            (name, f"{self.results}/metrics/{name}/{job.experiment}/seed{job.seed}.json")
            for name in analyses_of(self.params, job)
        ]

    def feature_jobs(self) -> list[tuple[str, tuple[str, ...], list[str]]]:
        """A rule's name, analyses and experiments: those with the same measurements of features."""
        found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for job in self._jobs.values():
            key = (group_of(self.params, job), self._feature_analyses(job))
            experiments = found.setdefault(key, [])
            if job.experiment not in experiments:
                experiments.append(job.experiment)
        rules: list[tuple[str, tuple[str, ...], list[str]]] = []
        for (group, analyses), experiments in found.items():
            like = sum(name.startswith(FEATURE_RULES[group]) for name, _, _ in rules)
            name = FEATURE_RULES[group] + (f"_{like + 1}" if like else "")
            if analyses:
                rules.append((name, analyses, experiments))
        return rules

    def features_of(self, experiment: str, seed: str) -> list[str]:
        """The folder of a model's features; none where nothing is measured of them."""
        measured = self._feature_analyses(self._job(experiment, seed))
        return [f"{self.results}/features/{experiment}/seed{seed}"] if measured else []

    def _feature_analyses(self, job: Job) -> tuple[str, ...]:
        measured = of_kind("features")
        return tuple(name for name in analyses_of(self.params, job) if name in measured)

    def store_modules(self, dataset: str) -> list[str]:
        """The module files that the store of a data set depends on."""
        return step_files("prepare", DATASETS[data_params(self.params, dataset).format].reader)

    def model_modules(self, step: str, experiment: str) -> list[str]:
        """The module files of a step on an experiment's models: its own method's and network's."""
        job = self._first(experiment)
        return model_files(step, training_slice(self.params, job))

    def feature_modules(self, experiment: str) -> list[str]:
        """The module files of an experiment's features, and of all that is measured of them."""
        files = set(self.model_modules("features", experiment)) | set(
            step_files("measure_features")
        )
        for analysis in self._feature_analyses(self._first(experiment)):
            files.update(step_files("measure", MEASUREMENTS[analysis].measure))
        return sorted(files)

    def network_modules(self, analysis: str, experiment: str) -> list[str]:
        """The module files of a measurement of a network."""
        own = step_files("measure_network", MEASUREMENTS[analysis].measure)
        return sorted({*own, *self.model_modules("measure_network", experiment)})

    def detection_modules(self, experiment: str) -> list[str]:
        """The module files of the attacks on an experiment's models, and of their detection."""
        training = training_slice(self.params, self._first(experiment))
        attacks = [
            self.params.attacks.white_box[name] for name in attacks_of(self.params, experiment)
        ]
        found = set(step_files("detection"))
        for attack in attacks:
            found.update(sample_files({**training, "attack": attack.model_dump()}))
        return sorted(found)

    def _first(self, experiment: str) -> Job:
        return next(job for job in self._jobs.values() if job.experiment == experiment)

    def data_slice(self, dataset: str) -> str:
        """What shapes the processed store of a data set, as JSON."""
        return _json(data_params(self.params, dataset).model_dump())

    def training_slice(self, experiment: str, seed: str) -> str:
        """What shapes a checkpoint, as JSON."""
        return _json(training_slice(self.params, self._job(experiment, seed)))

    def feature_slices(self, experiment: str, seed: str) -> str:
        """What shapes a model's features, and what shapes each measurement of them, as JSON."""
        job = self._job(experiment, seed)
        own = {name: own_slice(self.params, job, name) for name in self._feature_analyses(job)}
        return _json({"features": features_slice(self.params, job), "own": own})

    def measurement_slice(self, analysis: str, experiment: str, seed: str) -> str:
        """What shapes a measurement, as JSON."""
        return _json(measurement_slice(self.params, self._job(experiment, seed), analysis))

    def contact_sheet_slice(self) -> str:
        """What shapes the figure of the rendered animals, as JSON."""
        return _json(contact_sheet_slice(self.params) or {})

    def claims_slice(self) -> str:
        """What shapes the verdicts beside the measurements, as JSON."""
        return _json(self.params.claims.model_dump())

    def index_file(self, *analyses: str) -> str:
        """The file with `index` as JSON, written where it is missing.

        The index of a large run does not fit into a command line. The file's name holds the hash of
        its content, so that what is made from it is made again exactly when the index changed.
        """
        index = self.index(*analyses)
        # Not sorted: tables show the experiments in the index's order.
        content = json.dumps(index, separators=(",", ":"))
        path = INDEX_FOLDER / f"{hashlib.sha256(content.encode()).hexdigest()}.json"
        if not path.is_file():
            write_json(path, index)
        return str(path)

    def index(self, *analyses: str) -> dict[str, Any]:
        """The run's measurements of these analyses and the parameters each must have.

        `experiments`: experiment -> label, role and seeds; seed -> analysis -> hash of its
        parameters. `data`: data set -> hash of its parameters, if `data` is among the analyses.
        """
        data = {
            dataset: parameters_hash(data_params(self.params, dataset).model_dump())[:HASH_DIGITS]
            for dataset in self.datasets
            if DATA in analyses
        }
        found: dict[str, Any] = {}
        for job in self._jobs.values():
            hashes = {
                analysis: self._measurement_hash(job, analysis)
                for analysis in analyses_of(self.params, job)
                if analysis in analyses
            }
            entry = {"label": job.label, "role": job.role, "seeds": {}}
            if hashes:
                found.setdefault(job.experiment, entry)["seeds"][str(job.seed)] = hashes
        return {"experiments": found, DATA: data}

    def _measurement_hash(self, job: Job, analysis: str) -> str:
        key = (job.experiment, job.seed, analysis)
        if key not in self._hashes:
            slice_ = measurement_slice(self.params, job, analysis)
            self._hashes[key] = parameters_hash(slice_)[:HASH_DIGITS]
        return self._hashes[key]

    def _job(self, experiment: str, seed: str) -> Job:
        return self._jobs[experiment, int(seed)]


def _is_current(file: str, slice_: Mapping[str, Any]) -> bool:
    """Whether a measurement was recorded with these parameters."""
    try:
        read_measurement(Path(file), parameters_hash(slice_))
    except ClearfiltersError:
        return False
    return True


def _json(slice_: Mapping[str, Any]) -> str:
    return json.dumps(slice_, sort_keys=True, separators=(",", ":"))
