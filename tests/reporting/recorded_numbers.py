"""What the committed runs recorded, read as plain JSON and YAML: nothing of the package is used.

What a quantity of a claim is stands here a second time.
"""

import json
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import yaml
from scipy.stats import spearmanr
from snakemake.utils import update_config

ROOT = Path(__file__).parents[2]
# Run -> its presets.
RUNS: dict[str, list[str]] = yaml.safe_load(
    (ROOT / "workflow/committed_runs.yaml").read_text(encoding="utf-8")
)
NO_NETWORK = {
    "whole image": "whole_image",
    "centred box of the average size": "centred_box",
    "random map": "random_map",
}
Sample = dict[int, float]
Values = dict[str, Any]


# What is on disk.


@cache
def params(run: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in ("params.yaml", *(f"workflow/presets/{name}" for name in RUNS[run])):
        update_config(merged, yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))
    return merged


@cache
def measured(run: str, analysis: str, experiment: str) -> dict[int, dict[str, Any]]:
    folder = ROOT / "results" / run / "metrics" / analysis / experiment
    paths = sorted(folder.glob("seed*.json"), key=lambda path: int(path.stem.removeprefix("seed")))
    return {int(path.stem.removeprefix("seed")): json.loads(path.read_text()) for path in paths}


def any_parameters(run: str, experiment: str) -> dict[str, Any]:
    for folder in sorted((ROOT / "results" / run / "metrics").iterdir()):
        for content in measured(run, folder.name, experiment).values():
            provenance = content["provenance"]
            return {**provenance["parameters"], "epochs": provenance["training"]["epochs"]}
    raise AssertionError(f"{run}: nothing was measured of {experiment}")


@cache
def experiments(run: str, *roles: str) -> list[str]:
    """Of the run, those of the trade-off's grid included."""
    found = [e for e in params(run)["run"]["experiments"] if role(run, e) in roles]
    if "tradeoff" in roles and params(run)["run"]["tradeoff"]:
        folder = ROOT / "results" / run / "metrics" / "phi"
        named = set(params(run)["run"]["experiments"])
        found += sorted(path.name for path in folder.iterdir() if path.name not in named)
    return found


def role(run: str, experiment: str) -> str:
    return str(params(run)["experiments"][experiment]["role"])


def labelled(run: str, label: str) -> str:
    every = params(run)["experiments"]
    found = [e for e in params(run)["run"]["experiments"] if every[e]["label"] == label]
    assert len(found) == 1, label
    return found[0]


def filters(run: str, experiment: str) -> int | None:
    for content in measured(run, "part_location", experiment).values():
        return int(content["values"]["filters"]) + int(content["values"]["ordinary_filters"])
    return None


def partner(run: str, subject: str, wanted: str) -> str | None:
    """Same data, network and number of filters, nearest in epochs."""

    def setting(experiment: str) -> Any:
        about = any_parameters(run, experiment)
        model = about["model"]
        return about["data"], model["name"], model["width"], filters(run, experiment)

    mine = any_parameters(run, subject)["epochs"]
    same = [e for e in experiments(run, wanted) if ran(run, e) and setting(e) == setting(subject)]
    return min(same, key=lambda e: abs(any_parameters(run, e)["epochs"] - mine), default=None)


def ran(run: str, experiment: str) -> bool:
    return any((ROOT / "results" / run / "metrics").glob(f"*/{experiment}/seed*.json"))


# What a quantity is.


def diagonal(rows: list[list[float | None]]) -> float:
    kept = [(i, row) for i, row in enumerate(rows) if row is not None and None not in row]
    return fmean(float(row.index(max(row)) == i) for i, row in kept)  # type: ignore[type-var]


def recall(values: Values, key: str, case: list[int]) -> float:
    return float(next(c[key] for c in values["cases"] if c["masked_classes"] == case))


def strong(values: Values, limits: dict[str, float]) -> float:
    found = np.interp(limits["correlation_threshold"], values["thresholds"], values["share_above"])
    return float(found)


def state_of(values: Values, state: str) -> Values:
    """Of the only category, or of the first."""
    return dict(next(iter(values["categories"].values()))[state] or {})


def head(values: Values, state: str, key: str) -> float | None:
    r2 = state_of(values, state).get("r2", {})
    return next((r2[name][key] for name in ("head", "forehead") if name in r2), None)


