"""Queries per second of the black-box attacks.

One-pixel: ours, the queries of all images in batches of one size, against torchattacks' OnePixel
with the same population, which takes one image after the other: at least 1.5x. Local search: ours
against its own loop, one image after the other and one query per forward pass, on the network as it
is: at least 5x. Both baselines count the images that went through the network.
"""

import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

from benchmarks import workload
from benchmarks.row import Row
from benchmarks.timing import interleaved, median_ratio
from clearfilters.attacks.local_search import local_search
from clearfilters.attacks.one_pixel import one_pixel
from clearfilters.attacks.queries import Ints
from clearfilters.data.augmentation import as_network_input
from clearfilters.models.folding import folded
from clearfilters.params.attacks import LocalSearchParams, OnePixelParams

POPULATION = 400
# Small batches stay in a CPU's caches; a GPU wants large ones.
BATCH = {"cpu": 40, "cuda": 400}
REQUIRED_ONE_PIXEL, REQUIRED_LOCAL_SEARCH = 1.5, 5.0


def _attacked(count: int, where: torch.device) -> tuple[nn.Module, Tensor, Ints]:
    """A network, random images and its answers to them."""
    model = workload.network().eval().requires_grad_(False).to(where)
    pixels = torch.from_numpy(workload.random_split(count).images)
    images = as_network_input(pixels).contiguous().to(where)
    return model, images, model(images).argmax(dim=1).cpu().numpy()


class _Counted(nn.Module):
    """The network, and how many images it has seen."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.images = 0

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        return self.model(images)


def _row(
    name: str,
    baseline: str,
    required: float,
    seconds: dict[str, list[float]],
    queries: dict[str, list[int]],
    notes: str,
) -> Row:
    # The first run of each warms up.
    rates = {
        work: [count / time for count, time in zip(queries[work][1:], seconds[work], strict=True)]
        for work in seconds
    }
    ratio = median_ratio(rates["ours"], rates["baseline"])
    ours, theirs = (sorted(rates[work])[len(rates[work]) // 2] for work in ("ours", "baseline"))
    return Row(
        name=name,
        ours=f"{ours:.0f} queries/s",
        baseline=f"{theirs:.0f} queries/s ({baseline})",
        ratio=f"{ratio:.2f}x",
        required=f"at least {required:g}x",
        met=ratio >= required,
        notes=notes,
    )


def run_one_pixel(repeats: int, images: int, generations: int) -> Row:
    """Attack `images` images for `generations` generations."""
    where = workload.device()
    model, pixels, labels = _attacked(images, where)
    fast, counted = folded(model, where), _Counted(model.to(where))
    params = OnePixelParams(
        images=images, population=POPULATION, generations=generations, mutation=0.5, seed=0,
        batch_size=BATCH[where.type],
    )  # fmt: skip
    queries: dict[str, list[int]] = {"ours": [], "baseline": []}

    def ours() -> None:
        found = one_pixel(fast, pixels, labels, np.arange(images), params)
        queries["ours"].append(int(found.queries.sum()))

    def baseline() -> None:
        before = counted.images
        attack = torchattacks.OnePixel(counted, pixels=1, steps=generations, popsize=POPULATION)
        attack(pixels, torch.from_numpy(labels).to(where))
        queries["baseline"].append(counted.images - before)

    seconds = interleaved({"ours": ours, "baseline": baseline}, repeats)
    return _row(
        f"one-pixel attack, population {POPULATION}",
        f"torchattacks {torchattacks.__version__}",
        REQUIRED_ONE_PIXEL,
        seconds,
        queries,
        f"{images} images, {generations} generations, median of {repeats}",
    )


def run_local_search(repeats: int, images: int, rounds: int, loop_images: int) -> Row:
    """Attack `images` images for `rounds` rounds; the loop attacks only the first of them."""
    where = workload.device()
    model, pixels, labels = _attacked(images, where)
    fast = folded(model, where)
    model.to(where)
    batched = LocalSearchParams(
        images=images, rounds=rounds, perturbed=5, half_side=5, cooldown=30, p=1.0, r=1.5,
        initial_share=0.1, candidates=128, order="lowest", seed=0, batch_size=BATCH[where.type],
    )  # fmt: skip
    single = batched.model_copy(update={"batch_size": 1})
    queries: dict[str, list[int]] = {"ours": [], "baseline": []}

    def ours() -> None:
        found = local_search(fast, pixels, labels, np.arange(images), batched)
        queries["ours"].append(int(found.queries.sum()))

    def baseline() -> None:
        count = 0
        for i in range(loop_images):
            part = slice(i, i + 1)
            found = local_search(model, pixels[part], labels[part], np.array([i]), single)
            count += int(found.queries.sum())
        queries["baseline"].append(count)

    seconds = interleaved({"ours": ours, "baseline": baseline}, repeats)
    return _row(
        "local search",
        "one image and one query at a time",
        REQUIRED_LOCAL_SEARCH,
        seconds,
        queries,
        f"{images} images, {rounds} rounds; the loop takes {loop_images}; median of {repeats}",
    )
