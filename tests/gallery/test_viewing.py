"""What filters decide, and where, against networks computed by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from explainer_networks import annotated_store, explainer_slice, random_explainer, save
from torch import nn

from clearfilters.data.rows import RowImages
from clearfilters.data.store import read_meta, read_split
from clearfilters.gallery.cards import deciding
from clearfilters.gallery.layers import layers_of, see
from clearfilters.gallery.viewing import View, first_rows, view
from clearfilters.methods.method import Method
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict.answers import class_logits
from clearfilters.predict.part_filters import logit_drops
from clearfilters.training.checkpoint import build_method, build_network, save_checkpoint
from clearfilters.training.contributions import contributions
from clearfilters.training.trained_network import open_network

Slices = Callable[..., TrainingSlice]
CPU = torch.device("cpu")


def images(count: int, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def part_network(parameters: TrainingSlice) -> Classifier:
    torch.manual_seed(0)
    network = build_network(parameters, ["background", "cat"], [0.5] * 3, [0.25] * 3, 32)
    return build_method(parameters, network).eval().network.requires_grad_(False)


def test_a_linear_head_decides_by_weight_times_mean_activation(
    make_slice: Slices, fresh_method: Callable[[TrainingSlice], Method]
) -> None:
    network = fresh_method(make_slice()).eval().network.requires_grad_(False)
    x = images(6)
    (layer,) = layers_of(network)
    answers, (seen,) = see(network, [layer], network.feature_maps, x)
    maps = network.feature_maps(x)
    answered = network(x).argmax(dim=1)
    for n in range(6):
        row = network.head.weight[answered[n]]
        expected = [float(row[k]) * float(maps[n, k].mean()) for k in range(16)]
        np.testing.assert_allclose(seen.contributions[n], expected, rtol=1e-4, atol=1e-6)
        rest = float(network.head.bias[answered[n]])
        assert sum(expected) + rest == pytest.approx(float(answers[n]), rel=1e-4)
    np.testing.assert_array_equal(seen.maps, maps)


@pytest.mark.parametrize("hidden", [(), (7,)])
def test_part_filters_decide_by_what_is_lost_without_them(
    part_slice: Slices, hidden: tuple[int, ...]
) -> None:
    network = part_network(part_slice("cat", hidden=hidden))
    x = images(5)
    upper, lower = layers_of(network)
    _, (seen, below) = see(network, [upper, lower], network.feature_maps, x)
    with torch.no_grad():
        pooled = network.feature_maps(x)
        for n in range(5):
            logits = class_logits(network.logits(pooled[n : n + 1]))[0]
            drops = logit_drops(network, pooled[n], int(logits.argmax()))
            if not hidden:  # linear: exact for each filter
                np.testing.assert_allclose(seen.contributions[n], drops, rtol=1e-3, atol=1e-5)
    # All of them, and what the biases of linear layers give, are the logit.
    assert seen.maps.shape == below.maps.shape == (5, 8, 8, 8)
    top = dict(
        cast(nn.Sequential, cast(BlockNetwork, network.backbone).blocks[-1]).named_children()
    )
    conv = cast(nn.Conv2d, top["conv2"])
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    for layer in cast(Any, network.fc).layers:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    answers, (seen, below) = see(network, [upper, lower], network.feature_maps, x)
    np.testing.assert_allclose(seen.contributions.sum(dim=1), answers, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(below.contributions.sum(dim=1), answers, rtol=1e-3, atol=1e-5)


def test_maps_are_those_behind_relu_and_mask(part_slice: Slices) -> None:
    network = part_network(part_slice("cat"))
    x = images(3)
    _, (upper, lower) = see(network, layers_of(network), network.feature_maps, x)
    maps = (x - 0.5) / 0.25
    blocks = list(cast(BlockNetwork, network.backbone).blocks)
    with torch.no_grad():
        for block in blocks[:-1]:
            maps = block(maps)
        top = dict(blocks[-1].named_children())
        first = top["mask_a"](maps)
        second = top["mask_b"](top["relu2"](top["conv2"](first)))
    np.testing.assert_allclose(lower.maps, first, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(upper.maps, second, rtol=1e-5, atol=1e-6)


def test_an_explainer_decides_as_explain_says(part_slice: Slices) -> None:
    ordinary = {"interpretable": False, "masks": False}
    parameters = explainer_slice(part_slice("cat", top=ordinary, hidden=(7, 6)))
    method = random_explainer(parameters, ["background", "cat"])
    network = method.network.requires_grad_(False)
    x = images(6)
    _, (upper, _) = see(network, layers_of(network), network.feature_maps, x)
    expected = contributions(method, x, 0)
    # `explain` speaks of the category, a gallery of the answer.
    sign = torch.where(expected.scores > 0, 1.0, -1.0)[:, None]
    np.testing.assert_allclose(upper.contributions, sign * expected.filters, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(upper.maps, expected.maps, rtol=1e-4, atol=1e-5)


def test_the_order_of_deciding_is_by_hand() -> None:
    assert deciding(np.array([0.1, 2.0, -3.0, 2.0, 0.5]), 4) == [1, 3, 4, 0]


def test_each_image_is_looked_at_once_and_not_mirrored_if_it_can_be() -> None:
    pixels = np.zeros((3, 4, 4, 3), np.uint8)
    rows = RowImages(pixels, np.array([2, 0, 2, 0, 2]), np.array([True, True, False, False, False]))
    assert first_rows(rows).tolist() == [2, 3]
    assert first_rows(pixels).tolist() == [0, 1, 2]


def seen_of(folder: Path, store: Path, parameters: TrainingSlice, **options: Any) -> View:
    slice_ = parameters.model_dump(by_alias=True)
    network = open_network(folder, store, slice_, device=CPU, **options)
    return view(network, store, read_split(store, "test"), 9)


def test_a_pass_over_all_images_is_that_of_a_loop(
    tmp_path: Path,
    digits_store: Path,
    make_slice: Slices,
    fresh_method: Callable[[TrainingSlice], Method],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clearfilters.gallery.viewing.BATCH", 10)
    parameters = make_slice()
    method = fresh_method(parameters).eval()
    save_checkpoint(tmp_path / "net", method, [], parameters, read_meta(digits_store), CPU)
    found = seen_of(tmp_path / "net", digits_store, parameters)
    pixels = np.array(read_split(digits_store, "test").images)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        maps = method.network.feature_maps(x).numpy()
        outputs = method.network(x)
    weight, answered = method.network.head.weight.detach().numpy(), outputs.argmax(dim=1).numpy()
    (layer,) = found.layers
    assert found.logit == pytest.approx(float(outputs.max(dim=1).values.mean()), rel=1e-4)
    np.testing.assert_allclose(layer.pooled, maps.mean(axis=(2, 3)), rtol=1e-4, atol=1e-6)
    for k in range(16):
        means = [weight[answered[n], k] * maps[n, k].mean() for n in range(64)]
        assert layer.weights[k] == pytest.approx(np.mean(means), rel=1e-3, abs=1e-6)
        places = [
            np.unravel_index(maps[n, k].argmax(), maps[n, k].shape)
            for n in range(64)
            if maps[n, k].max() > 0
        ]
        if len(places) > 1:
            expected = np.sqrt(np.var(places, axis=0, ddof=1).sum())
            assert layer.spread[k] == pytest.approx(expected, rel=1e-6)
        strongest = sorted(range(64), key=lambda n: -maps[n, k].max())[:9]
        np.testing.assert_allclose(
            layer.strongest.peaks[k], [maps[n, k].max() for n in strongest], rtol=1e-4, atol=1e-6
        )
    assert (layer.geometry.stride, layer.geometry.start) == (4, 2)


def test_frozen_outputs_give_what_the_whole_network_does(
    tmp_path: Path, part_slice: Slices
) -> None:
    ordinary = {"interpretable": False, "masks": False}
    parameters = explainer_slice(part_slice("cat", top=ordinary, hidden=(7, 6)))
    splits = annotated_store(tmp_path / "store", parameters, ["background", "cat"])
    method = random_explainer(parameters, ["background", "cat"])
    save(tmp_path / "net", method, parameters, tmp_path / "store")
    kept, unkept = (
        seen_of(tmp_path / "net", tmp_path / "store", parameters, frozen=folder)
        for folder in (tmp_path / "frozen", None)
    )
    network = method.network.requires_grad_(False)
    x = torch.from_numpy(np.array(splits["test"].images)).permute(0, 3, 1, 2) / 255
    _, seen = see(network, layers_of(network), network.feature_maps, x)
    for found in (kept, unkept):
        for layer, own in zip(found.layers, seen, strict=True):
            expected = own.contributions.double().mean(dim=0)
            np.testing.assert_allclose(layer.weights, expected, rtol=1e-3, atol=1e-5)
    # Background has no place: spread is over the objects alone.
    labels = splits["test"].labels
    flat = seen[0].maps[labels == 1].flatten(2).numpy()
    place = np.stack(np.divmod(flat.argmax(axis=2), 8), axis=2).astype(float)
    place[flat.max(axis=2) <= 0] = np.nan
    expected = np.sqrt(np.nanvar(place, axis=0, ddof=1).sum(axis=1))
    np.testing.assert_allclose(kept.layers[0].spread, expected, rtol=1e-6)
