"""The gallery of an experiment's filters."""

from typing import Annotated

from pydantic import Field

from clearfilters.params.fields import Count, Density, Strict
from clearfilters.params.measurements import MisParams


class GalleryParams(Strict):
    """What a gallery shows of a network.

    Attributes:
        filters: of each layer at most, those that decide most.
        images: test images of each filter at most, those that activate it most.
        picture_size: pixels, side of a picture at most; less where all pages would be over their
            limit, or where the images may not be passed on.
        quality: of the pictures, WebP, 1 to 100.
        region_share: of a map's largest value, from which it is lit.
    """

    filters: Count
    images: Count
    picture_size: Count
    quality: Annotated[int, Field(ge=1, le=100)]
    region_share: Density


class GalleryOfExperiment(GalleryParams):
    """The same for one experiment.

    Attributes:
        label: of the experiment.
        threshold: G_ck from which class c has filter k.
        mis: the estimate of mutual information, where none is recorded.
        recorded: measurements that are shown, and the hash of what shaped each.
    """

    label: str
    threshold: Density
    mis: MisParams
    recorded: dict[str, str]
