"""Synthetic measurements of explainers, whose numbers are known, and runs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import synthetic_parts
from synthetic_parts import PICTURE, SIDE, location_values, picture_values, statistics

from clearfilters.pictures import as_jpeg

if TYPE_CHECKING:
    from synthetic_run import SyntheticRun

# Location instability and R² of the head; each seed has 0.002 more, each category 0.01 more.
TRAINED, UNTRAINED, INPUT = (0.090, 0.27), (0.141, 0.06), (0.150, 0.02)
P = 0.7
# Test error in percent.
PERFORMER_ERROR, EXPLAINER_ERROR = 2.0, 3.5
RULE = {"plateau_epochs": 2, "plateau_change": 0.02}


def explained_location(
    seed: int, categories: Sequence[str], trained: tuple[float, float] = TRAINED
) -> dict[str, Any]:
    """What `part_location` records of an explainer."""
    values = location_values("interpretable", seed, categories)
    for number, category in enumerate(categories):
        for state, (instability, r2) in (
            ("trained", trained),
            ("untrained", UNTRAINED),
            ("input", INPUT),
        ):
            found = statistics(instability + 0.002 * seed + 0.01 * number, r2, 3.0)
            values["categories"][category][state] = found
    if values["multi"] is not None:
        values["multi"] = {
            state: {"code": code, "paper": code - 0.005, "filters_of": {}}
            for state, code in (("trained", 0.095), ("untrained", 0.142), ("input", 0.151))
        }
    return values


def explanation_values(
    seed: int,
    *,
    p: float = P,
    plateau: bool = True,
    rises: Sequence[int] = (),
    explainer_error: float = EXPLAINER_ERROR,
    ratio_found: float = 0.002,
) -> dict[str, Any]:
    """What `explanation` records of an explainer; errors in percent. p is 0.01 more per seed."""
    return {
        "p": p + 0.01 * seed,
        "history": {
            "loss": [3.0, 2.0, 1.0],
            "p": [0.5, p - 0.01, p + 0.01 * seed],
            "filter_loss_a": [0.0, 0.1, ratio_found],
            "filter_loss_b": [0.0, 0.1, 2 * ratio_found],
        },
        "plateau": plateau,
        "rises": list(rises),
        "test_images": 400,
        "error": {"performer": PERFORMER_ERROR / 100, "explainer": explainer_error / 100},
        "agreement": 0.97,
        "relative_error": [0.25, 0.2],
    }


def contribution_values(categories: Sequence[str]) -> dict[str, Any]:
    """What `part_contributions` records: the parts' shares are a quarter and three quarters."""
    return {
        "categories": {
            category: {
                "images": 100,
                "score": 4.2,
                "explainer_score": 4.0,
                "parts": {
                    "head": {"filters": 3, "contribution": 3.0, "share": 0.75},
                    "other": {"filters": 1, "contribution": 1.0, "share": 0.25},
                },
                "ordinary": 0.5,
                "rest": -0.5,
                "by_limit": {
                    "0.3": {
                        "head": {"filters": 1, "contribution": 0.4, "share": 0.1},
                        "other": {"filters": 3, "contribution": 3.6, "share": 0.9},
                    }
                },
            }
            for category in categories
        }
    }


def explainer_picture_values(categories: Sequence[str]) -> dict[str, Any]:
    """What `explainer_pictures` records: every map is warm in one cell."""
    image = np.zeros((PICTURE, PICTURE, 3), np.uint8)
    cells = np.zeros((SIDE, SIDE))
    cells[1, 2] = 3.0
    return {
        "map": {"side": SIDE, "stride": 8, "start": 4, "image_size": PICTURE},
        "examples": [
            {
                "category": category,
                "image": as_jpeg(image, 90),
                "performer": cells.T.tolist(),
                "explainer": cells.tolist(),
                "parts": {"head": cells.tolist(), "other": np.zeros((SIDE, SIDE)).tolist()},
                "contributions": {"head": 3.0, "other": -0.25},
                "performer_score": 4.2,
                "explainer_score": 4.0,
            }
            for category in categories
        ],
    }


def explain(
    run: SyntheticRun,
    name: str,
    role: str = "explainer",
    categories: Sequence[str] = ("dog",),
    *,
    dataset: str = "ilsvrc-parts",
    model: str = "efficientnet-lite0",
    seeds: Sequence[int] = (0, 1),
    epochs: int = 10,
    eta: float = 100.0,
    ratio: float | None = 1 / 300,
    falling: bool = True,
    performer: str = "code",
    location: tuple[float, float] = TRAINED,
    values: dict[str, Any] | None = None,
    contributions: dict[str, Any] | None = None,
    pictures: dict[str, Any] | None = None,
    **explanation: Any,
) -> None:
    """Record an explainer of what `performer` records with these arguments.

    `performer` is the variant of its method. `location` and `explanation` shape what is measured,
    `values` is what `part_location` has, `contributions` what `part_contributions` has, and
    `pictures` what `explainer_pictures` has.
    """
    for seed in seeds:
        explained = synthetic_parts.training(
            "ordinary", categories, seed, dataset=dataset, model=model, variant=performer
        )
        parameters = {
            **explained,
            "method": {"name": "explainer", "eta": eta, "ratio": ratio, "falling": falling},
            "training": {**explained["training"], "epochs": epochs},
            "finetune": {"weights": None, "trained_blocks": 1, "views": 1},
            "performer": explained,
            "explanation": RULE,
        }
        measured = {
            "part_location": values or explained_location(seed, categories, location),
            "explanation": explanation_values(seed, **explanation),
            "part_contributions": contributions or contribution_values(categories),
            "part_pictures": picture_values(role, categories),
            "explainer_pictures": pictures or explainer_picture_values(categories),
        }
        for analysis, found in measured.items():
            run.record(analysis, name, seed, found, parameters, epochs, name, role)


def performer(
    run: SyntheticRun, name: str, categories: Sequence[str] = ("dog",), **options: Any
) -> None:
    """Record what is explained."""
    options = {"model": "efficientnet-lite0", **options}
    synthetic_parts.add(run, name, "ordinary", categories, **options)


def both(
    run: SyntheticRun, name: str, categories: Sequence[str] = ("dog",), **options: Any
) -> None:
    """A performer and its explainer."""
    shared = {key: options[key] for key in ("dataset", "model", "seeds") if key in options}
    performer(run, f"{name} performer", categories, **shared)
    explain(run, f"{name} explainer", "explainer", categories, **options)


def fill(run: SyntheticRun) -> None:
    """Enough for every table and figure."""
    both(run, "dog e", model="resnet20")
    both(run, "bird e", ("bird",), dataset="cub", model="resnet20")
    both(run, "several e", ("cat", "dog"), dataset="voc-icnn", model="resnet20")
    for eta in (10.0, 1000.0):
        explain(run, f"dog η {eta:g}", "explainer-eta", model="resnet20", eta=eta)
    for role in ("ordinary", "interpretable"):
        synthetic_parts.add(
            run, f"resnet101 {role}", role, ("cat",), dataset="voc-icnn", model="resnet101"
        )
