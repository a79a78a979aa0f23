"""Rows with parts, against a naive loop."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearfilters.data.parts import rows_with_parts
from clearfilters.data.rows import RowImages
from clearfilters.data.store import Split
from clearfilters.errors import ClearfiltersError


def split_of(
    image_of_row: list[int], mirrored: list[bool], parts: dict[str, npt.NDArray[np.bool_]]
) -> Split:
    count = len(next(iter(parts.values())))
    images = RowImages(
        np.zeros((count, 2, 3, 3), np.uint8),
        np.array(image_of_row, np.int64),
        np.array(mirrored, np.bool_),
    )
    return Split(images, np.zeros(len(image_of_row), np.int64), parts=parts)


@given(st.data())
@settings(deadline=None)
def test_the_first_plain_row_of_each_image_with_a_part(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    mask = st.just([False] * 6) | st.lists(st.booleans(), min_size=6, max_size=6)
    masks_of_all = st.lists(mask, min_size=count, max_size=count)
    parts = {
        name: np.array(data.draw(masks_of_all)).reshape(count, 2, 3)
        for name in ("head", "front legs")
    }
    rows = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.booleans()), max_size=20))
    found = rows_with_parts(
        split_of([image for image, _ in rows], [mirrored for _, mirrored in rows], parts)
    )
    expected: list[int] = []
    seen = set()
    for row, (image, mirrored) in enumerate(rows):
        if not mirrored and image not in seen:
            seen.add(image)
            if any(masks[image].any() for masks in parts.values()):
                expected.append(row)
    assert found.rows.tolist() == expected and set(found.masks) == set(parts)
    for name, masks in parts.items():
        assert found.masks[name].shape == (len(expected), 2, 3)
        for index, row in enumerate(expected):
            np.testing.assert_array_equal(found.masks[name][index], masks[rows[row][0]])


def test_where_every_row_is_an_image() -> None:
    head = np.zeros((4, 2, 3), bool)
    head[[1, 3]] = True
    images = np.zeros((4, 2, 3, 3), np.uint8)
    found = rows_with_parts(Split(images, np.zeros(4, np.int64), parts={"HEAD": head}))
    assert found.rows.tolist() == [1, 3] and found.masks["HEAD"].all()


def test_a_split_without_parts() -> None:
    images = np.zeros((4, 2, 3, 3), np.uint8)
    with pytest.raises(ClearfiltersError, match="no parts; expected one of a data set with masks"):
        rows_with_parts(Split(images, np.zeros(4, np.int64)))
