"""Explainers: norm layers, two tracks, and where each gradient comes from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clearfilters.methods.explainer import (
    Encoder,
    positive_norms,
    reconstruction_errors,
    reconstruction_weight,
)
from clearfilters.methods.explainer_training import Explainer
from clearfilters.methods.method import Batch
from clearfilters.methods.part_filters import code_gradient
from clearfilters.models.performer import reconstructed
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method, build_network

MakeSlice = Callable[..., TrainingSlice]
MakeMethod = Callable[..., Explainer]
# Maps F of the small performer: D, side; D' filters, pooled to half the side.
D, SIDE, FILTERS = 16, 8, 6


@pytest.fixture
def make_explainer(explainer_slice: MakeSlice) -> MakeMethod:
    """Builds an explainer in float64, as it is before its first epoch, that takes maps F."""

    def build(classes: int = 2, **changes: Any) -> Explainer:
        parameters = explainer_slice(**changes)
        torch.manual_seed(0)
        names = [str(number) for number in range(classes)]
        performer = build_network(parameters, names, (0.5,) * 3, (0.5,) * 3, 4 * SIDE)
        method = build_method(parameters, performer).double()
        assert isinstance(method, Explainer)
        method.weights.fill_(0.05)
        method.start_epoch(0)
        return method

    return build


def batch_of(size: int = 8, classes: int = 2, seed: int = 0) -> Batch:
    """Random maps, signed as standardised ones."""
    draws = torch.Generator().manual_seed(seed)
    maps = torch.randn(size, D, SIDE, SIDE, generator=draws, dtype=torch.float64)
    return Batch(maps, torch.arange(size) % classes, torch.arange(size), draws)


def gradients(method: Explainer, batch: Batch) -> dict[str, Tensor]:
    """Of all that is trained, by name, copied."""
    method.train()
    method.zero_grad()
    method.cost(batch, "std")[0].backward()
    trained = {name: p for name, p in method.network.named_parameters() if p.requires_grad}
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in trained.items()
    }


def of_p(method: Explainer, batch: Batch) -> float:
    """d cost / d w_p."""
    gradients(method, batch)
    found = method.encoder.w_p.grad
    return 0.0 if found is None else float(found)


def by_hand(encoder: Encoder, maps: Tensor, positive: Tensor) -> dict[str, np.ndarray[Any, Any]]:
    """The encoder of the specification (7.2) in training, cell by cell."""

    def masked(u: Tensor) -> np.ndarray[Any, Any]:
        found, side = u.detach().numpy().copy(), u.shape[-1]
        for image in found:
            for plane in image:
                row, column = divmod(int(plane.argmax()), side)
                for i in range(side):
                    for j in range(side):
                        plane[i, j] *= max(1 - 4 * (abs(i - row) + abs(j - column)) / side, 0)
        return found

    def normed(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        n, k, side, _ = x.shape
        x = x.reshape(n, k, side // 2, 2, side // 2, 2).max(axis=(3, 5))
        a = np.maximum(x[positive.numpy()], 0).sum(axis=(2, 3)).mean(axis=0)
        return x / np.where(a > 0.01 * a.mean(), a, a.mean())[:, None, None]

    u1 = encoder.conv_interp1(maps).relu()
    u2 = encoder.conv_interp2(torch.from_numpy(masked(u1))).relu()
    parts = normed(masked(u2))
    rest = normed(encoder.conv_ordin(maps).relu().detach().numpy())
    p = 1 / (1 + np.exp(-encoder.w_p.item()))
    return {"parts": parts, "rest": rest, "mixed": p * parts + (1 - p) * rest}


def test_the_tracks_against_loops(make_explainer: MakeMethod) -> None:
    method = make_explainer()
    encoder, batch = method.encoder.train(), batch_of()
    with torch.no_grad():
        encoder.w_p.fill_(0.7)
        encoder.scale.fill_(3.0)
    encoder.positive = batch.labels == 1
    found = encoder(batch.inputs)
    encoded = encoder.take_encoded()
    expected = by_hand(encoder, batch.inputs, batch.labels == 1)
    for name, value in expected.items():
        assert np.allclose(getattr(encoded, name).detach().numpy(), value), name
    assert np.allclose(found.detach().numpy(), 3 * expected["mixed"])


@pytest.mark.parametrize("w_p", [-100.0, -3.0, 0.0, 3.0, 100.0])
def test_p_is_a_share(make_explainer: MakeMethod, w_p: float) -> None:
    encoder = make_explainer().encoder
    assert encoder.p == 0.5
    with torch.no_grad():
        encoder.w_p.fill_(w_p)
    p = encoder.p.item()
    # As close to 1 as numbers come.
    assert 0 < p < 1 or (w_p == 100 and p == 1)


def test_eta_alone_draws_p_up(make_explainer: MakeMethod) -> None:
    # The first source: d(-eta log p) / d w_p = -eta (1 - p).
    method = make_explainer(eta=3.0)
    method.weights.zero_()
    with torch.no_grad():
        method.encoder.w_p.fill_(0.4)
    p = 1 / (1 + np.exp(-0.4))
    assert of_p(method, batch_of()) == pytest.approx(-3.0 * (1 - p))


def test_the_reconstruction_moves_p(make_explainer: MakeMethod) -> None:
    # The second source, against finite differences.
    method, batch = make_explainer(eta=0.0), batch_of()
    method.train()

    def cost(w_p: float) -> float:
        with torch.no_grad():
            method.encoder.w_p.fill_(w_p)
        return float(method.cost(batch, "std")[0])

    step = 1e-5
    difference = (cost(0.3 + step) - cost(0.3 - step)) / (2 * step)
    with torch.no_grad():
        method.encoder.w_p.fill_(0.3)
    assert abs(difference) > 1e-6
    assert of_p(method, batch) == pytest.approx(difference, rel=1e-5)


def held_by_hand(
    method: Explainer, batch: Batch, ratio: float
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Of conv-interp-2: the filter loss's gradient at z, and the encoder's tracks.

    That of the reconstruction at x_enc is written out here: kappa W^T of what the two layers miss.
    """
    encoder = method.encoder
    encoder.positive = batch.labels == 1
    encoder.train()
    found = encoder(batch.inputs)
    encoded = encoder.take_encoded()
    layers, theirs = reconstructed(method.network), reconstructed(method.performer)
    inputs = found.detach().requires_grad_()
    with torch.no_grad():
        wanted = theirs.outputs(method.performer.parts.feature_maps(batch.inputs))
    first, second = layers.outputs(inputs)
    size = len(batch.inputs)
    cost = sum(
        method.weights[n] * (x - y).square().sum() / size
        for n, (x, y) in enumerate(zip((first, second), wanted, strict=True))
    )
    assert isinstance(cost, Tensor)
    (task,) = torch.autograd.grad(cost, inputs)
    task = task * encoder.scale
    z = encoded.mixed.detach()
    seen = encoder.mask2.see(z.shape[2] * z.shape[3] * z)
    one = torch.ones(z.shape[1], dtype=z.dtype)
    positive = (batch.labels == 1)[:, None].expand(-1, z.shape[1])
    direction = code_gradient(seen, positive, (one, one), 0.5)
    norms = [x.square().sum(dim=(0, 2, 3)).sqrt() for x in (task, direction)]
    factor = ratio * norms[0] / norms[1]
    tracks = {"parts": encoded.parts.detach(), "rest": encoded.rest.detach()}
    return direction * factor.nan_to_num()[:, None, None], task, tracks


