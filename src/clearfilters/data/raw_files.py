"""Raw files, read with one checksum over all of them, and images decoded from them."""

import hashlib
import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from clearfilters.errors import ClearfiltersError


def eight_bits(image: Image.Image) -> Image.Image:
    """The image itself, which must have 8 bits per channel: Pillow would clip others at 255.

    Raises:
        ValueError: if it has more.
    """
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"mode {image.mode}, not 8 bits per channel; convert it first")
    return image


def as_rgb(image: Image.Image, *, turn: bool) -> Image.Image:
    """An opened image as 8-bit RGB.

    Args:
        image: of any mode with 8 bits per channel.
        turn: apply the EXIF orientation; where that cannot be read, the image stays as it stands.

    Raises:
        ValueError: if it has more than 8 bits per channel.
    """
    whole = eight_bits(image)
    if turn:
        # A damaged EXIF block may raise anything, and says nothing of the pixels.
        with suppress(Exception):
            whole = ImageOps.exif_transpose(whole)
    return whole.convert("RGB")


class RawFiles:
    """Reads files of a folder and remembers one SHA-256 of their names and contents."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, str] = {}

    def read(self, name: str) -> bytes:
        """The content of the file `name`, relative to the folder.

        Raises:
            ClearfiltersError: if it cannot be read.
        """
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ClearfiltersError(
                f"{path}: {error.strerror}; docs/data.md says what belongs there"
            ) from None
        self._read[name] = hashlib.sha256(content).hexdigest()
        return content

    def read_image(self, name: str, *, turn: bool = False) -> npt.NDArray[np.uint8]:
        """The image in the file `name` as RGB, uint8 (H, W, 3).

        Args:
            name: relative to the folder.
            turn: apply the EXIF orientation. Not where annotations give positions: they count in
                the pixels as stored.

        Raises:
            ClearfiltersError: if it cannot be read, is truncated, is no image, or has more than 8
                bits per channel.
        """
        content = self.read(name)
        try:
            with Image.open(io.BytesIO(content)) as image:
                return np.array(as_rgb(image, turn=turn))
        except Image.DecompressionBombError as error:
            raise ClearfiltersError(
                f"{self.folder / name}: {error}; scale the image down, or remove it"
            ) from None
        except Exception as error:  # a damaged image may raise anything
            raise ClearfiltersError(
                f"{self.folder / name}: cannot be decoded ({error}); expected a whole image; fetch "
                "the file again"
            ) from None

    def sha256(self) -> str:
        """SHA-256 (hex) of what `sha256sum` prints for the files read so far, ordered by name."""
        lines = "".join(f"{self._read[name]}  {name}\n" for name in sorted(self._read))
        return hashlib.sha256(lines.encode()).hexdigest()
