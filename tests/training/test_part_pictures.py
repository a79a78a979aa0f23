"""Pictures of filters against a loop over a small network's own layers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from clearfilters.analysis.location_instability import Peaks
from clearfilters.data.store import (
    LANDMARK_COLUMNS,
    LANDMARK_TYPES,
    Split,
    read_meta,
    write_store,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.params.measurements import PartPicturesParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.pictures import decoded
from clearfilters.training.checkpoint import build_method, build_network, save_checkpoint
from clearfilters.training.part_pictures import (
    measure_part_pictures,
    peak_counts,
    strongest_filters,
)
from clearfilters.training.trained_network import TrainedNetwork, open_network

Slices = Callable[..., TrainingSlice]
CPU = torch.device("cpu")
PARAMS = PartPicturesParams(
    quantile=0.9, radius=1.5, filters=3, images=2, heat_maps=4, picture_size=112, jpeg_quality=95
)
# Of convnet's map over 32 pixels.
SIDE, STRIDE, START = 8, 4, 2


def annotated_store(
    root: Path, parameters: TrainingSlice, classes: list[str], *, landmarks: bool = True
) -> dict[str, Split]:
    """Noise with a bright square; every second object has a landmark there, background none."""
    rng = np.random.default_rng(0)
    splits = {}
    for name, count in (("train", 12), ("test", 8)):
        images = rng.integers(0, 100, (count, 32, 32, 3), dtype=np.uint8)
        labels = np.arange(count) % 2
        rows = []
        for row in range(count):
            x, y = rng.integers(2, 26, 2)
            images[row, y : y + 5, x : x + 5] = 255
            if row % 4 == 1 or (len(classes) == 2 and "background" not in classes and row % 4 == 2):
                rows.append((row, "head", x + 2.5, y + 2.5, True))
        table = pd.DataFrame(rows, columns=LANDMARK_COLUMNS).astype(LANDMARK_TYPES)
        splits[name] = Split(images, labels, landmarks=table if landmarks else None)
    write_store(
        root, splits, dataset="ilsvrc-parts", source="", note="", classes=classes, raw_sha256={},
        verified=False, parameters=parameters.model_dump(by_alias=True)["data"],
    )  # fmt: skip
    return splits


def trained(
    folder: Path,
    parameters: TrainingSlice,
    classes: list[str],
    *,
    landmarks: bool = True,
    change: Callable[[Classifier], Any] = lambda network: None,
) -> tuple[TrainedNetwork, dict[str, Split]]:
    """A random network and the data that it is measured on."""
    splits = annotated_store(folder / "store", parameters, classes, landmarks=landmarks)
    slice_ = parameters.model_dump(by_alias=True)
    torch.manual_seed(1)
    network = build_network(parameters, classes, [0.4] * 3, [0.2] * 3, 32)
    change(network)
    method = build_method(parameters, network)
    store_meta = read_meta(folder / "store")
    save_checkpoint(folder / "net", method, [], parameters, store_meta, CPU)
    return open_network(folder / "net", folder / "store", slice_, device=CPU), splits


def silence(network: Classifier) -> None:
    """No filter of the top convolution fires, and all its maps are the same everywhere."""
    convolution = network.parts.last_conv
    assert convolution.bias is not None
    nn.init.zeros_(convolution.weight)
    nn.init.constant_(convolution.bias, -1.0)


def naive_maps(network: TrainedNetwork, images: np.ndarray) -> np.ndarray:
    """The top convolution's output (N, D, n, n), layer by layer."""
    model = network.model
    maps = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - model.mean) / model.std
    blocks = list(cast(BlockNetwork, model.backbone).blocks)
    with torch.no_grad():
        for block in blocks[:-1]:
            maps = block(maps)
        for name, layer in blocks[-1].named_children():
            maps = layer(maps)
            if name == "conv2":
                return np.asarray(maps)
    raise AssertionError("no top convolution")


