"""Trunks with a new top: layers, masks, scales, factors and refusals."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import network_groups
from clearfilters.methods.part_filters import PartMask
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.models.standardisation import Standardisation
from clearfilters.models.surgery import part_masks
from clearfilters.params.networks import ModelParams

Model = Callable[..., dict[str, Any]]
VGG_S_POOL = {"side": 3, "stride": 3, "zeros": 1}


def network(block: dict[str, Any], size: int, outputs: int = 1) -> Classifier:
    """The network of a model block."""
    params = ModelParams.model_validate(block)
    return build_classifier(
        params.name,
        num_classes=outputs,
        width=params.width,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        head=params.head,
        image_size=size,
        top=params.top,
    )


def kinds(found: Classifier) -> list[str]:
    """The classes of the new block's layers."""
    assert isinstance(found.backbone, BlockNetwork)
    return [type(layer).__name__ for layer in found.backbone.blocks[-1].children()]


def test_an_interpretable_top_has_masks_around_a_new_convolution(part_model: Model) -> None:
    found = network(part_model(), 32)
    assert kinds(found) == ["PartMask", "Conv2d", "ReLU", "MaxPool2d", "PartMask"]
    assert found.parts.last_conv.in_channels == found.parts.last_conv.out_channels == 16
    assert found(torch.rand(2, 3, 32, 32)).shape == (2, 1)
    assert found.outputs == 1


def test_an_ordinary_top_is_pooling(part_model: Model) -> None:
    found = network(part_model(interpretable=False, masks=False), 32)
    assert kinds(found) == ["MaxPool2d"]
    assert part_masks(found) == []


def test_signed_maps_are_standardised_and_get_a_convolution(part_model: Model) -> None:
    top = {"trunk_blocks": 12, "standardised": True, "convolution": 6}
    found = network(part_model("efficientnet-lite0", **top), 64)
    assert kinds(found)[:3] == ["Standardisation", "Conv2d", "ReLU"]
    assert [len(mask.beta) for mask in part_masks(found)] == [6, 6]
    assert found.feature_maps(torch.rand(1, 3, 64, 64)).shape == (1, 6, 2, 2)


@pytest.mark.parametrize(
    ("name", "size", "pool", "side", "filters"),
    [
        ("caffe-alexnet", 227, {"side": 3, "stride": 2, "zeros": 0}, 6, 256),
        ("vgg-m", 224, {"side": 3, "stride": 2, "zeros": 0}, 6, 512),
        ("vgg-s", 224, VGG_S_POOL, 6, 512),
        ("vgg16", 224, {"side": 2, "stride": 2, "zeros": 0}, 7, 512),
    ],
)
def test_the_papers_networks(
    part_model: Model, name: str, size: int, pool: dict[str, int], side: int, filters: int
) -> None:
    found = network(part_model(name, pool=pool), size)
    with torch.no_grad():
        assert found.feature_maps(torch.rand(1, 3, size, size)).shape == (1, filters, side, side)
    assert found.fc is not None
    first = next(layer for layer in found.fc.layers if isinstance(layer, nn.Conv2d))
    assert first.weight.shape == (8, filters, side, side)


def test_networks_that_are_no_sequence_of_blocks_and_too_many_blocks_are_refused(
    part_model: Model,
) -> None:
    block = part_model()
    with pytest.raises(ClearfiltersError, match=r"model.top: `resnet20` is no sequence of blocks"):
        network({**block, "name": "resnet20"}, 32)
    with pytest.raises(ClearfiltersError, match="trunk_blocks: 9, but `convnet` has 3 blocks"):
        network(part_model(trunk_blocks=9), 32)


def test_masks_without_a_place_and_a_top_without_a_head_are_refused(part_model: Model) -> None:
    with pytest.raises(ValueError, match="interpretable: false has no place for them"):
        ModelParams.model_validate(part_model(interpretable=False))
    block = part_model()
    del block["head"]
    with pytest.raises(ValueError, match="add `head`"):
        ModelParams.model_validate(block)


def test_some_filters_may_be_left_ordinary_but_not_all(part_model: Model) -> None:
    assert [len(mask.beta) for mask in part_masks(network(part_model(ordinary=6), 32))] == [10, 10]
    assert "ordinary" not in ModelParams.model_validate(part_model()).model_dump()["top"]
    with pytest.raises(ClearfiltersError, match="ordinary: 16, but the layers have 16 filters"):
        network(part_model(ordinary=16), 32)


def test_factors_of_biases_and_slopes(part_model: Model) -> None:
    found = network(part_model("vgg-m"), 224)
    named = dict(found.named_parameters())
    groups = network_groups(found)
    factors = {
        id(parameter): (group.lr_factor, group.weight_decay_factor)
        for group in groups
        for parameter in group.parameters
    }
    assert set(factors) == {id(parameter) for parameter in named.values()}
    for name, parameter in named.items():
        expected = (1.0, 1.0)
        if name.endswith("beta"):
            expected = (0.05, 0.0)
        elif name == "backbone.blocks.4.0.bias":  # conv5
            expected = (5.0, 1.0)
        elif name.endswith("bias") and name.startswith(("fc", "backbone.blocks.5")):
            expected = (2.0, 0.0)
        assert factors[id(parameter)] == expected, name


def test_new_weights_are_drawn_as_asked_for(part_model: Model) -> None:
    torch.manual_seed(0)
    paper = network(part_model("vgg-m", init_std=0.01), 224)
    assert paper.parts.last_conv.weight.std().item() == pytest.approx(0.01, rel=0.01)
    torch.manual_seed(0)
    ours = network(part_model("vgg-m"), 224)
    he = (2 / (512 * 9)) ** 0.5
    assert ours.parts.last_conv.weight.std().item() == pytest.approx(he, rel=0.01)


def test_standardisation_is_that_of_numpy_and_leaves_constant_channels_at_zero() -> None:
    maps = torch.rand(7, 3, 4, 4) * torch.tensor([1.0, 50.0, 0.0])[:, None, None] - 3.0
    layer = Standardisation(3)
    assert torch.equal(layer(maps), maps)
    layer.fit(maps.split(3))
    values = maps.numpy()
    expected = (values - values.mean((0, 2, 3), keepdims=True)) / values.std(
        (0, 2, 3), keepdims=True
    ).clip(1e-3)
    torch.testing.assert_close(layer(maps)[:, :2], torch.from_numpy(expected)[:, :2])
    assert layer(maps)[:, 2].abs().max() < 1e-4


def test_masks_are_seen_by_whoever_runs_the_network(part_model: Model) -> None:
    torch.manual_seed(0)
    found = network(part_model(), 32).eval()
    images = torch.rand(2, 3, 32, 32)
    masked = found(images)
    for mask in part_masks(found):
        assert isinstance(mask, PartMask)
        mask.masks = False
    assert not torch.allclose(found(images), masked)
