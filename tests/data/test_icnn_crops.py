"""The interpretable-CNN papers' preparation: their sizes, MATLAB's rules, naive loops."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clearfilters.data.icnn_crops import (
    OUTSIDE_BOX,
    Box,
    BoxedObject,
    Landmark,
    Row,
    build_split,
    large_enough,
    multi_category_rows,
    pixels_of,
    positives_for,
    read_negatives,
    single_category_rows,
    stretch,
    stretch_nearest,
    tile,
    training_indices,
)
from clearfilters.data.raw_files import RawFiles
from clearfilters.data.rows import RowImages
from clearfilters.errors import ClearfiltersError

Array = npt.NDArray[np.uint8]

# Objects (section 6.1; the fox of 6.2) and validation positives (section 3.1) of the papers.
PAPERS = {
    "bird": (388, 302),
    "cat": (559, 300),
    "cow": (194, 294),
    "dog": (681, 300),
    "horse": (293, 296),
    "sheep": (263, 296),
    "fox": (286, 304),
}


@pytest.mark.parametrize("name", PAPERS)
def test_validation_sizes_of_the_papers(name: str) -> None:
    objects, positives = PAPERS[name]
    rows = single_category_rows(objects, 1000, positive_share=0.75, train_share=0.9)
    assert sum(row.object_index < objects for row in rows["test"]) == positives
    assert sum(row.object_index >= objects for row in rows["test"]) == 100
    assert len(rows["train"]) + len(rows["test"]) == 4000
    assert sum(row.object_index >= objects for row in rows["train"]) == 900


def test_published_errors_are_whole_images() -> None:
    """Explainer, appendix A: 2.24 % of bird, 8.38 % of cow, 9.09 % of horse."""
    for name, percent, wrong in (("bird", 2.24, 9), ("cow", 8.38, 33), ("horse", 9.09, 36)):
        assert round(100 * wrong / (PAPERS[name][1] + 100), 2) == percent


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [
        # round(linspace(1, 10, 9)) = 1 2 3 4 6(5.5) 7(6.625) 8(7.75) 9(8.875) 10
        (10, 0.9, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        # round(linspace(1, 4, 3)) = 1 3(2.5) 4: MATLAB rounds halves up, NumPy to even
        (4, 0.8, [0, 2, 3]),
        # linspace with one point is the last one
        (1, 0.9, [0]),
        (3, 0.4, [2]),
        (5, 0.05, []),
        # round(4.5) = 5
        (5, 0.9, [0, 1, 2, 3, 4]),
    ],
)
def test_training_indices_by_hand(count: int, share: float, expected: list[int]) -> None:
    assert training_indices(count, share) == expected


@given(st.integers(2, 2000), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_training_indices_against_linspace(count: int, share: float) -> None:
    found = training_indices(count, share)
    assert found == sorted(set(found)) and len(found) == int(np.floor(share * count + 0.5))
    if len(found) > 1:
        steps = np.arange(len(found)) * (count - 1) / (len(found) - 1)
        np.testing.assert_array_equal(found, np.floor(steps + 0.5))


def test_positives_for() -> None:
    assert positives_for(1000, 0.75) == 3000
    assert positives_for(10, 0.5) == 10


def test_tile() -> None:
    once = [Row(0, False), Row(0, True), Row(1, False), Row(1, True)]
    assert tile(2, 1, None) == once
    assert tile(2, 7, None) == [*once, *once[:3]]
    assert tile(2, 7, 7) == [*once, *once[:3]]
    assert tile(2, 1, 3) == once[:3]


@given(st.integers(1, 60), st.integers(0, 40), st.floats(0.1, 0.9))
@settings(deadline=None)
def test_single_category_by_a_naive_loop(objects: int, negatives: int, share: float) -> None:
    """The authors' getImdb.m, line by line in positions counted from 1."""
    wanted = int(np.floor(0.75 / (1 - 0.75) * negatives + 0.5))
    training = {index + 1 for index in training_indices(objects, share)}
    expected: dict[str, list[tuple[int, bool]]] = {"train": [], "test": []}
    for position in range(1, wanted + 1):
        within = (position - 1) % (2 * objects) + 1
        number, flipped = (within + 1) // 2, within % 2 == 0
        expected["train" if number in training else "test"].append((number - 1, flipped))
    chosen = training_indices(negatives, share)
    for index in range(negatives):
        expected["train" if index in chosen else "test"].append((objects + index, False))
    found = single_category_rows(objects, negatives, positive_share=0.75, train_share=share)
    assert found == expected


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.floats(0.1, 0.9))
@settings(deadline=None)
def test_several_categories_share_no_object(counts: list[int], share: float) -> None:
    rows = multi_category_rows(counts, minimum=25, maximum=40, train_share=share)
    train, test = ({row.object_index for row in rows[split]} for split in ("train", "test"))
    assert not train & test
    first = 0
    for count in counts:
        own = [
            row
            for split in ("train", "test")
            for row in rows[split]
            if first <= row.object_index < first + count
        ]
        assert len(own) == min(max(2 * count, 25), 40)
        assert {row.object_index - first for row in own} <= set(range(count))
        first += count
    assert len(rows["train"]) + len(rows["test"]) == sum(
        min(max(2 * count, 25), 40) for count in counts
    )


