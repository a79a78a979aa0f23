"""What frozen blocks make of images: computed once, and told apart by all that shapes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_network import CPU, frozen_part, images, network_of
from torch import Tensor

from clearfilters.artifacts import parameters_hash
from clearfilters.errors import ClearfiltersError
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import frozen, inputs

Build = Callable[..., TrainingSlice]
NOTHING_KEPT = frozen.Cache(None, "")


def test_views_are_augmented_copies(digits_store: Path, tuned: Build) -> None:
    parameters = tuned(crop_padding=3, flip=True)
    part, data = frozen_part(parameters, digits_store), images(parameters, digits_store)
    found = NOTHING_KEPT.augmented(data, part, 2, seed=1)
    assert found.outputs.shape == (2, 256, 16, 16, 8) and found.outputs.dtype == torch.float32
    # The maps of every view are those of some crop and flip of the image.
    for view in range(2):
        stream = inputs.random_stream(CPU, 1, view, frozen.VIEW_STREAM)
        chosen = torch.arange(frozen.TRUNK_BATCH["cpu"])
        expected = part.run(data.batch(chosen, stream)).permute(0, 2, 3, 1)
        assert torch.equal(found.outputs[view, chosen], expected)
    assert not torch.equal(found.outputs[0], found.outputs[1])
    again, other = (NOTHING_KEPT.augmented(data, part, 2, seed=seed) for seed in (1, 2))
    assert torch.equal(again.outputs, found.outputs)
    assert not torch.equal(other.outputs, found.outputs)


def test_outputs_of_images_as_they_are_are_computed_once(
    tmp_path: Path, digits_store: Path, tuned: Build
) -> None:
    parameters = tuned()
    data = images(parameters, digits_store, "test")
    passed: list[int] = []

    def part(weight: float = 1.0, **key: Any) -> frozen.FrozenPart:
        def run(batch: Tensor) -> Tensor:
            passed.append(len(batch))
            return batch * weight

        return frozen.FrozenPart(run, {"weights": str(weight), **key})

    def outputs(part_: frozen.FrozenPart, split: str = "test", **options: Any) -> Tensor:
        cache = frozen.Cache(tmp_path, **{"store": "a", **options})
        return cache.outputs(data, part_, split).outputs

    first = outputs(part())
    assert sum(passed) == 64 and first.dtype == torch.float32
    assert torch.equal(outputs(part()), first) and sum(passed) == 64
    half = outputs(part(), dtype=torch.float16)
    assert half.dtype == torch.float16 and torch.equal(half, first.half())
    # Whatever shapes them is told apart.
    for changed in (
        lambda: outputs(part(2.0)),
        lambda: outputs(part(layer=3)),
        lambda: outputs(part(), "train"),
        lambda: outputs(part(), store="b"),
    ):
        before = sum(passed)
        changed()
        assert sum(passed) == before + 64
    assert len(list(tmp_path.iterdir())) == 6


def test_rows_that_show_the_same_image_are_computed_once(tmp_path: Path) -> None:
    pixels = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 2, 2, 3).clone()
    pixels[:, :, 0] += 100
    image_of_row = torch.tensor([2, 0, 2, 1, 0, 2])
    mirrored = torch.tensor([False, False, True, False, False, False])
    labels = torch.arange(6)
    data = inputs.Images(pixels, image_of_row, mirrored, labels, size=2, flip=False)
    passed: list[int] = []

    def run(batch: Tensor) -> Tensor:
        passed.append(len(batch))
        return batch

    for folder in (None, tmp_path, tmp_path):
        cache = frozen.Cache(folder, "a", torch.float16)
        found = cache.outputs(data, frozen.FrozenPart(run, {}), "train")
        assert found.outputs.shape == (1, 4, 2, 2, 3)
        expected = data.as_they_are(torch.arange(6)).half().float()
        assert torch.equal(found.as_they_are(torch.arange(6)), expected)
        stream = torch.Generator().manual_seed(0)
        assert torch.equal(found.batch(torch.tensor([5, 2]), stream), expected[[5, 2]])
    assert sum(passed) == 8


def test_a_damaged_file_of_outputs(tmp_path: Path, digits_store: Path, tuned: Build) -> None:
    parameters = tuned()
    data = images(parameters, digits_store, "test")
    part, cache = frozen_part(parameters, digits_store), frozen.Cache(tmp_path, "a")
    cache.outputs(data, part, "test")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ClearfiltersError, match=f"{path.name}: cannot be read .*; delete it"):
        cache.outputs(data, part, "test")


def test_the_key_of_a_frozen_part_tells_weights_layer_and_precision(
    digits_store: Path, tuned: Build
) -> None:
    network = network_of(tuned(), digits_store)

    def key(trained_blocks: int = 2, precision: str = "float32") -> str:
        return parameters_hash(frozen.freeze(network, "tiny", trained_blocks, precision).key)

    before = key()
    assert key() == before
    assert len({before, key(1), key(precision="bf16")}) == 3
    with torch.no_grad():
        next(network.backbone.parameters()).add_(1e-3)
    assert key() != before
    other = key()
    network.mean.add_(0.1)
    assert key() != other
