"""The parameters of a run, typed and validated, and the slice of them that shapes each result.

A *slice* is the plain dictionary of everything that shaped one artifact: its own parameters and
those of the artifacts it was made from. Snakemake hands each rule its slice, so that a changed
number re-runs exactly what depends on it, and each measurement records its slice and its hash.
Where raw data lies, how many threads compute and which device is used are in no slice: they do not
shape results beyond rounding, and each measurement records the device it was made on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)

from clearfilters.errors import ClearfiltersError

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Density = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # as NumPy and scikit-learn take them
T = TypeVar("T")
Range = Annotated[list[Positive], Field(min_length=2, max_length=2)]
Border = Literal["black", "reflect"]  # of an image that is padded for random crops
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Strict(BaseModel):
    """Unknown keys and infinite numbers are errors; values are not converted or changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DigitsParams(Strict):
    """scikit-learn's digits and how they are split."""

    format: Literal["digits"]
    note: str
    test_fraction: Fraction
    split_seed: Seed


class Cifar10Params(Strict):
    """CIFAR-10 in its official layout; `note` stands in every table."""

    format: Literal["cifar10"]
    note: str
    verify: bool


AnimalClass = Literal["bird", "cat", "cow", "dog", "horse", "sheep"]


class ObjectCropParams(Strict):
    """Square crops of the objects of a VOC devkit with Pascal-Part's annotations.

    The order of `classes` gives the labels. `note` and `masks_note` (how the masks were obtained)
    stand in the tables.
    """

    note: str
    masks_note: str
    classes: Annotated[list[AnimalClass], Field(min_length=1)]
    image_size: Count
    train_share: Fraction
    split_seed: Seed

    @model_validator(mode="after")
    def _classes_once(self) -> "ObjectCropParams":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes {self.classes} must name each class once")
        return self


class VocPartsParams(ObjectCropParams):
    """Pascal VOC 2010 with Pascal-Part in the official layout."""

    format: Literal["voc-parts"]


