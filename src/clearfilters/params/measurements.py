"""The forward pass and what is measured of a trained network."""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import Field, PlainValidator, create_model, model_validator

from clearfilters.params.fields import (
    Count,
    Density,
    Fraction,
    Natural,
    NonNegative,
    Number,
    Positive,
    Seed,
    Strict,
)
from clearfilters.registry import MEASUREMENTS, load


class FeaturesParams(Strict):
    """The one forward pass per trained model."""

    batch_size: Count
    noise_images: Count
    noise_seed: Seed


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
    random_state: Seed


class MisFloorParams(Strict):
    """MIS of shuffled labels; the estimator is that of MIS."""

    shuffles: Count
    seed: Seed


class GateStatisticsParams(Strict):
    """Tightening threshold h."""

    threshold: Density


class LeakageParams(Strict):
    """The random gate that the trained one is compared with."""

    random_gate_seed: Seed


class CorrelationParams(Strict):
    """Filters per class group (CIC), by network, and points of the threshold curve."""

    filters_per_class: dict[str, Count]
    thresholds: Count


class MaskingParams(Strict):
    """Which filters are zeroed: those with G_ck above `threshold` for a class of the case."""

    threshold: Annotated[Number, Field(ge=0, lt=1)]
    cases: list[list[Natural]]


class SimilarityParams(Strict):
    """Nothing to choose."""


class ClusteringParams(Strict):
    """k-means on pooled features."""

    seed: Seed
    n_init: Count
    permutations: Count


class SegmentationParams(Strict):
    """How a paper turns ActivMaps and CAMs into masks, and the IoU that its AP counts."""

    top_share: Fraction
    hit_iou: Fraction


class GradMapParams(Strict):
    """CSG's GradMap; `images_per_class` null means all."""

    filters: Count
    blur_sigma: Positive
    threshold: Positive
    hit_iou: Fraction
    images_per_class: Count | None


class LocalizationParams(Strict):
    """How filters find objects: both papers' rules, and what they are compared with."""

    lsg: SegmentationParams
    csg: SegmentationParams
    gradmap: GradMapParams
    random_maps: Count
    random_seed: Seed
    examples: Count
    batch_size: Count


class JudgedObjectsParams(Strict):
    """On which objects filters are judged by landmarks.

    `landmarks` are the names that count, by format of the data; all where none are given.
    `test_only` are the formats of which test objects alone count, in place of all. Each filter is
    judged on its `strongest` images with the landmark, if they are `minimum_images`.
    """

    landmarks: dict[str, list[str]]
    test_only: list[str]
    strongest: Count
    minimum_images: Annotated[int, Field(ge=2)]


class PartLocationParams(JudgedObjectsParams):
    """How a filter's positions are judged by landmarks.

    The floor of R² is the mean over `shuffles` of the landmarks. Test objects alone are reported
    besides where each landmark is on `minimum_test_images` of them.
    """

    minimum_test_images: Count
    shuffles: Count
    seed: Seed


class FilterPartsParams(JudgedObjectsParams):
    """Which part an explainer's filter is of.

    It is that of the landmark with the largest R², if it is `least_r2`.
    """

    least_r2: Density


class PartContributionsParams(FilterPartsParams):
    """What parts contribute; `other_limits` of R² are shown beside `least_r2`."""

    other_limits: list[Density]


class ExplainerPicturesParams(FilterPartsParams):
    """What is shown of an explainer: of `images` test objects, in pictures.

    These have `picture_size` pixels a side at most, and are JPEGs of `jpeg_quality`.
    """

    images: Count
    picture_size: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=95)]


class PartInterpretabilityParams(Strict):
    """How a filter's regions are judged by parts.

    A unit is active above the `quantile` of its filter's values; its region is a disc of a radius
    in pixels, of which `radius` is the one that tables show. A region hits a part above `hit_iou`.
    `seed` is of the unit that fires at random.
    """

    quantile: Fraction
    radii: Annotated[list[Count], Field(min_length=1)]
    radius: Count
    hit_iou: Fraction
    seed: Seed

    @model_validator(mode="after")
    def _radius_is_one_of_them(self) -> "PartInterpretabilityParams":
        if self.radius not in self.radii:
            raise ValueError(f"radius {self.radius} must be one of radii {self.radii}")
        return self


class PartPicturesParams(Strict):
    """Which pictures show what filters see.

    A unit is active above the `quantile` of its filter's values; its region is a disc of a `radius`
    in strides of the map. `filters` with the highest peaks are shown on their strongest `images`;
    of `heat_maps` images it is shown where all filters peak. Pictures have `picture_size` pixels a
    side at most, and are JPEGs of `jpeg_quality`.
    """

    quantile: Fraction
    radius: Positive
    filters: Count
    images: Count
    heat_maps: Count
    picture_size: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=95)]


class ExplanationParams(Strict):
    """When p of an explainer counts as settled.

    It has a plateau if over the last `plateau_epochs` it changed by `plateau_change` at most.
    """

    plateau_epochs: Count
    plateau_change: Fraction


def _of_registry(value: Any) -> Any:
    fields: dict[str, Any] = {
        name: (load(entry.params), ...)
        for name, entry in MEASUREMENTS.items()
        if entry.block is None
    }
    if isinstance(value, Strict):
        return value
    return create_model("AnalysisParams", __base__=Strict, **fields).model_validate(value)


# A block for each measurement of the registry that has none elsewhere; params.yaml explains keys.
AnalysisParams = Annotated[Any, PlainValidator(_of_registry)]


def of_kind(kind: str) -> tuple[str, ...]:
    """The measurements of a kind."""
    return tuple(name for name, entry in MEASUREMENTS.items() if entry.kind == kind)


def taken_of(groups: Collection[str], offers: Collection[str]) -> tuple[str, ...]:
    """The measurements taken of a job.

    Args:
        groups: those that the job is in (registry.Group).
        offers: what its model and data have of what measurements need.
    """
    return tuple(
        name
        for name, entry in MEASUREMENTS.items()
        if set(entry.groups) & set(groups) and set(entry.needs) <= set(offers)
    )
