"""The command `predict`: answers in words, and a picture of each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from clearfilters.artifacts import atomic_path
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer_training import Explainer
from clearfilters.methods.method import Method
from clearfilters.predict import linear_heads, part_filters
from clearfilters.predict.views import View, read_image, view_of
from clearfilters.training.checkpoint import load_checkpoint

# What the pictures show, by their files' names.
SHOWN = {"cam": "class activation map", "filters": "where the filters fired"}


def picture_paths(images: list[Path], out: Path, kind: str) -> list[Path]:
    """Where each image's picture goes: `<image name>.<kind>.png` in `out`.

    Raises:
        ClearfiltersError: if two of them would be the same file, or `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise ClearfiltersError(f"--out {out}: a file; name a folder for the pictures")
    found = [out / f"{image.name}.{kind}.png" for image in images]
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
    """Predict each image, print the answer and write its picture.

    The picture of a network with a linear head is the class activation map, `<image name>.cam.png`;
    of one with another head where the deciding filters fired, `<image name>.filters.png`.

    Args:
        images: image files.
        checkpoint: folder of the trained network.
        out: folder for the pictures.
        filters: how many filters to list per image, at least 1.
        gate_threshold: from which G_ck on a filter's column names class c, in (0, 1].

    Raises:
        ClearfiltersError: for an unreadable image or checkpoint, a value out of range, a network
            whose filters have no known place (part_filters.py), or an explainer.
    """
    if filters < 1:
        raise ClearfiltersError(f"--filters: {filters} given, 1 or more expected")
    if not 0 < gate_threshold <= 1:
        raise ClearfiltersError(
            f"--gate-threshold: {gate_threshold} given, a value above 0 and at most 1 expected"
        )
    method, meta = load_checkpoint(checkpoint)
    if isinstance(method, Explainer):
        raise ClearfiltersError(
            f"{checkpoint}: an explainer; see what it answers, and by which parts, with "
            "`clearfilters explain`"
        )
    kind = "cam" if method.network.fc is None else "filters"
    for path, picture in zip(images, picture_paths(images, out, kind), strict=True):
        view = view_of(read_image(path), meta)
        text, drawn = _explain(
            kind, view, method, meta, filters=filters, gate_threshold=gate_threshold
        )
        with atomic_path(picture) as temporary:
            drawn.save(temporary)
        print(f"{path}: {text}")
        print(f"  {SHOWN[kind]}: {picture}")


def _explain(
    kind: str,
    view: View,
    method: Method,
    meta: Mapping[str, Any],
    *,
    filters: int,
    gate_threshold: float,
) -> tuple[str, Image.Image]:
    """A network's answer for one picture as text, and the picture of that kind."""
    if kind == "cam":
        found = linear_heads.predict_image(
            view, method, meta, filters=filters, gate_threshold=gate_threshold
        )
        drawn = linear_heads.overlay(view.shown(), found.activation_map)
        return linear_heads.describe(found, meta["classes"]), drawn
    firing = part_filters.predict_image(view, method.network, meta, filters=filters)
    return part_filters.describe(firing), part_filters.draw(view, firing)
