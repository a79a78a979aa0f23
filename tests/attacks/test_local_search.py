"""Local search: algorithms 2 and 3 by hand, and against one image in plain loops."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clearfilters.attacks.local_search import cyclic_colour, local_search, probe_colour
from clearfilters.errors import ClearfiltersError
from clearfilters.params.attacks import LocalSearchParams

SIDE = 8


def parameters(**changes: Any) -> LocalSearchParams:
    defaults = {
        "images": 1,
        "rounds": 6,
        "perturbed": 3,
        "half_side": 1,
        "cooldown": 2,
        "p": 1.0,
        "r": 1.5,
        "initial_share": 0.2,
        "candidates": 10,
        "order": "lowest",
        "seed": 5,
        "batch_size": 16,
    }
    return LocalSearchParams.model_validate({**defaults, **changes})


def small_network() -> nn.Module:
    """Random, its answers about equally frequent, so that some images are easy to attack."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        head := nn.Linear(6, 4),
    )
    with torch.no_grad():
        head.bias -= network(random_images(200, seed=9)).mean(dim=0)
        head.weight *= 20
        head.bias *= 20
    return network.eval()


def random_images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def answers(network: nn.Module, images: Tensor) -> np.ndarray:
    with torch.no_grad():
        return network(images).argmax(dim=1).numpy()


class Weighted(nn.Module):
    """Logit of class 0: the weighted red of the image, and a bias; of class 1: 0."""

    def __init__(self, weights: dict[tuple[int, int], float], bias: float) -> None:
        super().__init__()
        self.weights, self.bias = weights, bias

    def forward(self, images: Tensor) -> Tensor:
        logit = torch.full_like(images[:, 0, 0, 0], self.bias)
        for (row, column), weight in self.weights.items():
            logit = logit + weight * images[:, 0, row, column]
        return torch.stack([logit, torch.zeros_like(logit)], dim=1)


def naive(
    network: nn.Module, image: Tensor, label: int, id_: int, p: LocalSearchParams
) -> tuple[Tensor, bool, int]:
    """Algorithm 3, one image and one pixel at a time, in the paper's units."""
    generator = np.random.default_rng([p.seed, id_])
    current = (2 * image - 1).numpy().astype(np.float64)
    perturbed_in: dict[tuple[int, int], int] = {}

    def answer(pixels: np.ndarray) -> tuple[float, int]:
        with torch.no_grad():
            logits = network(torch.from_numpy((pixels + 1) / 2).float()[None])[0].double()
        return float(logits.softmax(0)[label]), int(logits.argmax())

    places = [divmod(int(n), SIDE) for n in generator.permutation(SIDE * SIDE)]
    candidates = places[: min(int(p.initial_share * SIDE * SIDE), p.candidates)]
    queries = 0
    for round_ in range(1, p.rounds + 1):
        scored = []
        for place in candidates:
            copy = current.copy()
            copy[:, *place] = p.p * np.sign(copy[:, *place])
            scored.append((answer(copy)[0], place))
            queries += 1
        scored.sort(key=lambda pair: pair[0], reverse=p.order == "highest")
        chosen = [place for _, place in scored[: p.perturbed]]
        for row, column in chosen:
            for channel in range(3):
                value = p.r * current[channel, row, column]
                if value < -1:
                    value += 2
                elif value > 1:
                    value -= 2
                current[channel, row, column] = value
            perturbed_in[row, column] = round_
        queries += 1
        if answer(current)[1] != label:
            return torch.from_numpy((current + 1) / 2).float(), True, queries
        square = {
            (row, column)
            for a, b in chosen
            for row in range(a - p.half_side, a + p.half_side + 1)
            for column in range(b - p.half_side, b + p.half_side + 1)
            if 0 <= row < SIDE and 0 <= column < SIDE
        }
        # A pixel perturbed in round i takes no part in rounds i + 1 to i + cooldown.
        candidates = sorted(
            place
            for place in square
            if round_ + 1 > perturbed_in.get(place, -p.cooldown) + p.cooldown
        )
        if len(candidates) > p.candidates:
            numbers = generator.permutation([SIDE * a + b for a, b in candidates])
            candidates = [divmod(int(n), SIDE) for n in numbers[: p.candidates]]
        if not candidates:
            break
    return torch.from_numpy((current + 1) / 2).float(), False, queries


@pytest.mark.parametrize("order", ["lowest", "highest"])
def test_against_one_image_in_plain_loops(order: str) -> None:
    network, images = small_network(), random_images(8)
    labels, ids = answers(network, images), np.arange(8) * 7
    params = parameters(order=order, rounds=8)
    found = local_search(network, images, labels, ids, params)
    expected = [
        naive(network, image, int(label), int(id_), params)
        for image, label, id_ in zip(images, labels, ids, strict=True)
    ]
    assert len({queries for _, _, queries in expected}) > 2
    assert found.queries.tolist() == [queries for _, _, queries in expected]
    assert found.success.tolist() == [success for _, success, _ in expected]
    torch.testing.assert_close(
        found.adversarial, torch.stack([image for image, _, _ in expected]), rtol=0, atol=1e-5
    )


def test_changed_pixels_are_few_and_success_is_real() -> None:
    network, images = small_network(), random_images(12, seed=1)
    labels = answers(network, images)
    found = local_search(network, images, labels, np.arange(12), parameters())
    changed = (found.adversarial != images).any(dim=1).sum(dim=(1, 2))
    assert (changed <= 3 * 6).all() and (changed > 0).all()
    assert found.adversarial.min() >= 0 and found.adversarial.max() <= 1
    np.testing.assert_array_equal(answers(network, found.adversarial) != labels, found.success)
    assert found.success.any()


