"""Where explainers look, against their performers and what they were before training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from squares import SIZE
from torch import Tensor

from clearfilters.data.store import read_split
from clearfilters.methods.explainer_training import Explainer
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.performer import pooled_features, reconstructed
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.inputs import in_order, to_device
from clearfilters.training.network_measurement import record_network_measurement
from clearfilters.training.part_maps import PartNetwork
from clearfilters.training.trained_network import open_network

MakeSlice = Callable[..., TrainingSlice]
CPU = torch.device("cpu")
LOCATION = {
    "landmarks": {}, "test_only": [], "strongest": 100, "minimum_images": 2,
    "minimum_test_images": 4, "shuffles": 3, "seed": 0,
}  # fmt: skip


def test_of_a_resnet_the_sum_of_its_last_block_is_measured(
    tmp_path: Path,
    square_store: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    small_resnet: None,
) -> None:
    parameters = explainer_slice(model={"name": "tiny"}, blocks=3, training={"epochs": 1})
    folder, performer = train_explainer(parameters), parameters.performer
    assert performer is not None
    rows, sides = torch.tensor([0, 5]), []
    images = to_device(read_split(square_store, "test"), CPU).as_they_are(rows)
    for where, slice_ in ((folder, parameters), (tmp_path / "performer", performer)):
        content = slice_.model_dump(by_alias=True)
        parts = PartNetwork(
            open_network(where, square_store, content, device=CPU), square_store, "landmarks"
        )
        (maps,) = parts.top_maps(parts.method, "test", rows)
        sides.append(parts.geometry)
        assert parts.filters == 16
    with torch.no_grad():
        torch.testing.assert_close(maps, parts.method.network.feature_maps(images))
    assert sides[0] == sides[1] and (sides[0].stride, sides[0].start) == (4, 0.5)


def test_the_untrained_explainer_is_the_one_that_training_started_from(
    square_store: Path, explainer_slice: MakeSlice, train_explainer: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first: list[dict[str, Tensor]] = []
    original = Explainer.begin

    def begin(self: Explainer, data: Any) -> None:
        original(self, data)
        first.append({name: x.clone() for name, x in self.state_dict().items()})

    monkeypatch.setattr(Explainer, "begin", begin)
    parameters = explainer_slice(training={"epochs": 1})
    folder = train_explainer(parameters)
    slice_ = parameters.model_dump(by_alias=True)
    parts = PartNetwork(
        open_network(folder, square_store, slice_, device=CPU), square_store, "landmarks"
    )
    untrained = parts.untrained()
    assert untrained is not None
    found = untrained.state_dict()
    different = [key for key in found if not torch.equal(found[key], first[0][key])]
    # Shares of categories are for the filter loss alone.
    assert [key for key in different if not key.endswith("shares")] == []
    trained = parts.method.state_dict()
    assert any(not torch.equal(found[key], trained[key]) for key in found if "conv_int" in key)


def test_where_an_explainer_looks_is_measured_on_its_input_too(
    tmp_path: Path,
    square_store: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
) -> None:
    parameters = explainer_slice(training={"epochs": 1})
    folder = train_explainer(parameters)
    out = tmp_path / "location.json"
    slice_ = {**parameters.model_dump(by_alias=True), "part_location": LOCATION}
    record_network_measurement(
        "part_location",
        folder,
        square_store,
        slice_,
        experiment="squares",
        seed=0,
        out=out,
        device=CPU,
    )
    values = json.loads(out.read_text())["values"]
    assert values["filters"] == 6
    assert values["map"] == {"side": 4, "stride": 4.0, "start": 2.0, "image_size": SIZE}
    found = values["categories"]["square"]
    filters = {
        name: len(found[name]["instability_filters"]) for name in ("trained", "untrained", "input")
    }
    assert filters == {"trained": 6, "untrained": 6, "input": 16}
    # The input is the standardised map that both networks read.
    slice_ = parameters.model_dump(by_alias=True)
    parts = PartNetwork(
        open_network(folder, square_store, slice_, device=CPU), square_store, "landmarks"
    )
    method = parts.method
    assert isinstance(method, Explainer)
    rows = torch.tensor([0, 5])
    (maps,) = parts.top_maps(method, "test", rows, "input")
    raw = parts.inputs["test"].as_they_are(rows)
    scale = method.encoder.standardisation
    expected = (raw - scale.mean[:, None, None]) / scale.std[:, None, None]  # type: ignore[index]
    torch.testing.assert_close(maps, expected)
    (top,) = parts.top_maps(method, "test", rows)
    encoder = method.encoder
    with torch.no_grad():
        u1 = encoder.conv_interp1(expected).relu()
        torch.testing.assert_close(top, encoder.conv_interp2(encoder.mask1(u1)))


def test_an_explainer_is_tested_on_images_as_it_is_on_features(
    square_store: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    watched: list[Explainer],
) -> None:
    train_explainer(explainer_slice(training={"epochs": 1}))
    method = watched[-1].eval()
    (images, _), = in_order(to_device(read_split(square_store, "test"), CPU))  # fmt: skip
    network = method.network
    assert isinstance(network.backbone, BlockNetwork)
    with torch.no_grad():
        maps = network.backbone.trunk((images - network.mean) / network.std)
        layers = reconstructed(network)
        _, second = method.reconstruction(maps)
        torch.testing.assert_close(network(images), layers.logits(second))
        torch.testing.assert_close(method(maps), layers.logits(second))
        wanted = reconstructed(method.performer).outputs(pooled_features(method.performer, maps))
        assert (second - wanted[1]).norm() > 0
