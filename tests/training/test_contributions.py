"""The linear model and Grad-CAM of explainers against differences, loops and formulas by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from explainer_networks import explainer_slice, random_explainer
from torch import Tensor
from torch.nn import functional as F

from clearfilters import registry
from clearfilters.methods.explainer_training import Explainer
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.contributions import (
    by_part,
    category_logit,
    contributions,
    explainer_cam,
    filters_of,
    grad_cam,
    performer_cam,
    performer_outputs,
    shares,
)
from clearfilters.training.frozen import stand_above

Slices = Callable[..., TrainingSlice]
TOPS: list[dict[str, Any]] = [
    # The trunk's own top convolution, and a new one on standardised maps.
    {"interpretable": False, "masks": False},
    {"interpretable": False, "masks": False, "convolution": 6, "standardised": True},
]


@pytest.fixture(params=TOPS, ids=["own", "new"])
def case(request: pytest.FixtureRequest, part_slice: Slices) -> tuple[Explainer, Tensor]:
    """An explainer above its frozen blocks, of two categories, and what these give of 3 images."""
    performer = part_slice("cat", "dog", top=request.param, hidden=(7, 6))
    parameters = explainer_slice(performer)
    method = random_explainer(parameters, ["cat", "dog"])
    part = stand_above(method, parameters)
    return method, part.run(torch.rand(3, 3, 32, 32))


def above(method: Explainer, v2: Tensor, ordinary: Tensor) -> Tensor:
    """The explainer's logits, written out, from v2 and ReLU(conv-ordin)."""
    encoder, layers = method.encoder, method.network.fc.layers
    p = torch.sigmoid(encoder.w_p)
    x_i = F.max_pool2d(v2, 2, 2) / encoder.norm_interp.running[:, None, None]
    x_o = F.max_pool2d(ordinary, 2, 2) / encoder.norm_ordin.running[:, None, None]
    x = encoder.scale * (p * x_i + (1 - p) * x_o)
    for number in (0, 3):
        x = F.relu(F.conv2d(x, layers[number].weight, layers[number].bias))
    return F.conv2d(x, layers[6].weight, layers[6].bias).flatten(1)


