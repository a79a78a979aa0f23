"""The square crop: geometry, and image, masks and points under the same crop."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clearfilters.data.crops import (
    Square,
    bounding_box,
    crop_image,
    crop_mask,
    crop_points,
    square_around,
    square_box,
)
from clearfilters.errors import ClearfiltersError

Mask = npt.NDArray[np.bool_]


@st.composite
def masks(draw: st.DrawFn, longest: int = 24) -> Mask:
    """Any mask with at least one pixel, often one that touches the border."""
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    mask = np.zeros((height, width), bool)
    box = mask[top:bottom, left:right]
    box[:] = np.random.default_rng(draw(st.integers(0, 99))).random(box.shape) < 0.6
    box.flat[draw(st.integers(0, box.size - 1))] = True
    return mask


def noise(shape: tuple[int, int], seed: int = 0) -> npt.NDArray[np.uint8]:
    """An image of random pixels, none of them black."""
    return np.random.default_rng(seed).integers(1, 256, (*shape, 3), dtype=np.uint8)


def test_by_hand() -> None:
    mask = np.zeros((6, 9), bool)
    mask[1, 2] = mask[3, 6] = True
    assert bounding_box(mask) == (2, 1, 5, 3)
    assert square_box(mask) == Square(left=2, top=0, side=5)
    assert square_around(0, 2, 1, 4) == Square(left=-1, top=2, side=4)
    assert square_around(0, 0, 7, 2) == Square(left=0, top=-2, side=7)


@given(masks())
def test_the_square_holds_the_whole_object_and_is_centred_on_it(mask: Mask) -> None:
    left, top, side = square_box(mask)
    rows, columns = np.nonzero(mask)
    assert left <= columns.min() and columns.max() < left + side
    assert top <= rows.min() and rows.max() < top + side
    # No larger than needed: the object touches two opposite sides.
    assert side == max(np.ptp(rows), np.ptp(columns)) + 1
    # Centres of square and box, doubled: half a pixel apart at most.
    assert abs((2 * left + side) - (columns.min() + columns.max() + 1)) <= 1
    assert abs((2 * top + side) - (rows.min() + rows.max() + 1)) <= 1


@given(masks())
def test_without_resizing_each_pixel_is_where_the_square_says(mask: Mask) -> None:
    image = noise(mask.shape)
    left, top, side = square = square_box(mask)
    cropped, cropped_mask = crop_image(image, square, side), crop_mask(mask, square, side)
    assert cropped.shape == (side, side, 3) and cropped.dtype == np.uint8
    assert cropped_mask.sum() == mask.sum()
    for row in range(side):
        for column in range(side):
            y, x = top + row, left + column
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
            expected = image[y, x].tolist() if inside else [0, 0, 0]
            assert cropped[row, column].tolist() == expected
            assert cropped_mask[row, column] == (inside and mask[y, x])


@given(masks(), st.integers(1, 40))
def test_a_resized_mask_is_the_nearest_pixel(mask: Mask, size: int) -> None:
    left, top, side = square = square_box(mask)
    found = crop_mask(mask, square, size)
    for row in range(size):
        for column in range(size):
            y, x = top + (row + 0.5) * side / size, left + (column + 0.5) * side / size
            if y == round(y) or x == round(x):
                continue  # between two pixels: either is nearest
            y, x = int(np.floor(y)), int(np.floor(x))
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
            assert found[row, column] == (inside and mask[y, x])


@given(masks(), st.integers(1, 60))
def test_points_map_with_the_crop(mask: Mask, size: int) -> None:
    left, top, side = square = square_box(mask)
    corners = np.array([[left, top], [left + side, top], [left, top + side]], float)
    np.testing.assert_allclose(
        crop_points(corners, square, size), [[0, 0], [size, 0], [0, size]], atol=1e-9
    )
    # The centre of each object's pixel stays inside the crop, at the same share of its side.
    rows, columns = np.nonzero(mask)
    points = np.stack([columns + 0.5, rows + 0.5], axis=1)
    found = crop_points(points, square, size)
    assert ((found > 0) & (found < size)).all()
    np.testing.assert_allclose(found / size, (points - [left, top]) / side)


@given(masks(), st.integers(1, 4))
def test_points_and_masks_stay_aligned(mask: Mask, factor: int) -> None:
    square = square_box(mask)
    size = square.side * factor
    rows, columns = np.nonzero(mask)
    x, y = crop_points(np.stack([columns, rows], axis=1) + 0.5, square, size).astype(int).T
    assert crop_mask(mask, square, size)[y, x].all()


@given(st.integers(3, 14), st.integers(3, 14), st.integers(1, 4))
def test_points_and_images_stay_aligned(row: int, column: int, factor: int) -> None:
    image = np.zeros((18, 18, 3), np.uint8)
    image[row, column] = 100
    size = 18 * factor
    square = Square(0, 0, 18)
    grey = crop_image(image, square, size)[..., 0]
    # One bright pixel becomes brightest where the point of its centre lies.
    bright = np.argwhere(grey == grey.max())[:, ::-1] + 0.5
    point = crop_points(np.array([column + 0.5, row + 0.5]), square, size)
    np.testing.assert_allclose(bright.mean(axis=0), point, atol=0.01)


@given(
    st.tuples(*[st.integers(0, 30)] * 2), st.tuples(*[st.integers(8, 40)] * 2), st.integers(4, 48)
)
@settings(deadline=None)
def test_a_white_object_is_white_where_its_mask_is_set(
    corner: tuple[int, int], sides: tuple[int, int], size: int
) -> None:
    mask = np.zeros((60, 70), bool)
    mask[corner[0] : corner[0] + sides[0], corner[1] : corner[1] + sides[1]] = True
    square = square_box(mask)
    grey = crop_image(np.repeat(mask[..., None], 3, axis=2) * np.uint8(255), square, size)[..., 0]
    found = crop_mask(mask, square, size)
    # Lanczos reaches three pixels of the coarser grid; beyond that there is nothing to mix.
    reach = int(np.ceil(3 * max(square.side / size, 1))) + 1
    padded = np.pad(mask, 100)
    for row in range(size):
        for column in range(size):
            y = 100 + square.top + int((row + 0.5) * square.side / size)
            x = 100 + square.left + int((column + 0.5) * square.side / size)
            window = padded[y - reach : y + reach + 1, x - reach : x + reach + 1]
            if window.all():
                assert found[row, column] and grey[row, column] >= 254
            if not window.any():
                assert not found[row, column] and grey[row, column] <= 1


def test_the_image_is_resized_with_lanczos() -> None:
    image = noise((40, 40))
    found = crop_image(image, Square(5, 7, 30), 12)
    expected = Image.fromarray(image[7:37, 5:35]).resize((12, 12), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_an_empty_mask() -> None:
    with pytest.raises(ClearfiltersError, match=r"\(3, 4\) is empty"):
        square_box(np.zeros((3, 4), bool))


@pytest.mark.parametrize(("width", "height"), [(0, 3), (3, 0), (0, 0), (-2, 5)])
def test_a_box_of_zero_area(width: int, height: int) -> None:
    with pytest.raises(ClearfiltersError) as caught:
        square_around(4, 5, width, height)
    assert f"{width} x {height} pixels and has no area" in str(caught.value)
    assert "(4, 5)" in str(caught.value)
