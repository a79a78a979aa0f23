"""The registry and what every network must offer."""

import pytest
import torch
from torch import nn

from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.registry import CIFAR_NETWORKS

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def build(name: str, width: int | None = 4, num_classes: int = 7) -> Classifier:
    """A small network in eval mode."""
    torch.manual_seed(0)
    return build_classifier(name, num_classes=num_classes, width=width, mean=MEAN, std=STD).eval()


@pytest.mark.parametrize("name", sorted(CIFAR_NETWORKS))
def test_every_network_offers_what_the_gate_needs(name: str) -> None:
    model = build(name)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        maps = model.feature_maps(images)
        pooled = model.pooled(images)
        logits = model(images)
    filters = model.head.in_features
    assert maps.shape[:2] == (2, filters) and maps.ndim == 4
    assert (maps >= 0).all() and (maps > 0).any()  # after the last ReLU
    assert model.parts.last_conv.weight.shape[0] == filters
    assert isinstance(model.parts.last_conv, nn.Conv2d)
    torch.testing.assert_close(pooled, maps.flatten(2).sum(dim=2) / maps[0, 0].numel())
    torch.testing.assert_close(logits, pooled @ model.head.weight.T + model.head.bias)
    assert logits.shape == (2, 7)


@pytest.mark.parametrize(("name", "filters"), [("resnet20", 64), ("alexnet", 256)])
def test_filters_at_the_published_width(name: str, filters: int) -> None:
    model = build(name, width=None)
    assert model.head.in_features == filters
    assert model.parts.last_conv.out_channels == filters


@pytest.mark.parametrize("name", sorted(CIFAR_NETWORKS))
def test_the_last_convolution_is_the_last_to_run(name: str) -> None:
    model = build(name)
    ran = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, *_: ran.append(module))
    model(torch.rand(1, 3, 32, 32))
    assert ran[-1] is model.parts.last_conv


def test_normalisation_is_inside() -> None:
    model = build("resnet20")
    images = torch.rand(2, 3, 32, 32)
    normalised = torch.empty_like(images)
    for channel in range(3):
        normalised[:, channel] = (images[:, channel] - MEAN[channel]) / STD[channel]
    with torch.no_grad():
        expected = model.parts.feature_maps(normalised)
        torch.testing.assert_close(model.feature_maps(images), expected)
    assert {"mean", "std"} <= model.state_dict().keys()
    assert not {"mean", "std"} & {name for name, _ in model.named_parameters()}


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(ClearfiltersError, match=r"model\.name: no network `resnet21`.*resnet20"):
        build("resnet21")