def naive_axis(values: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Resize the first axis with a triangle, widened when shrinking, as imresize does."""
    scale = len(values) / size
    half = max(scale, 1.0)
    rows = []
    for target in range(size):
        centre = (target + 0.5) * scale - 0.5
        weights = np.array([max(0.0, 1 - abs(i - centre) / half) for i in range(len(values))])
        rows.append(np.tensordot(weights / weights.sum(), values, 1))
    return np.array(rows)


@pytest.mark.parametrize(("height", "width"), [(37, 20), (5, 9), (16, 16)])
def test_stretch_against_a_naive_loop(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    down = naive_axis(image.astype(float), 16)
    expected = naive_axis(down.transpose(1, 0, 2), 16).transpose(1, 0, 2)
    assert np.abs(stretch(image, 16) - expected).max() <= 1.01


@pytest.mark.parametrize(("height", "width", "size"), [(37, 20, 16), (5, 9, 16), (16, 7, 16)])
def test_stretch_nearest_against_a_naive_loop(height: int, width: int, size: int) -> None:
    values = np.random.default_rng(0).integers(0, 6, (height, width), dtype=np.uint8)
    expected = [
        [
            values[int((row + 0.5) * height / size), int((column + 0.5) * width / size)]
            for column in range(size)
        ]
        for row in range(size)
    ]
    np.testing.assert_array_equal(stretch_nearest(values, size), expected)


@pytest.mark.parametrize("edge", range(4))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_box_that_is_not_finite(edge: int, value: float) -> None:
    box = Box(*[value if i == edge else number for i, number in enumerate((1, 1, 5, 5))])
    with pytest.raises(ClearfiltersError, match=rf"{value}.* not finite"):
        pixels_of(box, 9, 9)


def write_image(folder: Path, name: str, image: Array) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / name)


def ramp(height: int, width: int) -> Array:
    """Red counts columns, green rows."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_landmarks_move_with_the_crop(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """On ramps, the crop's colour at a landmark tells where it was, plain and mirrored alike."""
    folder = tmp_path_factory.mktemp("ramp")
    height, width = data.draw(st.integers(30, 80)), data.draw(st.integers(30, 80))
    write_image(folder, "1.png", ramp(height, width))
    left, top = data.draw(st.floats(-9, width - 20)), data.draw(st.floats(-9, height - 20))
    box = Box(left, top, left + data.draw(st.floats(12, 70)), top + data.draw(st.floats(12, 70)))
    x, y = data.draw(st.floats(0, width)), data.draw(st.floats(0, height))
    size = data.draw(st.integers(40, 120))
    found = BoxedObject(RawFiles(folder), "1.png", 0, box, [Landmark("here", x, y, True)])
    split, skipped = build_split([found], [Row(0, False), Row(0, True)], size)
    assert split.landmarks is not None and len(split.landmarks) == 1
    place = split.landmarks.iloc[0]
    first_column, first_row, last_column, last_row = pixels_of(box, width, height)
    inside = first_column <= x <= last_column and first_row <= y <= last_row
    assert place["visible"] == inside and skipped[OUTSIDE_BOX] == (not inside)
    if inside:
        column, row = (min(int(place[axis]), size - 1) for axis in ("x", "y"))
        red, green, _ = split.images[0][row, column]
        # Half a source pixel of the ramp, a target pixel, and rounding.
        scale = max(last_column - first_column, last_row - first_row) / size
        assert abs(red + 0.5 - x) <= 1.5 + scale and abs(green + 0.5 - y) <= 1.5 + scale
    np.testing.assert_array_equal(split.images[1], split.images[0][:, ::-1])


def test_grey_images_and_whole_images(tmp_path: Path) -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    write_image(tmp_path, "grey.png", grey)
    split, _ = build_split([BoxedObject(RawFiles(tmp_path), "grey.png", 3)], [Row(0, False)], 8)
    np.testing.assert_array_equal(split.images[0], np.repeat(grey[..., None], 3, axis=2))
    assert split.labels.tolist() == [3]
    assert split.landmarks is not None and len(split.landmarks) == 0


def test_landmarks_stand_once_per_object(tmp_path: Path) -> None:
    write_image(tmp_path, "a.png", ramp(10, 20))
    write_image(tmp_path, "b.png", ramp(10, 20))
    files = RawFiles(tmp_path)
    objects = [
        BoxedObject(
            files,
            name,
            label,
            Box(0, 0, 20, 10),
            [Landmark("head", 5, 5, True), Landmark("head", 15, 2.5, True)],
        )
        for label, name in enumerate(("a.png", "b.png"))
    ]
    split, _ = build_split(objects, tile(2, 9, 9), 40)
    assert isinstance(split.images, RowImages) and len(split.images.distinct) == 2
    assert split.images.image_of_row.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0]
    assert split.images.mirrored.tolist() == [False, True] * 4 + [False]
    assert split.labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0]
    expected = pd.DataFrame(
        {
            "image": [0, 0, 2, 2],
            "landmark": ["head"] * 4,
            "x": [10.0, 30.0] * 2,
            "y": [20.0, 10.0] * 2,
            "visible": [True] * 4,
        }
    )
    assert split.landmarks is not None
    pd.testing.assert_frame_equal(split.landmarks, expected)


