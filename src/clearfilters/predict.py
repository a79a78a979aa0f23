"""What a trained network answers for a picture, and which filters and pixels it answers from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from clearfilters.artifacts import atomic_path
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.imagefolder import centre_crop
from clearfilters.data.raw_files import as_rgb
from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import Classifier
from clearfilters.training.checkpoint import load_checkpoint

# How the picture of a class activation map looks.
COLORMAP = "turbo"
MAP_OPACITY = 0.5


@dataclass(frozen=True)
class DecidingFilter:
    """One filter's share in the answer.

    Attributes:
        index: k, in [0, K).
        contribution: W_ck a_k for the predicted class c; all K of them and b_c add up to the logit.
        named: the classes with G_ck >= threshold, or None if the network has no gate.
    """

    index: int
    contribution: float
    named: tuple[str, ...] | None


@dataclass(frozen=True)
class Prediction:
    """The answer of the STD path for one image.

    Attributes:
        label: name of the predicted class c.
        confidence: softmax of c, in (0, 1].
        logit: logit of c.
        bias: b_c, the part of the logit that comes from no filter.
        filters: the filters that contribute most, largest first.
        activation_map: sum_k W_ck A_k, bilinear, (H, W) of the image as given; without b_c.
    """

    label: str
    confidence: float
    logit: float
    bias: float
    filters: tuple[DecidingFilter, ...]
    activation_map: npt.NDArray[np.float32]


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


def prepared(image: Image.Image, meta: Mapping[str, Any]) -> Image.Image:
    """The part of an image that the network's data set would show of it.

    Args:
        image: RGB.
        meta: of the checkpoint. A data set of whole images (`imagefolder`) was resized and cropped;
            others hold objects, and the image given is taken for one.
    """
    data = meta["parameters"]["data"]
    if data["format"] != "imagefolder":
        return image
    return Image.fromarray(centre_crop(np.asarray(image), data["resize"], data["image_size"]))


def network_input(image: Image.Image, size: int) -> Tensor:
    """The image resized to (1, 3, size, size), in [0, 1]."""
    resized = image.resize((size, size), Image.Resampling.BICUBIC)
    return as_network_input(torch.from_numpy(np.array(resized))[None])


def _deciding_filters(
    contributions: Tensor, gate: Tensor | None, classes: list[str], count: int, threshold: float
) -> tuple[DecidingFilter, ...]:
    found = []
    for index in contributions.argsort(descending=True, stable=True)[:count].tolist():
        named = None
        if gate is not None:
            opened = (gate[:, index] >= threshold).tolist()
            named = tuple(name for name, is_open in zip(classes, opened, strict=True) if is_open)
        found.append(DecidingFilter(index, float(contributions[index]), named))
    return tuple(found)


@torch.no_grad()
def predict_image(
    image: Image.Image,
    model: Classifier,
    gate: Tensor | None,
    classes: list[str],
    *,
    image_size: int,
    filters: int,
    gate_threshold: float,
) -> Prediction:
    """Class, confidence, deciding filters and class activation map of one image.

    The map is that of Zhou et al. 2016, "Learning deep features for discriminative localization".

    Args:
        image: RGB, any size.
        model: in eval mode, on the CPU.
        gate: its trained gate (C, K) in [0, 1], or None.
        classes: the C class names.
        image_size: side of the square that the network takes, in pixels.
        filters: how many filters to list, at least 1; no more than K are.
        gate_threshold: from which G_ck on a filter's column names class c, in (0, 1].
    """
    maps = model.feature_maps(network_input(image, image_size))[0]
    pooled = maps.mean(dim=(1, 2))
    logits = model.head(pooled)
    answer = int(logits.argmax())
    weight = model.head.weight[answer]
    coarse = torch.einsum("k,khw->hw", weight, maps)
    fine = F.interpolate(
        coarse[None, None], size=(image.height, image.width), mode="bilinear", align_corners=False
    )
    return Prediction(
        label=classes[answer],
        confidence=float(logits.softmax(dim=0)[answer]),
        logit=float(logits[answer]),
        bias=float(model.head.bias[answer]),
        filters=_deciding_filters(weight * pooled, gate, classes, filters, gate_threshold),
        activation_map=fine[0, 0].numpy(),
    )


def overlay(image: Image.Image, activation_map: npt.NDArray[np.float32]) -> Image.Image:
    """The image with the map laid over it in colour, from its least to its largest value.

    Args:
        image: RGB, (H, W).
        activation_map: (H, W), any range; a constant map takes the lowest colour everywhere.
    """
    low, high = activation_map.min(), activation_map.max()
    scaled = (activation_map - low) / (high - low) if high > low else activation_map - low
    colours = matplotlib.colormaps[COLORMAP](scaled, bytes=True)[..., :3]
    return Image.blend(image, Image.fromarray(colours), MAP_OPACITY)


def describe(prediction: Prediction, classes: list[str]) -> str:
    """The prediction as text for a person to read."""
    lines = [
        f"{prediction.label} (confidence {prediction.confidence:.3f})",
        f"  filters that decided (logit {prediction.logit:.2f}, "
        f"of which bias {prediction.bias:.2f}):",
    ]
    for item in prediction.filters:
        lines.append(
            f"    filter {item.index:4d}  {item.contribution:+8.3f}  {_names(item.named, classes)}"
        )
    return "\n".join(lines)


def _names(named: tuple[str, ...] | None, classes: list[str]) -> str:
    if named is None:
        return "no gate"
    if len(named) == len(classes):
        return f"all {len(classes)} classes"
    return ", ".join(named) or "no class"


def picture_paths(images: list[Path], out: Path) -> list[Path]:
    """Where each image's class activation map goes: `<image name>.cam.png` in `out`.

    Raises:
        ClearfiltersError: if two of them would be the same file, or `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise ClearfiltersError(f"--out {out}: a file; name a folder for the pictures")
    found = [out / f"{image.name}.cam.png" for image in images]
    for index, path in enumerate(found):
        if path in found[:index]:
            raise ClearfiltersError(
                f"{images[index]}: its picture {path} would overwrite that of "
                f"{images[found.index(path)]}; predict them one at a time, each with its own --out"
            )
    return found


def run(
    images: list[Path], checkpoint: Path, out: Path, filters: int, gate_threshold: float
) -> None:
    """Predict each image, print the answer and write the picture of its class activation map.

    Args:
        images: image files.
        checkpoint: folder of the trained network.
        out: folder for the pictures, `<image name>.cam.png`.
        filters: how many filters to list per image, at least 1.
        gate_threshold: from which G_ck on a filter's column names class c, in (0, 1].

    Raises:
        ClearfiltersError: for an unreadable image or checkpoint, or a value out of range.
    """
    if filters < 1:
        raise ClearfiltersError(f"--filters: {filters} given, 1 or more expected")
    if not 0 < gate_threshold <= 1:
        raise ClearfiltersError(
            f"--gate-threshold: {gate_threshold} given, a value above 0 and at most 1 expected"
        )
    pictures = picture_paths(images, out)
    method, meta = load_checkpoint(checkpoint)
    for path, picture in zip(images, pictures, strict=True):
        image = prepared(read_image(path), meta)
        prediction = predict_image(
            image,
            method.network,
            method.arrays().get("gate"),
            meta["classes"],
            image_size=meta["image_size"],
            filters=filters,
            gate_threshold=gate_threshold,
        )
        with atomic_path(picture) as temporary:
            overlay(image, prediction.activation_map).save(temporary)
        print(f"{path}: {describe(prediction, meta['classes'])}")
        print(f"  class activation map: {picture}")
