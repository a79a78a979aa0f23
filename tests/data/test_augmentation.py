"""Crop and flip of a whole batch, against a search over every crop of each image."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from clearfilters.data.augmentation import pad_images, random_crop_flip
from clearfilters.params.training import Border

SIZE, PADDING = 8, 2
OFFSETS = 2 * PADDING + 1


def random_images(count: int, height: int = SIZE, width: int = SIZE) -> Tensor:
    """Random uint8 images; no crop of one equals another."""
    generator = np.random.default_rng(0)
    return torch.from_numpy(generator.integers(1, 256, (count, height, width, 3), dtype=np.uint8))


def augment(
    images: Tensor, chosen: Tensor, *, flip: bool, seed: int, mirrored: Tensor | None = None
) -> Tensor:
    """The function under test, on padded images; none mirrored unless told otherwise."""
    return random_crop_flip(
        torch.from_numpy(pad_images(images.numpy(), PADDING, "black")),
        chosen,
        mirrored=torch.zeros(len(chosen), dtype=torch.bool) if mirrored is None else mirrored,
        size=SIZE,
        flip=flip,
        generator=torch.Generator().manual_seed(seed),
    )


def naive_crops(image: npt.NDArray[np.uint8]) -> dict[bytes, tuple[int, int, bool]]:
    """Every crop of one padded image, with its offset and whether it is flipped."""
    padded = np.zeros((SIZE + 2 * PADDING, SIZE + 2 * PADDING, 3), np.uint8)
    padded[PADDING:-PADDING, PADDING:-PADDING] = image
    found = {}
    for row in range(OFFSETS):
        for column in range(OFFSETS):
            crop = padded[row : row + SIZE, column : column + SIZE]
            found[np.ascontiguousarray(crop).tobytes()] = (row, column, False)
            found[np.ascontiguousarray(crop[:, ::-1]).tobytes()] = (row, column, True)
    return found


@pytest.mark.parametrize("flip", [False, True])
def test_each_output_is_a_crop_of_its_own_image(flip: bool) -> None:
    images = random_images(5)
    chosen = torch.arange(5).repeat(400)[torch.randperm(2000)]
    crops = augment(images, chosen, flip=flip, seed=1)
    assert crops.shape == (2000, 3, SIZE, SIZE) and crops.dtype == torch.uint8
    allowed = [naive_crops(image) for image in images.numpy()]
    channels_last = np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy())
    draws = np.array(
        [
            allowed[index][crop.tobytes()]
            for index, crop in zip(chosen.tolist(), channels_last, strict=True)
        ]
    )
    # Uniform: each of the 25 offsets is expected 80 times, +- 5 standard deviations.
    counts = np.bincount(draws[:, 0] * OFFSETS + draws[:, 1], minlength=OFFSETS**2)
    assert abs(counts - 80).max() < 5 * 80**0.5
    flipped = draws[:, 2].mean()
    assert abs(flipped - 0.5) < 5 * 0.5 / 2000**0.5 if flip else flipped == 0


def test_rows_columns_and_flips_are_independent() -> None:
    images = random_images(1)
    crops = augment(images, torch.zeros(3000, dtype=torch.long), flip=True, seed=2)
    allowed = naive_crops(images[0].numpy())
    channels_last = np.ascontiguousarray(crops.permute(0, 2, 3, 1).numpy())
    draws = np.array([allowed[crop.tobytes()] for crop in channels_last], dtype=float)
    correlation = np.corrcoef(draws.T) - np.eye(3)
    assert abs(correlation).max() < 5 / 3000**0.5


@pytest.mark.parametrize("flip", [False, True])
def test_mirrored_images_are_cropped_as_if_they_had_been_stored_mirrored(flip: bool) -> None:
    images = random_images(3)
    chosen = torch.arange(6).repeat(50)
    found = augment(images, chosen % 3, flip=flip, seed=3, mirrored=chosen >= 3)
    stored = torch.cat([images, images.flip(2)])
    assert (found == augment(stored, chosen, flip=flip, seed=3)).all()


def test_padding_is_black_on_all_sides() -> None:
    images = random_images(2).numpy()
    padded = pad_images(images, PADDING, "black")
    assert padded.shape == (2, SIZE + 2 * PADDING, SIZE + 2 * PADDING, 3)
    inside = padded[:, PADDING:-PADDING, PADDING:-PADDING]
    assert (inside == images).all()
    assert padded.sum() == inside.sum()


def test_a_reflected_border_mirrors_the_image_at_its_outermost_pixels() -> None:
    line = np.array([10, 20, 30], dtype=np.uint8)
    images = np.stack([line, line + 1, line + 2])[None, :, :, None].repeat(3, axis=3)
    padded = pad_images(images, 2, "reflect")
    assert padded.dtype == np.uint8
    columns = [30, 20, 10, 20, 30, 20, 10]
    expected = [[column + row for column in columns] for row in (2, 1, 0, 1, 2, 1, 0)]
    for channel in range(3):
        assert padded[0, :, :, channel].tolist() == expected


@pytest.mark.parametrize("border", ["black", "reflect"])
def test_no_padding_and_no_flip_changes_nothing(border: Border) -> None:
    images = random_images(4)
    chosen = torch.tensor([3, 0, 3])
    padded = torch.from_numpy(pad_images(images.numpy(), 0, border))
    crops = random_crop_flip(
        padded,
        chosen,
        mirrored=torch.tensor([False, True, False]),
        size=SIZE,
        flip=False,
        generator=torch.Generator(),
    )
    expected = torch.stack([images[3], images[0].flip(1), images[3]])
    assert (crops == expected.permute(0, 3, 1, 2)).all()


def test_the_result_is_channels_last() -> None:
    crops = augment(random_images(4), torch.arange(4), flip=True, seed=0)
    assert crops.is_contiguous(memory_format=torch.channels_last)


def test_the_same_stream_gives_the_same_crops() -> None:
    images, chosen = random_images(50), torch.arange(50)
    first = augment(images, chosen, flip=True, seed=7)
    assert (first == augment(images, chosen, flip=True, seed=7)).all()
    assert (first != augment(images, chosen, flip=True, seed=8)).any()
