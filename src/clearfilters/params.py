"""The parameters of a run, typed and validated, and the slice of them that shapes each result.

A *slice* is the plain dictionary of everything that shaped one artifact: its own parameters and
those of the artifacts it was made from. Snakemake hands each rule its slice, so that a changed
number re-runs exactly what depends on it, and each measurement records its slice and its hash.
Where raw data lies, how many threads compute and which device is used are in no slice: they do not
shape results beyond rounding, and each measurement records the device it was made on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from clearfilters.errors import ClearfiltersError

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Density = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Strict(BaseModel):
    """Unknown keys are errors; values are not converted; instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DigitsParams(Strict):
    """scikit-learn's digits and how they are split."""

    format: Literal["digits"]
    note: str
    test_fraction: Fraction
    split_seed: Natural


class Cifar10Params(Strict):
    """CIFAR-10 in its official layout; `note` stands in every table."""

    format: Literal["cifar10"]
    note: str
    verify: bool


DatasetParams = Annotated[DigitsParams | Cifar10Params, Field(discriminator="format")]


class RawParams(Strict):
    """Where raw files lie, and whether missing ones may be downloaded."""

    root: str
    download: bool


class ModelParams(Strict):
    """A network of the registry; `width` null means the published width."""

    name: str
    width: Count | None = None


class ScheduleParams(Strict):
    """Learning rate over epochs, times `lr`."""

    name: Literal["cosine", "multistep"]
    warmup_epochs: Natural
    milestones: list[Count]
    gamma: Fraction


class TrainingParams(Strict):
    """The optimisation of theta."""

    epochs: Count
    batch_size: Count
    optimizer: Literal["sgd", "adam"]
    lr: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    schedule: ScheduleParams
    crop_padding: Natural
    flip: bool
    precision: Literal["bf16", "float32"]
    compile: bool
    evaluate_every: Count


class LsgParams(Strict):
    """lambda (CE + a | ||G||_1 - s |), s = s_density C K."""

    name: Literal["lsg"]
    lambda_: Positive = Field(alias="lambda")
    a: NonNegative
    s_density: Density


class CsgParams(Strict):
    """lambda1 CE + lambda2 psi(ReLU(||G||_1 - g)), g = g_density C K."""

    name: Literal["csg"]
    lambda1: Positive
    lambda2: NonNegative
    g_density: Density
    psi: Literal["l1", "squared"]


class PathParams(Strict):
    """Which epochs train which path."""

    scheme: Literal["alternating", "joint"]
    period: Count
    gate_phases: list[Natural]
    warmup_epochs: Natural

    @model_validator(mode="after")
    def _phases_below_period(self) -> "PathParams":
        if any(phase >= self.period for phase in self.gate_phases):
            raise ValueError(
                f"gate_phases {self.gate_phases} must all be below period {self.period}"
            )
        return self


class GateUpdateParams(Strict):
    """How G moves."""

    init: Density
    optimizer: Literal["plain", "adam"]
    lr: Positive


class FixedGateParams(Strict):
    """A gate that does not move: m1 one-hot columns per class, m2 all-one columns."""

    monopolized: Natural
    shared: Natural


class GateParams(Strict):
    """A gate experiment."""

    objective: Annotated[LsgParams | CsgParams, Field(discriminator="name")]
    path: PathParams
    update: GateUpdateParams
    fixed: FixedGateParams | None = None
    negative_weight: NonNegative = 0.0


Role = Literal["std", "lsg", "csg", "dense", "joint", "fixed", "negatives", "tradeoff"]


class ExperimentParams(Strict):
    """One row of the tables: a network trained in one way. `training` overrides single keys."""

    label: str
    role: Role
    model: ModelParams
    gate: GateParams | None = None
    training: dict[str, Any] = {}
    seeds: list[Natural] | None = None


class TradeoffParams(Strict):
    """Short runs over a grid of lambda and a, each a copy of `base` otherwise."""

    base: Name
    lambdas: list[Positive]
    a: list[NonNegative]
    seeds: list[Natural]
    training: dict[str, Any]


class FeaturesParams(Strict):
    """The one forward pass per trained model."""

    batch_size: Count
    noise_images: Count
    noise_seed: Natural


class ClassificationParams(Strict):
    """Nothing to choose."""


class PhiParams(Strict):
    """The fit of Phi's gate."""

    a: NonNegative
    s_density: Density
    init: Density
    tolerance: Positive
    window: Count
    max_iterations: Count


