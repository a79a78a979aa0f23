"""Experiments x seeds, fully resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import DatasetParams
from clearfilters.params.methods import GateParams, LsgParams, MethodParams
from clearfilters.params.networks import FineTuneParams, ModelParams
from clearfilters.params.reading import explain
from clearfilters.params.run import ExperimentParams, Params
from clearfilters.params.training import TrainingParams

# Where the experiments of the trade-off's grid lie, and the group they stand in.
TRADEOFF = "tradeoff"
# What is explained.
PERFORMER_ROLE = "ordinary"


@dataclass(frozen=True)
class Job:
    """One experiment with one seed, fully resolved."""

    experiment: str
    seed: int
    label: str
    role: str
    dataset: str
    model: ModelParams
    method: MethodParams
    training: TrainingParams
    finetune: FineTuneParams | None = None
    performer: "Job | None" = None


def _overridden(training: TrainingParams, override: Mapping[str, Any], key: str) -> TrainingParams:
    merged = training.model_dump()
    for name, value in override.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), dict):
            merged[name] = {**merged[name], **value}
        else:
            merged[name] = value
    try:
        return TrainingParams.model_validate(merged)
    except ValidationError as error:
        raise explain(error, f"params.yaml: {key}", merged) from None


def _tradeoff_jobs(params: Params) -> list[Job]:
    grid = params.run.tradeoff
    if grid is None:
        return []
    base = _experiment(params, grid.base, "run.tradeoff.base")
    method = base.method
    if not isinstance(method, GateParams) or not isinstance(method.objective, LsgParams):
        raise ClearfiltersError(
            f"run.tradeoff.base: `{grid.base}` has no LSG objective; name one that has"
        )
    own = _overridden(params.training, base.training, f"experiments.{grid.base}.training")
    training = _overridden(own, grid.training, "run.tradeoff.training")
    found = []
    for lambda_, a, seed in product(grid.lambdas, grid.a, grid.seeds):
        objective = method.objective.model_copy(update={"lambda_": lambda_, "a": a})
        found.append(
            Job(
                experiment=f"{TRADEOFF}/lambda{lambda_:g}-a{a:g}",
                seed=seed,
                label=f"{base.label}, λ = {lambda_:g}, a = {a:g}",
                role="tradeoff",
                dataset=_dataset(params, base, grid.base),
                model=_model(base, grid.base),
                method=method.model_copy(update={"objective": objective}),
                training=training,
                finetune=base.finetune,
            )
        )
    return found


def _experiment(params: Params, name: str, key: str) -> ExperimentParams:
    if name not in params.experiments:
        raise ClearfiltersError(
            f"params.yaml: {key}: no experiment `{name}`; defined: "
            f"{', '.join(sorted(params.experiments))}"
        )
    return params.experiments[name]


def jobs(params: Params) -> list[Job]:
    """Experiments x seeds, the trade-off grid included, in the order of params.yaml.

    Raises:
        ClearfiltersError: if the run names an experiment that is not defined, an override of
            `training` is not valid, or an explainer's performer is not trained.
    """
    found = []
    for name in params.run.experiments:
        _experiment(params, name, "run.experiments")
        found += [_job(params, name, seed) for seed in seeds_of(params, name)]
    return found + _tradeoff_jobs(params)


def _job(params: Params, name: str, seed: int) -> Job:
    experiment = _experiment(params, name, "run.experiments")
    key = f"experiments.{name}.training"
    override, performer = experiment.training, None
    if experiment.performer is not None:
        performer = _performer(params, name, experiment.performer, seed)
        loss = performer.training.loss
        if override.get("loss", loss) != loss:
            raise ClearfiltersError(
                f"params.yaml: {key}.loss: {override['loss']}, but what it explains, "
                f"`{experiment.performer}`, has {loss}; an explainer classifies as its performer "
                "does: leave it out"
            )
        override = {**override, "loss": loss}
    return Job(
        experiment=name,
        seed=seed,
        label=experiment.label,
        role=experiment.role,
        dataset=_dataset(params, experiment, name) if performer is None else performer.dataset,
        model=_model(experiment, name) if performer is None else performer.model,
        method=experiment.method,
        training=_overridden(params.training, override, key),
        finetune=experiment.finetune,
        performer=performer,
    )


def _model(experiment: ExperimentParams, name: str) -> ModelParams:
    if experiment.model is None:
        raise ClearfiltersError(
            f"params.yaml: experiments.{name}: an explainer cannot stand here; name an experiment "
            "with a model of its own"
        )
    return experiment.model


def _performer(params: Params, name: str, performer: str, seed: int) -> Job:
    """The job whose network an explainer explains."""
    key = f"experiments.{name}.performer"
    explained = _experiment(params, performer, key)
    if explained.performer is not None:
        raise ClearfiltersError(
            f"params.yaml: {key}: `{performer}` is an explainer itself; name what it explains"
        )
    if explained.role != PERFORMER_ROLE:
        raise ClearfiltersError(
            f"params.yaml: {key}: `{performer}` has the role {explained.role}; explained are "
            f"ordinary networks, of role {PERFORMER_ROLE}"
        )
    if performer not in params.run.experiments or seed not in seeds_of(params, performer):
        raise ClearfiltersError(
            f"params.yaml: {key}: the run trains no `{performer}` with seed {seed}; add it to "
            "run.experiments, with that seed"
        )
    return _job(params, performer, seed)


def performers(params: Params) -> set[str]:
    """The experiments of the run that others explain."""
    names = params.run.experiments
    named = (_experiment(params, name, "run.experiments").performer for name in names)
    return {performer for performer in named if performer is not None}


def seeds_of(params: Params, name: str) -> list[int]:
    """The seeds of an experiment that is defined."""
    own = params.experiments[name].seeds
    return params.run.seeds if own is None else own


def _dataset(params: Params, experiment: ExperimentParams, name: str) -> str:
    """The data set of an experiment, one of the run's."""
    chosen = experiment.dataset or params.run.datasets[0]
    if chosen not in params.run.datasets:
        raise ClearfiltersError(
            f"params.yaml: experiments.{name}.dataset: `{chosen}` is none of run.datasets "
            f"({', '.join(params.run.datasets)}); add it there"
        )
    return chosen


def data_params(params: Params, name: str) -> DatasetParams:
    """The parameters of a data set.

    Raises:
        ClearfiltersError: if it is not defined.
    """
    if name not in params.datasets:
        raise ClearfiltersError(
            f"params.yaml: run.datasets: no data set `{name}`; defined: "
            f"{', '.join(sorted(params.datasets))}"
        )
    return params.datasets[name]