def test_the_filter_loss_moves_p(make_explainer: MakeMethod) -> None:
    # The third source: z = p x_I + (1 - p) x_O, so d z / d w_p = p (1 - p) (x_I - x_O).
    with_loss, without = make_explainer(ratio=0.3, falling=False), make_explainer()
    batch = batch_of()
    added = of_p(with_loss, batch) - of_p(without, batch)
    pull, _, tracks = held_by_hand(make_explainer(), batch, 0.3)
    expected = 0.25 * float((pull * (tracks["parts"] - tracks["rest"])).sum())
    assert abs(expected) > 1e-8
    assert added == pytest.approx(expected, rel=1e-6)


def test_the_filter_loss_never_reaches_the_ordinary_track_nor_the_decoder(
    make_explainer: MakeMethod,
) -> None:
    batch = batch_of()
    found, plain = (gradients(make_explainer(ratio=ratio), batch) for ratio in (0.3, None))
    changed = {name for name in found if not torch.equal(found[name], plain[name])}
    parts = ("conv_interp1.weight", "conv_interp1.bias", "conv_interp2.weight",
             "conv_interp2.bias", "w_p")  # fmt: skip
    assert {name.split("backbone.blocks.3.")[-1] for name in changed} == set(parts)
    ordinary = [name for name in found if "conv_ordin" in name]
    assert len(ordinary) == 2 and all(plain[name].norm() > 0 for name in ordinary)


