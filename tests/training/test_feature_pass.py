"""The forward pass that every analysis reads (training/features.py)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clearfilters.analysis.features import load_features
from clearfilters.artifacts import parameters_hash, read_json
from clearfilters.data.store import read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.gate_training import GateTraining
from clearfilters.methods.method import Method
from clearfilters.params.measurements import FeaturesParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import load_checkpoint, save_checkpoint
from clearfilters.training.features import noise_images, record_features
from clearfilters.training.trained_network import dataset_note

CPU = torch.device("cpu")
PARAMS = FeaturesParams(batch_size=48, noise_images=20, noise_seed=3)
Build = Callable[..., Any]
Fresh = Callable[[TrainingSlice], Method]


def record(folder: Path, method: Method, parameters: TrainingSlice, store: Path) -> dict[str, Any]:
    """Save a network and record its features; returns the slice."""
    save_checkpoint(folder / "checkpoint", method, [], parameters, read_meta(store), CPU)
    slice_ = {**parameters.model_dump(by_alias=True), "features": PARAMS.model_dump()}
    record_features(folder / "checkpoint", store, PARAMS, slice_, folder / "features", CPU)
    return slice_


@pytest.mark.parametrize("with_gate", [False, True])
def test_features_against_one_image_at_a_time(
    tmp_path: Path, digits_store: Path, make_slice: Build, gate_block: Build, fresh_method: Fresh,
    with_gate: bool,
) -> None:  # fmt: skip
    parameters = make_slice(method=gate_block() if with_gate else None)
    method = fresh_method(parameters)
    if isinstance(method, GateTraining):
        torch.nn.init.uniform_(method.gate.values)
    slice_ = record(tmp_path, method, parameters, digits_store)
    found = load_features(tmp_path / "features")
    model = load_checkpoint(tmp_path / "checkpoint")[0].network
    for name in ("train", "test"):
        split = read_split(digits_store, name)
        pooled = getattr(found, f"{name}_pooled")
        logits = getattr(found, f"{name}_logits")
        assert pooled.shape == (len(split.labels), 16) and pooled.dtype == np.float32
        np.testing.assert_array_equal(getattr(found, f"{name}_labels"), split.labels)
        for index in (0, 47, 48, len(split.labels) - 1):
            image = torch.from_numpy(np.array(split.images[index])).permute(2, 0, 1)[None]
            with torch.no_grad():
                maps = model.feature_maps(image.float() / 255)[0]
                expected = model(image.float() / 255)[0]
            np.testing.assert_allclose(pooled[index], maps.mean(dim=(1, 2)), rtol=1e-6, atol=1e-5)
            np.testing.assert_allclose(logits[index], expected, rtol=1e-6, atol=1e-5)
    assert found.noise_pooled.shape == (20, 16)
    np.testing.assert_array_equal(found.weight, model.head.weight.detach())
    np.testing.assert_array_equal(found.bias, model.head.bias.detach())
    np.testing.assert_array_equal(found.last_conv, model.parts.last_conv.weight.detach())
    if with_gate:
        np.testing.assert_array_equal(found.trained_gate, method.arrays()["gate"])
    else:
        assert found.trained_gate is None
    meta = read_json(tmp_path / "features" / "meta.json")
    assert meta["parameters_hash"] == parameters_hash(slice_)
    assert meta["training"]["epochs"] == 3 and meta["training"]["dataset"] == "digits"


def test_a_checkpoint_of_other_parameters_is_refused(
    tmp_path: Path, digits_store: Path, make_slice: Build, fresh_method: Fresh
) -> None:
    parameters = make_slice()
    slice_ = record(tmp_path, fresh_method(parameters), parameters, digits_store)
    other = {**slice_, "seed": 1}
    with pytest.raises(ClearfiltersError) as caught:
        record_features(
            tmp_path / "checkpoint", digits_store, PARAMS, other, tmp_path / "other", CPU
        )
    message = str(caught.value)
    for slice_of in (slice_, other):
        hash_ = parameters_hash({key: slice_of[key] for key in slice_of if key != "features"})
        assert hash_[:12] in message
    assert not (tmp_path / "other").exists()


def test_a_store_of_other_parameters_is_refused(
    tmp_path: Path, digits_store: Path, make_slice: Build, fresh_method: Fresh
) -> None:
    same = make_slice()
    other = same.model_copy(update={"data": same.data.model_copy(update={"split_seed": 1})})
    with pytest.raises(ClearfiltersError, match=r"meta\.json: prepared with parameters"):
        record(tmp_path, fresh_method(other), other, digits_store)
    assert not (tmp_path / "features").exists()


def test_noise_is_uniform_and_follows_its_seed() -> None:
    noise = noise_images(50, 32, 0)
    assert noise.shape == (50, 32, 32, 3) and noise.dtype == np.uint8
    counts = np.bincount(noise.ravel(), minlength=256)
    assert abs(counts - noise.size / 256).max() < 6 * (noise.size / 256) ** 0.5
    np.testing.assert_array_equal(noise, noise_images(50, 32, 0))
    assert (noise != noise_images(50, 32, 1)).any()


@pytest.mark.parametrize(
    ("note", "verified", "expected"),
    [
        ("", True, ""),
        ("JPEG copy", True, "JPEG copy"),
        ("", False, "not verified against the published checksums"),
        ("JPEG copy", False, "JPEG copy; not verified against the published checksums"),
    ],
)
def test_what_tables_say_of_the_data(note: str, verified: bool, expected: str) -> None:
    assert dataset_note({"note": note, "verified": verified}) == expected
