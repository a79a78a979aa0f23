"""The numbers that reports read of measurements of part filters."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Any

from clearfilters.reporting.records import Experiment, Records, Sample
from clearfilters.reporting.table import Column

Values = dict[str, Any]
LOCATION = "part_location"
INTERPRETABILITY = "part_interpretability"
# What is measured of a category beside the trained network.
TRAINED = "trained"
UNTRAINED = "untrained"
RANDOM, CONSTANT, ORACLE = "random", "constant", "oracle"
BASELINES = {
    RANDOM: "random unit",
    CONSTANT: "constant unit",
    ORACLE: "oracle (the landmark's mean place)",
}
# What the head is called; of CUB's parts it is the forehead, as in the authors' code.
HEADS = ("head", "forehead")


@dataclass(frozen=True)
class Quantity:
    """A number of a measurement.

    Attributes:
        analysis: which measurement.
        find: its values, a category, and TRAINED, UNTRAINED or a key of BASELINES -> the number,
            None where it was not measured.
    """

    analysis: str
    find: Callable[[Values, str, str], float | None]


def statistic(
    pick: Callable[[Values], float | None], analysis: str = LOCATION, *, oracle: bool = False
) -> Quantity:
    """A number of what is measured of a category in every state.

    Args:
        pick: finds it there.
        analysis: which measurement.
        oracle: whether the oracle has it; being no filter, it has little but an instability.
    """

    def find(values: Values, category: str, state: str) -> float | None:
        found = values["categories"][category].get(state)
        return None if found is None or (state == ORACLE and not oracle) else pick(found)

    return Quantity(analysis, find)


def share(pick: Callable[[Values], float | None]) -> Quantity:
    """A number of filters as a share of all."""
    count = statistic(pick)

    def find(values: Values, category: str, state: str) -> float | None:
        number = count.find(values, category, state)
        if number is None:
            return None
        # An explainer's input has other filters than its top.
        return number / len(values["categories"][category][state]["instability_filters"])

    return Quantity(LOCATION, find)


def of_training(pick: Callable[[Values, str], float | None]) -> Quantity:
    """A number of the trained network alone, from the values and the category."""

    def find(values: Values, category: str, state: str) -> float | None:
        return pick(values, category) if state == TRAINED else None

    return Quantity(LOCATION, find)


def followed(landmark: str) -> Quantity:
    """Share of the filters whose place has its largest R² with this landmark."""
    return share(lambda found: found["followed"].get(landmark))


def _head_r2(key: str) -> Callable[[Values], float | None]:
    def pick(statistics: Values) -> float | None:
        r2: Values = statistics["r2"]
        return next((r2[head][key] for head in HEADS if head in r2), None)

    return pick


def by_side(instability: float | None) -> float | None:
    """Divided by the image's side, from what was divided by its diagonal.

    CVPR'18's tables are divided by the side, the authors' code divides by the diagonal
    (specification interpretable_cnn.md, section 0).
    """
    return None if instability is None else sqrt(2) * instability


def _of_test(values: Values, category: str) -> float | None:
    found = values["categories"][category]["test_only"]
    return None if found is None else found["instability"]


def _multi(values: Values, state: str, key: str) -> float | None:
    """A number of a network of several categories, if it was measured in this state."""
    found = (values.get("multi") or {}).get(state)
    return None if found is None else found[key]


def _by_paper(values: Values, state: str) -> float | None:
    """Mean over filters of the least instability over categories (ICNN table 6)."""
    if state not in BASELINES:
        return _multi(values, state, "paper")
    of_categories = [c[state]["instability_filters"] for c in values["categories"].values()]
    least = [
        min(defined)
        for of_filter in zip(*of_categories, strict=True)
        if (defined := [value for value in of_filter if value is not None])
    ]
    return fmean(least) if least else None


INSTABILITY = statistic(lambda found: found["instability"], oracle=True)
DEVIATION = statistic(lambda found: by_side(found["instability"]), oracle=True)
TEST_ONLY = of_training(_of_test)
ACCURACY = of_training(lambda values, category: values["accuracy"])
ACCURACY_PERCENT = of_training(lambda values, category: 100 * values["accuracy"])
ERROR_PERCENT = of_training(lambda values, category: 100 * (1 - values["accuracy"]))
SPREAD = statistic(lambda found: found["spread"])
DIFFERENCE = statistic(lambda found: found["difference"])
DEAD = share(lambda found: found["dead"])
R2 = statistic(_head_r2("mean"))
R2_FLOOR = statistic(_head_r2("floor_mean"))
R2_BEST = statistic(_head_r2("best"))
R2_BEST_FLOOR = statistic(_head_r2("floor_best"))
# Of several categories: one number of a network, whichever category is asked for.
OF_SEVERAL_BY_PAPER = Quantity(LOCATION, lambda values, _, state: _by_paper(values, state))
OF_SEVERAL_BY_PAPER_SIDE = Quantity(
    LOCATION, lambda values, _, state: by_side(_by_paper(values, state))
)
OF_SEVERAL_BY_CODE = Quantity(LOCATION, lambda values, _, state: _multi(values, state, "code"))
PARTS_OF_ONE = statistic(lambda found: found["primary"], INTERPRETABILITY)
PARTS_OF_SEVERAL = Quantity(
    INTERPRETABILITY, lambda values, _, state: _multi(values, state, "primary")
)
# What must be read beside the instability.
QUALITIES = (
    (Column("spread", "Spread", "cells", 2), SPREAD),
    (Column("r2", "R², head", "", 3), R2),
    (Column("r2_floor", "R², head, floor", "", 3), R2_FLOOR),
    (Column("r2_best", "R², head, best filter", "", 3), R2_BEST),
    (Column("r2_best_floor", "R², head, best filter, floor", "", 3), R2_BEST_FLOOR),
    (Column("difference", "Difference", "cells", 2), DIFFERENCE),
    (Column("dead", "Dead filters", "fraction", 3), DEAD),
)


def categories_of(records: Records, e: Experiment, analysis: str = LOCATION) -> list[str]:
    """The categories whose parts were looked at; a measurement without has those of locations."""
    values = records.first(e, analysis)
    if values is not None and "categories" not in values:
        values = records.first(e, LOCATION)
    return [] if values is None else list(values["categories"])


def is_single(records: Records, e: Experiment, analysis: str = LOCATION) -> bool:
    """Whether the network tells one category from background."""
    return len(categories_of(records, e, analysis)) == 1


def sample_of(records: Records, e: Experiment, quantity: Quantity, state: str = TRAINED) -> Sample:
    """A number per seed of a network of one category, or one of several that is of no category."""
    category = next(iter(categories_of(records, e, quantity.analysis)), "")

    def find(values: Values) -> float | None:
        return quantity.find(values, category, state)

    return records.sample(e, quantity.analysis, find)


def filters_of(records: Records, e: Experiment) -> int | None:
    """Number of filters, those left ordinary included; None where no location was measured."""
    found = records.first(e, LOCATION)
    return None if found is None else int(found["filters"]) + int(found["ordinary_filters"])


def loss_of(records: Records, e: Experiment) -> str:
    """`logistic` or `softmax`."""
    loss = records.parameters(e)["training"].get("loss", "softmax")
    return "logistic" if "logistic" in loss else "softmax"


def weight_of(records: Records, e: Experiment) -> float | None:
    """Factor of the filter loss, 0 for masks alone; None where there is no factor."""
    if e.role in ("ordinary", "held"):
        return None
    return 0.0 if e.role == "masks-only" else float(records.parameters(e)["method"]["weight"])


def ratio_of(records: Records, e: Experiment) -> float | None:
    """The ratio to the task's gradient at which the filter loss is held; None where it is not."""
    return float(records.parameters(e)["method"]["ratio"]) if e.role == "held" else None


def partner_of(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The experiment of `role` on the same data with as many filters, nearest in epochs."""
    same = [
        other
        for other in records.experiments(role)
        if other.setting == e.setting and filters_of(records, other) == filters_of(records, e)
    ]
    return min(same, key=lambda other: abs(other.epochs - e.epochs), default=None)