@pytest.mark.parametrize("falling", [True, False])
def test_each_filter_is_held_at_the_ratio(make_explainer: MakeMethod, falling: bool) -> None:
    ratio, epoch, batch = 0.3, 3, batch_of()
    wanted = ratio / (epoch + 1) if falling else ratio
    method = make_explainer(ratio=ratio, falling=falling)
    method.start_epoch(epoch)
    pull, task, _ = held_by_hand(make_explainer(), batch, wanted)
    # What the filter loss adds at conv-interp-1 and -2, of which the latter is known by hand.
    added = pulls_of(method, batch)
    torch.testing.assert_close(added[1], pull)
    for f in range(FILTERS):
        norms = [float(x[:, f].norm()) for x in (added[1], task)]
        assert norms[1] > 0 and norms[0] / norms[1] == pytest.approx(wanted)
    facts = method.facts()
    assert facts["filter_loss_a"] == pytest.approx(wanted)
    assert facts["filter_loss_b"] == pytest.approx(wanted)


def pulls_of(method: Explainer, batch: Batch) -> list[Tensor]:
    """The gradients that the filter losses of a step add, of both layers."""
    found: list[Tensor] = []
    original = method._pulls

    def watched(*arguments: Any) -> Any:
        pulls = original(*arguments)
        found.extend(pull.gradient for pull in pulls)
        return pulls

    method._pulls = watched  # type: ignore[method-assign]
    gradients(method, batch)
    return found


def test_the_masks_of_conv_interp_1_have_their_filter_loss(make_explainer: MakeMethod) -> None:
    batch = batch_of()
    method = make_explainer(ratio=0.3, falling=False)
    encoder = method.encoder
    with torch.no_grad():
        u1 = encoder.conv_interp1(batch.inputs).relu()
    seen = encoder.mask1.see(u1)
    one = torch.ones(D, dtype=u1.dtype)
    direction = code_gradient(seen, (batch.labels == 1)[:, None].expand(-1, D), (one, one), 0.5)
    (first, _) = pulls_of(method, batch)
    for f in range(D):
        cosine = torch.cosine_similarity(first[:, f].flatten(), direction[:, f].flatten(), dim=0)
        assert cosine == pytest.approx(1)


def test_a_filter_is_of_the_category_with_the_largest_sums(make_explainer: MakeMethod) -> None:
    method = make_explainer(classes=3, loss="multi-label-logistic", ratio=0.3)
    gradients(method, batch_of(9, classes=3))
    loss, batch = method.losses[0], batch_of(9, classes=3)
    with torch.no_grad():
        sums = method.encoder.conv_interp1(batch.inputs).relu().sum(dim=(2, 3))
    means = torch.stack([sums[batch.labels == c].mean(dim=0) for c in range(3)], dim=1)
    torch.testing.assert_close(loss.memory, means)
    assert loss.category_of_filter().tolist() == means.argmax(dim=1).tolist()


def test_reconstruction_weights_and_errors_against_loops() -> None:
    draws = torch.Generator().manual_seed(0)
    outputs = torch.randn(7, 5, 1, 1, generator=draws)
    norms = [np.sqrt(sum(max(float(x), 0) ** 2 for x in row.flatten())) for row in outputs]
    assert float(reconstruction_weight(0.5, positive_norms(outputs))) == pytest.approx(
        0.5 / np.mean(norms)
    )
    others = torch.randn(7, 5, 1, 1, generator=draws)
    errors = reconstruction_errors(others, outputs)
    for i in range(7):
        squares = [(float(x) - float(y)) ** 2 for x, y in zip(others[i], outputs[i], strict=True)]
        assert float(errors[i]) == pytest.approx(sum(squares))


