"""Images in one folder per class below `train` and `val`, as torchvision reads ImageNet."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from clearfilters.artifacts import atomic_path
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.store import RawData, Split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import ImageFolderParams

FOLDERS = {"train": "train", "test": "val"}
# torchvision.datasets.folder.IMG_EXTENSIONS
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a system or editor put it there, as `.ipynb_checkpoints`, `._a.png`, `__MACOSX`."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ClearfiltersError(
            f"{str(path)!r}: the name is not UTF-8; rename the file or folder"
        ) from None


def list_images(folder: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """The classes (folders) in alphabetical order, and each image's name below `folder` and label.

    Hidden files and folders are left out.

    Raises:
        ClearfiltersError: if the folder is missing, has no classes, a class has no image, or a name
            is not UTF-8.
    """
    if not folder.is_dir():
        raise ClearfiltersError(
            f"{folder}: no such folder; expected one folder per class in it (docs/data.md)"
        )
    folders = [path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path, folder)]
    for path in folders:
        _check_name(path)
    classes = sorted(path.name for path in folders)
    if not classes:
        raise ClearfiltersError(f"{folder}: no folders in it; expected one per class")
    samples = []
    for label, name in enumerate(classes):
        paths = sorted(
            path
            for path in (folder / name).rglob("*")
            if path.suffix.lower() in SUFFIXES and not _is_hidden(path, folder)
        )
        for path in paths:
            _check_name(path)
        if not paths:
            raise ClearfiltersError(
                f"{folder / name}: no images in it; expected files that end in "
                f"{', '.join(SUFFIXES)}; add some or remove the folder"
            )
        samples += [(path.relative_to(folder).as_posix(), label) for path in paths]
    return classes, samples


def centre_crop(image: npt.NDArray[np.uint8], resize: int, size: int) -> npt.NDArray[np.uint8]:
    """Resize the shorter side (bilinear) and cut the centre out, as torchvision does.

    Args:
        image: uint8 (H, W, 3).
        resize: the shorter side afterwards.
        size: of the crop, at most `resize`.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = image.shape[:2]
    shorter = min(height, width)
    # Multiplied first: torchvision rounds the longer side down.
    new_width, new_height = int(resize * width / shorter), int(resize * height / shorter)
    resized = Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BILINEAR)
    left, top = round((new_width - size) / 2), round((new_height - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def read_raw(data: ImageFolderParams, raw: Path, out: Path, *, download: bool) -> RawData:
    """Write the images of both splits straight to the store `out`, one image in memory at a time.

    Raises:
        ClearfiltersError: if a folder or file is missing or damaged, or the splits have different
            classes; then no file is left in the store.
    """
    root = raw / data.folder
    found = {split: list_images(root / folder) for split, folder in FOLDERS.items()}
    classes, _ = found["train"]
    if found["test"][0] != classes:
        odd = sorted(set(classes) ^ set(found["test"][0]))
        raise ClearfiltersError(
            f"{root}: train and val have different classes, first `{odd[0]}` ({len(odd)} in all); "
            "expected the same folders in both"
        )
    sha256 = {}
    with ExitStack() as stack:
        for split, folder in FOLDERS.items():
            files, samples = RawFiles(root / folder), found[split][1]
            temporary = stack.enter_context(atomic_path(out / split / "images.npy"))
            images = np.lib.format.open_memmap(
                temporary,
                mode="w+",
                dtype=np.uint8,
                shape=(len(samples), data.image_size, data.image_size, 3),
            )
            for row, (name, _) in enumerate(samples):
                image = files.read_image(name, turn=True)
                images[row] = centre_crop(image, data.resize, data.image_size)
            images.flush()
            sha256[f"{data.folder}/{folder}"] = files.sha256()
    splits = {
        split: Split(
            images=np.load(out / split / "images.npy", mmap_mode="r"),
            labels=np.array([label for _, label in found[split][1]], np.int64),
        )
        for split in FOLDERS
    }
    return RawData(
        splits=splits,
        classes=classes,
        source=f"image folder {data.folder}",
        raw_sha256=sha256,
        verified=False,
    )
