"""Where trained filters fire on annotated objects, measured on a store made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from squares import SIZE, split_of, write

from clearfilters.artifacts import parameters_hash
from clearfilters.data.store import read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop
from clearfilters.training.checkpoint import build_network
from clearfilters.training.inputs import initial_seed
from clearfilters.training.network_measurement import record_network_measurement
from clearfilters.training.part_maps import PartNetwork
from clearfilters.training.trained_network import open_network

Build = Callable[..., dict[str, Any]]
CPU = torch.device("cpu")
LOCATION = {
    "landmarks": {},
    "test_only": [],
    "strongest": 100,
    "minimum_images": 2,
    "minimum_test_images": 4,
    "shuffles": 3,
    "seed": 0,
}
PARTS = {"quantile": 0.9, "radii": [2, 4], "radius": 4, "hit_iou": 0.2, "seed": 0}


@pytest.fixture
def parameters(
    make_slice: Callable[..., TrainingSlice], part_model: Build, part_block: Build
) -> TrainingSlice:
    """One epoch of an interpretable network with 16 filters, without augmentation."""
    return make_slice(
        model=part_model(), method=part_block(), loss="logistic", epochs=1, crop_padding=0
    )


@pytest.fixture
def store(tmp_path: Path, parameters: TrainingSlice) -> Path:
    """Twelve objects for training and six for testing."""
    data = parameters.data.model_dump()
    return write(tmp_path / "store", split_of(12, 0), split_of(6, 1), data)


@pytest.fixture
def checkpoint(tmp_path: Path, store: Path, parameters: TrainingSlice) -> Path:
    """Trained on the store."""
    loop.train(parameters, store, tmp_path / "model", tmp_path / "resume.pt", CPU)
    return tmp_path / "model"


def measure(
    name: str, own: dict[str, Any], checkpoint: Path, store: Path, parameters: TrainingSlice
) -> dict[str, Any]:
    """The values of a measurement."""
    out = checkpoint.parent / f"{name}.json"
    record_network_measurement(
        name,
        checkpoint,
        store,
        {**parameters.model_dump(by_alias=True), name: own},
        experiment="squares",
        seed=0,
        out=out,
        device=CPU,
    )
    values: dict[str, Any] = json.loads(out.read_text())["values"]
    return values


def test_location_counts_each_object_once_and_leaves_out_what_is_not_to_be_judged(
    checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    values = measure("part_location", LOCATION, checkpoint, store, parameters)
    assert values["filters"] == 16
    # Two convolutions and poolings, then two convolutions: cells of 4 pixels.
    assert values["map"] == {"side": 4, "stride": 4.0, "start": 2.0, "image_size": SIZE}
    assert values["test_images"] == 18
    assert values["multi"] is None
    found = values["categories"]["square"]
    assert found["images"] == 18
    assert found["landmarks"] == {"square": 18, "hidden": 0, "twice": 16}
    for state in ("trained", "untrained", "random"):
        assert 0 < found[state]["instability"] < 0.5
        assert found[state]["instability_of"]["hidden"] is None
        assert found[state]["r2"]["hidden"]["mean"] is None
        assert 0 <= found[state]["r2"]["square"]["mean"] <= 1
    assert found["constant"]["r2"]["square"] == dict.fromkeys(
        ("mean", "best", "floor_mean", "floor_best"), 0.0
    )
    assert found["constant"]["spread"] == found["constant"]["difference"] == 0
    # The hidden landmark is on no test object.
    assert found["test_only"] is None


def test_test_objects_alone_are_reported_where_there_are_enough(
    checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    own = {**LOCATION, "landmarks": {"digits": ["square"]}}
    found = measure("part_location", own, checkpoint, store, parameters)["categories"]["square"]
    assert list(found["landmarks"]) == ["square"]
    assert found["test_only"]["instability"] > 0
    alone = {**own, "test_only": ["digits"]}
    only = measure("part_location", alone, checkpoint, store, parameters)["categories"]["square"]
    assert only["images"] == 6
    assert only["trained"] == found["test_only"]


def test_peaks_are_those_of_the_raw_convolution(
    checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    slice_ = parameters.model_dump(by_alias=True)
    parts = PartNetwork(open_network(checkpoint, store, slice_, device=CPU), store, "landmarks")
    rows = np.array([0, 5, 7])
    for method in (parts.method, parts.untrained()):
        assert method is not None
        found = parts.peaks(method, "train", rows)
        images = torch.from_numpy(read_split(store, "train").images[rows]).permute(0, 3, 1, 2) / 255
        network = method.network
        with torch.no_grad():
            below = network.backbone.blocks[:-1]((images - network.mean) / network.std)  # type: ignore[union-attr, index]
            top = network.backbone.blocks[-1]  # type: ignore[union-attr, index]
            maps = top.conv2(top.mask_a(below))
        for image in range(3):
            for f in range(16):
                row, column = divmod(int(maps[image, f].argmax()), 4)
                assert found.positions[image, f].tolist() == [row, column]
                assert found.scores[image, f] == pytest.approx(
                    maps[image, f].max().item(), rel=1e-4
                )


def test_the_untrained_network_is_that_of_the_seed(
    checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    slice_ = parameters.model_dump(by_alias=True)
    parts = PartNetwork(open_network(checkpoint, store, slice_, device=CPU), store, "landmarks")
    untrained = parts.untrained()
    assert untrained is not None
    torch.manual_seed(initial_seed(0))
    meta = parts.meta
    fresh = build_network(parameters, ["a", "b"], meta["mean"], meta["std"], SIZE)
    weights = untrained.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in fresh.state_dict().items())
    trained = parts.method.network.state_dict()
    assert not torch.equal(
        trained["backbone.blocks.2.0.weight"], weights["backbone.blocks.2.0.weight"]
    )


def test_part_interpretability_judges_regions_by_masks(
    checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    values = measure("part_interpretability", PARTS, checkpoint, store, parameters)
    found = values["categories"]["square"]
    assert found["images"] == 18
    assert found["parts"] == {"square": 18}
    assert values["multi"] is None
    for state in ("trained", "untrained", "random", "constant"):
        assert set(found[state]["radius"]) == {"2", "4"}
        assert 0 <= found[state]["primary"] <= 1
    assert found["random"]["primary"] == found["random"]["radius"]["4"]


def test_maps_of_zeros_are_dead_filters_and_no_nan(
    checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    path = checkpoint / "model.safetensors"
    tensors = load_file(path)
    for name in ("weight", "bias"):
        tensors[f"backbone.blocks.3.conv2.{name}"].zero_()
    save_file(tensors, path)
    values = measure("part_location", LOCATION, checkpoint, store, parameters)
    found = values["categories"]["square"]["trained"]
    assert found["dead"] == 16
    assert found["instability"] is None
    assert found["instability_filters"] == [None] * 16
    assert "NaN" not in (checkpoint.parent / "part_location.json").read_text()
    parts = measure("part_interpretability", PARTS, checkpoint, store, parameters)
    assert parts["categories"]["square"]["trained"]["dead"] == 16
    assert parts["categories"]["square"]["trained"]["primary"] == 0


def test_a_landmark_that_is_not_there_and_objects_without_any_are_refused(
    tmp_path: Path, checkpoint: Path, store: Path, parameters: TrainingSlice
) -> None:
    own = {**LOCATION, "landmarks": {"digits": ["beak"]}}
    with pytest.raises(
        ClearfiltersError, match="square has none of beak; it has: square, hidden, twice"
    ):
        measure("part_location", own, checkpoint, store, parameters)
    many = {**LOCATION, "minimum_images": 40}
    with pytest.raises(
        ClearfiltersError,
        match="square: no landmark is on 40 objects, which location instability needs",
    ):
        measure("part_location", many, checkpoint, store, parameters)
    assert not (checkpoint.parent / "part_location.json").exists()


def test_a_category_without_annotations_is_left_out(
    tmp_path: Path, store: Path, parameters: TrainingSlice
) -> None:
    """Of two classes with a softmax loss one may be a background."""
    content = parameters.model_dump(by_alias=True)
    content["training"]["loss"] = "softmax"
    softmax = TrainingSlice.model_validate(content)
    loop.train(softmax, store, tmp_path / "model", tmp_path / "resume.pt", CPU)
    for name, own in (("part_location", LOCATION), ("part_interpretability", PARTS)):
        values = measure(name, own, tmp_path / "model", store, softmax)
        assert list(values["categories"]) == ["square"]
        assert values["multi"] is None


def test_a_frozen_trunk_is_measured_as_it_was_trained(
    tmp_path: Path, store: Path, parameters: TrainingSlice
) -> None:
    """Cached outputs in float16, in training and measuring; the untrained one on the same scale."""
    content = parameters.model_dump(by_alias=True)
    content["model"]["top"] |= {"standardised": True, "convolution": 6}
    content["finetune"] = {"weights": None, "trained_blocks": 1, "views": 1, "kept_as": "float16"}
    tuned = TrainingSlice.model_validate(content)
    frozen = tmp_path / "frozen"
    loop.train(tuned, store, tmp_path / "tuned", tmp_path / "r.pt", CPU, frozen=frozen)
    files = sorted(path.name for path in frozen.iterdir())
    assert len(files) == 2
    slice_ = tuned.model_dump(by_alias=True)
    network = open_network(tmp_path / "tuned", store, slice_, device=CPU, frozen=frozen)
    parts = PartNetwork(network, store, "landmarks")
    assert sorted(path.name for path in frozen.iterdir()) == files
    untrained = parts.untrained()
    assert untrained is not None
    of_trunk = "backbone.blocks.0.0.weight"
    scale = "backbone.blocks.3.standardisation.std"
    trained = parts.method.network.state_dict()
    for name in (of_trunk, scale):
        assert torch.equal(untrained.network.state_dict()[name], trained[name])
    maps = torch.cat(list(parts.top_maps(untrained, "test", torch.arange(18))))
    assert maps.shape == (18, 6, 4, 4)
    assert parameters_hash(slice_) == parts.meta["parameters_hash"]


def test_a_trunk_may_be_trained_end_to_end_as_fine_tuning(
    tmp_path: Path, store: Path, parameters: TrainingSlice
) -> None:
    """No block is frozen and nothing is cached: the same as training without fine-tuning."""
    content = parameters.model_dump(by_alias=True)
    content["finetune"] = {"weights": None, "trained_blocks": 4, "views": 0}
    tuned = TrainingSlice.model_validate(content)
    plain, all_ = tmp_path / "plain", tmp_path / "all"
    loop.train(parameters, store, plain, tmp_path / "r.pt", CPU)
    loop.train(tuned, store, all_, tmp_path / "r.pt", CPU)
    left, right = (load_file(folder / "model.safetensors") for folder in (plain, all_))
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    slice_ = tuned.model_dump(by_alias=True)
    parts = PartNetwork(open_network(all_, store, slice_, device=CPU), store, "landmarks")
    assert parts.untrained() is not None
