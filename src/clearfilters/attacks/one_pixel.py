"""The one-pixel attack by differential evolution (Su et al. 2019), untargeted, on many images.

A candidate is a pixel and the colour it gets: five numbers in [0, 1], row and column as shares of
the image's height and width, then red, green and blue.
"""

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clearfilters.attacks.attackable import check_attackable
from clearfilters.attacks.queries import Ints, Outcome, ask, stream, with_pixel
from clearfilters.params.attacks import OnePixelParams
from clearfilters.progress import progress

Population = npt.NDArray[np.float32]
# Su et al. 2019, section III-C: initial colours from N(128, 127), in 8-bit levels.
COLOUR_MEAN, COLOUR_STD = 128 / 255, 127 / 255


def one_pixel(
    model: nn.Module, images: Tensor, labels: Ints, ids: Ints, params: OnePixelParams
) -> Outcome:
    """Attack correctly classified images by changing one pixel of each.

    Every generation, each candidate x_i meets a child x_r1 + F (x_r2 - x_r3), where i, r1, r2, r3
    differ, and the one with the lower probability of the true class stays (no crossover). Numbers
    that leave [0, 1] are clipped. The attack on an image ends when its best candidate is
    misclassified, or after the last generation. (The paper's untargeted attacks go on until the
    probability falls below 5 %; success is the same event.)

    Args:
        model: in eval mode, takes images in [0, 1], returns logits.
        images: float32 (N, 3, H, W) in [0, 1], on the model's device.
        labels: true classes (N,).
        ids: what seeds the attack on each image, with `params.seed` (N,).
        params: population, generations, mutation F, seed and batch size.

    Returns:
        The best candidate's image; at most population * (generations + 1) queries per image.

    Raises:
        ClearfiltersError: for images outside [0, 1], or a model without a single logits tensor.
    """
    check_attackable(model, images)
    count, size = len(images), params.population
    streams = [stream(params.seed, int(id_)) for id_ in ids]
    population = np.stack([initial_population(each, size) for each in streams])
    score = np.full((count, size), np.inf)
    predicted = np.empty((count, size), np.int64)
    queries = np.zeros(count, np.int64)
    running = np.arange(count)
    for generation in progress(range(params.generations + 1), "one pixel", "generations"):
        children = population[running]
        if generation > 0:
            children = np.stack([offspring(streams[i], population[i], params.mutation)
                                 for i in running])  # fmt: skip
        owner = np.repeat(running, size)
        candidates = children.reshape(-1, 5)
        answers = ask(
            model,
            partial(_some, images, owner, candidates),
            labels[owner],
            params.batch_size,
        )
        queries[running] += size
        better = answers.score < score[owner, np.tile(np.arange(size), len(running))]
        rows, columns = owner[better], np.flatnonzero(better) % size
        population[rows, columns] = candidates[better]
        score[rows, columns] = answers.score[better]
        predicted[rows, columns] = answers.predicted[better]
        best = score.argmin(axis=1)
        success = predicted[np.arange(count), best] != labels
        running = np.flatnonzero(~success)
        if not running.size:
            break
    everything = np.arange(count)
    adversarial = _apply(images, everything, population[everything, best])
    return Outcome(adversarial.cpu(), success, queries)


def initial_population(generator: np.random.Generator, size: int) -> Population:
    """Candidates (size, 5): a uniformly drawn pixel, normally distributed colours."""
    place = generator.random((size, 2))
    colour = generator.normal(COLOUR_MEAN, COLOUR_STD, (size, 3))
    return np.hstack([place, colour]).clip(0, 1).astype(np.float32)


def offspring(
    generator: np.random.Generator, population: Population, mutation: float
) -> Population:
    """One child per candidate (P, 5): x_r1 + F (x_r2 - x_r3), clipped to [0, 1]."""
    first, second, third = distinct_triples(generator, len(population)).T
    children = population[first] + mutation * (population[second] - population[third])
    return children.clip(0, 1)


def distinct_triples(generator: np.random.Generator, size: int) -> Ints:
    """For each i in range(size), three numbers of range(size): all four differ; (size, 3)."""
    taken = np.arange(size)[:, None]
    for _ in range(3):
        drawn = generator.integers(0, size - taken.shape[1], size)
        # The drawn number counts those that are left: step over each smaller taken one.
        for smaller in np.sort(taken, axis=1).T:
            drawn += drawn >= smaller
        taken = np.column_stack([taken, drawn])
    return taken[:, 1:]


def _some(images: Tensor, owner: Ints, candidates: Population, batch: Ints) -> Tensor:
    """What `_apply` makes of the candidates of these numbers."""
    return _apply(images, owner[batch], candidates[batch])


def _apply(images: Tensor, owner: Ints, candidates: Population) -> Tensor:
    """The images (Q, 3, H, W) that candidates (Q, 5) make of their owners."""
    height, width = images.shape[2:]
    row = np.minimum((candidates[:, 0] * height).astype(np.int64), height - 1)
    column = np.minimum((candidates[:, 1] * width).astype(np.int64), width - 1)
    colour = torch.from_numpy(candidates[:, 2:]).to(images.device)
    return with_pixel(images, owner, row * width + column, colour)
