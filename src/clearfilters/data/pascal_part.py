"""The files of Pascal VOC 2010 with Pascal-Part: which images, whose objects, where their parts.

Pascal-Part: Chen et al. 2014.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import file_sha256
from clearfilters.data.crops import Mask, bounding_box
from clearfilters.data.matfiles import read_mat
from clearfilters.data.raw_files import RawFiles
from clearfilters.errors import ClearfiltersError

FOLDER = "VOC2010"
IMAGES = "JPEGImages"
ANNOTATIONS = "Annotations_Part"
LISTED = "ImageSets/Main/trainval.txt"
# Of the full release.
RELEASE_IMAGES = 10103

# Pascal-Part's parts whose boxes' centres are landmarks (ICNN, section 4.2).
LANDMARKS = ("head", "neck", "torso")

EMPTY_MASK = "objects with an empty mask"
NOT_LISTED = "annotated images that trainval.txt does not list"


@dataclass(frozen=True)
class AnnotatedObject:
    """An object's class, its mask, bool (H, W), and Pascal-Part's name of each part -> its mask."""

    name: str
    mask: Mask
    parts: dict[str, Mask]


class Devkit:
    """A VOC devkit with `Annotations_Part`, which remembers the checksums of what it read.

    Attributes:
        names: the images of trainval.txt, in its order.
        annotations: the files of Pascal-Part.
        images: the pictures.
        full: whether it has as many images and annotations as the full release.
    """

    def __init__(self, root: Path) -> None:
        """Open the folder that holds JPEGImages, Annotations_Part and ImageSets.

        Raises:
            ClearfiltersError: see `listed_images`.
        """
        self._list = root / LISTED
        self.names = listed_images(root)
        self.annotations, self.images = RawFiles(root / ANNOTATIONS), RawFiles(root / IMAGES)
        self._annotated = len(list(self.annotations.folder.glob("*.mat")))
        self.full = len(self.names) == self._annotated == RELEASE_IMAGES

    @property
    def not_listed(self) -> int:
        """Annotated images that trainval.txt does not list."""
        return self._annotated - len(self.names)

    @property
    def source(self) -> str:
        """Where the objects come from, in words."""
        return "Pascal VOC 2010 with Pascal-Part" + ("" if self.full else ", not the full release")

    def objects(self, name: str, classes: Sequence[str]) -> list[AnnotatedObject]:
        """The objects of the chosen classes in an image.

        Raises:
            ClearfiltersError: see `read_annotation`.
        """
        self.annotations.read(f"{name}.mat")
        return read_annotation(self.annotations.folder / f"{name}.mat", classes)

    def annotations_sha256(self) -> dict[str, str]:
        """SHA-256 of the list and of the annotations read so far, by where they lie."""
        return {
            f"{FOLDER}/{LISTED}": file_sha256(self._list),
            f"{FOLDER}/{ANNOTATIONS}": self.annotations.sha256(),
        }


def listed_images(root: Path) -> list[str]:
    """The images of trainval.txt, in its order.

    Raises:
        ClearfiltersError: if the list is missing, empty, or names an image twice or one whose
            picture or annotation is absent.
    """
    path = root / LISTED
    try:
        names = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise ClearfiltersError(
            f"{path}: cannot be read ({error}); docs/data.md says where it comes from"
        ) from None
    if not names or len(set(names)) != len(names):
        raise ClearfiltersError(
            f"{path}: {len(names)} images, {len(set(names))} different ones; expected at least "
            "one, and each once; fetch the file again"
        )
    for folder, suffix in ((IMAGES, "jpg"), (ANNOTATIONS, "mat")):
        absent = [name for name in names if not (root / folder / f"{name}.{suffix}").is_file()]
        if absent:
            raise ClearfiltersError(
                f"{root / folder / absent[0]}.{suffix}: no such file, though {LISTED} lists it "
                f"({len(absent)} of {len(names)} are absent); docs/data.md says where they come "
                "from"
            )
    return names


def read_annotation(path: Path, classes: Sequence[str]) -> list[AnnotatedObject]:
    """The objects of the chosen classes in a file of Pascal-Part.

    Raises:
        ClearfiltersError: if the file is missing or damaged, has no `anno.objects`, a name is no
            text, a mask is no array of finite numbers, or masks differ in size.
    """
    found: list[AnnotatedObject] = []
    anno = _field(read_mat(path), "anno", path)
    for record in _structs(_field(anno, "objects", path), path):
        name = _name(record, "class", path)
        if name not in classes:
            continue
        mask = _mask(record, path)
        if found and mask.shape != found[0].mask.shape:
            raise ClearfiltersError(
                f"{path}: the mask of a {name} is {mask.shape}, that of a {found[0].name} "
                f"{found[0].mask.shape}; expected the same; fetch the file again"
            )
        parts: dict[str, Mask] = {}
        for part in _structs(_field(record, "parts", path), path):
            part_name, part_mask = _name(part, "part_name", path), _mask(part, path)
            if part_mask.shape != mask.shape:
                raise ClearfiltersError(
                    f"{path}: the mask of part `{part_name}` of a {name} is {part_mask.shape}, the "
                    f"object's is {mask.shape}; expected the same; fetch the file again"
                )
            parts[part_name] = parts.get(part_name, False) | part_mask
        found.append(AnnotatedObject(name, mask, parts))
    return found


def _field(struct: Any, name: str, path: Path) -> Any:
    if not isinstance(struct, dict) or name not in struct:
        raise ClearfiltersError(
            f"{path}: no `{name}` where one belongs; expected a file of Pascal-Part, with "
            "anno.objects(i).class, .mask and .parts(j).part_name, .mask; fetch the file again"
        )
    return struct[name]


def _name(struct: Any, field: str, path: Path) -> str:
    name = _field(struct, field, path)
    if not isinstance(name, str):
        raise ClearfiltersError(
            f"{path}: `{field}` is {name!r}, a {type(name).__name__}; expected the name in "
            "Pascal-Part, a text; fetch the file again"
        )
    return name


def _structs(value: Any, path: Path) -> list[Any]:
    """A struct array as a list, whether it has no, one or several elements."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    if np.size(value):
        raise ClearfiltersError(
            f"{path}: a {type(value).__name__} where a struct array belongs; expected a file of "
            "Pascal-Part; fetch the file again"
        )
    return []


def _mask(struct: dict[str, Any], path: Path) -> Mask:
    value = _field(struct, "mask", path)
    if not isinstance(value, np.ndarray | int | float):
        raise ClearfiltersError(
            f"{path}: a mask of type {type(value).__name__}; expected numbers; fetch the file again"
        )
    mask = np.asarray(value)
    if not np.isfinite(mask).all():
        raise ClearfiltersError(
            f"{path}: a mask has the value {mask[~np.isfinite(mask)][0]}; expected 0 and 1; fetch "
            "the file again"
        )
    if mask.ndim != 2:
        raise ClearfiltersError(
            f"{path}: a mask of shape {mask.shape}; expected rows and columns; fetch the file again"
        )
    return mask != 0


def landmark_centres(found: AnnotatedObject) -> npt.NDArray[np.float64]:
    """Centres of the boxes around the parts LANDMARKS, (L, 2) as x, y of the image in pixels.

    NaN where a part is not annotated.
    """
    centres = np.full((len(LANDMARKS), 2), np.nan)
    for row, name in enumerate(LANDMARKS):
        if name in found.parts and found.parts[name].any():
            left, top, width, height = bounding_box(found.parts[name])
            centres[row] = left + width / 2, top + height / 2
    return centres