def least_over_categories(values: Values, state: str) -> float | None:
    if state in ("trained", "untrained"):
        return float((values["multi"] or {})[state]["paper"])
    by_category = [c[state]["instability_filters"] for c in values["categories"].values()]
    return fmean(min(filter(None, one)) for one in zip(*by_category, strict=True))


def over_filters(number: str) -> Callable[[Values], float]:
    def share(values: Values) -> float:
        count = fmean(values["monopolized"]) if number == "monopolized" else values["shared"]
        return float(count) / (values["monopolized_total"] + values["shared"])

    return share


def located(paper: str, way: str, metric: str) -> Callable[[Values, str], float]:
    def total(values: Values, state: str) -> float:
        found = values["gradmap"] if way == "gradmap" else values[paper]
        names = {"gradmap": "baselines", "cam": "all_filters_baselines"}
        if state != "trained":
            return float(found[names.get(way, "one_filter_baselines")][state][metric]["total"])
        key = {"gradmap": "result", "cam": "cam"}.get(way, "activmap")
        return float(found[key][metric]["total"])

    return total


SIMILARITIES = list(product(("lsg", "csg"), ("true_positive", "false_negative")))
# Quantity -> analysis, and the number in its values, of a trained network.
PLAIN: dict[str, tuple[str, Callable[[Values], float]]] = {
    "accuracy": ("classification", lambda v: v["accuracy"]),
    "cross_entropy": ("classification", lambda v: v["cross_entropy"]),
    "trained_density": ("phi", lambda v: v["trained_density"]),
    "fitted_density": ("phi", lambda v: v["fitted_density"]),
    "phi": ("phi", lambda v: v["phi_test"]),
    "density_interval_low": ("phi", lambda v: v["interval"][0]),
    "density_interval_high": ("phi", lambda v: v["interval"][1]),
    "recall_of_masked_0": ("masking", lambda v: recall(v, "recall_masked", [0])),
    "recall_of_others_0": ("masking", lambda v: recall(v, "recall_other", [0])),
    "recall_of_masked_0_5": ("masking", lambda v: recall(v, "recall_masked", [0, 5])),
    "recall_of_others_0_5": ("masking", lambda v: recall(v, "recall_other", [0, 5])),
    **{
        f"diagonal_rows_{key}_{of}": ("similarity", lambda v, k=key, o=of: diagonal(v[k][o]))
        for key, of in SIMILARITIES
    },
    **{
        f"dominance_{key}_{of}": ("similarity", lambda v, k=key, o=of: v[k][f"dominance_{o}"])
        for key, of in SIMILARITIES
    },
    "cic": ("correlation", lambda v: v["cic_absolute"]),
    "cic_distinct": ("correlation", lambda v: v["cic_absolute_distinct"]),
    "cluster_match": ("clustering", lambda v: v["match"]),
    "monopolized_share": ("gate_statistics", over_filters("monopolized")),
    "shared_share": ("gate_statistics", over_filters("shared")),
    "mis": ("mis", lambda v: v["mis"]),
    "leakage_above_blind": (
        "leakage",
        lambda v: max(v[f"{k}_images"] - v[f"{k}_images_blind"] for k in ("other", "noise")),
    ),
    "one_pixel_success": ("one_pixel", lambda v: 100 * v["success_rate"]),
    "local_search_success": ("local_search", lambda v: 100 * v["success_rate"]),
    "part_accuracy": ("part_location", lambda v: v["accuracy"]),
    "p": ("explanation", lambda v: v["p"]),
    "performer_error": ("explanation", lambda v: 100 * v["error"]["performer"]),
    "explainer_error": ("explanation", lambda v: 100 * v["error"]["explainer"]),
    "more_errors": (
        "explanation",
        lambda v: 100 * v["error"]["explainer"] - 100 * v["error"]["performer"],
    ),
}  # fmt: skip
# Quantity -> analysis, and the number, of any state.
STATED: dict[str, tuple[str, Callable[[Values, str], float | None]]] = {
    "instability": ("part_location", lambda v, s: state_of(v, s).get("instability")),
    "instability_by_least_category": ("part_location", least_over_categories),
    "instability_by_most_active_category": (
        "part_location",
        lambda v, s: (v["multi"] or {}).get(s, {}).get("code"),
    ),
    "parts_of_one_category": ("part_interpretability", lambda v, s: state_of(v, s).get("primary")),
    "parts_of_several_categories": (
        "part_interpretability",
        lambda v, s: (v["multi"] or {}).get(s, {}).get("primary"),
    ),
    "r2_of_head": ("part_location", lambda v, s: head(v, s, "mean")),
    "r2_of_head_above_floor": (
        "part_location",
        lambda v, s: (head(v, s, "mean") or 0.0) - (head(v, s, "floor_mean") or 0.0),
    ),
    "cells_apart": ("part_location", lambda v, s: state_of(v, s).get("difference")),
    **{
        f"{paper}_{way}_{metric}": ("localization", located(paper, way, metric))
        for paper, way in (
            ("lsg", "one_filter"), ("lsg", "cam"), ("csg", "gradmap"), ("csg", "activmap"),
            ("csg", "cam"),
        )
        for metric in ("iou", "ap")
    },
}  # fmt: skip