class MisParams(Strict):
    """The nearest-neighbour estimate of mutual information."""

    n_neighbors: Count
    random_state: Natural


class GateStatisticsParams(Strict):
    """Tightening threshold h."""

    threshold: Density


class LeakageParams(Strict):
    """The random gate that the trained one is compared with."""

    random_gate_seed: Natural


class CorrelationParams(Strict):
    """Filters per class group (CIC), by network, and points of the threshold curve."""

    filters_per_class: dict[str, Count]
    thresholds: Count


class MaskingParams(Strict):
    """Which filters are zeroed: those with G_ck above `threshold` for a class of the case."""

    threshold: Annotated[float, Field(ge=0, lt=1)]
    cases: list[list[Natural]]


class SimilarityParams(Strict):
    """Nothing to choose."""


class ClusteringParams(Strict):
    """k-means on pooled features."""

    seed: Natural
    n_init: Count
    permutations: Count


class AnalysisParams(Strict):
    """One block per analysis; what each key means stands in params.yaml."""

    classification: ClassificationParams
    phi: PhiParams
    mis: MisParams
    gate_statistics: GateStatisticsParams
    leakage: LeakageParams
    correlation: CorrelationParams
    masking: MaskingParams
    similarity: SimilarityParams
    clustering: ClusteringParams


class ClaimsParams(Strict):
    """What the verdicts of claims.csv take words for; each key is explained in params.yaml."""

    accuracy_margin: NonNegative
    sacrifice_margin: NonNegative
    cross_entropy_ratio: Positive
    sparse_density: Density
    leakage_margin: NonNegative
    failing_recall: Density
    recognised_recall: Density
    dominant_rows: Density
    correlation_threshold: Density
    half_ratio: Density
    filter_share: Density
    filter_share_margin: NonNegative


class RunParams(Strict):
    """The run: where its results go, which experiments it has, and which seeds."""

    name: Name
    dataset: Name
    seeds: list[Natural]
    experiments: list[Name]
    tradeoff: TradeoffParams | None

    @model_validator(mode="after")
    def _each_once(self) -> "RunParams":
        for values in (self.experiments, self.seeds):
            if not values or len(set(values)) != len(values):
                raise ValueError(f"{values} must not be empty and must name each entry once")
        return self


class Params(Strict):
    """All of params.yaml."""

    run: RunParams
    raw: RawParams
    datasets: dict[Name, DatasetParams]
    training: TrainingParams
    experiments: dict[Name, ExperimentParams]
    features: FeaturesParams
    analysis: AnalysisParams
    claims: ClaimsParams


@dataclass(frozen=True)
class Job:
    """One experiment with one seed, fully resolved."""

    experiment: str
    seed: int
    label: str
    role: Role
    model: ModelParams
    gate: GateParams | None
    training: TrainingParams


class TrainingSlice(Strict):
    """Everything that shapes a trained model."""

    data: DatasetParams
    model: ModelParams
    gate: GateParams | None
    training: TrainingParams
    seed: Natural


def _explain(error: ValidationError, source: str) -> ClearfiltersError:
    lines = []
    for detail in error.errors():
        key = ".".join(str(part) for part in detail["loc"]) or "(top level)"
        lines.append(f"{source}: {key}: {detail['msg']} (found: {detail['input']!r})")
    return ClearfiltersError("\n".join(lines) + "\nCorrect these keys and run again.")


def load_params(content: Mapping[str, Any], source: str = "params.yaml") -> Params:
    """Validate the parameters and check that the experiments can be resolved.

    Args:
        content: the parsed YAML (params.yaml with any preset merged over it).
        source: what to call it in messages.

    Raises:
        ClearfiltersError: naming each unknown key, wrong type or impossible value.
    """
    try:
        params = Params.model_validate(dict(content))
        data_params(params)
        jobs(params)
    except ValidationError as error:
        raise _explain(error, source) from None
    return params


def parse_dataset(content: Any) -> DatasetParams:
    """A data set's parameters from a command line's JSON.

    Raises:
        ClearfiltersError: naming each key that is wrong.
    """
    try:
        parsed: DatasetParams = TypeAdapter(DatasetParams).validate_python(content)
    except ValidationError as error:
        raise _explain(error, "--parameters") from None
    return parsed


def parse_training_slice(content: Any) -> TrainingSlice:
    """A training slice from a command line's JSON.

    Raises:
        ClearfiltersError: naming each key that is wrong.
    """
    try:
        return TrainingSlice.model_validate(content)
    except ValidationError as error:
        raise _explain(error, "--parameters") from None