def test_cyclic_by_hand() -> None:
    # In [-1, 1]: 1, 0.5, 0, -0.5, -1 become 1.5 - 2, 0.75, 0, -0.75, -1.5 + 2.
    colours = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0])
    expected = torch.tensor([0.25, 0.875, 0.5, 0.125, 0.75])
    torch.testing.assert_close(cyclic_colour(colours, 1.5), expected)
    for r in (0.0, 0.7, 1.0, 2.0):
        changed = cyclic_colour(torch.linspace(0, 1, 256), r)
        assert changed.min() >= 0 and changed.max() <= 1


def test_probe_by_hand() -> None:
    colours = torch.tensor([0.7, 0.2, 0.5])
    assert probe_colour(colours, 1.0).tolist() == [1.0, 0.0, 0.5]
    assert probe_colour(colours, 0.5).tolist() == [0.75, 0.25, 0.5]


# Probing makes the dark pixels black: the true class loses 4 * 0.25 by the first, wins 3 * 0.25 by
# the second and little by the third. "lowest" takes what hurts it most, "highest" what helps it.
@pytest.mark.parametrize(("order", "place"), [("lowest", (1, 1)), ("highest", (6, 6))])
def test_which_pixel_each_order_keeps(order: str, place: tuple[int, int]) -> None:
    network = Weighted({(1, 1): 4.0, (6, 6): -3.0, (3, 3): -0.5}, bias=5.0)
    images = torch.full((1, 3, SIDE, SIDE), 0.25)
    params = parameters(order=order, rounds=1, perturbed=1, initial_share=1.0, candidates=64)
    found = local_search(network, images, np.zeros(1, np.int64), np.arange(1), params)
    changed = (found.adversarial[0] != images[0]).any(dim=0).nonzero().tolist()
    assert changed == [list(place)]
    # 0.25 is -0.5 in [-1, 1]; times 1.5, -0.75; back, 0.125.
    assert found.adversarial[0, :, *place].tolist() == [0.125] * 3
    assert found.queries.tolist() == [65] and not found.success.any()


def test_the_vulnerable_pixel_is_found() -> None:
    network = Weighted({(4, 2): 8.0}, bias=-1.5)  # class 1 once the red there is below 0.1875
    images = torch.full((1, 3, SIDE, SIDE), 0.25)
    params = parameters(rounds=1, perturbed=1, initial_share=1.0, candidates=64)
    found = local_search(network, images, np.zeros(1, np.int64), np.arange(1), params)
    assert found.success.all()
    assert (found.adversarial[0] != images[0]).any(dim=0).nonzero().tolist() == [[4, 2]]


def test_queries_by_hand() -> None:
    never, images, labels = Weighted({}, 1.0), random_images(2), np.zeros(2, np.int64)
    # 0.1 of 64 pixels; then all 64 are near, of which 20 are asked for; and a check per round.
    params = parameters(rounds=4, half_side=8, cooldown=0, initial_share=0.1, candidates=20)
    found = local_search(never, images, labels, np.arange(2), params)
    assert found.queries.tolist() == [6 + 1 + 3 * (20 + 1)] * 2 and not found.success.any()
    always = local_search(Weighted({}, -1.0), images, labels, np.arange(2), params)
    assert always.queries.tolist() == [7, 7] and always.success.all()


def test_a_perturbed_pixel_rests() -> None:
    network, images, labels = Weighted({}, 1.0), random_images(1), np.zeros(1, np.int64)
    # Only the perturbed pixels themselves are near: while they rest, nothing is left to try.
    alone = {"half_side": 0, "rounds": 3, "perturbed": 3, "initial_share": 0.1}
    resting = local_search(network, images, labels, np.arange(1), parameters(**alone, cooldown=1))
    assert resting.queries.tolist() == [6 + 1]
    again = local_search(network, images, labels, np.arange(1), parameters(**alone, cooldown=0))
    assert again.queries.tolist() == [(6 + 1) + 2 * (3 + 1)]


def test_neither_order_nor_company_matters() -> None:
    network, images = small_network(), random_images(6, seed=2)
    labels, ids = answers(network, images), np.array([5, 0, 9, 2, 7, 1])
    together = local_search(network, images, labels, ids, parameters())
    turn = np.array([3, 5, 0, 1, 4, 2])
    order = torch.from_numpy(turn)
    turned = local_search(network, images[order], labels[turn], ids[turn], parameters())
    assert torch.equal(turned.adversarial, together.adversarial[order])
    np.testing.assert_array_equal(turned.queries, together.queries[turn])
    for i in range(6):
        part = slice(i, i + 1)
        alone = local_search(network, images[part], labels[part], ids[part], parameters())
        assert torch.equal(alone.adversarial, together.adversarial[part])
        assert alone.queries[0] == together.queries[i]


def test_the_images_given_stay_as_they_are() -> None:
    images = random_images(2)
    before = images.clone()
    local_search(small_network(), images, np.zeros(2, np.int64), np.arange(2), parameters())
    assert torch.equal(images, before)


def test_images_outside_the_range_are_refused() -> None:
    with pytest.raises(ClearfiltersError, match=r"pixels lie in \[-1, -1\]; expected \[0, 1\]"):
        local_search(
            small_network(), -torch.ones(1, 3, 8, 8), np.zeros(1, np.int64), np.arange(1),
            parameters(),
        )  # fmt: skip
