"""Pooled activations against the same layers run one after the other."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.models.activations import pooled_activations
from clearfilters.models.alexnet_cifar import CifarAlexNet
from clearfilters.models.classifier import Classifier, build_classifier
from clearfilters.models.resnet_cifar import BasicBlock, CifarResNet
from clearfilters.registry import CIFAR_NETWORKS


def build(name: str, width: int | None = 4) -> Classifier:
    """A small network in eval mode whose BatchNorm layers do something."""
    torch.manual_seed(0)
    model = build_classifier(
        name, num_classes=7, width=width, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3]
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                nn.init.uniform_(tensor, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def convolved(layer: nn.Conv2d, x: Tensor) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)


def normalised(layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """BatchNorm in eval mode, written out."""
    assert layer.running_mean is not None and layer.running_var is not None
    centred = x - layer.running_mean.view(1, -1, 1, 1)
    scaled = centred / (layer.running_var + layer.eps).sqrt().view(1, -1, 1, 1)
    return scaled * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)


def resnet_layers(network: CifarResNet, x: Tensor) -> Iterator[Tensor]:
    """Activations of a CIFAR ResNet, one convolution after the other."""
    x = normalised(network.bn, convolved(network.conv, x)).clamp(min=0)
    yield x
    for block in network.blocks:
        assert isinstance(block, BasicBlock)
        inner = normalised(block.bn1, convolved(block.conv1, x)).clamp(min=0)
        yield inner
        added = normalised(block.bn2, convolved(block.conv2, inner)) + block.shortcut(x)
        x = added.clamp(min=0)
        yield x


def alexnet_layers(network: CifarAlexNet, x: Tensor) -> Iterator[Tensor]:
    """Activations of AlexNet; max pooling follows the first two."""
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    for index, layer in enumerate(convolutions):
        x = convolved(layer, x).clamp(min=0)
        yield x
        if index < 2:
            x = F.max_pool2d(x, 2)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet20", "alexnet"])
def test_features_against_explicit_layers(name: str) -> None:
    model = build(name)
    images = torch.rand(3, 3, 16, 16)
    network = model.backbone
    x = (images - model.mean) / model.std
    layers = alexnet_layers if isinstance(network, CifarAlexNet) else resnet_layers
    expected = [layer.flatten(2).mean(dim=2) for layer in layers(network, x)]  # type: ignore[arg-type]
    without_hooks = model(images)
    with pooled_activations(model) as pooled:
        logits = model(images)
    assert torch.equal(logits, without_hooks)
    assert len(pooled) == len(expected)
    for found, wanted in zip(pooled, expected, strict=True):
        assert wanted.std() > 0
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    assert torch.equal(pooled[-1], model.pooled(images))


@torch.no_grad()
@pytest.mark.parametrize("name", sorted(CIFAR_NETWORKS))
def test_every_convolution_has_its_activation(name: str) -> None:
    model = build(name, width=2)
    channels: list[int] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda conv, *_: channels.append(conv.out_channels))
    with pooled_activations(model) as pooled:
        model(torch.rand(1, 3, 16, 16))
    assert [layer.shape[1] for layer in pooled] == channels  # both in the order they ran
    assert all((layer >= 0).all() for layer in pooled)
    assert len(set(model.parts.activations)) == len(channels)


@torch.no_grad()
def test_resnet20_has_19_layers_and_688_numbers() -> None:
    model = build("resnet20", width=None)
    with pooled_activations(model) as pooled:
        model(torch.rand(2, 3, 16, 16))
    assert [layer.shape[1] for layer in pooled] == [16] * 7 + [32] * 6 + [64] * 6
    assert torch.cat(pooled, dim=1).shape == (2, 688)


@torch.no_grad()
def test_each_pass_fills_the_list_anew() -> None:
    model = build("resnet20")
    first, second = torch.rand(2, 3, 16, 16), torch.rand(3, 3, 16, 16)
    with pooled_activations(model) as pooled:
        model(first)
        model(second)
        found = torch.cat(pooled, dim=1)
    with pooled_activations(model) as alone:
        model(second)
    assert torch.equal(found, torch.cat(alone, dim=1))


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_hooks_are_gone_afterwards() -> None:
    model = build("resnet20")
    with pooled_activations(model) as pooled:
        assert hooks(model) == 19
        model(torch.rand(1, 3, 16, 16))
        kept = pooled[0].clone()
    assert hooks(model) == 0
    model(torch.rand(1, 3, 16, 16))
    assert torch.equal(pooled[0], kept)  # a later pass is not read


def test_hooks_are_gone_after_an_exception() -> None:
    model = build("resnet20")
    with pytest.raises(RuntimeError), pooled_activations(model):
        model(torch.rand(1, 5, 32, 32))  # five channels
    assert hooks(model) == 0
