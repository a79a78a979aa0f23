"""Performers taken apart: where an encoder stands, what it reads, and what is above it."""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clearfilters import registry
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer import Encoder
from clearfilters.methods.explainer_training import Explainer, decoder_of
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.performer import (
    above_features,
    place_of_encoder,
    pooled_features,
    reconstructed,
    with_encoder,
)
from clearfilters.models.receptive_fields import geometry_of, top_field
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method, build_network

MakeSlice = Callable[..., TrainingSlice]
Block = Callable[..., dict[str, Any]]
CONVOLUTIONAL = ("caffe-alexnet", "vgg-m", "vgg-s", "vgg16", "alexnet-imagenet")
# Pooling above the top convolution, as published.
POOLS = {
    "caffe-alexnet": {"side": 3, "stride": 2, "zeros": 0},
    "alexnet-imagenet": {"side": 3, "stride": 2, "zeros": 0},
    "vgg-m": {"side": 3, "stride": 2, "zeros": 0},
    "vgg-s": {"side": 3, "stride": 3, "zeros": 1},
}


@pytest.fixture
def model_of(part_model: Block) -> Block:
    """Builds the model block of an ordinary network: of the registry, as the presets have them."""

    def build(name: str, hidden: tuple[int, ...] = (12, 10), **top: Any) -> dict[str, Any]:
        if name.startswith("resnet") or name == "tiny-residual":
            return {"name": name}
        pool = POOLS.get(name, {"side": 2, "stride": 2, "zeros": 0})
        own: dict[str, Any] = {"pool": pool, "interpretable": False, "masks": False}
        if name == "efficientnet-lite0":
            own |= {"trunk_blocks": 12, "standardised": True, "convolution": 64}
        if name == "convnet":
            own["convolution"] = 6
        return {
            **part_model(name, **{**own, **top}),
            "head": {"hidden": list(hidden), "dropout": 0.5},
        }

    return build


def network_of(parameters: TrainingSlice, size: int) -> Classifier:
    """The performer, freshly drawn, in evaluation mode."""
    torch.manual_seed(0)
    return build_network(parameters, ["background", "part"], (0.4,) * 3, (0.3,) * 3, size).eval()


def explainer_of(parameters: TrainingSlice, performer: Classifier) -> Explainer:
    """Untrained."""
    method = build_method(parameters, performer)
    assert isinstance(method, Explainer)
    return method


def blocks_of(network: Classifier) -> nn.Sequential:
    assert isinstance(network.backbone, BlockNetwork)
    return network.backbone.blocks