def test_the_cost_is_equation_1(make_explainer: MakeMethod) -> None:
    method, batch = make_explainer(eta=2.0), batch_of()
    method.weights[1] = 0.2
    method.train()
    cost, logits = method.cost(batch, "std")
    by_rows = by_hand(method.encoder, batch.inputs, batch.labels == 1)["mixed"]
    assert method.network.fc is not None
    fc6, fc7, fc8 = (x for x in method.network.fc.layers if isinstance(x, nn.Conv2d))
    x = float(method.encoder.scale) * torch.from_numpy(by_rows)
    with torch.no_grad():
        maps = method.performer.parts.feature_maps(batch.inputs)
        found = (fc6(x), fc7(fc6(x).relu()))
        theirs = (fc6(maps), fc7(fc6(maps).relu()))
        torch.testing.assert_close(logits, fc8(found[1].relu()).flatten(1))
    errors = [
        [float((a[i] - b[i]).square().sum()) for i in range(8)]
        for a, b in zip(found, theirs, strict=True)
    ]
    expected = 0.05 * np.mean(errors[0]) + 0.2 * np.mean(errors[1]) - 2.0 * np.log(0.5)
    assert float(cost) == pytest.approx(expected)
    facts = method.facts()
    assert facts["p"] == 0.5
    assert facts["reconstruction"] == pytest.approx(expected + 2.0 * np.log(0.5))
    for layer in (0, 1):
        squares = sum(float(x.square().sum()) for x in theirs[layer])
        relative = np.sqrt(sum(errors[layer]) / squares)
        assert facts[f"relative_error_{layer + 1}"] == pytest.approx(relative)


def test_relative_errors_are_of_the_epoch(make_explainer: MakeMethod) -> None:
    method = make_explainer()
    method.train()
    batches = [batch_of(8), batch_of(4, seed=1)]
    apart = []
    for batch in batches:
        method.start_epoch(0)
        method.cost(batch, "std")
        apart.append(method.sums.clone())
    method.start_epoch(0)
    for batch in batches:
        method.cost(batch, "std")
    torch.testing.assert_close(method.sums, apart[0] + apart[1])
    assert method.sums[5] == 12


def test_with_classification_the_classes_are_what_is_to_be_given(
    make_explainer: MakeMethod,
) -> None:
    method, batch = make_explainer(eta=2.0, target="classification"), batch_of()
    method.train()
    cost, logits = method.cost(batch, "std")
    signs = 2 * batch.labels - 1
    expected = torch.log1p(torch.exp(-signs * logits[:, 0])).mean() - 2.0 * np.log(0.5)
    torch.testing.assert_close(cost, expected)
    # The reconstruction is reported all the same, and moves nothing.
    same = make_explainer(eta=2.0)
    same.train()
    same.cost(batch, "std")
    assert method.facts()["relative_error_1"] == pytest.approx(same.facts()["relative_error_1"])
    found = gradients(method, batch)
    method.weights.zero_()
    again = gradients(method, batch)
    assert all(torch.equal(found[name], again[name]) for name in found)


def test_what_is_trained(make_explainer: MakeMethod) -> None:
    method = make_explainer(decoder_lr=0.01, p_lr=0.05)
    trained = {name for name, p in method.named_parameters() if p.requires_grad}
    layers = ("conv_ordin", "conv_interp1", "conv_interp2")
    own = {f"network.backbone.blocks.3.{x}.{y}" for x in layers for y in ("weight", "bias")}
    decoder = {f"network.fc.layers.{x}.{y}" for x in (0, 3) for y in ("weight", "bias")}
    assert trained == {*own, *decoder, "network.backbone.blocks.3.w_p"}


def test_the_share_has_a_constant_rate_and_no_decay(
    make_explainer: MakeMethod, explainer_slice: MakeSlice
) -> None:
    method = make_explainer(decoder_lr=0.01, p_lr=0.05)
    specs = method.optimizers(explainer_slice(training={"weight_decay": 0.1}).training)
    share = specs["p"]
    assert (share.lr, share.scheduled, share.groups[0].weight_decay_factor) == (0.05, False, 0.0)
    convolutions, decoder = specs["theta"].groups
    assert (convolutions.lr_factor, decoder.lr_factor) == (1.0, 0.01)
    assert len(convolutions.parameters) == 6 and len(decoder.parameters) == 4
