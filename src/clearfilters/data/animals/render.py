"""The embedded animals, written as the official releases are."""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from clearfilters.data.animals.cub_layout import write_cub
from clearfilters.data.animals.ilsvrc_layout import write_ilsvrc
from clearfilters.data.animals.style import Style
from clearfilters.data.animals.voc_layout import write_voc
from clearfilters.errors import ClearfiltersError

LAYOUTS: tuple[Literal["voc", "cub", "ilsvrc"], ...] = ("voc", "cub", "ilsvrc")


def render_animals(
    root: Path,
    *,
    seed: int,
    style: Style,
    images_per_class: int,
    cub_images_per_species: int,
    ilsvrc_images_per_class: int,
    negatives: int,
    jpeg_quality: int,
    layouts: Collection[Literal["voc", "cub", "ilsvrc"]] = LAYOUTS,
) -> None:
    """Render bird, cat, cow, dog, horse and sheep into the official raw layouts below `root`.

    Each image depends only on the seed, the style, its layout, its class and its number. Each
    layout is written whole or not at all, and replaces an earlier one that was rendered too.

    Args:
        root: folder that holds raw data sets.
        seed: of everything random, at least 0.
        style: how varied and hard the images are.
        images_per_class: images in the VOC layout (`VOC2010`), per class; 1 to 100,000.
        cub_images_per_species: images in the CUB layout (`CUB_200_2011`), five species; at least 2.
        ilsvrc_images_per_class: images in the ILSVRC layout (`ilsvrc_animal_part`), per class.
        negatives: images without animals in the ILSVRC layout.
        jpeg_quality: 1 to 95.
        layouts: which of the three to write.

    Raises:
        ClearfiltersError: for counts out of range, or if a folder exists that was not rendered.
    """
    for name, value, least, greatest in (
        ("seed", seed, 0, None),
        ("images_per_class", images_per_class, 1, 100_000),
        ("cub_images_per_species", cub_images_per_species, 2, None),
        ("ilsvrc_images_per_class", ilsvrc_images_per_class, 1, None),
        ("negatives", negatives, 0, None),
        ("jpeg_quality", jpeg_quality, 1, 95),
    ):
        if value < least or (greatest is not None and value > greatest):
            limit = f"at least {least}" if greatest is None else f"{least} to {greatest}"
            raise ClearfiltersError(f"{name} is {value}; expected {limit}; correct params.yaml")
    if "voc" in layouts:
        write_voc(
            root,
            seed=seed,
            style=style,
            images_per_class=images_per_class,
            jpeg_quality=jpeg_quality,
        )
    if "cub" in layouts:
        write_cub(
            root,
            seed=seed,
            style=style,
            images_per_species=cub_images_per_species,
            jpeg_quality=jpeg_quality,
        )
    if "ilsvrc" in layouts:
        write_ilsvrc(
            root,
            seed=seed,
            style=style,
            images_per_class=ilsvrc_images_per_class,
            negatives=negatives,
            jpeg_quality=jpeg_quality,
        )