def test_examples_by_a_loop(part_slice: Slices, tmp_path: Path) -> None:
    network, splits = trained(tmp_path, part_slice("cat"), ["background", "cat"])
    found = measure_part_pictures(network, tmp_path / "store", PARAMS).values
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["map"] == {"side": SIDE, "stride": STRIDE, "start": START, "image_size": 32}
    assert found["filters"] == 8
    # Test objects first; an image of noise in JPEG is not far from itself.
    objects = np.concatenate([splits[s].images[1::4] for s in ("test", "train")])
    maps = naive_maps(network, objects)
    scores = maps.max(axis=(2, 3))
    means = scores.mean(axis=0)
    assert [one["filter"] for one in found["examples"]] == np.argsort(-means)[:3].tolist()
    masks = [m for m in network.model.modules() if type(m).__name__ == "PartMask"]
    with torch.no_grad():
        masked = masks[-1](torch.from_numpy(maps).relu()).numpy()
    y, x = np.mgrid[:32, :32] + 0.5
    for one in found["examples"]:
        k = one["filter"]
        assert one["category"] == "cat"
        assert one["mean_peak"] == pytest.approx(means[k], rel=1e-5)
        threshold = np.sort(masked[:, k], axis=None)[int(0.9 * (masked[:, k].size - 1))]
        order = sorted(range(len(objects)), key=lambda i: -scores[i, k])
        assert len(one["images"]) == 2
        for image, number in zip(one["images"], order, strict=False):
            assert image["peak"] == pytest.approx(scores[number, k], rel=1e-5)
            shown = decoded(image["image"]).astype(int)
            assert abs(shown - objects[number]).mean() < 25
            region = np.zeros((32, 32), bool)
            for i, j in zip(*np.nonzero(masked[number, k] > threshold), strict=True):
                centre = START + STRIDE * i, START + STRIDE * j
                region |= (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= (1.5 * STRIDE) ** 2
            np.testing.assert_array_equal(decoded(image["region"]), region)


def test_heat_maps_by_a_loop(part_slice: Slices, tmp_path: Path) -> None:
    network, splits = trained(tmp_path, part_slice("cat"), ["background", "cat"])
    found = measure_part_pictures(network, tmp_path / "store", PARAMS).values["heat_maps"]
    objects = np.concatenate([splits[s].images[1::4] for s in ("test", "train")])[:4]
    assert len(found) == 4
    for one, maps in zip(found, naive_maps(network, objects), strict=True):
        counts = np.zeros((SIDE, SIDE), int)
        for own in maps:
            if own.max() > 0:
                counts[np.unravel_index(own.argmax(), own.shape)] += 1
        assert counts.sum() > 0
        assert one["category"] == "cat" and one["cells"] == counts.tolist()


def test_categories_take_turns(part_slice: Slices, tmp_path: Path) -> None:
    network, splits = trained(tmp_path, part_slice("cat", "dog"), ["cat", "dog"])
    found = measure_part_pictures(network, tmp_path / "store", PARAMS).values
    assert [one["category"] for one in found["heat_maps"]] == ["cat", "dog", "cat", "dog"]
    means = {}
    for label, name in enumerate(("cat", "dog")):
        objects = [
            split.images[row]
            for split in splits.values()
            for row in split.landmarks["image"]
            if split.labels[row] == label
        ]
        means[name] = naive_maps(network, np.stack(objects)).max(axis=(2, 3)).mean(axis=0)
    best = np.maximum(means["cat"], means["dog"])
    for one, k in zip(found["examples"], np.argsort(-best), strict=False):
        assert one["filter"] == k
        assert one["category"] == max(means, key=lambda name: means[name][k])


def test_pictures_shrink_to_their_greatest_size(part_slice: Slices, tmp_path: Path) -> None:
    network, _ = trained(tmp_path, part_slice("cat"), ["background", "cat"])
    small = PARAMS.model_copy(update={"picture_size": 16})
    found = measure_part_pictures(network, tmp_path / "store", small).values
    image = found["examples"][0]["images"][0]
    assert decoded(image["image"]).shape == (16, 16, 3)
    assert decoded(image["region"]).shape == (16, 16)


def test_silent_filters_have_empty_regions(part_slice: Slices, tmp_path: Path) -> None:
    network, _ = trained(tmp_path, part_slice("cat"), ["background", "cat"], change=silence)
    found = measure_part_pictures(network, tmp_path / "store", PARAMS).values
    json.dumps(found, allow_nan=False)
    assert all(np.sum(one["cells"]) == 0 for one in found["heat_maps"])
    for one in found["examples"]:
        assert one["mean_peak"] == -1
        assert not any(decoded(image["region"]).any() for image in one["images"])


def test_data_without_landmarks(part_slice: Slices, tmp_path: Path) -> None:
    network, _ = trained(tmp_path, part_slice("cat"), ["background", "cat"], landmarks=False)
    with pytest.raises(ClearfiltersError, match="the data have no landmarks"):
        measure_part_pictures(network, tmp_path / "store", PARAMS)


def test_a_category_without_landmarks_is_left_out(part_slice: Slices, tmp_path: Path) -> None:
    network, _ = trained(tmp_path, part_slice("cat", "dog"), ["cat", "dog"])
    paths = [tmp_path / "store" / split / "landmarks.csv" for split in ("train", "test")]
    for path in paths:
        table = pd.read_csv(path)
        table[table["image"] % 2 == 1].to_csv(path, index=False)
    found = measure_part_pictures(network, tmp_path / "store", PARAMS).values
    assert {one["category"] for one in found["examples"]} == {"dog"}
    for path in paths:
        pd.read_csv(path).iloc[:0].to_csv(path, index=False)
    with pytest.raises(ClearfiltersError, match="cat, dog: no object has a landmark"):
        measure_part_pictures(network, tmp_path / "store", PARAMS)


def test_strongest_filters() -> None:
    mean_peaks = np.array([[1.0, 5.0, 2.0, 2.0], [3.0, 4.0, 0.0, 2.0]])
    filters, categories = strongest_filters(mean_peaks, 3)
    assert filters.tolist() == [1, 0, 2] and categories.tolist() == [0, 1, 0]
    assert len(strongest_filters(mean_peaks, 9)[0]) == 4


def test_peak_counts() -> None:
    positions = np.array([[[0, 1], [0, 1], [2, 2], [np.nan, np.nan], [1, 1]]])
    scores = np.array([[1.0, 0.5, 3.0, 2.0, 0.0]])
    counts = peak_counts(Peaks(positions, scores), 3)
    assert counts.tolist() == [[[0, 2, 0], [0, 0, 0], [0, 0, 1]]]