def _overridden(training: TrainingParams, override: Mapping[str, Any], key: str) -> TrainingParams:
    merged = training.model_dump()
    for key, value in override.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = {**merged[key], **value}
        else:
            merged[key] = value
    try:
        return TrainingParams.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, f"params.yaml: {key}") from None


def _tradeoff_jobs(params: Params) -> list[Job]:
    grid = params.run.tradeoff
    if grid is None:
        return []
    base = _experiment(params, grid.base, "run.tradeoff.base")
    if base.gate is None or not isinstance(base.gate.objective, LsgParams):
        raise ClearfiltersError(
            f"run.tradeoff.base: `{grid.base}` has no LSG objective; name one that has"
        )
    found = []
    for lambda_, a, seed in product(grid.lambdas, grid.a, grid.seeds):
        objective = base.gate.objective.model_copy(update={"lambda_": lambda_, "a": a})
        found.append(
            Job(
                experiment=f"tradeoff/lambda{lambda_:g}-a{a:g}",
                seed=seed,
                label=f"{base.label}, λ = {lambda_:g}, a = {a:g}",
                role="tradeoff",
                model=base.model,
                gate=base.gate.model_copy(update={"objective": objective}),
                training=_overridden(
                    params.training, {**base.training, **grid.training}, "run.tradeoff.training"
                ),
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
        ClearfiltersError: if the run names an experiment that is not defined, or an override of
            `training` is not valid.
    """
    found = []
    for name in params.run.experiments:
        experiment = _experiment(params, name, "run.experiments")
        training = _overridden(params.training, experiment.training, f"experiments.{name}.training")
        seeds = params.run.seeds if experiment.seeds is None else experiment.seeds
        for seed in seeds:
            found.append(
                Job(
                    experiment=name,
                    seed=seed,
                    label=experiment.label,
                    role=experiment.role,
                    model=experiment.model,
                    gate=experiment.gate,
                    training=training,
                )
            )
    return found + _tradeoff_jobs(params)


def data_params(params: Params) -> DatasetParams:
    """The run's data set.

    Raises:
        ClearfiltersError: if it is not defined.
    """
    name = params.run.dataset
    if name not in params.datasets:
        raise ClearfiltersError(
            f"params.yaml: run.dataset: no data set `{name}`; defined: "
            f"{', '.join(sorted(params.datasets))}"
        )
    return params.datasets[name]


def training_slice(params: Params, job: Job) -> dict[str, Any]:
    """What shapes a checkpoint: data, model, gate, training and seed."""
    parsed = TrainingSlice(
        data=data_params(params),
        model=job.model,
        gate=job.gate,
        training=job.training,
        seed=job.seed,
    )
    return parsed.model_dump(by_alias=True)


def features_slice(params: Params, job: Job) -> dict[str, Any]:
    """What shapes the recorded features: the checkpoint and the forward pass."""
    return {**training_slice(params, job), "features": params.features.model_dump()}


def filters_per_class(params: Params, network: str) -> int:
    """The m of CIC for a network.

    Raises:
        ClearfiltersError: if params.yaml gives none.
    """
    given = params.analysis.correlation.filters_per_class
    if network not in given:
        raise ClearfiltersError(
            f"params.yaml: analysis.correlation.filters_per_class: no number for `{network}`; "
            f"add `{network}: m`, at most the filters of its last convolution"
        )
    return given[network]


def measurement_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """What shapes a measurement: the features, the fitted gate where it is used, and the analysis.

    The analyses of GATE_ANALYSES read the gate that was fitted for Phi, so Phi's parameters are
    part of their slice.
    """
    chosen = {analysis: params.analysis.model_dump()[analysis]}
    if analysis == "correlation":
        chosen[analysis]["filters_per_class"] = filters_per_class(params, job.model.name)
    if analysis in GATE_ANALYSES:
        chosen["phi"] = params.analysis.phi.model_dump()
    return {**features_slice(params, job), "analysis": chosen}


# Analyses that use the trained gate of a gate model, or the gate fitted to a model without one.
GATE_ANALYSES = ("gate_statistics", "leakage", "masking", "similarity", "clustering")
ANALYSES = tuple(AnalysisParams.model_fields)
# The trade-off compares only these.
TRADEOFF_ANALYSES = ("classification", "phi", "leakage")


def analyses_of(job: Job) -> tuple[str, ...]:
    """The measurements taken of a job."""
    return TRADEOFF_ANALYSES if job.role == "tradeoff" else ANALYSES