def tracks(method: Explainer, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """v2 and ReLU(conv-ordin), written out."""
    encoder = method.encoder
    maps = encoder.standardisation(inputs)

    def masked(u: Tensor) -> Tensor:
        side = u.shape[-1]
        index = u.flatten(2).argmax(dim=2)
        row, column = (index // side)[..., None, None], (index % side)[..., None, None]
        i, j = torch.arange(side)[:, None], torch.arange(side)
        return u * (1 - 4 * ((i - row).abs() + (j - column).abs()) / side).clamp(min=0)

    v1 = masked(F.relu(encoder.conv_interp1(maps)))
    return masked(F.relu(encoder.conv_interp2(v1))), F.relu(encoder.conv_ordin(maps))


def test_the_parts_of_a_score_are_derivatives_along_their_activations(
    case: tuple[Explainer, Tensor],
) -> None:
    """Contribution = dz/dt where filter f's map is (1 + t) times its own: z is linear there."""
    method, inputs = case
    found = contributions(method, inputs, 1)
    double = method.double()
    with torch.no_grad():
        v2, ordinary = tracks(double, inputs.double())
        scores = above(double, v2, ordinary)[:, 1]
        torch.testing.assert_close(found.scores.double(), scores, rtol=0, atol=1e-4)
        torch.testing.assert_close(found.maps.double(), v2, rtol=0, atol=1e-4)
        step = 1e-6
        for f in range(v2.shape[1]):
            ends = []
            for t in (-step, step):
                moved = v2.clone()
                moved[:, f] *= 1 + t
                ends.append(above(double, moved, ordinary)[:, 1])
            slope = (ends[1] - ends[0]) / (2 * step)
            torch.testing.assert_close(found.filters[:, f].double(), slope, rtol=1e-3, atol=1e-4)
        ends = [above(double, v2, ordinary * (1 + t))[:, 1] for t in (-step, step)]
        slope = (ends[1] - ends[0]) / (2 * step)
    torch.testing.assert_close(found.ordinary.double(), slope, rtol=1e-3, atol=1e-4)
    assert (found.filters != 0).any(dim=0).sum() > 3 and (found.ordinary != 0).any()


def test_they_add_up_to_the_score(case: tuple[Explainer, Tensor]) -> None:
    """The rest is what the biases give: above the tracks, with the ReLUs' sides as they are."""
    method, inputs = case
    found = contributions(method, inputs, 0)
    with torch.no_grad():
        v2, ordinary = tracks(method, inputs)
        encoder, layers = method.encoder, method.network.fc.layers
        p = encoder.p
        x_i = F.max_pool2d(v2, 2, 2) / encoder.norm_interp.running[:, None, None]
        x_o = F.max_pool2d(ordinary, 2, 2) / encoder.norm_ordin.running[:, None, None]
        x = encoder.scale * (p * x_i + (1 - p) * x_o)
        first = F.conv2d(x, layers[0].weight, layers[0].bias)
        second = F.conv2d(F.relu(first), layers[3].weight, layers[3].bias)
        of_biases = layers[0].bias[:, None, None] * (first > 0)
        of_biases = F.conv2d(of_biases, layers[3].weight, layers[3].bias) * (second > 0)
        of_biases = F.conv2d(of_biases, layers[6].weight, layers[6].bias)[:, 0, 0, 0]
    torch.testing.assert_close(found.rest, of_biases, rtol=0, atol=1e-4)


def test_without_biases_nothing_is_left_over(case: tuple[Explainer, Tensor]) -> None:
    method, inputs = case
    for number in (0, 3, 6):
        torch.nn.init.zeros_(method.network.fc.layers[number].bias)
    found = contributions(method, inputs, 1)
    together = found.filters.sum(dim=1) + found.ordinary
    torch.testing.assert_close(together, found.scores, rtol=1e-4, atol=1e-5)


def test_nothing_is_left_behind(case: tuple[Explainer, Tensor]) -> None:
    """No hook stays, no gradient is kept, and it works where gradients are off."""
    method, inputs = case
    before = method(inputs)
    with torch.no_grad():
        found = contributions(method, inputs, 1)
    assert torch.equal(before, method(inputs)) and torch.equal(found.scores, before[:, 1])
    assert all(parameter.grad is None for parameter in method.parameters())
    assert not any(layer._forward_hooks for layer in method.modules())


def test_the_performer_is_what_was_copied(case: tuple[Explainer, Tensor]) -> None:
    method, inputs = case
    maps = inputs
    with torch.no_grad():
        for block in method.performer.backbone.blocks:
            maps = block(maps)
        expected = method.performer.fc(maps)
    torch.testing.assert_close(performer_outputs(method, inputs), expected)


def cam_by_hand(maps: Tensor, logits: Callable[[Tensor], Tensor], logit: int) -> Tensor:
    maps = maps.detach().requires_grad_()
    gradient = torch.autograd.grad(logits(maps)[:, logit].sum(), maps)[0]
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).clamp(min=0).detach()


def test_grad_cam_of_the_explainer_by_hand(case: tuple[Explainer, Tensor]) -> None:
    method, inputs = case
    with torch.no_grad():
        v2, ordinary = tracks(method, inputs)
    for logit in (0, 1):
        expected = cam_by_hand(v2, lambda maps: above(method, maps, ordinary), logit)
        found = explainer_cam(method, inputs, logit)
        assert found.shape == (3, 8, 8) and expected.max() > 0
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_grad_cam_of_the_performer_by_hand(case: tuple[Explainer, Tensor]) -> None:
    """Its top convolution may stand in a trunk whose ReLUs work in place."""
    method, inputs = case
    performer = method.performer
    layers = [x for block in performer.backbone.blocks for x in block]
    end = max(n for n, x in enumerate(layers) if isinstance(x, torch.nn.ReLU)) + 1
    with torch.no_grad():
        maps = torch.nn.Sequential(*layers[:end])(inputs)
    for logit in (0, 1):
        expected = cam_by_hand(
            maps, lambda x: performer.fc(torch.nn.Sequential(*layers[end:])(x)), logit
        )
        found = performer_cam(method, inputs, logit)
        assert found.shape == (3, 8, 8) and expected.max() > 0
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
        # Of each image by itself, whatever stands beside it.
        torch.testing.assert_close(performer_cam(method, inputs[1:2], logit)[0], found[1])


def test_grad_cam_of_a_linear_network_by_hand() -> None:
    """z = sum of 2 A_1 - A_2 over 4 cells: weights 2 and -1, whatever the cell."""
    maps = torch.tensor([[[[1.0, 2.0], [0.0, 3.0]], [[5.0, 0.0], [1.0, 0.0]]]])
    layer = torch.nn.Identity()

    def run(inputs: Tensor) -> Tensor:
        sums = layer(inputs).sum(dim=(2, 3))
        return torch.stack([sums[:, 0], 2 * sums[:, 0] - sums[:, 1]], dim=1)

    assert grad_cam(run, layer, maps, 1).tolist() == [[[0.0, 4.0], [0.0, 6.0]]]


def test_a_resnet(make_slice: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder is of residual blocks, whose ReLUs work in place; nothing is pooled."""
    monkeypatch.setitem(registry.NETWORKS, "small", "explainer_networks:small_resnet")
    performer = make_slice(model={"name": "small"})
    finetune = {"weights": None, "trained_blocks": 3, "views": 1}
    parameters = explainer_slice(performer, finetune=finetune)
    method = random_explainer(parameters, [str(digit) for digit in range(10)])
    inputs = stand_above(method, parameters).run(torch.rand(2, 3, 32, 32))
    found = contributions(method, inputs, 4)
    blocks, encoder = method.network.backbone.blocks, method.encoder
    double = method.double()
    with torch.no_grad():
        v2, ordinary = tracks(double, inputs.double())

        def score(parts: Tensor, rest: Tensor) -> Tensor:
            x_i = parts / encoder.norm_interp.running[:, None, None]
            x_o = rest / encoder.norm_ordin.running[:, None, None]
            maps = blocks[-2:](encoder.scale * (encoder.p * x_i + (1 - encoder.p) * x_o))
            return double.network.head(maps.mean(dim=(2, 3)))[:, 4]

        step = 1e-6
        for f in range(8):
            ends = []
            for t in (-step, step):
                moved = v2.clone()
                moved[:, f] *= 1 + t
                ends.append(score(moved, ordinary))
            slope = (ends[1] - ends[0]) / (2 * step)
            torch.testing.assert_close(found.filters[:, f].double(), slope, rtol=1e-3, atol=1e-4)
        ends = [score(v2, ordinary * (1 + t)) for t in (-step, step)]
        slope = (ends[1] - ends[0]) / (2 * step)
        torch.testing.assert_close(found.ordinary.double(), slope, rtol=1e-3, atol=1e-4)
    expected = cam_by_hand(v2, lambda maps: score(maps, ordinary)[:, None], 0)
    torch.testing.assert_close(explainer_cam(method, inputs.double(), 4), expected)
    last = method.performer.backbone.blocks
    with torch.no_grad():
        maps = last(inputs.double())
    expected = cam_by_hand(maps, lambda x: method.performer.head(x.mean(dim=(2, 3))), 4)
    torch.testing.assert_close(performer_cam(method, inputs.double(), 4), expected)


def test_sums_by_part() -> None:
    part_of = ["head", None, "legs", "head"]
    values = torch.tensor([1.0, 2.0, 4.0, 8.0])
    found = by_part(values, part_of, ["head", "legs", "tail"])
    assert {name: float(value) for name, value in found.items()} == {
        "head": 9, "legs": 4, "tail": 0, "other": 2,
    }  # fmt: skip
    assert filters_of("other", part_of).tolist() == [1]
    maps = torch.arange(16.0).view(4, 2, 2)
    found = by_part(maps, part_of, ["head"])
    assert torch.equal(found["head"], maps[0] + maps[3])
    assert shares({"head": 3.0, "other": -1.0}) == {"head": 1.5, "other": -0.5}
    assert shares({"head": 1.0, "other": -1.0}) == {"head": None, "other": None}


def test_the_logit_of_a_category() -> None:
    assert category_logit(1, 1) == 0
    assert category_logit(3, 2) == 2
    assert [category_logit(2, category) for category in (0, 1)] == [0, 1]
