"""Pictures as files give them, and what a network sees of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from clearfilters.data.augmentation import as_network_input
from clearfilters.data.icnn_crops import stretch
from clearfilters.data.imagefolder import centre_crop, crop_of
from clearfilters.data.raw_files import as_rgb
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import BoxCropParams, ImageFolderParams
from clearfilters.params.slices import TrainingSlice


@dataclass(frozen=True)
class View:
    """What a network sees of a picture.

    Attributes:
        picture: as given, RGB.
        pixels: what the network takes, uint8 (size, size, 3).
        box: what these show: left, top, right and bottom edge in pixels of the picture, of which
            pixel i covers [i, i + 1].
    """

    picture: Image.Image
    pixels: npt.NDArray[np.uint8]
    box: tuple[float, float, float, float]

    def network_input(self) -> Tensor:
        """The pixels as (1, 3, size, size), in [0, 1]."""
        return as_network_input(torch.from_numpy(self.pixels.copy())[None])

    def shown(self) -> Image.Image:
        """What the network sees, in the picture's own pixels, to the nearest whole one."""
        left, top, right, bottom = map(round, self.box)
        return self.picture.crop((left, top, right, bottom))

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the picture to one of the network's, along x and y."""
        left, top, right, bottom = self.box
        size = len(self.pixels)
        return (right - left) / size, (bottom - top) / size

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place among the network's pixels lies in the picture, x and y."""
        across, down = self.scale
        return self.box[0] + x * across, self.box[1] + y * down


def read_image(path: Path) -> Image.Image:
    """An image file of any size as 8-bit RGB, turned upright.

    Raises:
        ClearfiltersError: if the file is missing, truncated, no image, or has more than 8 bits.
    """
    try:
        with Image.open(path) as opened:
            return as_rgb(opened, turn=True)
    except FileNotFoundError:
        raise ClearfiltersError(f"{path}: no such file; name an image file") from None
    except Image.DecompressionBombError as error:
        raise ClearfiltersError(f"{path}: {error}; scale the image down") from None
    except Exception as error:  # each image format fails in its own way
        raise ClearfiltersError(
            f"{path}: cannot be read as an image ({error}); expected a whole PNG, JPEG or other "
            "file that Pillow reads"
        ) from None


def view_of(picture: Image.Image, meta: Mapping[str, Any]) -> View:
    """What a network sees of a picture: what its data set would have made of it.

    A data set of whole images (`imagefolder`) was resized and cropped. Others hold objects, and the
    picture is taken for one: it is stretched to a square, as boxes are by data sets that are cut
    out by boxes.

    Args:
        picture: RGB.
        meta: of the checkpoint.
    """
    data = TrainingSlice.model_validate(meta["parameters"]).data
    size: int = meta["image_size"]
    pixels = np.asarray(picture)
    if isinstance(data, ImageFolderParams):
        crop = crop_of(picture.height, picture.width, data.resize, size)
        across, down = picture.width / crop.width, picture.height / crop.height
        left, top = crop.left * across, crop.top * down
        box = (left, top, left + size * across, top + size * down)
        return View(picture, centre_crop(pixels, data.resize, size), box)
    if isinstance(data, BoxCropParams):
        taken = stretch(pixels, size)
    else:
        taken = np.array(picture.resize((size, size), Image.Resampling.BICUBIC))
    return View(picture, taken, (0, 0, picture.width, picture.height))