@pytest.mark.parametrize(
    ("name", "size", "maps", "pooled", "first"),
    [
        # Maps F; what the decoder reads; outputs of its first layer (specification 7.1, 7.5).
        ("caffe-alexnet", 227, (384, 13, 13), (256, 6, 6), (4096, 1, 1)),
        ("vgg-m", 224, (512, 13, 13), (512, 6, 6), (4096, 1, 1)),
        ("vgg-s", 224, (512, 17, 17), (512, 6, 6), (4096, 1, 1)),
        ("vgg16", 224, (512, 14, 14), (512, 7, 7), (4096, 1, 1)),
        ("alexnet-imagenet", 224, (256, 13, 13), (256, 6, 6), (4096, 1, 1)),
        ("resnet18", 224, (256, 14, 14), (256, 14, 14), (512, 7, 7)),
        ("resnet50", 224, (2048, 7, 7), (2048, 7, 7), (2048, 7, 7)),
        ("resnet101", 224, (2048, 7, 7), (2048, 7, 7), (2048, 7, 7)),
        ("resnet152", 224, (2048, 7, 7), (2048, 7, 7), (2048, 7, 7)),
        ("efficientnet-lite0", 224, (112, 14, 14), (64, 7, 7), (4096, 1, 1)),
        ("convnet", 64, (16, 16, 16), (6, 8, 8), (4096, 1, 1)),
    ],
)
def test_shapes_of_every_performer(
    explainer_slice: MakeSlice,
    model_of: Block,
    name: str,
    size: int,
    maps: tuple[int, ...],
    pooled: tuple[int, ...],
    first: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Full size, on a device that has shapes and no numbers, and knows no autocast.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    blocks = 3 if name.startswith("resnet") else 1
    parameters = explainer_slice(model=model_of(name, (4096, 4096)), blocks=blocks)
    with torch.device("meta"):
        performer = network_of(parameters, size)
        method = explainer_of(parameters, performer)
        images = torch.zeros(2, 3, size, size)
        features = blocks_of(performer)[: len(blocks_of(method.network)) - blocks](images)
        assert features.shape[1:] == maps
        method.train()
        encoder = method.encoder
        assert encoder(features).shape[1:] == pooled
        encoded = encoder.take_encoded()
        assert encoded.first.shape[1:] == maps
        assert encoded.parts.shape == encoded.rest.shape == encoded.mixed.shape
        assert pooled_features(method.performer, features).shape[1:] == pooled
        assert encoder.conv_interp2.in_channels == encoder.conv_ordin.in_channels == maps[0]
        outputs = reconstructed(method.network).outputs(encoder(features))
        assert [x.shape[1:] for x in outputs] == [first, first]
        assert reconstructed(method.network).logits(outputs[1]).shape == (2, 1)
        assert method.network.eval()(images).shape == (2, 1)


def test_the_registry_has_no_other_performer() -> None:
    """A network that comes to it wants a line above."""
    tested = {*CONVOLUTIONAL, "resnet18", "resnet50", "resnet101", "resnet152"}
    assert set(registry.BLOCK_NETWORKS) == {*tested, "efficientnet-lite0"}


@pytest.mark.parametrize(
    ("name", "size"), [("caffe-alexnet", 99), ("vgg-s", 120), ("vgg16", 64), ("convnet", 32)]
)
def test_an_explainer_that_copies_its_performer_has_its_logits(
    explainer_slice: MakeSlice, model_of: Block, name: str, size: int
) -> None:
    top = {"standardised": True} if name == "convnet" else {}
    parameters = explainer_slice(model=model_of(name, **top), keep_scale=False)
    performer = network_of(parameters, size)
    method = explainer_of(parameters, performer).eval()
    encoder = method.encoder
    *_, convolution = (x for x in blocks_of(performer).modules() if isinstance(x, nn.Conv2d))
    with torch.no_grad():
        encoder.w_p.fill_(100.0)
        nn.init.dirac_(encoder.conv_interp1.weight)
        encoder.conv_interp2.weight.copy_(dense(convolution))
        assert convolution.bias is not None and encoder.conv_interp2.bias is not None
        encoder.conv_interp2.bias.copy_(convolution.bias)
        for mask in (encoder.mask1, encoder.mask2):
            mask.masks = False
        assert encoder.p == 1 and encoder.scale == 1 and (encoder.norm_interp.running == 1).all()
        images = torch.rand(6, 3, size, size)
        expected, found = performer(images), method.network(images)
        assert expected.std() > 1e-3
        assert (found - expected).abs().max() < 1e-4
        # And not whatever the encoder does.
        encoder.w_p.fill_(0.0)
        assert (method.network(images) - expected).abs().max() > 1e-3


def dense(convolution: nn.Conv2d) -> Tensor:
    """The weights (D', D, 3, 3) of a convolution, zeros where its groups do not see."""
    groups = convolution.weight.detach().split(convolution.out_channels // convolution.groups)
    own = groups[0].shape[1]
    found = torch.zeros(convolution.out_channels, convolution.in_channels, 3, 3)
    for number, weight in enumerate(groups):
        rows, columns = number * len(weight), number * own
        found[rows : rows + len(weight), columns : columns + own] = weight
    return found


@pytest.mark.parametrize("name", ["convnet", "tiny-residual"])
def test_the_copy_above_the_features_is_the_performer(
    explainer_slice: MakeSlice,
    model_of: Block,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.NETWORKS, "tiny-residual", "tiny_residual:tiny_residual")
    performer = network_of(explainer_slice(model=model_of(name)), 32)
    before = copy.deepcopy(performer.state_dict())
    place = place_of_encoder(performer)
    above = above_features(performer, place)
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        features = blocks_of(performer)[: place.below]((images - performer.mean) / performer.std)
        assert features.shape[1] == place.channels
        pooled = pooled_features(above, features)
        assert pooled.shape[1] == place.filters
        first, second = reconstructed(above).outputs(pooled)
        torch.testing.assert_close(reconstructed(above).logits(second), performer(images))
        # By hand: fully connected layers before ReLU, blocks after it.
        if performer.fc is None:
            blocks = blocks_of(performer)
            torch.testing.assert_close(first, blocks[-2](features))
            torch.testing.assert_close(second, blocks[-1](first))
        else:
            fc6, fc7 = (
                x for x in performer.fc.layers if isinstance(x, nn.Conv2d) and x.out_channels > 1
            )
            torch.testing.assert_close(first, fc6(pooled))
            torch.testing.assert_close(second, fc7(first.relu()))
    assert not above.training and not any(x.requires_grad for x in above.parameters())
    assert all(torch.equal(performer.state_dict()[key], value) for key, value in before.items())


def test_pooling_in_the_block_of_the_top_convolution_is_not_lost(
    explainer_slice: MakeSlice, model_of: Block
) -> None:
    # The trunk's second block is convolution, BatchNorm, ReLU and pooling, then the top's pooling.
    parameters = explainer_slice(model=model_of("convnet", convolution=None, trunk_blocks=2))
    performer = network_of(parameters, 32)
    place = place_of_encoder(performer)
    assert (place.below, place.channels, place.filters) == (1, 4, 8)
    assert [type(x) for x in place.pool] == [nn.MaxPool2d, nn.MaxPool2d]
    method = explainer_of(explainer_slice(model=parameters.model.model_dump()), performer)
    assert method.network(torch.rand(2, 3, 32, 32)).shape == (2, 1)


def test_an_encoder_takes_the_place_of_the_top_convolution_alone(
    explainer_slice: MakeSlice, model_of: Block
) -> None:
    performer = network_of(explainer_slice(model=model_of("caffe-alexnet")), 99)
    place = place_of_encoder(performer)
    network = with_encoder(performer, place, nn.Identity())
    assert len(blocks_of(network)) == place.below + 1 == 5
    for mine, theirs in zip(blocks_of(network)[:4], blocks_of(performer)[:4], strict=True):
        own, other = mine.state_dict(), theirs.state_dict()
        assert all(torch.equal(own[key], value) for key, value in other.items())
    assert not network.factors
    assert all(layer.p == 0 for layer in network.modules() if isinstance(layer, nn.Dropout))
    assert any(layer.p == 0.5 for layer in performer.modules() if isinstance(layer, nn.Dropout))


def test_the_decoder_starts_as_the_performers_layers(
    explainer_slice: MakeSlice, model_of: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.NETWORKS, "tiny-residual", "tiny_residual:tiny_residual")
    for name, blocks in (("caffe-alexnet", 1), ("tiny-residual", 3)):
        parameters = explainer_slice(model=model_of(name), blocks=blocks)
        performer = network_of(parameters, 99)
        method = explainer_of(parameters, performer)
        theirs = reconstructed(performer)
        for mine, layer in zip(
            decoder_of(method.network), (theirs.first, theirs.second), strict=True
        ):
            assert mine is not layer
            own, other = mine.state_dict(), layer.state_dict()
            assert own.keys() == other.keys()
            assert all(torch.equal(own[key], value) for key, value in other.items())
            assert all(parameter.requires_grad for parameter in mine.parameters())


REFUSED = [
    ({"hidden": (8,)}, {}, r"model.head.hidden: the performer has 1 hidden layer\(s\), but .* two"),
    ({"hidden": (8, 7, 6)}, {}, r"the performer has 3 hidden layer\(s\)"),
    ({}, {"interpretable": True, "masks": True}, "no single top convolution"),
    ({}, {"interpretable": True, "masks": True, "convolution": None}, "interpretable: false"),
]


@pytest.mark.parametrize(("model", "top", "message"), REFUSED)
def test_performers_that_cannot_be_explained_are_refused(
    explainer_slice: MakeSlice, model_of: Block, model: Any, top: Any, message: str
) -> None:
    parameters = explainer_slice(model=model_of("convnet", **model, **top))
    with pytest.raises(ClearfiltersError, match=message):
        explainer_of(parameters, network_of(parameters, 32))


def test_networks_without_a_top_convolution_are_refused(
    explainer_slice: MakeSlice, model_of: Block
) -> None:
    trunk = {"convolution": None, "standardised": False}
    bottleneck = explainer_slice(model=model_of("efficientnet-lite0", **trunk))
    with pytest.raises(ClearfiltersError, match="no single top convolution below its pooling"):
        explainer_of(bottleneck, network_of(bottleneck, 32))
    plain = explainer_slice(model={"name": "alexnet-imagenet"})
    with pytest.raises(ClearfiltersError, match="no fully connected layers and is no ResNet"):
        explainer_of(plain, network_of(plain, 64))
    small = explainer_slice(model={"name": "resnet8", "width": 4})
    with pytest.raises(ClearfiltersError, match="the performer is no sequence of blocks"):
        explainer_of(small, network_of(small, 32))


@pytest.mark.parametrize(
    ("name", "size", "stride", "c0"),
    [
        # Specification 5; that of EfficientNet-Lite0 follows from how TensorFlow pads.
        ("caffe-alexnet", 227, 16, 18.0),
        ("vgg-m", 224, 16, 18.0),
        ("vgg-s", 224, 12, 21.0),
        ("vgg16", 224, 16, 8.5),
        ("efficientnet-lite0", 224, 16, 16.0),
        ("resnet152", 224, 32, 1.0),
    ],
)
def test_an_explainers_filters_see_from_where_its_performers_do(
    explainer_slice: MakeSlice, model_of: Block, name: str, size: int, stride: int, c0: float
) -> None:
    parameters = explainer_slice(model=model_of(name), blocks=3 if stride == 32 else 1)
    with torch.device("meta"):
        performer = network_of(parameters, size)
        blocks = blocks_of(explainer_of(parameters, performer).network)
    theirs, own = top_field(blocks_of(performer), size), top_field(blocks, size)
    assert (own.stride, own.start) == (theirs.stride, theirs.start) == (stride, c0 - 0.5)
    # Two convolutions of 3 x 3 see a cell further each than F.
    below = geometry_of(blocks[: [isinstance(x, Encoder) for x in blocks].index(True)], size)
    assert own.size == below.size + 4 * stride
