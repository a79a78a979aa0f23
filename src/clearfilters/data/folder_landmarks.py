"""Landmarks of a user's own images: landmarks.csv beside the folders of the classes."""

import csv
import io
import math
from collections.abc import Collection
from typing import NamedTuple

from clearfilters.data.raw_files import RawFiles
from clearfilters.errors import ClearfiltersError

LANDMARKS = "landmarks.csv"
COLUMNS = ("image", "landmark", "x", "y")


class Point(NamedTuple):
    """A landmark of an image: its name and its place in pixels, from the left and top edges."""

    landmark: str
    x: float
    y: float


# Image -> its landmarks, for images that have any.
Points = dict[str, list[Point]]


def read_landmarks(files: RawFiles, images: Collection[str]) -> Points:
    """The landmarks in the landmarks.csv of a folder.

    Args:
        files: of the folder.
        images: the names that the column `image` may have.

    Raises:
        ClearfiltersError: if the file is missing, no UTF-8 or no table with the columns COLUMNS,
            names another image, gives a landmark no name or an image the same one twice, or x or y
            is no number.
    """
    path = files.folder / LANDMARKS
    if not path.is_file():
        raise ClearfiltersError(
            f"{path}: no such file; expected a table with the columns {', '.join(COLUMNS)} "
            "(docs/data.md); add it or set `landmarks: false`"
        )
    try:
        text = files.read(LANDMARKS).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        numbered = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClearfiltersError(
            f"{path}: cannot be read ({error}); expected comma-separated values in UTF-8; save it "
            "as such"
        ) from None
    columns = list(reader.fieldnames or ())
    if sorted(columns) != sorted(COLUMNS):
        raise ClearfiltersError(
            f"{path}: the columns are {', '.join(map(repr, columns)) or 'missing'}; expected "
            f"{', '.join(COLUMNS)}, with commas between them, in the first line"
        )
    found: Points = {}
    for line, row in numbered:
        try:
            image, point = _point(row, images)
            points = found.setdefault(image, [])
            if point.landmark in (other.landmark for other in points):
                raise ValueError(f"`{image}` has its landmark `{point.landmark}` twice; remove one")
        except ValueError as error:
            raise ClearfiltersError(f"{path}: line {line}: {error}") from None
        points.append(point)
    return found


def _point(row: dict[str, str], images: Collection[str]) -> tuple[str, Point]:
    """The image and the landmark of a line; raises ValueError saying what is wrong."""
    values = list(row.values())
    if None in row or None in values:
        raise ValueError(f"expected {len(COLUMNS)} values, found others; correct it")
    image, landmark = row["image"], row["landmark"]
    if image not in images:
        raise ValueError(
            f"no image `{image}` below the folder; expected a name such as "
            f"`{next(iter(images))}`; correct or remove the line"
        )
    if not landmark.strip():
        raise ValueError(f"the landmark of `{image}` has no name; add it")
    return image, Point(landmark, _number(row, "x"), _number(row, "y"))


def _number(row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(
            f"{column} of `{row['landmark']}` in `{row['image']}` is `{row[column]}`; expected a "
            "number in pixels; correct it"
        )
    return value
