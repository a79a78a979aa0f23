"""The numbers that set how varied and how hard the images are."""

from dataclasses import dataclass

from clearfilters.errors import ClearfiltersError
from clearfilters.params import StyleParams

# Below these an animal could cover no pixel.
SMALLEST_IMAGE = 32
SMALLEST_SCALE = 0.2


@dataclass(frozen=True)
class Style:
    """How varied and how hard the images are. Shares are probabilities in [0, 1].

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

    image_size: int
    object_scale: tuple[float, float]
    clutter: int
    second_share: float
    border_share: float
    occluder_share: float
    visible_share: float
    exposure: tuple[float, float]
    blur: float
    noise: float

    def __post_init__(self) -> None:
        shares = (self.second_share, self.border_share, self.occluder_share, self.visible_share)
        sizes = (self.clutter, self.blur, self.noise)
        rising = all(0 < low <= high for low, high in (self.object_scale, self.exposure))
        if (
            self.image_size < SMALLEST_IMAGE
            or not all(0 <= share <= 1 for share in shares)
            or not all(size >= 0 for size in sizes)
            or not rising
            or self.object_scale[0] < SMALLEST_SCALE
        ):
            raise ClearfiltersError(
                f"{self}: expected image_size of at least {SMALLEST_IMAGE} pixels, shares in "
                "[0, 1], no negative number, and ranges from their least, above 0 "
                f"(object_scale: at least {SMALLEST_SCALE}), to their greatest; correct "
                "params.yaml"
            )


def style_of(parameters: StyleParams) -> Style:
    """The style that params.yaml gives.

    Raises:
        ClearfiltersError: if a number is out of range.
    """
    content = parameters.model_dump()
    ranges = {name: tuple(content[name]) for name in ("object_scale", "exposure")}
    return Style(**{**content, **ranges})
