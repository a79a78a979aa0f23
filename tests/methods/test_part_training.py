"""Interpretable CNNs as a method: what a step moves, and what is learned."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Batch
from clearfilters.methods.part_filters import FilterLoss, PartMask
from clearfilters.methods.part_training import PartTraining
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method, build_network
from clearfilters.training.optimizers import build_optimizers

Build = Callable[..., dict[str, Any]]
MakeSlice = Callable[..., TrainingSlice]


@pytest.fixture
def make_method(
    make_slice: MakeSlice, part_model: Build, part_block: Build
) -> Callable[..., PartTraining]:
    """Builds the method around a fresh network with 16 filters on images of 16 pixels."""

    def build(
        classes: int = 2, loss: str = "logistic", top: dict[str, Any] | None = None, **changes: Any
    ) -> PartTraining:
        parameters = make_slice(
            model=part_model(**(top or {})), method=part_block(**changes), loss=loss, lr=0.01
        )
        torch.manual_seed(0)
        names = [str(number) for number in range(classes)]
        network = build_network(parameters, names, (0.5,) * 3, (0.5,) * 3, 16)
        method = build_method(parameters, network)
        assert isinstance(method, PartTraining)
        method.parameters_ = parameters  # type: ignore[assignment]
        return method

    return build


def batch_of(method: PartTraining, size: int = 8, classes: int = 2, seed: int = 0) -> Batch:
    """Random images."""
    draws = torch.Generator().manual_seed(seed)
    images = torch.rand(size, 3, 16, 16, generator=draws)
    return Batch(images, torch.arange(size) % classes, torch.arange(size), draws)


def gradients(method: PartTraining, batch: Batch) -> dict[str, Tensor]:
    """Of the network's parameters, for a cost with the same dropout."""
    method.train()
    method.zero_grad()
    torch.manual_seed(1)
    method.cost(batch, "std")[0].backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in method.network.named_parameters()
        if parameter.grad is not None
    }


def test_a_network_without_masks_is_refused(
    make_slice: MakeSlice, part_model: Build, part_block: Build
) -> None:
    ordinary = part_model(interpretable=False, masks=False)
    parameters = make_slice(model=ordinary, method=part_block(), loss="logistic")
    network = build_network(parameters, ["0", "1"], (0.5,) * 3, (0.5,) * 3, 16)
    with pytest.raises(ClearfiltersError, match=r"set model.top.interpretable: true"):
        build_method(parameters, network)


def test_without_filter_losses_the_gradient_is_the_tasks(
    make_method: Callable[..., PartTraining],
) -> None:
    method = make_method(layers=[])
    found = gradients(method, batch_of(method))
    method.zero_grad()
    torch.manual_seed(1)
    batch = batch_of(method)
    logits = method.network(batch.inputs)
    F.softplus(-(2 * batch.labels - 1) * logits[:, 0]).mean().backward()
    for name, parameter in method.network.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad)


