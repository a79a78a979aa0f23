"""A synthetic run: measurement files of realistic shape whose scalars are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import synthetic_black_box
import synthetic_detection
import synthetic_explainers
import synthetic_localization
import synthetic_parts

from clearfilters.artifacts import parameters_hash

CLASSES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]
C, K = 10, 64
# Scalars by role: what the papers say, so that their claims hold.
SCALARS: dict[str, dict[str, Any]] = {
    "std": {"accuracy": 0.90, "ce": 0.30, "trained": None, "fitted": 0.50, "phi": 0.80},
    "lsg": {"accuracy": 0.91, "ce": 0.31, "trained": 0.15, "fitted": 0.16, "phi": 0.20},
    "csg": {"accuracy": 0.905, "ce": 0.32, "trained": 0.18, "fitted": 0.19, "phi": 0.25},
    "dense": {"accuracy": 0.90, "ce": 0.33, "trained": 0.85, "fitted": 0.45, "phi": 0.70},
    "joint": {"accuracy": 0.89, "ce": 0.34, "trained": 0.30, "fitted": 0.30, "phi": 0.40},
    "fixed": {"accuracy": 0.895, "ce": 0.35, "trained": 0.156, "fitted": 0.17, "phi": 0.30},
    "negatives": {"accuracy": 0.90, "ce": 0.30, "trained": 0.17, "fitted": 0.18, "phi": 0.22},
    "tradeoff": {"accuracy": 0.88, "ce": 0.40, "trained": 0.40, "fitted": 0.41, "phi": 0.50},
}
LEAKAGE = {"std": 0.3, "negatives": 0.03}
CLAIM_PARAMETERS = {
    "accuracy_margin": 1.5,
    "sacrifice_margin": 0.5,
    "cross_entropy_ratio": 1.1,
    "sparse_density": 0.2,
    "leakage_margin": 0.05,
    "failing_recall": 0.1,
    "recognised_recall": 0.5,
    "dominant_rows": 0.8,
    "correlation_threshold": 0.3,
    "half_ratio": 0.7,
    "much_lower_ratio": 0.5,
    "filter_share": 0.1,
    "filter_share_margin": 0.03,
    "part_accuracy_margin": 3.0,
    "part_instability_margin": 0.005,
    "part_follow_r2": 0.5,
    "part_distinct_cells": 2.0,
    "explainer_instability_ratio": 0.688,
    "explainer_close_margin": 1.6,
    "explainer_several_points": 3.0,
    "explainer_most": 0.5,
    "explainer_nearly_all": 0.95,
    "explainer_eta_margin": 0.003,
    "explainer_follow_margin": 0.05,
    "explainer_rank_correlation": 0.9,
}


def fixed_gate(filters: int = K, own: int = 6, classes: int = C) -> np.ndarray:
    """`own` one-hot columns per class, then all-one columns."""
    gate = np.zeros((classes, filters))
    for number in range(classes):
        gate[number, own * number : own * (number + 1)] = 1
    gate[:, own * classes :] = 1
    return gate


def block_correlation(
    gate: np.ndarray, inside: float, outside: float, rng: np.random.Generator
) -> np.ndarray:
    """Correlation `inside` the groups of the gate's columns, `outside` between, 1 with itself."""
    same = (gate.T @ gate > 0) & (gate.sum(0)[:, None] == 1) & (gate.sum(0)[None] == 1)
    noise = rng.normal(0, 0.05, same.shape)
    matrix = np.clip(np.where(same, inside, outside) + (noise + noise.T) / 2, -1, 1)
    np.fill_diagonal(matrix, 1)
    return np.asarray(matrix)


