"""One-pixel attack: against one image in plain loops, and where the answer is known."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from clearfilters.attacks.one_pixel import (
    distinct_triples,
    initial_population,
    offspring,
    one_pixel,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.params.attacks import OnePixelParams

SIDE = 8


def parameters(**changes: float) -> OnePixelParams:
    defaults = {
        "images": 1,
        "population": 12,
        "generations": 4,
        "mutation": 0.5,
        "seed": 3,
        "batch_size": 16,
    }
    return OnePixelParams.model_validate({**defaults, **changes})


def small_network() -> nn.Module:
    """Random, its answers about equally frequent, so that some images are easy to attack."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
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


class OnePixelMatters(nn.Module):
    """Class 1 exactly if the red of pixel (3, 5) is above 0.6."""

    def forward(self, images: Tensor) -> Tensor:
        red = images[:, 0, 3, 5]
        return torch.stack([torch.full_like(red, 0.6), red], dim=1)


class Always(nn.Module):
    """One class, whatever the image."""

    def __init__(self, answer: int) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Tensor:
        logits = images.new_zeros((len(images), 3))
        logits[:, self.answer] = 1
        return logits


def naive(
    network: nn.Module, image: Tensor, label: int, id_: int, p: OnePixelParams
) -> tuple[Tensor, bool, int]:
    """One image at a time, one candidate at a time."""
    generator = np.random.default_rng([p.seed, id_])

    def changed(candidate: np.ndarray) -> Tensor:
        copy = image.clone()
        row, column = (min(int(share * SIDE), SIDE - 1) for share in candidate[:2])
        copy[:, row, column] = torch.from_numpy(candidate[2:])
        return copy

    def judge(candidate: np.ndarray) -> tuple[float, int]:
        with torch.no_grad():
            logits = network(changed(candidate)[None])[0].double()
        return float(logits.softmax(0)[label]), int(logits.argmax())

    place = generator.random((p.population, 2))
    colour = generator.normal(128 / 255, 127 / 255, (p.population, 3))
    population = [
        np.clip(np.append(a, b), 0, 1).astype(np.float32)
        for a, b in zip(place, colour, strict=True)
    ]
    judged = [judge(candidate) for candidate in population]
    queries = p.population
    best = min(range(p.population), key=lambda i: judged[i][0])
    for _ in range(p.generations):
        if judged[best][1] != label:
            break
        draws = [generator.integers(0, p.population - k, p.population) for k in (1, 2, 3)]
        children = []
        for i in range(p.population):
            left = [j for j in range(p.population) if j != i]
            a, b, c = (population[left.pop(int(draw[i]))] for draw in draws)
            children.append(np.clip(a + np.float32(p.mutation) * (b - c), 0, 1))
        for i, child in enumerate(children):
            found = judge(child)
            queries += 1
            if found[0] < judged[i][0]:
                population[i], judged[i] = child, found
        best = min(range(p.population), key=lambda i: judged[i][0])
    return changed(population[best]), judged[best][1] != label, queries


def test_against_one_image_in_plain_loops() -> None:
    network, images = small_network(), random_images(8)
    labels, ids = answers(network, images), np.arange(8) * 11
    params = parameters()
    found = one_pixel(network, images, labels, ids, params)
    expected = [
        naive(network, image, int(label), int(id_), params)
        for image, label, id_ in zip(images, labels, ids, strict=True)
    ]
    # Some succeed at once, some later, some never: else this would say little.
    assert len({queries for _, _, queries in expected}) > 2
    assert {success for _, success, _ in expected} == {True, False}
    assert found.queries.tolist() == [queries for _, _, queries in expected]
    assert found.success.tolist() == [success for _, success, _ in expected]
    torch.testing.assert_close(
        found.adversarial, torch.stack([image for image, _, _ in expected]), rtol=0, atol=1e-6
    )


def test_at_most_one_pixel_differs_and_success_is_real() -> None:
    network, images = small_network(), random_images(12, seed=1)
    labels = answers(network, images)
    found = one_pixel(network, images, labels, np.arange(12), parameters())
    changed = (found.adversarial != images).any(dim=1).sum(dim=(1, 2))
    assert (changed <= 1).all()
    assert found.adversarial.dtype == torch.float32
    assert found.adversarial.min() >= 0 and found.adversarial.max() <= 1
    np.testing.assert_array_equal(answers(network, found.adversarial) != labels, found.success)
    assert found.success.any()


def test_the_vulnerable_pixel_is_found() -> None:
    images = torch.zeros(3, 3, SIDE, SIDE)
    params = parameters(population=300, generations=20)
    found = one_pixel(OnePixelMatters(), images, np.zeros(3, np.int64), np.arange(3), params)
    assert found.success.all()
    changed = found.adversarial.abs().sum(dim=1).flatten(1)
    assert (changed.argmax(dim=1) == 3 * SIDE + 5).all()
    assert (found.adversarial[:, 0, 3, 5] > 0.6).all()


