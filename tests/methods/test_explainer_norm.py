"""The norm layers of explainers: mean activation magnitudes, their gradient and running average."""

import pytest
import torch
from torch import Tensor

from clearfilters.methods.explainer import Norm, magnitudes


def maps_of(count: int = 5, channels: int = 4, seed: int = 0) -> Tensor:
    """Signed maps, away from 0."""
    draws = torch.Generator().manual_seed(seed)
    found = torch.randn(count, channels, 3, 3, generator=draws, dtype=torch.float64)
    return found + 0.1 * found.sign()


POSITIVE = torch.tensor([True, False, True, True, False])


def test_magnitudes_against_loops() -> None:
    maps = maps_of()
    found = magnitudes(maps, POSITIVE)
    for k in range(4):
        sums = [sum(max(float(x), 0.0) for x in maps[i, k].flatten()) for i in (0, 2, 3)]
        assert float(found[k]) == pytest.approx(sum(sums) / 3)
    assert (magnitudes(maps, torch.zeros(5, dtype=torch.bool)) == 0).all()


def test_positive_images_of_a_batch_sum_to_one_on_average() -> None:
    norm = Norm(4, momentum=0.1, dead=0.01).double()
    maps = maps_of().abs()
    maps[:, 2] *= 1e-4
    found = norm(maps, POSITIVE)
    sums = found.sum(dim=(2, 3))[POSITIVE].mean(dim=0)
    torch.testing.assert_close(sums[[0, 1, 3]], torch.ones(3, dtype=torch.float64))
    # A dead channel is brought to the magnitude of the others, on average, and no further.
    mean = magnitudes(maps, POSITIVE).mean()
    torch.testing.assert_close(found[:, 2], maps[:, 2] / mean)
    assert norm.dead_channels() == 1


def test_a_batch_of_dead_channels_stays_finite() -> None:
    norm = Norm(2, momentum=0.1, dead=0.01)
    zeros = torch.zeros(3, 2, 2, 2, requires_grad=True)
    found = norm(zeros, torch.ones(3, dtype=torch.bool))
    found.sum().backward()
    assert (found == 0).all() and zeros.grad is not None and zeros.grad.isfinite().all()


@pytest.mark.parametrize("weak", [1.0, 1e-4])
def test_the_magnitude_takes_part_in_the_gradient(weak: float) -> None:
    scale = torch.tensor([1.0, weak, 1.0, 1.0], dtype=torch.float64)[:, None, None]
    norm = Norm(4, momentum=0.1, dead=0.01).double()
    maps = (maps_of() * scale).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: norm(x, POSITIVE), (maps,), eps=1e-7)


def test_to_scale_a_live_channel_changes_nothing() -> None:
    norm = Norm(4, momentum=0.1, dead=0.01).double()
    maps = maps_of().requires_grad_()
    (norm(maps, POSITIVE) * maps_of(seed=3)).sum().backward()
    assert maps.grad is not None and maps.grad.norm() > 0
    along = (maps.grad * maps).sum(dim=(0, 2, 3)).detach()
    torch.testing.assert_close(along, torch.zeros(4, dtype=torch.float64))


def test_the_running_average_of_magnitudes() -> None:
    norm = Norm(4, momentum=0.1, dead=0.01).double()
    first, second = maps_of(seed=1), maps_of(seed=2)
    assert not norm.started and (norm.running == 1).all()
    nobody = torch.zeros(5, dtype=torch.bool)
    torch.testing.assert_close(norm(first, nobody), first)
    assert not norm.started
    norm(first, POSITIVE)
    a = magnitudes(first, POSITIVE)
    torch.testing.assert_close(norm.running, a)
    norm(second, POSITIVE)
    expected = 0.9 * a + 0.1 * magnitudes(second, POSITIVE)
    torch.testing.assert_close(norm.running, expected)
    # Without positive images it stays, and is what divides.
    found = norm(second, nobody)
    torch.testing.assert_close(norm.running, expected)
    torch.testing.assert_close(found, second / expected[:, None, None])
    norm.eval()
    torch.testing.assert_close(norm(first, POSITIVE), first / expected[:, None, None])
    torch.testing.assert_close(norm.running, expected)
