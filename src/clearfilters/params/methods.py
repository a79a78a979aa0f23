"""Methods: what each adds to ordinary training."""

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from clearfilters.params.fields import (
    Count,
    Density,
    Fraction,
    Natural,
    NonNegative,
    Positive,
    Strict,
    of_registry,
)
from clearfilters.registry import EXPLAINER, METHODS


class MethodBase(Strict):
    """What the parameters of every method have."""

    name: str

    def roles(self) -> list[str]:
        """What tables and claims may take an experiment with this method for."""
        return [self.name]

    def offers(self) -> list[str]:
        """What models of this method have of what measurements need (registry.py)."""
        return []

    def explains(self) -> bool:
        """Whether an experiment with this method names a performer, in place of a network."""
        return False


class StdParams(MethodBase):
    """Ordinary training: nothing to choose."""

    name: Literal["std"]

    def roles(self) -> list[str]:
        """The network without gate, or the ordinary CNN beside an interpretable one."""
        return ["std", "ordinary"]


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
    gate_phases: Annotated[list[Natural], Field(min_length=1)]
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


class GateParams(MethodBase):
    """A class-specific gate: one that is updated, or one that is fixed."""

    name: Literal["gate"]
    objective: Annotated[LsgParams | CsgParams, Field(discriminator="name")]
    path: PathParams
    update: GateUpdateParams | None = None
    fixed: FixedGateParams | None = None
    negative_weight: NonNegative = 0.0

    def offers(self) -> list[str]:
        """A gate."""
        return ["gate"]

    def roles(self) -> list[str]:
        """By objective, scheme, and what is added to the papers' gate."""
        found = ["lsg", "dense"] if isinstance(self.objective, LsgParams) else ["csg"]
        if self.path.scheme == "joint":
            found.append("joint")
        if self.fixed is not None:
            found.append("fixed")
        if self.negative_weight > 0:
            found.append("negatives")
        return found

    @model_validator(mode="after")
    def _is_updated_or_fixed(self) -> "GateParams":
        if (self.update is None) == (self.fixed is None):
            raise ValueError(
                "a gate has either `update`, how it moves, or `fixed`, and not both; remove one "
                "(in a preset: `update: null` or `fixed: null`), or add one"
            )
        return self


class BetaParams(Strict):
    """What the slopes of the masks are drawn to, and how strongly.

    The target is `spread` over a map's standard deviation in cells, in [least, greatest].
    """

    spread: Positive
    least: Positive
    greatest: Positive
    gain: Positive


class PartFilterParams(MethodBase):
    """The filter loss of interpretable CNNs.

    `strength` times `weight` is c of the code at the first epoch, or lambda of the paper over the
    mean largest activation. `falling`: over the number of the epoch. `ratio`: in place of the
    weight, the norm of the filter loss's gradient over that of the task's, of each filter or of the
    layer. `layers`: those that have a filter loss, 1 below 2; none for masks alone. `beta` null:
    the masks' slopes stay. `alpha` is of the code's variant, `tau` of the paper's.
    """

    name: Literal["part-filters"]
    variant: Literal["code", "paper"]
    layers: list[Literal[1, 2]]
    weight: Positive
    strength: Positive
    falling: bool
    ratio: Positive | None
    per_filter: bool
    alpha: Positive
    tau: Positive
    memory: Fraction
    beta: BetaParams | None

    def roles(self) -> list[str]:
        """By what the filter loss is given."""
        if not self.layers:
            return ["masks-only"]
        if self.ratio is not None:
            return ["held", "mixed"]
        named = ["interpretable", "loss-only"] if self.weight == 1 else ["weighted"]
        return [*named, "mixed"]

    @model_validator(mode="after")
    def _layers_each_once(self) -> "PartFilterParams":
        if self.layers != sorted(set(self.layers)):
            raise ValueError(f"layers {self.layers} must rise and name each once")
        return self


class ExplainerParams(MethodBase):
    """An explainer of a performer (methods/explainer.py).

    `target`: what replaces the performer's features has to give: its features again, or the class.
    `reconstruction` over the mean norm of a layer's outputs is lambda_l, and `eta` weighs -log p;
    both are times 10^-5 of the paper's, as is the whole loss. `ratio` is the norm of the filter
    loss's gradient over that of the target's, of each filter, null for no filter loss; `falling`:
    over the number of the epoch. `alpha` is the filter loss's temperature, `memory` what a batch
    leaves of a filter's category memory. `beta` is the slope of the masks times the side of the
    map. Weights are drawn from N(0, init_std^2), or by He's rule for null. `momentum` and `dead`
    are of the norm layers: a batch's share of the running average, and of the mean magnitude below
    which a channel counts as dead. `keep_scale`: whether the decoder gets features of the magnitude
    that it was trained with. `decoder_lr` is a factor on the learning rate, `p_lr` the rate of w_p,
    which follows no schedule.
    """

    name: Literal["explainer"]
    target: Literal["reconstruction", "classification"]
    reconstruction: Positive
    eta: NonNegative
    ratio: Positive | None
    falling: bool
    alpha: Positive
    memory: Fraction
    beta: Positive
    init_std: Positive | None
    momentum: Fraction
    dead: Fraction
    keep_scale: bool
    decoder_lr: NonNegative
    p_lr: Positive

    def roles(self) -> list[str]:
        """By target; those that reconstruct may stand for a value of eta or of the ratio, too."""
        if self.target == "classification":
            return ["explainer-cls"]
        return ["explainer", "explainer-eta", "explainer-ratio"]

    def offers(self) -> list[str]:
        """An explainer."""
        return [EXPLAINER]

    def explains(self) -> bool:
        """It does."""
        return True


MethodParams = SerializeAsAny[
    Annotated[
        MethodBase,
        of_registry("name", METHODS, MethodBase),
    ]
]
