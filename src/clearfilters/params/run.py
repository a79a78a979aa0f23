"""The whole of params.yaml: experiments, the run, claims."""

from collections.abc import Mapping
from typing import Any

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
from clearfilters.params.methods import MethodParams
from clearfilters.params.networks import FineTuneParams, ModelParams
from clearfilters.params.training import TrainingParams


class ExperimentParams(Strict):
    """One row of the tables: a network trained in one way.

    `role` is what tables and claims take it for; its method says which it may be.
    `training` overrides single keys; `dataset` null means the first of run.datasets.
    """

    label: str
    role: Name
    dataset: Name | None = None
    model: ModelParams
    method: MethodParams
    finetune: FineTuneParams | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    seeds: list[Seed] | None = None

    @model_validator(mode="after")
    def _seeds_each_once(self) -> "ExperimentParams":
        if self.seeds is not None:
            check_each_once("seeds", self.seeds)
        return self

    @model_validator(mode="before")
    @classmethod
    def _names_its_method(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "gate" in content:
            raise ValueError(
                "the key `gate` is now `method`: write `method: {name: gate, ...}` with what "
                "`gate` held, or `method: {name: std}` for a network without a gate"
            )
        return content

    @model_validator(mode="after")
    def _role_fits_the_method(self) -> "ExperimentParams":
        if self.role not in self.method.roles():
            raise ValueError(
                f"role {self.role} does not fit the method as it is given; expected one of "
                f"{', '.join(self.method.roles())}"
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
    mis_floors: list[Name] | None = None
    tradeoff: TradeoffParams | None

    @model_validator(mode="after")
    def _each_once(self) -> "RunParams":
        for name in ("datasets", "experiments", "seeds"):
            check_each_once(name, getattr(self, name))
        if len(set(self.localized)) != len(self.localized):
            raise ValueError(f"localized {self.localized} must name each entry once")
        if self.mis_floors is not None and len(set(self.mis_floors)) != len(self.mis_floors):
            raise ValueError(f"mis_floors {self.mis_floors} must name each entry once")
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