class StyleParams(Strict):
    """How varied and how hard rendered images are. Shares are probabilities in [0, 1].

    Attributes:
        image_size: longer side of an image in pixels.
        object_scale: least and greatest longer side of an animal's box, as a share of the image's
            shorter side.
        clutter: shapes behind the animals, on average.
        second_share: images with a second animal of another class (VOC layout only).
        border_share: animals that the border cuts.
        occluder_share: images with grass or branches in front.
        visible_share: least share of an animal that others in front leave visible.
        exposure: least and greatest factor on all brightness.
        blur: greatest radius of the lens's blur in pixels.
        noise: greatest standard deviation of the sensor's noise, of brightness in [0, 1].
    """

    # In smaller images, or at a smaller scale, an animal could cover no pixel.
    image_size: Annotated[int, Field(ge=32)]
    object_scale: Range
    clutter: Natural
    second_share: Share
    border_share: Share
    occluder_share: Share
    visible_share: Share
    exposure: Range
    blur: NonNegative
    noise: NonNegative

    @model_validator(mode="after")
    def _ranges_rise(self) -> "StyleParams":
        for name, least in (("object_scale", 0.2), ("exposure", 0.0)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise ValueError(f"{name} [{low}, {high}] must rise, from {least} at least")
        return self


class RenderingParams(Strict):
    """How images of the embedded animals are rendered."""

    seed: Seed
    style: StyleParams
    jpeg_quality: Annotated[int, Field(ge=1, le=95)]


class AnimalsParams(ObjectCropParams, RenderingParams):
    """The embedded animals in the layout of Pascal VOC."""

    format: Literal["animals"]
    images_per_class: Count


class ImageFolderParams(Strict):
    """`<folder>/{train,val}/<class>/<image>`, as ImageNet is kept; `folder` lies below raw.root.

    The shorter side is resized to `resize`, then the centre is cropped to `image_size`.
    """

    format: Literal["imagefolder"]
    note: str
    folder: Name
    image_size: Count
    resize: Count

    @model_validator(mode="after")
    def _crop_within(self) -> "ImageFolderParams":
        if self.resize < self.image_size:
            raise ValueError(f"resize {self.resize} must be at least image_size {self.image_size}")
        return self


class BoxCropParams(Strict):
    """Boxes of objects, stretched to squares, as in the interpretable-CNN papers.

    `min_area` is of the box, in square pixels. `note` stands in the tables.
    """

    note: str
    image_size: Count
    min_area: NonNegative


def _below_root(folder: str) -> str:
    if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
        raise ValueError(f"`{folder}` must lie below raw.root: a relative path without `..`")
    return folder


RawFolder = Annotated[str, AfterValidator(_below_root)]


class CubBackgroundParams(Strict):
    """Background images beside the birds; the first `train_share` of them are for training."""

    folder: RawFolder
    copies: Count
    train_share: Fraction


class CubCropParams(BoxCropParams):
    """Birds in the layout of CUB-200-2011 and its split.

    The classes are the species, or background and bird where `background` (its folder lies below
    raw.root) is given.
    """

    background: CubBackgroundParams | None


class CubParams(CubCropParams):
    """CUB-200-2011 in its official layout."""

    format: Literal["cub"]


# Where rendered background images lie, as those of the interpretable-CNN papers do.
RENDERED_NEGATIVES = "ilsvrc_animal_part/neg"


def _check_rendered(folder: str) -> None:
    if folder != RENDERED_NEGATIVES:
        raise ValueError(f"background is rendered to `{RENDERED_NEGATIVES}`, not to `{folder}`")


class AnimalsCubParams(CubCropParams, RenderingParams):
    """The embedded birds in the layout of CUB-200-2011; `negatives` are background images."""

    format: Literal["animals-cub"]
    images_per_species: Annotated[int, Field(ge=2)]
    negatives: Count

    @model_validator(mode="after")
    def _negatives_rendered(self) -> "AnimalsCubParams":
        if self.background is not None:
            _check_rendered(self.background.folder)
        return self


class SingleCategoryParams(Strict):
    """One category against the images of the folder `negatives` below raw.root.

    Objects and their mirror images are repeated until they are `positive_share` of all images.
    """

    name: Literal["single"]
    negatives: RawFolder
    positive_share: Fraction


class MultiCategoryParams(Strict):
    """Several categories, each with its mirror images repeated to `min_images`.

    A longer list is cut off at `max_images`; null for no limit.
    """

    name: Literal["multi"]
    min_images: Count
    max_images: Count | None


class CategoriesParams(BoxCropParams):
    """One category against background images, or several categories.

    `train_share` is of the objects of each category, and of the background images.
    """

    train_share: Fraction
    task: Annotated[SingleCategoryParams | MultiCategoryParams, Field(discriminator="name")]

    def check_task(self, categories: int) -> None:
        """Refuse a task that is not for so many categories; raises ValueError."""
        if (categories == 1) != (self.task.name == "single"):
            raise ValueError(
                f"task `{self.task.name}` does not fit {categories} categories: `single` is for "
                "one, `multi` for several"
            )


class IlsvrcCropParams(CategoriesParams):
    """Animals in the layout of ILSVRC 2013 DET Animal-Part.

    `categories` maps names to WordNet's numbers.
    """

    categories: Annotated[
        dict[Name, Annotated[str, Field(pattern=r"^n\d{8}$")]], Field(min_length=1)
    ]

    @model_validator(mode="after")
    def _categories_fit_task(self) -> "IlsvrcCropParams":
        if len(set(self.categories.values())) != len(self.categories):
            raise ValueError(f"categories {self.categories} must name each number once")
        self.check_task(len(self.categories))
        return self


class IlsvrcPartsParams(IlsvrcCropParams):
    """ILSVRC 2013 DET Animal-Part as it is published."""

    format: Literal["ilsvrc-parts"]


class AnimalsIlsvrcParams(IlsvrcCropParams, RenderingParams):
    """The embedded animals in the layout of ILSVRC 2013 DET Animal-Part.

    `negatives` are background images.
    """

    format: Literal["animals-ilsvrc"]
    images_per_class: Count
    negatives: Count

    @model_validator(mode="after")
    def _negatives_rendered(self) -> "AnimalsIlsvrcParams":
        if isinstance(self.task, SingleCategoryParams):
            _check_rendered(self.task.negatives)
        return self


class VocIcnnParams(CategoriesParams):
    """Pascal VOC 2010 with Pascal-Part, prepared as in the interpretable-CNN papers.

    The order of `classes` gives the labels.
    """

    format: Literal["voc-icnn"]
    classes: Annotated[list[AnimalClass], Field(min_length=1)]

    @model_validator(mode="after")
    def _classes_fit_task(self) -> "VocIcnnParams":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes {self.classes} must name each class once")
        self.check_task(len(self.classes))
        return self


DatasetParams = Annotated[
    DigitsParams
    | Cifar10Params
    | AnimalsParams
    | VocPartsParams
    | ImageFolderParams
    | VocIcnnParams
    | CubParams
    | AnimalsCubParams
    | IlsvrcPartsParams
    | AnimalsIlsvrcParams,
    Field(discriminator="format"),
]


class RawParams(Strict):
    """Where raw files lie, and whether missing ones may be downloaded."""

    root: str
    download: bool


class ModelParams(Strict):
    """A network of the registry; `width` null means the published width."""

    name: str
    width: Count | None = None


class FineTuneParams(Strict):
    """Training of a network's last blocks, gate and head; the blocks before them do not change.

    `weights` are `torchvision`, `package`, a file below raw.root, or null for random ones. The gate
    path has an optimizer of its own with the rate `gate_path_lr`. `views` are the augmented copies
    of each image whose maps at the freezing boundary are computed once and kept; 0 computes them
    anew in every epoch.
    """

    weights: str | None
    trained_blocks: Natural
    gate_path_lr: Positive
    views: Natural


class ScheduleParams(Strict):
    """Learning rate over epochs, times `lr`."""

    name: Literal["cosine", "multistep"]
    warmup_epochs: Natural
    milestones: list[Count]
    gamma: Fraction

    @model_validator(mode="after")
    def _milestones_rise(self) -> "ScheduleParams":
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones {self.milestones} must rise")
        if self.name == "multistep" and not self.milestones:
            raise ValueError("multistep needs milestones; name at least one, or choose cosine")
        return self


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
    crop_border: Border = "black"
    flip: bool
    precision: Literal["bf16", "float32"]
    compile: bool
    evaluate_every: Count

    @model_validator(mode="after")
    def _schedule_ends_in_time(self) -> "TrainingParams":
        schedule = self.schedule
        if schedule.warmup_epochs > self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs {schedule.warmup_epochs} must be at most epochs "
                f"{self.epochs}"
            )
        if schedule.name == "multistep" and schedule.milestones[-1] >= self.epochs:
            raise ValueError(
                f"schedule.milestones {schedule.milestones} must lie below epochs {self.epochs}"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_black_border(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than the key.
        content: dict[str, Any] = serialize(self)
        if self.crop_border == "black":
            del content["crop_border"]
        return content


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


class GateParams(Strict):
    """A gate experiment: a gate that is updated, or one that is fixed."""

    objective: Annotated[LsgParams | CsgParams, Field(discriminator="name")]
    path: PathParams
    update: GateUpdateParams | None = None
    fixed: FixedGateParams | None = None
    negative_weight: NonNegative = 0.0

    @model_validator(mode="after")
    def _is_updated_or_fixed(self) -> "GateParams":
        if (self.update is None) == (self.fixed is None):
            raise ValueError(
                "a gate has either `update`, how it moves, or `fixed`, and not both; remove one "
                "(in a preset: `update: null` or `fixed: null`), or add one"
            )
        return self


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
    training: dict[str, Any] = {}
    seeds: list[Seed] | None = None

    @model_validator(mode="after")
    def _seeds_each_once(self) -> "ExperimentParams":
        if self.seeds is not None:
            _check_each_once("seeds", self.seeds)
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
            _check_each_once(name, getattr(self, name))
        return self


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

    threshold: Annotated[float, Field(ge=0, lt=1)]
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
    gate_statistics: GateStatisticsParams
    leakage: LeakageParams
    correlation: CorrelationParams
    masking: MaskingParams
    similarity: SimilarityParams
    clustering: ClusteringParams


class FgsmParams(Strict):
    """One signed gradient step (Goodfellow et al. 2015)."""

    method: Literal["fgsm"]
    targeted: bool
    eps: Density
    train_per_class: Count


class PgdParams(Strict):
    """Projected gradient steps (Madry et al. 2018), from the image itself."""

    method: Literal["pgd"]
    targeted: bool
    eps: Density
    alpha: Density
    steps: Count
    train_per_class: Count


class CwParams(Strict):
    """Carlini and Wagner 2017, L2."""

    method: Literal["cw"]
    targeted: bool
    c: Positive
    kappa: NonNegative
    steps: Count
    lr: Positive
    train_per_class: Count


WhiteBoxParams = Annotated[FgsmParams | PgdParams | CwParams, Field(discriminator="method")]


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
    r: Annotated[float, Field(ge=0, le=2)]
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
            _check_each_once("experiments", self.experiments)
            _check_each_once("seeds", self.seeds)
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


def _check_each_once(name: str, values: Sequence[Any]) -> None:
    if not values or len(set(values)) != len(values):
        raise ValueError(f"{name} {values} must not be empty and must name each entry once")


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
            _check_each_once(name, getattr(self, name))
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


@dataclass(frozen=True)
class Job:
    """One experiment with one seed, fully resolved."""

    experiment: str
    seed: int
    label: str
    role: Role
    dataset: str
    model: ModelParams
    gate: GateParams | None
    training: TrainingParams
    finetune: FineTuneParams | None = None


class TrainingSlice(Strict):
    """Everything that shapes a trained model."""

    data: DatasetParams
    model: ModelParams
    gate: GateParams | None
    training: TrainingParams
    seed: Seed
    finetune: FineTuneParams | None = None

    @model_serializer(mode="wrap")
    def _without_absent_finetune(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints are known by the hash of this, and many are older than the key.
        content: dict[str, Any] = serialize(self)
        if self.finetune is None:
            del content["finetune"]
        return content


class ContactSheetSlice(Strict):
    """Everything that shapes the figure of the rendered animals."""

    seed: Seed
    style: StyleParams
    columns: Count


class AdversarialSlice(TrainingSlice):
    """Everything that shapes the adversarial samples of one attack on one model."""

    sampling: SamplingParams
    attack: WhiteBoxParams


def _explain(error: ValidationError, source: str, content: Any) -> ClearfiltersError:
    lines = []
    for detail in error.errors():
        key = ".".join(_keys(detail["loc"], content)) or "(top level)"
        # A whole block would bury the message, which names what is wrong in it.
        is_block = isinstance(detail["input"], Mapping) and detail["type"] == "value_error"
        found = "" if is_block else f" (found: {detail['input']!r})"
        lines.append(f"{source}: {key}: {detail['msg']}{found}")
    return ClearfiltersError("\n".join(lines) + "\nCorrect these keys and run again.")


def _keys(location: Sequence[int | str], content: Any) -> list[str]:
    """A location in `content` without the tags that pydantic adds where a block has several types.

    The tag is what the block's `name`, `format` or `method` says, and no key of the block.
    """
    keys = []
    for part in location:
        if isinstance(content, Mapping):
            tags = [content.get(key) for key in ("name", "format", "method")]
            if part not in content and part in tags:
                continue
            content = content.get(part)
        elif isinstance(content, Sequence) and isinstance(part, int):
            content = content[part]
        else:
            content = None
        keys.append(str(part))
    return keys


def load_params(content: Mapping[str, Any]) -> Params:
    """Validate the parameters and check that the experiments can be resolved.

    Args:
        content: the parsed YAML (params.yaml with any preset merged over it).

    Raises:
        ClearfiltersError: naming each unknown key, wrong type or impossible value.
    """
    try:
        params = Params.model_validate(dict(content))
        for name in params.run.datasets:
            data_params(params, name)
        check_labels(params)
        check_localized(params)
        check_attacks(params)
    except ValidationError as error:
        raise _explain(error, "params.yaml", content) from None
    return params


def _parsed(kind: Any, content: Any, source: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise _explain(error, source, content) from None


def parse(kind: type[T], content: Any, key: str | None = None) -> T:
    """A command line's JSON as a type of this module.

    Args:
        kind: the type.
        content: the parsed JSON.
        key: parse only what stands under this key.

    Raises:
        ClearfiltersError: naming each key that is wrong or missing.
    """
    if key is None:
        parsed: T = _parsed(kind, content, "--parameters")
        return parsed
    if not isinstance(content, Mapping) or key not in content:
        raise ClearfiltersError(f"--parameters: the key `{key}` is missing; add it")
    parsed = _parsed(kind, content[key], f"--parameters: {key}")
    return parsed


def parse_dataset(content: Any) -> DatasetParams:
    """A data set's parameters, of any format, from a command line's JSON; errors as `parse`."""
    parsed: DatasetParams = _parsed(DatasetParams, content, "--parameters")
    return parsed


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
        raise _explain(error, f"params.yaml: {key}", merged) from None


def _tradeoff_jobs(params: Params) -> list[Job]:
    grid = params.run.tradeoff
    if grid is None:
        return []
    base = _experiment(params, grid.base, "run.tradeoff.base")
    if base.gate is None or not isinstance(base.gate.objective, LsgParams):
        raise ClearfiltersError(
            f"run.tradeoff.base: `{grid.base}` has no LSG objective; name one that has"
        )
    own = _overridden(params.training, base.training, f"experiments.{grid.base}.training")
    training = _overridden(own, grid.training, "run.tradeoff.training")
    found = []
    for lambda_, a, seed in product(grid.lambdas, grid.a, grid.seeds):
        objective = base.gate.objective.model_copy(update={"lambda_": lambda_, "a": a})
        found.append(
            Job(
                experiment=f"tradeoff/lambda{lambda_:g}-a{a:g}",
                seed=seed,
                label=f"{base.label}, λ = {lambda_:g}, a = {a:g}",
                role="tradeoff",
                dataset=_dataset(params, base, grid.base),
                model=base.model,
                gate=base.gate.model_copy(update={"objective": objective}),
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
                    dataset=_dataset(params, experiment, name),
                    model=experiment.model,
                    gate=experiment.gate,
                    training=training,
                    finetune=experiment.finetune,
                )
            )
    return found + _tradeoff_jobs(params)


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


def training_slice(params: Params, job: Job) -> dict[str, Any]:
    """What shapes a checkpoint: data, model, gate, training and seed."""
    parsed = TrainingSlice(
        data=data_params(params, job.dataset),
        model=job.model,
        gate=job.gate,
        training=job.training,
        seed=job.seed,
        finetune=job.finetune,
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


def check_labels(params: Params) -> None:
    """Refuse two experiments of a run with one label: their rows of a table would be one.

    Raises:
        ClearfiltersError: naming the label and the experiments.
    """
    experiments: dict[str, str] = {}
    for job in jobs(params):
        other = experiments.setdefault(job.label, job.experiment)
        if other != job.experiment:
            raise ClearfiltersError(
                f"params.yaml: experiments.{job.experiment}.label: `{job.label}` is the label of "
                f"`{other}`, too; give each its own"
            )


def check_localized(params: Params) -> None:
    """Refuse localization by models that the run does not train or whose data have no masks.

    Raises:
        ClearfiltersError: naming the experiment.
    """
    found = {job.experiment: job for job in jobs(params)}
    for name in params.run.localized:
        if name not in found:
            raise ClearfiltersError(
                f"params.yaml: run.localized: the run trains no `{name}`; add it to run.experiments"
            )
        if not has_masks(data_params(params, found[name].dataset)):
            raise ClearfiltersError(
                f"params.yaml: run.localized: the data of `{name}`, `{found[name].dataset}`, have "
                "no object masks; name experiments on `voc-parts` or `animals`"
            )


def check_attacks(params: Params) -> None:
    """Refuse attacks on models that the run does not train, and detectors without samples.

    Raises:
        ClearfiltersError: naming the key and what it lacks.
    """
    attacks = params.attacks
    trained = {(job.experiment, job.seed) for job in jobs(params)}
    for experiment, seed in product(attacks.experiments, attacks.seeds):
        if (experiment, seed) not in trained:
            raise ClearfiltersError(
                f"params.yaml: attacks: the run trains no `{experiment}` with seed {seed}; correct "
                "attacks.experiments or attacks.seeds, or add it to run.experiments"
            )
    for table, detectors in attacks.detection.tables.items():
        key = f"params.yaml: attacks.detection.tables.{table}"
        for name in detectors.attacks:
            if name not in attacks.white_box:
                raise ClearfiltersError(
                    f"{key}: no attack `{name}`; defined: {', '.join(attacks.white_box)}"
                )
            # A costly attack may have a pool that is too small for the larger sizes.
            pool, size = attacks.white_box[name].train_per_class, min(detectors.sizes)
            if size > pool:
                raise ClearfiltersError(
                    f"{key}: the smallest size is {size}, but `{name}` attacks {pool} training "
                    f"images per class; lower it, or raise attacks.white_box.{name}.train_per_class"
                )
            if attacks.detection.shared_size > pool:
                raise ClearfiltersError(
                    "params.yaml: attacks.detection.shared_size is "
                    f"{attacks.detection.shared_size}, but `{name}` attacks {pool} training images "
                    f"per class; lower it, or raise attacks.white_box.{name}.train_per_class"
                )
        for name in set(detectors.experiments or ()) - set(attacks.experiments):
            raise ClearfiltersError(
                f"{key}.experiments: `{name}` is not attacked; add it to attacks.experiments"
            )
    for name in attacks.experiments:
        if not detection_tables(params, name):
            raise ClearfiltersError(
                f"params.yaml: attacks.experiments: `{name}` is in no table of "
                "attacks.detection.tables; add it to one's experiments"
            )


def is_attacked(params: Params, job: Job) -> bool:
    """Whether a job's model is attacked."""
    return job.experiment in params.attacks.experiments and job.seed in params.attacks.seeds


def detection_tables(params: Params, experiment: str) -> dict[str, dict[str, Any]]:
    """The tables of detectors that an attacked experiment is in: table -> attacks and sizes."""
    return {
        table: detectors.model_dump(exclude={"experiments"})
        for table, detectors in params.attacks.detection.tables.items()
        if detectors.experiments is None or experiment in detectors.experiments
    }


def attacks_of(params: Params, experiment: str) -> list[str]:
    """The white-box attacks on an experiment's models: those that its tables read."""
    tables = detection_tables(params, experiment).values()
    used = {name for table in tables for name in table["attacks"]}
    return [name for name in params.attacks.white_box if name in used]


def adversarial_slice(params: Params, job: Job, attack: str) -> dict[str, Any]:
    """What shapes the adversarial samples of one attack: the checkpoint, the images, the attack."""
    return {
        **training_slice(params, job),
        "sampling": params.attacks.sampling.model_dump(),
        "attack": params.attacks.white_box[attack].model_dump(),
    }


def measurement_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """What shapes a measurement: what it is made from, and its own parameters."""
    if analysis == "detection":
        return {
            **training_slice(params, job),
            "sampling": params.attacks.sampling.model_dump(),
            "white_box": {
                name: params.attacks.white_box[name].model_dump()
                for name in attacks_of(params, job.experiment)
            },
            "detection": {
                **params.attacks.detection.model_dump(),
                "tables": detection_tables(params, job.experiment),
            },
        }
    if analysis == "localization":
        own = params.localization.model_dump()
        return {**training_slice(params, job), analysis: own}
    if analysis in BLACK_BOX_ANALYSES:
        own = params.attacks.model_dump()[analysis]
        return {**training_slice(params, job), analysis: own}
    return _feature_measurement_slice(params, job, analysis)


def _feature_measurement_slice(params: Params, job: Job, analysis: str) -> dict[str, Any]:
    """Features, the analysis and, for those that read its gate, the fit of Phi."""
    chosen = {analysis: params.analysis.model_dump()[analysis]}
    if analysis == "correlation":
        chosen[analysis]["filters_per_class"] = filters_per_class(params, job.model.name)
    if analysis in GATE_ANALYSES:
        chosen["phi"] = params.analysis.phi.model_dump()
    return {**features_slice(params, job), "analysis": chosen}


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
OBJECT_ANALYSES = ("classification", "phi", "mis", "leakage", "localization")


def annotations_of(data: DatasetParams) -> tuple[str, ...]:
    """The kinds of annotation that every store of a data set has (data.store.ANNOTATION_FILES)."""
    if isinstance(data, ObjectCropParams):
        return ("masks", "parts", "landmarks")
    return ("landmarks",) if isinstance(data, BoxCropParams) else ()


def has_masks(data: DatasetParams) -> bool:
    """Whether the images of a data set come with object masks."""
    return "masks" in annotations_of(data)


def contact_sheet_slice(params: Params) -> dict[str, Any] | None:
    """What shapes the contact sheet of the run's rendered animals; None where it has none.

    It shows the first rendered data set's seed and style.
    """
    for name in params.run.datasets:
        data = data_params(params, name)
        if isinstance(data, RenderingParams):
            columns = params.contact_sheet.columns
            return ContactSheetSlice(seed=data.seed, style=data.style, columns=columns).model_dump()
    return None


def analyses_of(params: Params, job: Job) -> tuple[str, ...]:
    """The measurements taken of a job."""
    if job.role == "tradeoff":
        return TRADEOFF_ANALYSES
    own = OBJECT_ANALYSES if job.experiment in params.run.localized else FEATURE_ANALYSES
    return (*own, *ATTACK_ANALYSES) if is_attacked(params, job) else own