def test_parts_move_with_the_crop(tmp_path: Path) -> None:
    """On an image that is white where its part is, the crop is, too."""
    shown = np.zeros((10, 20), np.uint8)
    shown[2:6, 4:8], shown[6:9, 4:16] = 3, 3
    write_image(tmp_path, "1.png", np.repeat((shown * 85)[..., None], 3, axis=2))
    files, box = RawFiles(tmp_path), Box(3, 1, 17, 9)
    objects = [
        BoxedObject(files, "1.png", 0, box, part_map=shown[1:9, 3:17]),
        BoxedObject(files, "1.png", 0, box),
    ]
    names = ["head", "torso", "tail"]
    split, _ = build_split(objects, tile(2, 6, 6), 56, names)
    assert split.parts is not None and list(split.parts) == names
    for masks in split.parts.values():
        assert masks.shape == (2, 56, 56) and not masks[1].any()
    assert not split.parts["head"].any() and not split.parts["torso"].any()
    # But for corners, where bilinear resizing rounds.
    assert ((split.images[0][..., 0] > 127) != split.parts["tail"][0]).mean() < 0.01
    assert split.parts["tail"][0].sum() == (4 * 4 + 3 * 12) * 7 * 4


def test_large_enough(tmp_path: Path) -> None:
    files = RawFiles(tmp_path)
    boxes = [Box(0, 0, 50, 50), Box(0, 0, 50, 49.9), Box(9, 0, 5, -9), None]
    objects = [BoxedObject(files, "x", 0, box) for box in boxes]
    assert [found.box for found in large_enough(objects, 2500)] == [boxes[0], None]


def test_negatives(tmp_path: Path) -> None:
    for name in ("2.JPEG", "1.jpg"):
        write_image(tmp_path, name, ramp(9, 9))
    assert [found.name for found in read_negatives(tmp_path)] == ["1.jpg", "2.JPEG"]
    for folder in (tmp_path / "absent", tmp_path.parent):
        with pytest.raises(ClearfiltersError, match="no images in it"):
            read_negatives(folder)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(5, 5, 5, 9), "no area"),
        (Box(5, 9, 9, 5), "no area"),
        (Box(30, 0, 40, 9), "no area"),
        (Box(-9, 0, -1, 9), "no area"),
    ],
)
def test_boxes_without_area(tmp_path: Path, box: Box, message: str) -> None:
    write_image(tmp_path, "1.png", ramp(10, 20))
    with pytest.raises(ClearfiltersError, match=message) as caught:
        build_split([BoxedObject(RawFiles(tmp_path), "1.png", 0, box)], [Row(0, False)], 8)
    assert str(tmp_path / "1.png") in str(caught.value)


def test_a_landmark_outside_its_image(tmp_path: Path) -> None:
    write_image(tmp_path, "1.png", ramp(10, 20))
    for x, y in ((20.5, 5), (5, -1), (float("nan"), 5)):
        bad = BoxedObject(
            RawFiles(tmp_path), "1.png", 0, Box(0, 0, 9, 9), [Landmark("tail", x, y, True)]
        )
        with pytest.raises(ClearfiltersError, match="`tail` lies at") as caught:
            build_split([bad], [Row(0, False)], 8)
        assert str(tmp_path / "1.png") in str(caught.value)
