"""Data sets: one block per format, and what each format annotates."""

from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from clearfilters.params.fields import (
    Count,
    Fraction,
    Name,
    Natural,
    NonNegative,
    Range,
    Seed,
    Share,
    Strict,
    of_registry,
)
from clearfilters.registry import DATASETS


class DatasetBase(Strict):
    """What the parameters of every data set have.

    `note` stands in the tables. INDEXED: the store holds each image once, beside which rows show it
    (data.store.ROW_FILES). SHAREABLE: its licence lets anybody pass the images on (docs/data.md).
    """

    INDEXED: ClassVar[bool] = False
    SHAREABLE: ClassVar[bool] = False

    format: str
    note: str

    @property
    def annotations(self) -> tuple[str, ...]:
        """The kinds that its store has (data.store.ANNOTATION_FILES)."""
        return ()


class DigitsParams(DatasetBase):
    """scikit-learn's digits, how they are split, and the times their 8x8 pixels are enlarged."""

    SHAREABLE = True

    format: Literal["digits"]
    test_fraction: Fraction
    split_seed: Seed
    enlargement: Count


class Cifar10Params(DatasetBase):
    """CIFAR-10 in its official layout."""

    format: Literal["cifar10"]
    verify: bool


AnimalClass = Literal["bird", "cat", "cow", "dog", "horse", "sheep"]


class ObjectCropParams(DatasetBase):
    """Square crops of the objects of a VOC devkit with Pascal-Part's annotations.

    The order of `classes` gives the labels. `masks_note` (how the masks were obtained) stands in
    the tables.
    """

    masks_note: str
    classes: Annotated[list[AnimalClass], Field(min_length=1)]
    image_size: Count
    train_share: Fraction
    split_seed: Seed

    @property
    def annotations(self) -> tuple[str, ...]:
        """Of every object."""
        return ("masks", "parts", "landmarks")

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

    SHAREABLE = True

    format: Literal["animals"]
    images_per_class: Count


def _below_root(folder: str) -> str:
    if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
        raise ValueError(f"`{folder}` must lie below raw.root: a relative path without `..`")
    return folder


RawFolder = Annotated[str, AfterValidator(_below_root)]


class ImageFolderParams(DatasetBase):
    """`<folder>/{train,val}/<class>/<image>`, as ImageNet is kept; `folder` lies below raw.root.

    The shorter side is resized to `resize`, then the centre is cropped to `image_size`.
    `landmarks`: both `train` and `val` have a landmarks.csv.
    """

    format: Literal["imagefolder"]
    folder: RawFolder
    image_size: Count
    resize: Count
    landmarks: bool = False

    @property
    def annotations(self) -> tuple[str, ...]:
        """Landmarks, where the folder has them."""
        return ("landmarks",) if self.landmarks else ()

    @model_serializer(mode="wrap")
    def _without_absent_landmarks(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Checkpoints and stores are known by the hash of this, and many are older than the key.
        content: dict[str, Any] = serialize(self)
        if not self.landmarks:
            del content["landmarks"]
        return content

    @model_validator(mode="after")
    def _crop_within(self) -> "ImageFolderParams":
        if self.resize < self.image_size:
            raise ValueError(f"resize {self.resize} must be at least image_size {self.image_size}")
        return self


class BoxCropParams(DatasetBase):
    """Boxes of objects, stretched to squares, as in the interpretable-CNN papers.

    `min_area` is of the box, in square pixels.
    """

    INDEXED = True

    image_size: Count
    min_area: NonNegative

    @property
    def annotations(self) -> tuple[str, ...]:
        """Of every object."""
        return ("landmarks",)


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

    SHAREABLE = True

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

    SHAREABLE = True

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

    The order of `classes` gives the labels. `masks_note` (how the masks of parts were obtained)
    stands in the tables.
    """

    format: Literal["voc-icnn"]
    masks_note: str
    classes: Annotated[list[AnimalClass], Field(min_length=1)]

    @property
    def annotations(self) -> tuple[str, ...]:
        """Of every object."""
        return ("parts", "landmarks")

    @model_validator(mode="after")
    def _classes_fit_task(self) -> "VocIcnnParams":
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes {self.classes} must name each class once")
        self.check_task(len(self.classes))
        return self


DatasetParams = SerializeAsAny[
    Annotated[
        DatasetBase,
        of_registry("format", DATASETS, DatasetBase),
    ]
]


class RawParams(Strict):
    """Where raw files lie, and whether missing ones may be downloaded."""

    root: str
    download: bool
