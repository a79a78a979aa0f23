"""The whole of params.yaml: experiments, the run, claims."""

from typing import Any, Literal

from pydantic import Field, model_validator

from clearfilters.params.attacks import AttacksParams
from clearfilters.params.datasets import DatasetParams, RawParams
from clearfilters.params.fields import (
    Count,
    Density,
    Name,
    NonNegative,
    Positive,
    Seed,
    Strict,
    check_each_once,
)
from clearfilters.params.measurements import AnalysisParams, FeaturesParams, LocalizationParams
from clearfilters.params.methods import CsgParams, GateParams, LsgParams
from clearfilters.params.networks import FineTuneParams, ModelParams
from clearfilters.params.training import TrainingParams

Role = Literal["std", "lsg", "csg", "dense", "joint", "fixed", "negatives", "tradeoff"]


def _fits_role(gate: GateParams | None, role: Role) -> bool:
    """Whether tables and claims may take an experiment with this gate for what `role` says."""
    if gate is None or role == "std":
        return gate is None and role == "std"
    match role:
        case "lsg" | "dense":
            return isinstance(gate.objective, LsgParams)
        case "csg":
            return isinstance(gate.objective, CsgParams)
        case "joint":
            return gate.path.scheme == "joint"
        case "fixed":
            return gate.fixed is not None
        case "negatives":
            return gate.negative_weight > 0
    return False  # `tradeoff` is for the grid of run.tradeoff


class ExperimentParams(Strict):
    """One row of the tables: a network trained in one way.

    `training` overrides single keys; `dataset` null means the first of run.datasets.
    """

    label: str
    role: Role
    dataset: Name | None = None
    model: ModelParams
    gate: GateParams | None = None
    finetune: FineTuneParams | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    seeds: list[Seed] | None = None

    @model_validator(mode="after")
    def _seeds_each_once(self) -> "ExperimentParams":
        if self.seeds is not None:
            check_each_once("seeds", self.seeds)
        return self

    @model_validator(mode="after")
    def _role_fits_the_gate(self) -> "ExperimentParams":
        if not _fits_role(self.gate, self.role):
            raise ValueError(
                f"role {self.role} does not fit the gate; expected std without a gate, lsg or "
                "dense with objective lsg, csg with objective csg, joint with scheme joint, fixed "
                "with gate.fixed, negatives with gate.negative_weight above 0"
            )
        return self


class TradeoffParams(Strict):
    """Short runs over a grid of lambda and a, each a copy of `base` otherwise."""

    base: Name
    lambdas: list[Positive]
    a: list[NonNegative]
    seeds: list[Seed]
    training: dict[str, Any]

    @model_validator(mode="after")
    def _each_once(self) -> "TradeoffParams":
        for name in ("lambdas", "a", "seeds"):
            check_each_once(name, getattr(self, name))
        return self


class ContactSheetParams(Strict):
    """The figure that shows the embedded animals: images per class."""

    columns: Count


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
    much_lower_ratio: Density
    filter_share: Density
    filter_share_margin: NonNegative


class RunParams(Strict):
    """The run: where its results go, which experiments it has, and which seeds."""

    name: Name
    datasets: list[Name]
    seeds: list[Seed]
    experiments: list[Name]
    localized: list[Name]
    tradeoff: TradeoffParams | None

    @model_validator(mode="after")
    def _each_once(self) -> "RunParams":
        for name in ("datasets", "experiments", "seeds"):
            check_each_once(name, getattr(self, name))
        if len(set(self.localized)) != len(self.localized):
            raise ValueError(f"localized {self.localized} must name each entry once")
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
    localization: LocalizationParams
    attacks: AttacksParams
    claims: ClaimsParams
    contact_sheet: ContactSheetParams
