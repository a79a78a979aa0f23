"""The explainer of two layers of one's own network, against its terms taken one by one."""

import copy
import doctest
import math

import pytest
import torch
from torch import nn

from clearfilters.methods import layer_explainer
from clearfilters.methods.layer_explainer import LayerExplainer


@pytest.fixture
def layers() -> list[nn.Module]:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(6)
    first = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), norm, nn.ReLU())
    return [first.eval(), nn.Conv2d(6, 4, 3).eval()]


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.rand(7, 6, 8, 8)


def test_the_example_of_its_docstring_works() -> None:
    assert doctest.testmod(layer_explainer).failed == 0


def test_the_cost_is_the_sum_of_its_terms(layers: list[nn.Module], maps: torch.Tensor) -> None:
    explainer = LayerExplainer(*layers, channels=6, eta=3.0, reconstruction=0.25).eval()
    explainer.begin(maps)
    explainer.encoder.w_p.data.fill_(1.0)
    with torch.no_grad():
        cost = float(explainer.cost(maps))
        wanted = [layers[0](maps), layers[1](layers[0](maps))]
        first = layers[0](explainer.encoder(maps))
        found = [first, layers[1](first)]
    # As written in section 4, image by image.
    expected = -3.0 * math.log(1 / (1 + math.exp(-1.0)))
    for x, target in zip(found, wanted, strict=True):
        norms = [max(0.0, float((one.clamp(min=0) ** 2).sum())) ** 0.5 for one in target]
        errors = [float(((a - b) ** 2).sum()) for a, b in zip(x, target, strict=True)]
        expected += 0.25 / (sum(norms) / 7) * sum(errors) / 7
    assert cost == pytest.approx(expected, rel=1e-4)


def test_features_have_the_magnitude_that_the_layers_read(
    layers: list[nn.Module], maps: torch.Tensor
) -> None:
    explainer = LayerExplainer(*layers, channels=6, eta=10.0)
    explainer.begin(maps)
    mixed = explainer.encoder(maps).detach()
    # Each track has a mean of 1 per channel, and p mixes them.
    assert float(mixed.sum(dim=(2, 3)).mean()) == pytest.approx(
        float(maps.sum(dim=(2, 3)).mean()), rel=1e-4
    )


def test_only_its_own_weights_move(layers: list[nn.Module], maps: torch.Tensor) -> None:
    before = copy.deepcopy([layer.state_dict() for layer in layers])
    explainer = LayerExplainer(*layers, channels=6, eta=10.0)
    explainer.begin(maps)
    groups = explainer.groups(lr=0.01, decoder_lr=0.02, p_lr=0.03)
    optimizer = torch.optim.SGD(groups)
    start = float(explainer.encoder.w_p.detach())
    explainer.train()
    explainer.cost(maps).backward()
    optimizer.step()
    moved = {id(p) for group in groups for p in group["params"]}
    wanted = {id(p) for p in explainer.parameters() if p.requires_grad}
    assert moved == wanted
    assert float(explainer.encoder.w_p.detach()) != start
    for layer, kept, own in zip(layers, before, explainer.layers, strict=True):
        for name, tensor in kept.items():
            assert torch.equal(layer.state_dict()[name], tensor)
            assert torch.equal(own.state_dict()[name], tensor)
    # The copies' BatchNorm keeps the statistics of the network.
    assert torch.equal(explainer.decoder[0][1].running_mean, layers[0][1].running_mean)