class SyntheticRun:
    """Collects experiments, writes their measurements, and keeps the index of them."""

    def __init__(self, folder: Path, dataset: str = "cifar10") -> None:
        """Start with no experiments; files go below `folder`."""
        self.folder = folder
        self.dataset = dataset
        self.index: list[dict[str, Any]] = []

    def add(
        self,
        name: str,
        role: str,
        *,
        label: str | None = None,
        model: str = "resnet20",
        width: int | None = None,
        folder: str = "",
        seeds: tuple[int, ...] = (0, 1),
        epochs: int = 30,
        objective: tuple[float, float] = (0.1, 0.02),
        analyses: tuple[str, ...] | None = None,
        change: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Record an experiment; `change` overrides values, by analysis, for every seed.

        `folder` tells data sets of one format apart, as that of an image folder does. The scalars
        of seed s are those of SCALARS plus 0.002 s.
        """
        for seed in seeds:
            for analysis, values in measure(role, seed, model).items():
                if analyses is not None and analysis not in analyses:
                    continue
                values |= (change or {}).get(analysis, {})
                parameters = self._parameters(role, model, width, folder, epochs, seed, objective)
                self.record(analysis, name, seed, values, parameters, epochs, label or name, role)

    def add_data(self, name: str, format_: str = "cifar10", **values: Any) -> None:
        """Record a data set; `values` override what a copy of CIFAR-10 would say."""
        parameters: dict[str, Any] = {"format": format_, "note": "JPEG copy"}
        if format_.startswith("animals"):
            parameters["style"] = {}
        content = {
            "values": {
                "source": "cifar-10-batches-py",
                "note": "JPEG copy",
                "verified": False,
                "classes": CLASSES,
                "counts": {"train": 50000, "test": 10000},
                "image_size": 32,
                "annotations": [],
                "masks_note": "",
                "skipped": {},
                **values,
            },
            "provenance": {
                "parameters": parameters,
                "parameters_hash": parameters_hash(parameters),
                "inputs": {},
            },
        }
        path = self.folder / "metrics" / "data" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        self.index.append(
            {
                "analysis": "data",
                "dataset": name,
                "path": str(path),
                "expected_hash": parameters_hash(parameters),
            }
        )

    def _parameters(
        self,
        role: str,
        model: str,
        width: int | None,
        folder: str,
        epochs: int,
        seed: int,
        objective: tuple[float, float],
    ) -> dict[str, Any]:
        method: dict[str, Any] = {"name": "std"}
        if role == "csg":
            method = {"name": "gate", "objective": {"name": "csg", "lambda1": 1.0, "lambda2": 1e-3}}
        elif role != "std":
            method = {
                "name": "gate",
                "objective": {"name": "lsg", "lambda": objective[0], "a": objective[1]},
            }
        return {
            "data": {"dataset": self.dataset, "folder": folder},
            "model": {"name": model, "width": width},
            "method": method,
            "training": {"epochs": epochs},
            "seed": seed,
        }

    def record(
        self,
        analysis: str,
        name: str,
        seed: int,
        values: dict[str, Any],
        parameters: dict[str, Any],
        epochs: int,
        label: str,
        role: str,
    ) -> None:
        """Write a measurement and list it in the index; `parameters` are the training's."""
        parameters = {**parameters, "analysis": {analysis: {}}}
        if analysis == "detection":
            parameters |= synthetic_detection.PARAMETERS
        provenance = {
            "analysis": analysis,
            "experiment": name,
            "seed": seed,
            "parameters": parameters,
            "parameters_hash": parameters_hash(parameters),
            "inputs": {},
            "packages": {"torch": "2.15.0", "numpy": "2.3.0"},
            "device": "cpu, AMD EPYC, 1 thread",
            "training": {
                "epochs": epochs,
                "device": "cpu, AMD EPYC, 2 threads",
                "precision": "bf16",
                "dataset": parameters["data"]["dataset"],
                "dataset_note": "JPEG copy, not verified" if self.dataset == "cifar10" else "",
            },
        }
        path = self.folder / "metrics" / analysis / name / f"seed{seed}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"values": values, "provenance": provenance}))
        self.index.append(
            {
                "analysis": analysis,
                "experiment": name,
                "seed": seed,
                "path": str(path),
                "expected_hash": provenance["parameters_hash"],
                "label": label,
                "role": role,
            }
        )


def measure(role: str, seed: int, model: str) -> dict[str, dict[str, Any]]:
    """Every analysis of one model. Gates and matrices follow the role; C = 10, K = 64 or 256."""
    rng = np.random.default_rng(seed)
    own, filters, m = (25, 256, 25) if model == "alexnet" else (6, K, 6)
    scalars: dict[str, Any] = {
        k: v if v is None else v + 0.002 * seed for k, v in SCALARS[role].items()
    }
    ideal = fixed_gate(filters, own)
    trained = _trained(role, ideal, rng)
    fitted = np.clip(ideal + rng.random(ideal.shape) * 0.6, 0, 1)
    leakage = LEAKAGE.get(role, 0.99) + 0.002 * seed
    confusion = rng.integers(0, 20, (C, C)) + np.diag([900] * C)
    std = role == "std"
    correlation = block_correlation(ideal, *((0.2, 0.15) if std else (0.6, 0.02)), rng)
    thresholds = np.linspace(0, 1, 21)
    cic = (0.16 if std else 0.07) + 0.001 * seed
    source = "fitted" if trained is None else "trained"
    return {
        "classification": {
            "accuracy": scalars["accuracy"],
            "cross_entropy": scalars["ce"],
            "gate_accuracy": None if std else 0.999,
            "gate_cross_entropy": None if std else 0.004,
            "confusion": confusion.tolist(),
            "classes": CLASSES,
            "train_accuracy": 0.97,
        },
        "phi": {
            "phi_train": scalars["phi"] - 0.1,
            "phi_test": scalars["phi"],
            "cross_entropy_test": 0.1,
            "penalty": 0.1,
            "fitted_density": scalars["fitted"],
            "trained_density": scalars["trained"],
            "interval": [0.1, 0.2] if role == "csg" else None,
            "within_interval": True if role == "csg" else None,
            "iterations": 100,
            "converged": True,
            "fitted_gate": fitted.round(4).tolist(),
            "trained_gate": None if trained is None else trained.round(4).tolist(),
            "a": 0.002,
            "s": 64.0,
        },
        "mis": {
            "mis": {"std": 0.10, "csg": 0.20}.get(role, 0.15) + 0.001 * seed,
            "best_class": [0] * filters,
            "best_information": [0.1] * filters,
        },
        "mis_floor": {"floor": 0.02 + 0.001 * seed, "shuffled": [0.02, 0.02 + 0.002 * seed]},
        "gate_statistics": {
            "threshold": 0.5,
            "source": source,
            "monopolized": [own] * (C - 1) + [own + seed],
            "monopolized_total": own * C + seed,
            "shared": filters - own * C - seed,
            "tightened_density": 0.156,
            "tightened_gate_accuracy": 0.99,
        },
        "leakage": {
            "source": source,
            "other_images": leakage,
            "other_images_random_gate": 0.1,
            "other_images_blind": 0.01,
            "noise_images": leakage,
            "noise_images_random_gate": 0.1,
            "noise_images_blind": 0.1,
            "per_class_other": [leakage] * C,
            "per_class_noise": [leakage] * C,
        },
        "correlation": {
            "matrix": correlation.round(3).tolist(),
            "thresholds": thresholds.tolist(),
            "share_above": [float((correlation > t).mean()) for t in thresholds],
            "share_above_absolute": [float((abs(correlation) > t).mean()) for t in thresholds],
            "cic": cic,
            "cic_absolute": cic + 0.02,
            "cic_distinct": cic - 0.02,
            "cic_absolute_distinct": cic - 0.01,
            "m": m,
            "groups": [list(range(m * c, m * c + m)) for c in range(C)],
        },
        "masking": {
            "threshold": 0.5,
            "source": source,
            "cases": [_case(confusion, masked, std) for masked in ([0], [0, 5])],
        },
        "similarity": {"source": source, "lsg": _similarity(rng), "csg": _similarity(rng)},
        "clustering": {
            "centers": (ideal[::-1] + rng.random(ideal.shape) * 0.2).round(4).tolist(),
            "order": list(range(C))[::-1],
            "match": (0.6 if std else 0.95) + 0.001 * seed,
            "match_random": 0.3,
            "source": source,
        },
        "detection": synthetic_detection.detection_values(role, seed),
        "one_pixel": synthetic_black_box.attack_values(role, seed, scalars["accuracy"]),
        "local_search": synthetic_black_box.attack_values(role, seed, scalars["accuracy"]),
        "localization": synthetic_localization.localization_values(role, seed, CLASSES),
    }


def _trained(role: str, ideal: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    if role == "std":
        return None
    if role == "dense":
        return np.asarray(np.clip(0.7 + rng.random(ideal.shape) * 0.3 + ideal, 0, 1))
    if role == "fixed":
        return ideal
    return np.asarray(ideal[:, rng.permutation(ideal.shape[1])])


def _case(confusion: np.ndarray, masked: list[int], std: bool) -> dict[str, Any]:
    counts = confusion.copy()
    if not std:
        for number in masked:
            counts[number] = 100
            counts[number, number] = 10
    rates = np.diag(counts) / counts.sum(1)
    others = [number for number in range(C) if number not in masked]
    return {
        "masked_classes": masked,
        "masked_filters": 10 * len(masked),
        "confusion": counts.tolist(),
        "accuracy": float(np.diag(counts).sum() / counts.sum()),
        "recall_masked": float(rates[masked].mean()),
        "recall_other": float(rates[others].mean()),
    }


def _similarity(rng: np.random.Generator) -> dict[str, Any]:
    positive = rng.random((C, C)) * 0.4 + np.eye(C) * 0.6
    negative: list[list[float | None]] = (rng.random((C, C)) * 0.2 + 0.3).tolist()
    # Two classes without false negatives, and the rest most similar to the next class.
    for number in range(C):
        negative[number][(number + 1) % C] = 0.9
    negative[3] = [None] * C
    negative[7] = [None] * C
    return {
        "true_positive": positive.tolist(),
        "false_negative": negative,
        "dominance_true_positive": 0.5,
        "dominance_false_negative": -0.2,
    }


def fill(run: SyntheticRun) -> SyntheticRun:
    """Every role of the real run, and a trade-off grid of two by two."""
    run.add_data("cifar10")
    run.add("resnet20-std", "std", label="ResNet20 STD")
    run.add("resnet20-lsg", "lsg", label="ResNet20 LSG")
    run.add("resnet20-csg", "csg", label="ResNet20 CSG")
    run.add("resnet20-lsg-dense", "dense", label="ResNet20 LSG dense", seeds=(0,), epochs=15)
    run.add("resnet20-joint", "joint", label="ResNet20 joint", seeds=(0,), epochs=15)
    run.add("resnet20-fixed", "fixed", label="ResNet20 fixed", epochs=15)
    run.add("resnet20-negatives", "negatives", label="ResNet20 negatives")
    run.add("alexnet-std", "std", label="AlexNet STD", model="alexnet", epochs=15)
    run.add("alexnet-fixed", "fixed", label="AlexNet fixed", model="alexnet", epochs=15)
    for lambda_ in (0.1, 1.0):
        for a in (0.0, 0.02):
            density = 0.9 - 0.3 * lambda_ - 20 * a
            run.add(
                f"tradeoff-lambda{lambda_:g}-a{a:g}",
                "tradeoff",
                label=f"LSG, λ = {lambda_:g}, a = {a:g}",
                seeds=(0,),
                epochs=10,
                objective=(lambda_, a),
                analyses=("classification", "phi", "leakage"),
                change={
                    "phi": {"trained_density": density},
                    "classification": {"accuracy": 0.8 + 0.05 * density},
                },
            )
    synthetic_parts.fill(run)
    synthetic_explainers.fill(run)
    return run
