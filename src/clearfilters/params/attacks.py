"""White-box and black-box attacks, and the detection of adversarial samples."""

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from clearfilters.params.fields import (
    Count,
    Density,
    Name,
    Natural,
    NonNegative,
    Number,
    Positive,
    Seed,
    Strict,
    check_each_once,
    of_registry,
)
from clearfilters.registry import ATTACKS


class WhiteBoxBase(Strict):
    """What the parameters of every white-box attack have."""

    method: str
    targeted: bool
    train_per_class: Count


class FgsmParams(WhiteBoxBase):
    """One signed gradient step (Goodfellow et al. 2015)."""

    method: Literal["fgsm"]
    eps: Density


class PgdParams(WhiteBoxBase):
    """Projected gradient steps (Madry et al. 2018), from the image itself."""

    method: Literal["pgd"]
    eps: Density
    alpha: Density
    steps: Count


class CwParams(WhiteBoxBase):
    """Carlini and Wagner 2017, L2."""

    method: Literal["cw"]
    c: Positive
    kappa: NonNegative
    steps: Count
    lr: Positive


# Of any attack of the registry.
WhiteBoxParams = SerializeAsAny[
    Annotated[WhiteBoxBase, of_registry("method", ATTACKS, WhiteBoxBase)]
]


class SamplingParams(Strict):
    """Which images are attacked, and in what batches."""

    seed: Seed
    test_per_class: Count
    batch_size: Count


class DetectorParams(Strict):
    """A table's detectors: which attacks, and training images per class.

    `experiments` are the models; null for all that are attacked.
    """

    experiments: list[Name] | None = None
    attacks: Annotated[list[Name], Field(min_length=1)]
    sizes: Annotated[list[Count], Field(min_length=1)]


class DetectionParams(Strict):
    """Random forests that tell adversarial from clean images."""

    tables: dict[Literal["lsg_table4", "csg_detection"], DetectorParams]
    shared_size: Count
    repetitions: Count
    trees: Count
    seed: Seed
    min_positives: Count


class OnePixelParams(Strict):
    """Differential evolution over one pixel (Su et al. 2019)."""

    images: Count
    population: Annotated[int, Field(ge=4)]
    generations: Count
    mutation: Positive
    seed: Seed
    batch_size: Count


class LocalSearchParams(Strict):
    """Greedy local search (Narodytska and Kasiviswanathan 2016, algorithm 3)."""

    images: Count
    rounds: Count
    perturbed: Count
    half_side: Natural
    cooldown: Natural
    p: Density
    r: Annotated[Number, Field(ge=0, le=2)]
    initial_share: Density
    candidates: Count
    order: Literal["lowest", "highest"]
    seed: Seed
    batch_size: Count


class AttacksParams(Strict):
    """Adversarial samples: of which models, how made, how detected."""

    experiments: list[Name]
    seeds: list[Seed]
    sampling: SamplingParams
    white_box: dict[Name, WhiteBoxParams]
    detection: DetectionParams
    one_pixel: OnePixelParams
    local_search: LocalSearchParams

    @model_validator(mode="after")
    def _each_once(self) -> "AttacksParams":
        if self.experiments:
            check_each_once("experiments", self.experiments)
            check_each_once("seeds", self.seeds)
        return self