def test_the_filter_loss_falls_with_the_epoch_and_is_linear_in_its_weight(
    make_method: Callable[..., PartTraining],
) -> None:
    none = make_method(layers=[])
    plain = gradients(none, batch_of(none))

    def added(epoch: int, **changes: Any) -> Tensor:
        method = make_method(**changes)
        method.start_epoch(epoch)
        name = "backbone.blocks.2.0.weight"
        return gradients(method, batch_of(method))[name] - plain[name]

    first = added(0, strength=1.0)
    assert first.norm() > 0
    torch.testing.assert_close(added(3, strength=1.0), first / 4, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(added(3, strength=1.0, falling=False), first, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(added(0, strength=0.5, weight=2.0), first, rtol=1e-3, atol=1e-5)


def test_a_held_ratio_is_that_of_the_gradients_at_the_masks(
    make_method: Callable[..., PartTraining],
) -> None:
    method = make_method(ratio=0.25, falling=False)
    method.start_epoch(0)
    batch = batch_of(method)
    gradients(method, batch)
    facts = method.facts()
    assert facts["filter_loss_a"] == pytest.approx(0.25, rel=1e-4)
    assert facts["filter_loss_b"] == pytest.approx(0.25, rel=1e-4)


def test_facts_leave_the_method_as_it_was(make_method: Callable[..., PartTraining]) -> None:
    method = make_method()
    method.start_epoch(0)
    gradients(method, batch_of(method))
    method.eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    torch.manual_seed(5)
    facts = method.facts()
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert not method.training
    after = method.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert set(facts) == {
        f"{fact}_{layer}"
        for fact in ("filter_loss", "beta", "activation", "dead")
        for layer in ("a", "b")
    }
    assert facts["beta_a"] == 2.0


def test_dead_filters_are_counted_over_the_epoch(make_method: Callable[..., PartTraining]) -> None:
    method = make_method()
    with torch.no_grad():
        method.network.parts.last_conv.weight[:4] = 0.0
        method.network.parts.last_conv.bias[:4] = -1.0  # type: ignore[index]
    method.start_epoch(0)
    gradients(method, batch_of(method))
    assert method.facts()["dead_b"] == pytest.approx(4 / 16)
    assert method.facts()["dead_a"] == 0.0


def test_slopes_move_by_the_authors_rule(make_method: Callable[..., PartTraining]) -> None:
    method = make_method()
    method.start_epoch(0)
    batch = batch_of(method)
    training = method.parameters_.training  # type: ignore[union-attr]
    optimizers = build_optimizers(method.optimizers(training))
    gradients(method, batch)
    targets = method.targets.clone()
    method.step(optimizers.of_phase("std"))
    # lr x 0.05 of the way, times 10000 / B, the first time without momentum.
    expected = 2.0 + 0.01 * 0.05 * 10000 / 8 * (targets[0] - 2.0)
    torch.testing.assert_close(method.masks[0].beta.detach(), expected)


def test_fixed_slopes_stay(make_method: Callable[..., PartTraining]) -> None:
    method = make_method(beta=None)
    training = method.parameters_.training  # type: ignore[union-attr]
    optimizers = build_optimizers(method.optimizers(training))
    gradients(method, batch_of(method))
    method.step(optimizers.of_phase("std"))
    assert (method.masks[0].beta == 2.0).all()


def test_shares_are_those_of_the_training_labels(make_method: Callable[..., PartTraining]) -> None:
    class Labels:
        labels = torch.tensor([0, 1, 1, 2, 2, 2])

        def as_they_are(self, chosen: Tensor) -> Tensor:
            return torch.zeros(len(chosen), 3, 16, 16)

    method = make_method(classes=3, loss="softmax")
    method.begin(Labels())  # type: ignore[arg-type]
    torch.testing.assert_close(method.losses[1].shares, torch.tensor([1 / 6, 2 / 6, 3 / 6]))
    single = make_method()
    single.begin(Labels())  # type: ignore[arg-type]
    torch.testing.assert_close(single.losses[0].shares, torch.tensor([2 / 6]))


@pytest.mark.parametrize("loss", ["softmax", "multi-label-logistic"])
def test_several_categories_are_remembered(
    make_method: Callable[..., PartTraining], loss: str
) -> None:
    method = make_method(classes=3, loss=loss)
    gradients(method, batch_of(method, size=9, classes=3))
    memory = method.losses[1]
    assert memory.known.all()
    assert memory.memory.shape == (16, 3)
    assert (memory.memory >= 0.1).all()


def blobs(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Noise, with one bright blob at a random place in every other image; labels and places."""
    images = 0.3 * torch.rand(count, 1, 16, 16, generator=generator)
    places = torch.randint(2, 14, (count, 2), generator=generator)
    labels = torch.arange(count) % 2
    for image, (row, column), label in zip(images, places, labels, strict=True):
        if label:
            image[0, row - 1 : row + 2, column - 1 : column + 2] += 1.0
    return images, labels, places


def test_filters_end_with_one_peak_at_the_blob() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU())
    head = nn.Linear(16 * 256, 1)
    mask, filter_loss = PartMask(16), FilterLoss(16, strength=0.1)
    parameters = [*layers.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    for _ in range(150):
        images, labels, _ = blobs(32, generator)
        logits = head(mask(layers(images)).flatten(1))
        task = F.softplus(-(2 * labels - 1) * logits[:, 0]).mean()
        optimizer.zero_grad()
        (task + filter_loss(mask, labels[:, None] == 1)).backward()
        optimizer.step()
    images, labels, places = blobs(200, generator)
    with torch.no_grad():
        maps = layers(images)[labels == 1]
    alive = maps.amax(dim=(0, 2, 3)) > 0
    assert alive.sum() >= 2
    maps = maps[:, alive]
    index = maps.flatten(2).argmax(dim=2)
    found = torch.stack([index // 16, index % 16], dim=2)
    distance = (found - places[labels == 1][:, None]).abs().amax(dim=2)
    assert (distance <= 2).float().mean() > 0.9
    # One peak: nearly all of what is above half the maximum lies around it.
    high = maps > maps.amax(dim=(2, 3), keepdim=True) / 2
    rows, columns = torch.arange(16)[:, None], torch.arange(16)[None]
    away = (rows - found[..., :1, None]).abs() + (columns - found[..., 1:, None]).abs() > 6
    assert (high & away).sum() < 0.05 * high.sum()
