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
from clearfilters.params.gallery import GalleryParams
from clearfilters.params.measurements import AnalysisParams, FeaturesParams, LocalizationParams
from clearfilters.params.methods import MethodParams
from clearfilters.params.networks import FineTuneParams, ModelParams, TopParams
from clearfilters.params.training import TrainingParams


class ExperimentParams(Strict):
    """One row of the tables: a network trained in one way.

    `role` is what tables and claims take it for; its method says which it may be.
    `training` overrides single keys; `dataset` null means the first of run.datasets. An explainer
    names a `performer`, another experiment, whose network and data set it has.
    """

    label: str
    role: Name
    dataset: Name | None = None
    model: ModelParams | None = None
    performer: Name | None = None
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
    def _explains_or_has_a_network(self) -> "ExperimentParams":
        explains = self.method.explains()
        wanted, other = ("performer", "model") if explains else ("model", "performer")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"with method {self.method.name}, give `{wanted}`, and no `{other}`")
        if explains and (self.dataset is not None or self.training.get("compile")):
            raise ValueError(
                "an explainer has its performer's data set, and is not compiled; leave out "
                "`dataset` and `training.compile`"
            )
        if explains and (self.finetune is None or self.finetune.weights is not None):
            raise ValueError(
                "an explainer is trained above its frozen performer, and has its weights; give "
                "`finetune` with weights: null"
            )
        return self

    @property
    def _top(self) -> TopParams | None:
        return None if self.model is None else self.model.top

    @model_validator(mode="after")
    def _standardises_frozen_maps(self) -> "ExperimentParams":
        top, finetune = self._top, self.finetune
        moves = finetune is None or finetune.trained_blocks != 1
        if top is not None and top.standardised and moves:
            raise ValueError(
                "model.top.standardised: the maps below the top must not change; set "
                "finetune.trained_blocks: 1"
            )
        return self

    @model_validator(mode="after")
    def _measures_a_trained_convolution(self) -> "ExperimentParams":
        top, finetune = self._top, self.finetune
        frozen = finetune is not None and finetune.trained_blocks == 1
        if frozen and top is not None and top.convolution is None and not top.interpretable:
            raise ValueError(
                "model.top: no convolution stands above the frozen blocks; give "
                "model.top.convolution a number of filters, or raise finetune.trained_blocks"
            )
        return self

    @model_validator(mode="after")
    def _role_fits_the_top(self) -> "ExperimentParams":
        top = self._top
        if top is None:
            return self
        wanted = {
            "ordinary": (False, False),
            "loss-only": (True, False),
            **dict.fromkeys(
                ("interpretable", "masks-only", "weighted", "held", "mixed"), (True, True)
            ),
        }.get(self.role)
        if wanted not in (None, (top.interpretable, top.masks)):
            raise ValueError(
                f"role {self.role} wants model.top with interpretable and masks {wanted}, found "
                f"{(top.interpretable, top.masks)}"
            )
        if (self.role == "mixed") != (top.ordinary > 0):
            raise ValueError(
                f"role {self.role}, but model.top.ordinary is {top.ordinary}; filters are left "
                "ordinary in the role mixed, and in no other"
            )
        return self

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
    part_accuracy_margin: NonNegative
    part_instability_margin: NonNegative
    part_follow_r2: Density
    part_distinct_cells: Positive
    explainer_instability_ratio: Density
    explainer_close_margin: NonNegative
    explainer_several_points: NonNegative
    explainer_most: Density
    explainer_nearly_all: Density
    explainer_eta_margin: NonNegative
    explainer_follow_margin: NonNegative
    explainer_rank_correlation: Density


class RunParams(Strict):
    """The run: where its results go, which experiments it has, and which seeds.

    `localized`, `mis_floors` and `pictured` are experiments of which more is measured; `galleries`
    are those whose filters are shown.
    """

    name: Name
    datasets: list[Name]
    seeds: list[Seed]
    experiments: list[Name]
    localized: list[Name]
    pictured: list[Name] = Field(default_factory=list)
    galleries: list[Name] = Field(default_factory=list)
    mis_floors: list[Name] | None = None
    tradeoff: TradeoffParams | None

    @model_validator(mode="after")
    def _each_once(self) -> "RunParams":
        for name in ("datasets", "experiments", "seeds"):
            check_each_once(name, getattr(self, name))
        for name in ("localized", "pictured", "galleries"):
            named = getattr(self, name)
            if len(set(named)) != len(named):
                raise ValueError(f"{name} {named} must name each entry once")
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
    gallery: GalleryParams