def analysis_of(quantity: str) -> str:
    if quantity.startswith("auc_difference"):
        return "detection"
    if quantity.startswith("correlation_") or quantity == "share_of_strong_correlations":
        return "correlation"
    return (PLAIN.get(quantity) or STATED[quantity])[0]


def blocks(run: str, experiment: str, quantity: str) -> Sample:
    """Mean correlation of pairs of filters, by the class that each serves most."""
    found = {}
    for seed, content in measured(run, "correlation", experiment).items():
        matrix = content["values"]["matrix"]
        gate = measured(run, "phi", experiment)[seed]["values"]["trained_gate"]
        columns = list(zip(*gate, strict=True))
        owned = [k for k, column in enumerate(columns) if min(column) < 1]
        owner = {k: columns[k].index(max(columns[k])) for k in owned}
        within = quantity == "correlation_within_classes"
        found[seed] = fmean(
            matrix[i][j]
            for i, j in product(owned, owned)
            if i != j and (owner[i] == owner[j]) == within
        )
    return found


def sample(run: str, experiment: str, quantity: str, state: str = "trained") -> Sample:
    if quantity.startswith("correlation_"):
        return blocks(run, experiment, quantity)
    if quantity == "share_of_strong_correlations":
        contents = measured(run, "correlation", experiment)
        return {s: strong(c["values"], params(run)["claims"]) for s, c in contents.items()}
    if quantity in PLAIN:
        analysis, plain = PLAIN[quantity]
        contents = measured(run, analysis, experiment)
        return (
            {s: float(plain(c["values"])) for s, c in contents.items()}
            if state == "trained"
            else {}
        )
    analysis, stated = STATED[quantity]
    contents = measured(run, analysis, experiment)
    if state == "best_without_network":
        every = [sample(run, experiment, quantity, name) for name in NO_NETWORK.values()]
        return {seed: max(one[seed] for one in every) for seed in contents}
    found = {seed: stated(content["values"], state) for seed, content in contents.items()}
    return {seed: float(number) for seed, number in found.items() if number is not None}


def smallest_auc_difference(run: str, table: str, attack: str, ours: str, std: str) -> Sample:
    def auc(experiment: str) -> dict[tuple[int, int], float]:
        return {
            (seed, detector["size"]): 100 * fmean(detector["auc"])
            for seed, content in measured(run, "detection", experiment).items()
            for detector in content["values"]["detectors"].get(attack, [])
            if detector["auc"] is not None and detector["size"] in sizes
        }

    sizes = params(run)["attacks"]["detection"]["tables"][table]["sizes"]
    left, right = auc(ours), auc(std)
    differences: dict[int, list[float]] = {}
    for seed, size in left.keys() & right.keys():
        differences.setdefault(seed, []).append(left[seed, size] - right[seed, size])
    return {seed: min(found) for seed, found in differences.items()}


def rank_correlation(run: str, one: float, other: float) -> Sample:
    """Of p over the categories of which there are explainers at both values of eta."""
    every = params(run)["experiments"]
    by_performer: dict[str, dict[float, str]] = {}
    for e in experiments(run, "explainer", "explainer-eta"):
        if measured(run, "explanation", e):
            eta = any_parameters(run, e)["method"]["eta"]
            by_performer.setdefault(every[e]["performer"], {})[eta] = e
    both = [found for found in by_performer.values() if one in found and other in found]
    pairs = [(sample(run, f[one], "p")[0], sample(run, f[other], "p")[0]) for f in both]
    return {0: float(spearmanr(*zip(*pairs, strict=True)).statistic)}
