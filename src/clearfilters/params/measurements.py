"""The forward pass and what is measured of a trained network."""

from typing import Annotated

from pydantic import Field

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


class AnalysisParams(Strict):
    """One block per analysis; what each key means stands in params.yaml."""

    classification: ClassificationParams
    phi: PhiParams
    mis: MisParams
    mis_floor: MisFloorParams
    gate_statistics: GateStatisticsParams
    leakage: LeakageParams
    correlation: CorrelationParams
    masking: MaskingParams
    similarity: SimilarityParams
    clustering: ClusteringParams


# What is measured from recorded features alone.
FEATURE_ANALYSES = tuple(AnalysisParams.model_fields)
# Of those, the ones that use the trained gate of a gate model, or the gate fitted to another.
GATE_ANALYSES = ("gate_statistics", "leakage", "masking", "similarity", "clustering")
# What is measured of the models that are attacked.
BLACK_BOX_ANALYSES = ("one_pixel", "local_search")
ATTACK_ANALYSES = ("detection", *BLACK_BOX_ANALYSES)
ANALYSES = (*FEATURE_ANALYSES, "localization", *ATTACK_ANALYSES)
# The trade-off compares only these.
TRADEOFF_ANALYSES = ("classification", "phi", "leakage")
# Of models that are localized: what LSG and CSG report on PASCAL VOC, and the leakage.
OBJECT_ANALYSES = ("classification", "phi", "mis", "mis_floor", "leakage", "localization")
