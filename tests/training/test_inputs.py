"""A split on the device: rows of images that are held once, against an array of all rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from clearfilters.data.rows import RowImages
from clearfilters.data.store import Split, read_meta, read_split
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import inputs
from clearfilters.training.checkpoint import build_network
from clearfilters.training.features import pooled_and_logits

Build = Callable[..., TrainingSlice]
CPU = torch.device("cpu")


@pytest.fixture
def splits() -> dict[str, Split]:
    """Forty rows of nine images, 8 x 8, some mirrored: held once, and as an array of all rows."""
    draws = np.random.default_rng(0)
    distinct = draws.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    numbers, mirrored = draws.integers(0, 9, 40), draws.random(40) < 0.5
    rows = [
        image[:, ::-1] if turned else image
        for image, turned in zip(distinct[numbers], mirrored, strict=True)
    ]
    labels = draws.integers(0, 10, 40)
    return {
        "held once": Split(RowImages(distinct, numbers, mirrored), labels),
        "array": Split(np.stack(rows), labels),
    }


@pytest.mark.parametrize("border", ["black", "reflect"])
@pytest.mark.parametrize("flip", [False, True])
def test_batches_are_those_of_all_rows(
    splits: dict[str, Split], make_slice: Build, border: str, flip: bool
) -> None:
    augmentation: Any = make_slice(crop_padding=2, crop_border=border, flip=flip).training
    once, array = (
        inputs.to_device(splits[name], CPU, augmentation) for name in ("held once", "array")
    )
    assert len(once.images) == 9 and len(array.images) == 40
    for key in range(3):
        chosen = torch.randperm(40, generator=inputs.random_stream(CPU, key))[:32]
        found, expected = (
            data.batch(chosen, inputs.random_stream(CPU, 7, key)) for data in (once, array)
        )
        assert_close(found, expected, rtol=0, atol=0)
        assert found.stride() == expected.stride()


def test_distinct_rows_are_the_first_of_each_image_and_its_mirror_image(
    splits: dict[str, Split],
) -> None:
    for name, split in splits.items():
        data = inputs.to_device(split, CPU)
        rows, number = data.distinct_rows()
        seen: dict[tuple[int, bool], int] = {}
        pairs = zip(data.image_of_row.tolist(), data.mirrored.tolist(), strict=True)
        expected = [seen.setdefault(pair, len(seen)) for pair in pairs]
        assert number.tolist() == expected, name
        assert rows.tolist() == [expected.index(value) for value in range(len(seen))]
        everything = torch.arange(40)
        assert torch.equal(data.as_they_are(rows)[number], data.as_they_are(everything))


def test_rows_in_order_are_all_rows_as_they_are(
    splits: dict[str, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "EVALUATION_BATCH", 16)
    for split in splits.values():
        batches = list(inputs.in_order(inputs.to_device(split, CPU)))
        assert [len(labels) for _, labels in batches] == [16, 16, 8]
        images = torch.cat([images for images, _ in batches])
        assert images.is_contiguous(memory_format=torch.channels_last)
        found = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(found, splits["array"].images)
        labels = torch.cat([labels for _, labels in batches])
        np.testing.assert_array_equal(labels.numpy(), split.labels)


def test_the_feature_pass_sees_every_row(
    splits: dict[str, Split], digits_store: Path, make_slice: Build
) -> None:
    assert isinstance(read_split(digits_store, "test").images, np.ndarray)
    meta = read_meta(digits_store)
    model = build_network(make_slice(), meta.classes, meta.mean, meta.std, meta.image_size).eval()
    found, expected = (
        pooled_and_logits(model, splits[name].images, 16, CPU) for name in ("held once", "array")
    )
    for one, other in zip(found, expected, strict=True):
        assert len(one) == 40
        assert_close(one, other, rtol=0, atol=0)
