"""How often attacks that only ask for probabilities fool a trained network (LSG, table 5)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clearfilters.analysis.proportion import CONFIDENCE, wilson_interval
from clearfilters.attacks.local_search import local_search
from clearfilters.attacks.one_pixel import one_pixel
from clearfilters.attacks.queries import Ints, Outcome, ask
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.store import Split, image_files, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.models.folding import folded
from clearfilters.params.attacks import LocalSearchParams, OnePixelParams
from clearfilters.training.trained_network import Measured, TrainedNetwork

# Model, images, labels, ids, parameters -> outcome.
Attack = Callable[[nn.Module, Tensor, Ints, Ints, Any], Outcome]


def measure_one_pixel(network: TrainedNetwork, store: Path, params: OnePixelParams) -> Measured:
    """The one-pixel attack on a trained network; see `measure_attack`."""
    budget = params.population * (params.generations + 1)
    return measure_attack(network, store, "one_pixel", one_pixel, params, budget)


def measure_local_search(
    network: TrainedNetwork, store: Path, params: LocalSearchParams
) -> Measured:
    """The local-search attack on a trained network; see `measure_attack`."""
    budget = params.rounds * (params.candidates + 1)
    return measure_attack(network, store, "local_search", local_search, params, budget)


def measure_attack(
    network: TrainedNetwork, store: Path, name: str, attack: Attack, params: Any, budget: int
) -> Measured:
    """Attack a trained network.

    Args:
        network: the trained network.
        store: the processed store; test images are attacked.
        name: of the attack, in params.yaml.
        attack: model, images, labels, ids, parameters -> outcome.
        params: the attack's.
        budget: most queries that it asks for one image.

    Returns:
        `black_box_values`, the accuracy on test images, and the budget.

    Raises:
        ClearfiltersError: if too few test images are classified correctly.
    """
    split = read_split(store, "test")
    fast = folded(network.model, network.device)
    predicted = _predict(fast, split, params.batch_size, network.device)
    chosen = choose_images(split.labels, predicted, params.images, params.seed)
    if len(chosen) < params.images:
        raise ClearfiltersError(
            f"{network.checkpoint}: {len(chosen)} of {len(predicted)} test images are classified "
            f"correctly, but attacks.{name}.images is {params.images}; lower it, or train the "
            "network longer"
        )
    labels = np.array(split.labels[chosen])
    outcome = attack(fast, _pixels(split, chosen, network.device), labels, chosen, params)
    return Measured(
        {
            **black_box_values(outcome, labels, network.meta["classes"]),
            "accuracy": float((predicted == split.labels).mean()),
            "query_budget": budget,
        },
        {
            f"test/{file}": store / "test" / file
            for file in (*image_files(network.store_meta), "labels.npy")
        },
    )


def choose_images(labels: Ints, predicted: Ints, count: int, seed: int) -> Ints:
    """Correctly classified images, as many of each class as there are, up to `count` (n,).

    Each class has one random order for all models, so that models which classify the same images
    correctly are attacked on the same images.

    Args:
        labels: true classes (N,).
        predicted: what the model says (N,).
        count: how many to choose.
        seed: of the order.
    """
    index, rank = [], []
    for number in np.unique(labels):
        order = np.random.default_rng([seed, number]).permutation(np.flatnonzero(labels == number))
        correct = order[predicted[order] == number]
        index.append(correct)
        rank.append(np.arange(len(correct)))
    turns = np.argsort(np.concatenate(rank), kind="stable")
    return np.concatenate(index)[turns][:count]


def black_box_values(outcome: Outcome, labels: Ints, classes: list[str]) -> dict[str, Any]:
    """What is recorded of an attack on N images.

    Args:
        outcome: of the attack.
        labels: true classes (N,).
        classes: names of all C classes.

    Returns:
        attacked, successes: counts; success_rate (fraction) and its Wilson interval at
        `confidence`; queries_mean, queries_median: per image; the same of the successes alone, None
        without any; per_class: attacked and successes (C each), classes.
    """
    success, queries = outcome.success, outcome.queries
    attacked, successes = len(success), int(success.sum())

    def per_class(chosen: Ints) -> list[int]:
        return np.bincount(chosen, minlength=len(classes)).tolist()

    return {
        "attacked": attacked,
        "successes": successes,
        "success_rate": successes / attacked,
        "interval": list(wilson_interval(successes, attacked)),
        "confidence": CONFIDENCE,
        "queries_mean": float(queries.mean()),
        "queries_median": float(np.median(queries)),
        "queries_mean_success": float(queries[success].mean()) if successes else None,
        "queries_median_success": float(np.median(queries[success])) if successes else None,
        "per_class": {"attacked": per_class(labels), "successes": per_class(labels[success])},
        "classes": list(classes),
    }


def _pixels(split: Split, chosen: Ints, device: torch.device) -> Tensor:
    """Float32 (n, 3, H, W) in [0, 1]."""
    pixels = torch.from_numpy(np.array(split.images[chosen])).to(device)
    return as_network_input(pixels).contiguous()


def _predict(model: nn.Module, split: Split, batch_size: int, device: torch.device) -> Ints:
    """The model's answers to all images of a split (N,)."""
    labels = np.array(split.labels)
    return ask(model, lambda batch: _pixels(split, batch, device), labels, batch_size).predicted