def test_queries_by_hand() -> None:
    images, labels = random_images(2), np.zeros(2, np.int64)
    params = parameters(population=7, generations=3)
    never = one_pixel(Always(0), images, labels, np.arange(2), params)
    assert never.queries.tolist() == [7 * 4, 7 * 4] and not never.success.any()
    once = one_pixel(Always(1), images, labels, np.arange(2), params)
    assert once.queries.tolist() == [7, 7] and once.success.all()


def test_neither_order_nor_company_matters() -> None:
    network, images = small_network(), random_images(6, seed=2)
    labels, ids = answers(network, images), np.array([5, 0, 9, 2, 7, 1])
    together = one_pixel(network, images, labels, ids, parameters())
    turn = np.array([3, 5, 0, 1, 4, 2])
    turned = one_pixel(network, images[torch.from_numpy(turn)], labels[turn], ids[turn], parameters())  # fmt: skip  # noqa: E501
    assert torch.equal(turned.adversarial, together.adversarial[torch.from_numpy(turn)])
    np.testing.assert_array_equal(turned.queries, together.queries[turn])
    for i in range(6):
        part = slice(i, i + 1)
        alone = one_pixel(network, images[part], labels[part], ids[part], parameters())
        assert torch.equal(alone.adversarial, together.adversarial[part])
        assert alone.queries[0] == together.queries[i]


def test_another_seed_gives_another_attack() -> None:
    images, labels = random_images(1), np.zeros(1, np.int64)
    first, second = (
        one_pixel(Always(0), images, labels, np.zeros(1, np.int64), parameters(seed=seed))
        for seed in (0, 1)
    )
    assert not torch.equal(first.adversarial, second.adversarial)


@settings(max_examples=50, deadline=None)
@given(size=st.integers(4, 40), seed=st.integers(0, 2**32))
def test_parents_are_distinct(size: int, seed: int) -> None:
    triples = distinct_triples(np.random.default_rng(seed), size)
    assert triples.shape == (size, 3)
    assert triples.min() >= 0 and triples.max() < size
    for i, triple in enumerate(triples):
        assert len({i, *triple.tolist()}) == 4


def test_parents_are_uniform() -> None:
    generator = np.random.default_rng(0)
    found = Counter(tuple(distinct_triples(generator, 4)[2].tolist()) for _ in range(6000))
    assert len(found) == 6  # the orders of 0, 1, 3
    assert max(abs(count - 1000) for count in found.values()) < 150


def test_offspring_by_hand() -> None:
    population = np.array([[0.1] * 5, [0.2] * 5, [0.4] * 5, [0.8] * 5], np.float32)
    children = offspring(np.random.default_rng(0), population, 0.5)
    triples = distinct_triples(np.random.default_rng(0), 4)
    for child, (a, b, c) in zip(children, triples, strict=True):
        expected = population[a, 0] + 0.5 * (population[b, 0] - population[c, 0])
        np.testing.assert_allclose(child, np.clip(expected, 0, 1), rtol=1e-6)


def test_the_initial_population_follows_the_paper() -> None:
    population = initial_population(np.random.default_rng(0), 20_000)
    assert population.shape == (20_000, 5) and population.dtype == np.float32
    assert abs(population[:, :2].mean() - 0.5) < 0.01
    assert abs(population[:, :2].std() - 12**-0.5) < 0.01
    # N(128, 127) falls below 0 with probability 0.157 and above 255 with 0.159.
    assert abs((population[:, 2:] == 0).mean() - 0.157) < 0.01
    assert abs((population[:, 2:] == 1).mean() - 0.159) < 0.01


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, 3, 4, 4), 1.5), r"pixels lie in \[1.5, 1.5\]"),
        (torch.full((1, 3, 4, 4), torch.nan), "pixels lie in"),
        (torch.zeros((1, 3, 4, 4), dtype=torch.uint8), "expected float32"),
        (torch.zeros((0, 3, 4, 4)), "at least one"),
    ],
)
def test_unfit_images_are_refused(images: Tensor, message: str) -> None:
    with pytest.raises(ClearfiltersError, match=message):
        one_pixel(Always(0), images, np.zeros(1, np.int64), np.arange(1), parameters())


class Features(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.mean(dim=(2, 3)), images


def test_a_model_without_a_single_logits_tensor_is_refused() -> None:
    images = random_images(1)
    with pytest.raises(ClearfiltersError, match=r"returned tuple .* one logits tensor"):
        one_pixel(Features(), images, np.zeros(1, np.int64), np.arange(1), parameters())
    with pytest.raises(ClearfiltersError, match=r"\(1, 3, 8, 8\)"):
        one_pixel(nn.Identity(), images, np.zeros(1, np.int64), np.arange(1), parameters())
