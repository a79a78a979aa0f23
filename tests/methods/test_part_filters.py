"""Masks, filter loss, category memory and slopes, against loops and numbers worked out by hand."""

import doctest

import numpy as np
import part_filters_by_hand as by_hand
import pytest
import torch
from torch import Tensor

from clearfilters.errors import ClearfiltersError
from clearfilters.methods import part_filters
from clearfilters.methods.filter_categories import CategoryMemory, class_weights
from clearfilters.methods.part_filters import FilterLoss, PaperFilterLoss, PartMask, Seen

N = 14


def maps_of(*shape: int, seed: int = 0, sparse: bool = False) -> Tensor:
    """Random maps, at least 0, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(shape, generator=generator, dtype=torch.float64) * 3
    return maps * (torch.rand(shape, generator=generator) < 0.1) if sparse else maps


def seen_of(mask: PartMask, maps: Tensor) -> Seen:
    """What a mask sees of maps in training mode."""
    mask.train()(maps)
    return mask.take_seen()


def test_the_docstring_example_runs() -> None:
    assert doctest.testmod(part_filters).attempted > 0
    assert doctest.testmod(part_filters).failed == 0


def test_a_template_is_1_at_its_cell_and_falls_by_4_over_n_minus_1() -> None:
    maps = torch.zeros(1, 1, N, N)
    maps[0, 0, 5, 6] = 1.0
    found = PartMask(1).see(maps).templates[0, 0]
    assert found[5, 6] == 1
    assert found[5, 7].item() == pytest.approx(0.692, abs=5e-4)
    assert found[4, 6].item() == pytest.approx(1 - 4 / 13)
    near = [(i, j) for i in range(N) for j in range(N) if abs(i - 5) + abs(j - 6) <= 3]
    assert {tuple(cell) for cell in (found > 0).nonzero().tolist()} == set(near)
    assert found.min() == -1


def test_the_papers_template_falls_by_4_over_n_from_the_largest_value() -> None:
    mask = PartMask(1, beta=4.0, variant="paper")
    maps = torch.ones(1, 1, N, N)
    maps[0, 0, 3, 9] = 2.0
    seen = mask.see(maps)
    assert (seen.rows.item(), seen.columns.item()) == (3, 9)
    assert seen.templates[0, 0, 3, 8].item() == pytest.approx(1 - 4 / N)


@pytest.mark.parametrize("sparse", [False, True])
def test_masks_are_those_of_the_loop(sparse: bool) -> None:
    maps = maps_of(3, 4, 7, 7, sparse=sparse)
    mask = PartMask(4).double()
    with torch.no_grad():
        mask.beta.copy_(torch.tensor([1.5, 2.0, 2.5, 3.0]))
    expected = by_hand.templates(maps.numpy(), mask.beta.detach().numpy())
    seen = seen_of(mask, maps)
    np.testing.assert_allclose(seen.templates, expected, atol=1e-12)
    masked = maps.numpy() * np.maximum(expected, 0)
    np.testing.assert_allclose(mask(maps).detach(), masked, atol=1e-12)


def test_half_a_cell_is_rounded_up_and_zeros_have_their_centre_in_the_first_cell() -> None:
    maps = torch.zeros(1, 2, 4, 4)
    maps[0, 0, 1, 2] = maps[0, 0, 2, 2] = 1.0
    seen = PartMask(2).see(maps)
    assert seen.rows.tolist() == [[2, 0]]
    assert seen.columns.tolist() == [[2, 0]]


def test_the_mask_is_a_constant_to_the_gradient() -> None:
    maps = maps_of(2, 3, 5, 5).requires_grad_()
    mask = PartMask(3).double().train()
    mask(maps).sum().backward()
    assert maps.grad is not None
    torch.testing.assert_close(maps.grad, mask.take_seen().templates.clamp(min=0))
    assert mask.beta.grad is None


def test_a_mask_works_alike_in_testing_and_looks_on_where_it_is_off() -> None:
    maps = maps_of(2, 3, 5, 5)
    mask = PartMask(3).double()
    assert torch.equal(mask.train()(maps), mask.eval()(maps))
    onlooker = PartMask(3, masks=False).double()
    assert torch.equal(onlooker.train()(maps), maps)
    assert torch.equal(onlooker.take_seen().maps, maps)
    assert torch.equal(onlooker.eval()(maps), maps)


def test_masks_and_losses_stay_in_float32_under_autocast() -> None:
    maps = maps_of(8, 4, 14, 14, seed=3).float()
    mask, loss = PartMask(4).train(), FilterLoss(4, strength=1.0)
    expected = mask(maps.bfloat16().float())
    with torch.autocast("cpu", torch.bfloat16):
        found = mask(maps.bfloat16())
        cost = loss(mask, (torch.arange(8) % 2 == 0)[:, None])
    assert found.dtype == cost.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_a_filter_loss_without_a_forward_pass_says_so() -> None:
    with pytest.raises(ClearfiltersError, match="pass a batch through the network"):
        FilterLoss(2)(PartMask(2), torch.tensor([[True]]))


def test_filters_beyond_those_of_the_mask_are_left_ordinary() -> None:
    maps = maps_of(2, 5, 6, 6).requires_grad_()
    few, all_ = PartMask(3).double().train(), PartMask(5).double().train()
    found = few(maps)
    torch.testing.assert_close(found[:, :3], all_(maps)[:, :3])
    assert torch.equal(found[:, 3:], maps[:, 3:])
    FilterLoss(3, strength=1.0).double()(few, torch.tensor([[True], [False]])).backward()
    assert maps.grad is not None
    assert maps.grad[:, :3].abs().sum() > 0
    assert maps.grad[:, 3:].abs().sum() == 0


@pytest.mark.parametrize("sparse", [False, True])
def test_the_gradient_is_that_of_the_loop(sparse: bool) -> None:
    maps = maps_of(6, 4, 7, 7, sparse=sparse)
    positive = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) < 0.5
    positive[0], positive[1] = True, False
    weights = torch.tensor([[1.0, 2.0, 0.5, 3.0], [1.5, 1.0, 2.5, 0.7]], dtype=torch.float64)
    mask = PartMask(4).double()
    found = part_filters.code_gradient(
        seen_of(mask, maps), positive, (weights[0], weights[1]), alpha=0.5
    )
    expected = by_hand.gradient(
        maps.numpy(), mask.beta.detach().numpy(), positive.numpy(), weights.numpy(), 0.5
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_large_activations_do_not_overflow() -> None:
    maps = maps_of(6, 4, 7, 7)
    positive = torch.zeros(6, 4, dtype=torch.bool)
    positive[:3] = True
    ones = torch.ones(4, dtype=torch.float64)
    exact = by_hand.gradient(
        100 * maps.numpy(), np.full(4, 2.0), positive.numpy(), np.ones((2, 4)), 0.5
    )
    found = part_filters.code_gradient(
        seen_of(PartMask(4).double(), 100 * maps), positive, (ones, ones), alpha=0.5
    )
    np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-12)
    huge = part_filters.code_gradient(
        seen_of(PartMask(4), 1e5 * maps.float()), positive, (ones.float(), ones.float()), alpha=0.5
    )
    assert torch.isfinite(huge).all()


def test_maps_of_zeros_give_a_finite_gradient() -> None:
    seen = seen_of(PartMask(2), torch.zeros(4, 2, 5, 5))
    for count in range(5):
        positive = (torch.arange(4) < count)[:, None].expand(-1, 2)
        ones = torch.ones(2)
        assert torch.isfinite(part_filters.code_gradient(seen, positive, (ones, ones), 0.5)).all()


def test_one_positive_image_is_pushed_by_its_template_and_negatives_alike_everywhere() -> None:
    maps = maps_of(2, 1, 5, 5)
    positive = torch.tensor([[True], [False]])
    one = torch.ones(1, dtype=torch.float64)
    seen = seen_of(PartMask(1).double(), maps)
    found = part_filters.code_gradient(seen, positive, (one, one), alpha=0.5)
    torch.testing.assert_close(found[0], -seen.templates[0])
    torch.testing.assert_close(found[1], torch.ones(1, 5, 5, dtype=torch.float64))


def test_the_order_of_images_and_filters_does_not_matter_when_both_are_reversed() -> None:
    maps = maps_of(5, 3, 6, 6)
    positive = (torch.arange(5) < 3)[:, None].expand(-1, 3)
    ones = torch.ones(3, dtype=torch.float64)
    forward = part_filters.code_gradient(
        seen_of(PartMask(3).double(), maps), positive, (ones, ones), 0.5
    )
    backward = part_filters.code_gradient(
        seen_of(PartMask(3).double(), maps.flip(0, 1)), positive.flip(0, 1), (ones, ones), 0.5
    )
    torch.testing.assert_close(backward.flip(0, 1), forward)


def test_the_surrogate_has_the_stated_gradient() -> None:
    maps = maps_of(4, 2, 6, 6).requires_grad_()
    labels = torch.tensor([[True], [False], [True], [True]])
    mask, loss = PartMask(2).double().train(), FilterLoss(2, strength=1e-6).double()
    mask(maps)
    loss(mask, labels, 1 / 3).backward()
    ones = torch.ones(2, dtype=torch.float64)
    own = part_filters.code_gradient(
        seen_of(mask, maps.detach()), labels.expand(-1, 2), (ones, ones), 0.5
    )
    assert maps.grad is not None
    torch.testing.assert_close(maps.grad, own * 1e-6 / 3 / 4)


def test_held_has_the_ratio_of_the_tasks_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, own, task = torch.rand(3, 4, 2, 5, 5, generator=generator).unbind()
    pull = part_filters.Pull(maps, own)
    layer = pull.held(task, 0.3, per_filter=False).gradient
    assert layer.norm().item() == pytest.approx(0.3 * task.norm().item(), rel=1e-5)
    each = pull.held(task, 0.3, per_filter=True).gradient
    for f in range(2):
        assert each[:, f].norm().item() == pytest.approx(0.3 * task[:, f].norm().item(), rel=1e-5)
    still = part_filters.Pull(maps, torch.zeros_like(own)).held(task, 0.3, per_filter=True)
    assert torch.equal(still.gradient, torch.zeros_like(own))


def test_class_weights() -> None:
    one = class_weights(torch.tensor([0.75]))
    assert [side.tolist() for side in one] == [[1.0], [1.0]]
    few = class_weights(torch.tensor([0.25, 0.75]))
    assert few[0].tolist() == pytest.approx([2.0, 2 / 3])
    assert few[1].tolist() == pytest.approx([2 / 3, 2.0])
    many = class_weights(torch.full((20,), 0.5))
    assert many[0].tolist() == pytest.approx([10.0] * 20)
    assert many[1].tolist() == pytest.approx([0.5 / 0.95] * 20)


def test_a_filter_stands_for_the_category_that_excites_it_most() -> None:
    memory = CategoryMemory(2, 2, keep=0.9)
    categories = torch.tensor([[True, False], [True, False], [False, True]])
    # Before the first batch every image of a category is positive.
    assert memory.positive(categories).all()
    maps = torch.zeros(3, 2, 4, 4)
    maps[0, 0, 1, 1], maps[1, 0, 2, 2], maps[2, 1, 0, 0] = 2.0, 4.0, 5.0
    memory.update(maps, categories)
    torch.testing.assert_close(memory.memory, torch.tensor([[3.0, 0.1], [0.1, 5.0]]))
    assert memory.category_of_filter().tolist() == [0, 1]
    assert memory.positive(categories).tolist() == [[True, False], [True, False], [False, True]]
    # A tenth of the way; a mean of 0 and an absent category change nothing.
    memory.update(maps[:1], categories[:1])
    torch.testing.assert_close(memory.memory, torch.tensor([[2.9, 0.1], [0.1, 5.0]]))
    # After so many batches of the second category the first filter stands for it.
    for _ in range(12):
        memory.update(torch.full((1, 2, 4, 4), 9.0), torch.tensor([[False, True]]))
    assert memory.category_of_filter().tolist() == [1, 1]


def test_weights_follow_the_category_of_the_filter() -> None:
    loss = FilterLoss(2, 2, strength=1.0)
    loss.shares.copy_(torch.tensor([0.25, 0.75]))
    maps = torch.zeros(4, 2, 3, 3)
    maps[0, 0], maps[1:, 1] = 1.0, 1.0
    categories = torch.tensor([[True, False], [False, True], [False, True], [False, True]])
    mask = PartMask(2).train()
    mask(maps)
    seen = mask.take_seen()
    first = loss.gradient(seen, loss.positive(categories))
    # Every image is positive at first, and weighs 1.
    ones = torch.ones(2)
    everywhere = torch.ones(4, 2, dtype=torch.bool)
    expected = part_filters.code_gradient(seen, everywhere, (ones, ones), loss.alpha)
    torch.testing.assert_close(first, expected / 4)
    loss.update(maps, categories)
    seen = seen_of(mask, maps)
    found = loss.gradient(seen, loss.positive(categories)) * 4
    # One positive image: its strength is 1. Negatives of equal maps: theirs is 1 each.
    torch.testing.assert_close(found[0, 0], -2.0 * seen.templates[0, 0])
    torch.testing.assert_close(found[1, 0], torch.full((3, 3), 2 / 3))
    torch.testing.assert_close(found[0, 1], torch.full((3, 3), 2.0))


def test_slopes_are_drawn_to_3_over_the_spread_of_the_map() -> None:
    # A cell's neighbours above and below, as strong: the standard deviation is sqrt(2 / 3).
    maps = torch.zeros(2, 2, 9, 9)
    maps[0, 0, 3:6, 4] = 1.0
    # All in the corners: as wide as it gets.
    maps[0, 1, 0, 0] = maps[0, 1, 8, 8] = maps[0, 1, 0, 8] = maps[0, 1, 8, 0] = 1.0
    seen = seen_of(PartMask(2, beta=1.5), maps)
    positive = torch.tensor([[True, True], [False, False]])
    found = part_filters.beta_targets(seen, positive, spread=2.0, low=1.5, high=3.0)
    assert found[0].item() == pytest.approx(2 / (2 / 3) ** 0.5)
    assert found[1].item() == 1.5
    # No image of its category: the steepest.
    none = torch.zeros(2, 2, dtype=torch.bool)
    assert part_filters.beta_targets(seen, none, 2.0, 1.5, 3.0).tolist() == [3.0, 3.0]


def test_the_papers_gradient_on_a_map_small_enough_to_work_out() -> None:
    maps = torch.zeros(2, 1, 2, 2)
    maps[0, 0, 0, 0], maps[1, 0, 1, 1] = 1.0, 2.0
    mask = PartMask(1, beta=1.0, variant="paper")
    seen = seen_of(mask, maps)
    # n = 2, beta = 1: 1 at mu, 1/2 beside it, 0 across.
    assert seen.templates[0, 0].tolist() == [[1.0, 0.5], [0.5, 0.0]]
    loss = PaperFilterLoss(1, strength=0.1, tau=0.5)
    found = loss.gradient(seen, torch.tensor([[True], [False]]))
    tau = 0.5 / 4
    # Each map on the other's template gives 0, so log Z is 0; on the negative one, -tau sum x.
    log_z_negative = np.log((np.exp(-tau) + np.exp(-2 * tau)) / 2)
    force = 0.1 * 1.5 * np.exp(tau) * tau
    np.testing.assert_allclose(found[0, 0], -force * tau * seen.templates[0, 0], rtol=1e-5)
    fitness = -2 * tau - log_z_negative
    quiet = 0.1 * 1.5 * np.exp(fitness) * fitness
    np.testing.assert_allclose(found[1, 0], np.full((2, 2), quiet * tau), rtol=1e-4)
