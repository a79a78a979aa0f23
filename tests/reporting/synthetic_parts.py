"""Synthetic measurements of part filters, whose numbers are known, and runs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clearfilters.pictures import as_jpeg, as_png

if TYPE_CHECKING:
    from synthetic_run import SyntheticRun

FILTERS = 4
# Location instability by role; each seed has 0.002 more, each category 0.01 more than the last.
INSTABILITY = {
    "ordinary": 0.140,
    "interpretable": 0.083,
    "masks-only": 0.084,
    "loss-only": 0.141,
    "weighted": 0.057,
    "held": 0.074,
}
# R² of places and the head's, cells that filters are apart, accuracy.
FOLLOWING = {
    "ordinary": (0.06, 6.5, 0.99),
    "interpretable": (0.05, 2.3, 0.96),
    "masks-only": (0.04, 2.2, 0.955),
    "loss-only": (0.06, 6.4, 0.97),
    "weighted": (0.73, 2.8, 0.85),
    "held": (0.36, 2.5, 0.91),
}
# Of the same networks before training: without masks, with them.
UNTRAINED = (0.145, 0.082)
RANDOM, CONSTANT, ORACLE = 0.153, 0.066, 0.048
LANDMARKS = ("head", "frontal-legs")
PARTS = {"head": 100, "torso": 90}
# What a loss of one category is for several.
OF_SEVERAL = {"logistic": "multi-label-logistic"}


def statistics(
    instability: float,
    r2: float,
    difference: float,
    *,
    landmarks: Sequence[str] = LANDMARKS,
    spread: float = 2.0,
    dead: int = 1,
) -> dict[str, Any]:
    """STATS of filters whose instabilities are even about their mean, less the dead one."""
    live = [instability - 0.01, instability, instability + 0.01]
    return {
        "instability": instability,
        "instability_of": {name: instability for name in landmarks},
        "instability_filters": [*live, None] if dead else [*live, instability],
        "dead": dead,
        "spread": spread,
        "difference": difference,
        "r2": {
            name: {"mean": r2, "best": r2 + 0.1, "floor_mean": 0.01, "floor_best": 0.05}
            for name in landmarks
        },
        "r2_filters": {name: [r2] * FILTERS for name in landmarks},
        "followed": {landmarks[0]: 3, landmarks[1]: 0},
    }


def location_values(
    role: str,
    seed: int,
    categories: Sequence[str],
    *,
    landmarks: Sequence[str] = LANDMARKS,
    filters: int = FILTERS,
) -> dict[str, Any]:
    """What `part_location` records."""
    r2, difference, accuracy = FOLLOWING[role]
    masks = role not in ("ordinary", "loss-only")
    found: dict[str, Any] = {}
    for number, category in enumerate(categories):
        more = 0.002 * seed + 0.01 * number

        def of(instability: float, *rest: float, spread: float = 2.0) -> dict[str, Any]:
            return statistics(instability, *rest, landmarks=landmarks, spread=spread)

        found[category] = {
            "images": 150,
            "landmarks": {name: 140 - 10 * i for i, name in enumerate(landmarks)},
            "trained": of(INSTABILITY[role] + more, r2, difference),
            "untrained": of(UNTRAINED[masks], 0.03, 2.3),
            "random": of(RANDOM, 0.01, 7.0, spread=5.7),
            "constant": of(CONSTANT, 0.0, 0.0, spread=0.0),
            "oracle": {"instability": ORACLE, "instability_of": {}},
            "test_only": None,
        }
        for state in ("trained", "untrained", "random", "constant"):
            own = found[category][state]
            own["instability_filters"] += [own["instability"]] * (filters - FILTERS)
    several = len(categories) > 1
    return {
        "accuracy": accuracy + 0.002 * seed,
        "test_images": 400,
        "map": {"side": 14, "stride": 16, "start": 0.5, "image_size": 224},
        "filters": filters,
        "ordinary_filters": 0,
        "categories": found,
        "multi": {
            "trained": _several(INSTABILITY[role] - 0.01, categories),
            "untrained": _several(UNTRAINED[masks] - 0.01, categories),
        }
        if several
        else None,
    }


def _several(paper: float, categories: Sequence[str]) -> dict[str, Any]:
    return {
        "code": paper + 0.005,
        "paper": paper,
        "filters_of": {name: FILTERS // len(categories) for name in categories},
    }


def interpretability_values(role: str, seed: int, categories: Sequence[str]) -> dict[str, Any]:
    """What `part_interpretability` records; with larger discs filters are parts more often."""
    primary = {"ordinary": 0.35, "interpretable": 0.65}.get(role, 0.6)

    def of(value: float) -> dict[str, Any]:
        return {
            "radius": {"16": value - 0.1, "32": value, "48": value + 0.1},
            "primary": value,
            "filters": [value] * FILTERS,
            "best_part": {"head": 3, "torso": 1},
            "dead": 0,
        }

    found = {
        category: {
            "images": 120,
            "parts": PARTS,
            "trained": of(primary + 0.002 * seed + 0.01 * number),
            "untrained": of(0.55),
            "random": of(0.1),
            "constant": of(0.4),
        }
        for number, category in enumerate(categories)
    }
    multi = {"trained": {"primary": primary + 0.1}, "untrained": {"primary": 0.5}}
    return {
        "categories": found,
        "approximation": "boxes stand in for masks",
        "multi": multi if len(categories) > 1 else None,
    }


PICTURE = 32
# Of the map over the pictures.
SIDE = 4


def picture_values(role: str, categories: Sequence[str]) -> dict[str, Any]:
    """What `part_pictures` records: regions of a quarter of the image, all filters in one cell."""
    image = np.zeros((PICTURE, PICTURE, 3), np.uint8)
    image[..., 0] = np.arange(0, 8 * PICTURE, 8)
    region = np.zeros((PICTURE, PICTURE), np.bool_)
    region[: PICTURE // 2, : PICTURE // 2] = True
    cells = np.zeros((SIDE, SIDE), int)
    cells[1, 2] = FILTERS if role != "ordinary" else 1
    shown = {"image": as_jpeg(image, 90), "region": as_png(region), "peak": 2.0}
    return {
        "filters": FILTERS,
        "quantile": 0.995,
        "map": {"side": SIDE, "stride": 8, "start": 4, "image_size": PICTURE},
        "examples": [
            {"filter": f, "category": categories[0], "mean_peak": 1.0, "images": [shown] * 3}
            for f in range(2)
        ],
        "heat_maps": [
            {"category": name, "image": shown["image"], "cells": cells.tolist()}
            for name in (*categories, *categories)
        ],
    }


def training(
    role: str,
    categories: Sequence[str],
    seed: int,
    *,
    dataset: str = "ilsvrc-parts",
    model: str = "resnet20",
    epochs: int = 15,
    weight: float = 1.0,
    ratio: float | None = None,
    loss: str = "logistic",
    variant: str = "code",
) -> dict[str, Any]:
    """The parameters of a training."""
    several = len(categories) > 1
    top = {"interpretable": role != "ordinary", "masks": role not in ("ordinary", "loss-only")}
    return {
        "data": {"dataset": dataset, "categories": list(categories)},
        "model": {"name": model, "width": None, "top": top},
        "method": {
            "name": "part-filters",
            "weight": weight,
            "ratio": ratio,
            "variant": variant,
        },
        "training": {"epochs": epochs, "loss": OF_SEVERAL.get(loss, loss) if several else loss},
        "seed": seed,
    }


def add(
    run: SyntheticRun,
    name: str,
    role: str,
    categories: Sequence[str] = ("dog",),
    *,
    dataset: str = "ilsvrc-parts",
    model: str = "resnet20",
    seeds: Sequence[int] = (0, 1),
    epochs: int = 15,
    weight: float = 1.0,
    ratio: float | None = None,
    loss: str = "logistic",
    parts: bool = False,
    variant: str = "code",
    values: dict[str, Any] | None = None,
    pictures: dict[str, Any] | None = None,
    **location: Any,
) -> None:
    """Record an experiment; `values` replace what `part_location` has, `location` shapes it.

    `pictures` is what `part_pictures` has; by default what `picture_values` gives.

    `parts` adds part interpretability. Networks of one data set and categories have data in common.
    """
    for seed in seeds:
        parameters = training(
            role,
            categories,
            seed,
            dataset=dataset,
            model=model,
            epochs=epochs,
            weight=weight,
            ratio=ratio,
            loss=loss,
            variant=variant,
        )
        measured = {"part_location": location_values(role, seed, categories, **location)}
        measured["part_location"] |= values or {}
        if parts:
            measured["part_interpretability"] = interpretability_values(role, seed, categories)
        measured["part_pictures"] = pictures or picture_values(role, categories)
        for analysis, found in measured.items():
            run.record(analysis, name, seed, found, parameters, epochs, name, role)


def fill(run: SyntheticRun) -> None:
    """Enough for every table and figure."""
    for role in ("ordinary", "interpretable"):
        add(run, f"dog-{role}", role)
        add(run, f"cub-{role}", role, ("bird",), dataset="cub")
        add(run, f"voc-{role}", role, ("cat",), dataset="voc-icnn", parts=True)
        add(run, f"several-{role}", role, ("cat", "dog"), dataset="voc-icnn", parts=True)
    add(run, "dog-weighted", "weighted", weight=10000.0)
