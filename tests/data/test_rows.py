"""Images held once, read by row, against the array of all rows."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearfilters.data.rows import RowImages, check_rows, held_once
from clearfilters.errors import ClearfiltersError

HEIGHT, WIDTH = 3, 5


def random_images(count: int) -> npt.NDArray[np.uint8]:
    shape = (count, HEIGHT, WIDTH, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def index(numbers: list[int], mirrored: list[bool], count: int = 4) -> RowImages:
    return RowImages(random_images(count), np.array(numbers, np.int64), np.array(mirrored, bool))


def expanded(images: RowImages) -> npt.NDArray[np.uint8]:
    """All rows, column by column."""
    found = np.empty((len(images), HEIGHT, WIDTH, 3), np.uint8)
    for row, (number, mirrored) in enumerate(
        zip(images.image_of_row, images.mirrored, strict=True)
    ):
        for column in range(WIDTH):
            source = WIDTH - 1 - column if mirrored else column
            found[row, :, column] = images.distinct[number, :, source]
    return found


@given(st.data())
def test_rows_are_read_like_an_array(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=9))
    images = index([number for number, _ in rows], [mirrored for _, mirrored in rows])
    array = expanded(images)
    assert len(images) == len(array) and images.shape == array.shape
    assert images.nbytes == array.nbytes
    places = st.integers(-len(rows), len(rows) - 1)
    mask = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    chosen: list[Any] = [
        data.draw(places),
        data.draw(st.slices(len(rows))),
        np.array(data.draw(st.lists(places)), np.intp),
        np.array(mask, bool),
    ]
    for some in chosen:
        found = images[some]
        np.testing.assert_array_equal(found, array[some])
        assert found.dtype == np.uint8 and found.flags.c_contiguous
        assert not np.shares_memory(found, images.distinct)


def test_the_rows_of_an_array_are_its_images() -> None:
    array = random_images(4)
    images = held_once(array)
    assert images.distinct is array
    np.testing.assert_array_equal(images[:], array)
    assert held_once(images) is images


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_of_row": np.array([0, 4, 1])}, "show images 0 to 4; expected 0 to 3"),
        ({"image_of_row": np.array([0, -1, 1])}, "show images -1 to 1; expected 0 to 3"),
        ({"image_of_row": np.zeros(3)}, r"image_of_row is float64 \(3,\)"),
        ({"image_of_row": np.zeros((3, 1), np.int64)}, r"image_of_row is int64 \(3, 1\)"),
        ({"mirrored": np.zeros(2, bool)}, r"mirrored bool \(2,\)"),
        ({"mirrored": np.zeros(3, np.uint8)}, r"mirrored uint8 \(3,\)"),
    ],
)
def test_an_index_that_does_not_fit(changes: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"image_of_row": np.zeros(3, np.int64), "mirrored": np.zeros(3, bool)}
    check_rows("data", RowImages(random_images(4), **fields))
    with pytest.raises(ClearfiltersError, match=rf"^data: .*{message}.*prepare the data again"):
        check_rows("data", RowImages(random_images(4), **{**fields, **changes}))
