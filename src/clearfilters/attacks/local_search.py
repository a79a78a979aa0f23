"""Greedy local search (Narodytska and Kasiviswanathan 2016, algorithm 3), on many images.

The paper's pixels lie in [LB, UB] around 0. Here they are colours in [0, 1], taken as
2 * colour - 1: LB = -1, UB = 1.
"""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from clearfilters.attacks.attackable import check_attackable
from clearfilters.attacks.queries import Floats, Ints, Outcome, ask, stream, with_pixel
from clearfilters.params.attacks import LocalSearchParams
from clearfilters.progress import progress


def local_search(
    model: nn.Module, images: Tensor, labels: Ints, ids: Ints, params: LocalSearchParams
) -> Outcome:
    """Attack correctly classified images by changing a few pixels of each per round.

    A round asks for every candidate pixel what becomes of the true class's probability if that
    pixel alone is perturbed (`probe_colour`), and changes `perturbed` of them for good
    (`cyclic_colour`). The next candidates are the squares around these. The search on an image
    ends when the changed image is misclassified, after the last round, or when no candidate is
    left.

    The paper contradicts itself on which pixels to keep: those of highest probability in the
    pseudocode ("descending order of score"), of lowest in the text, whose aim is to lower it
    ("pixels whose perturbation lead to a larger decrease of f are more likely useful").
    `params.order` chooses. From the paper's experiments: a changed pixel is no candidate for
    `cooldown` rounds. p stays as given; the paper adapts it, but does not say by how much.

    Args:
        model: in eval mode, takes images in [0, 1], returns logits.
        images: float32 (N, 3, H, W) in [0, 1], on the model's device.
        labels: true classes (N,).
        ids: what seeds the search on each image, with `params.seed` (N,).
        params: see params.yaml.

    Returns:
        The last image; at most rounds * (candidates + 1) queries per image.

    Raises:
        ClearfiltersError: for images outside [0, 1], or a model without a single logits tensor.
    """
    check_attackable(model, images)
    current = images.clone(memory_format=torch.contiguous_format)
    pixels = current.flatten(2)
    searches = [
        Search(stream(params.seed, int(id_)), images.shape[2], images.shape[3], params)
        for id_ in ids
    ]
    success = np.zeros(len(images), np.bool_)
    queries = np.zeros(len(images), np.int64)
    running = np.arange(len(images))
    for _ in progress(range(params.rounds), "local search", "rounds"):
        sizes = [searches[i].candidates.size for i in running]
        owner = np.repeat(running, sizes)
        pixel = np.concatenate([searches[i].candidates for i in running])
        answers = ask(
            model,
            partial(_probed, current, owner, pixel, params.p),
            labels[owner],
            params.batch_size,
        )
        scores = np.split(answers.score, np.cumsum(sizes)[:-1])
        for i, found in zip(running, scores, strict=True):
            chosen = searches[i].step(found)
            pixels[i, :, chosen] = cyclic_colour(pixels[i, :, chosen], params.r)
        answers = ask(
            model,
            partial(_copies, current, running),
            labels[running],
            params.batch_size,
        )
        queries[running] += np.array(sizes) + 1
        success[running] = answers.predicted != labels[running]
        running = np.array(
            [i for i in running if not success[i] and searches[i].candidates.size], np.int64
        )
        if not running.size:
            break
    return Outcome(current.cpu(), success, queries)


def probe_colour(colour: Tensor, p: float) -> Tensor:
    """PERT (equation 1): p * sign(pixel); p = 1 makes each channel black or white."""
    return (p * (2 * colour - 1).sign() + 1) / 2


def cyclic_colour(colour: Tensor, r: float) -> Tensor:
    """CYCLIC (algorithm 2): r * pixel, wrapped around into the range."""
    scaled = r * (2 * colour - 1)
    wrapped = scaled - 2 * (scaled > 1).float() + 2 * (scaled < -1).float()
    return ((wrapped + 1) / 2).clamp(0, 1)


class Search:
    """Where the search on one image looks.

    Attributes:
        candidates: pixels of the coming round, row * W + column.
    """

    def __init__(
        self, generator: np.random.Generator, height: int, width: int, params: LocalSearchParams
    ) -> None:
        """Begin with a random share of the pixels, at least one."""
        self._generator, self._params = generator, params
        self._round = 0
        # Last round in which each pixel is no candidate.
        self._rests_until = np.zeros((height, width), np.int64)
        count = max(1, int(params.initial_share * height * width))
        everywhere: Ints = generator.permutation(height * width)
        self.candidates = everywhere[: min(count, params.candidates)]

    def step(self, scores: Floats) -> Ints:
        """The pixels to change, by the scores of the candidates; the next candidates follow."""
        sign = 1 if self._params.order == "lowest" else -1
        best = np.argsort(sign * scores, kind="stable")[: self._params.perturbed]
        chosen = self.candidates[best]
        self._round += 1
        self._rests_until.flat[chosen] = self._round + self._params.cooldown
        self.candidates = self._around(chosen)
        return chosen

    def _around(self, chosen: Ints) -> Ints:
        """The squares around the chosen pixels, without those that rest; a random part, if many."""
        near = np.zeros(self._rests_until.shape, np.bool_)
        reach = self._params.half_side
        for row, column in zip(*np.unravel_index(chosen, near.shape), strict=True):
            rows = slice(max(row - reach, 0), row + reach + 1)
            columns = slice(max(column - reach, 0), column + reach + 1)
            near[rows, columns] = True
        found = np.flatnonzero(near & (self._rests_until <= self._round))
        if found.size > self._params.candidates:
            found = self._generator.permutation(found)[: self._params.candidates]
        return found


def _copies(images: Tensor, owner: Ints, batch: Ints) -> Tensor:
    """The images that the queries of these numbers are about."""
    return images[torch.from_numpy(owner[batch])]


def _probed(images: Tensor, owner: Ints, pixel: Ints, p: float, batch: Ints) -> Tensor:
    """The queries of these numbers: copies of images with one pixel perturbed by p."""
    owner, pixel = owner[batch], pixel[batch]
    where = torch.from_numpy(owner).to(images.device), torch.from_numpy(pixel).to(images.device)
    colour = images.flatten(2)[where[0], :, where[1]]
    return with_pixel(images, owner, pixel, probe_colour(colour, p))
