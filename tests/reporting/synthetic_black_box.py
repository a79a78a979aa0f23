"""Synthetic measurements of the black-box attacks, whose success rates are known."""

from typing import Any

from clearfilters.analysis.proportion import wilson_interval

ATTACKED = 50
# Successes of 50 at seed 0; each seed adds one.
SUCCESSES = {"std": 7, "lsg": 1, "csg": 2, "worse than std": 20}


def attack_values(role: str, seed: int, accuracy: float) -> dict[str, Any]:
    """What `attacks.black_box` records."""
    successes = SUCCESSES.get(role, 5) + seed
    return {
        "attacked": ATTACKED,
        "successes": successes,
        "success_rate": successes / ATTACKED,
        "interval": list(wilson_interval(successes, ATTACKED)),
        "confidence": 0.95,
        "queries_mean": 36000.0 + seed,
        "queries_median": 40400.0,
        "queries_mean_success": 800.0,
        "queries_median_success": 400.0,
        "per_class": {"attacked": [5] * 10, "successes": [successes] + [0] * 9},
        "classes": [str(number) for number in range(10)],
        "accuracy": accuracy,
        "query_budget": 40400,
    }
