"""The numbers that reports read of measurements of explainers."""

from collections.abc import Callable
from typing import Any

from clearfilters.reporting.part_quantities import TRAINED, Quantity, Values
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.table import Column

EXPLANATION = "explanation"
CONTRIBUTIONS = "part_contributions"
PICTURES = "explainer_pictures"
# What is measured of an explainer's encoder beside its filters: the maps that it reads.
INPUT = "input"
# What shapes a performer, less its seed.
SHAPES = ("data", "model", "method", "training", "finetune")


def of_explanation(pick: Callable[[Values], float | None]) -> Quantity:
    """A number of what an explainer says of its performer."""

    def find(values: Values, category: str, state: str) -> float | None:
        return pick(values) if state == TRAINED else None

    return Quantity(EXPLANATION, find)


def _last(name: str) -> Quantity:
    """What history.csv has of the last epoch."""
    return of_explanation(lambda values: values["history"][name][-1])


def _more_errors(values: Values) -> float:
    return 100 * float(values["error"]["explainer"] - values["error"]["performer"])


P = of_explanation(lambda values: values["p"])
SETTLED = of_explanation(lambda values: float(values["plateau"]))
RISES = of_explanation(lambda values: len(values["rises"]))
FIRST_ERROR = of_explanation(lambda values: values["relative_error"][0])
SECOND_ERROR = of_explanation(lambda values: values["relative_error"][1])
PERFORMER_ERROR = of_explanation(lambda values: 100 * values["error"]["performer"])
EXPLAINER_ERROR = of_explanation(lambda values: 100 * values["error"]["explainer"])
MORE_ERRORS = of_explanation(_more_errors)
AGREEMENT = of_explanation(lambda values: values["agreement"])
FIRST_RATIO = _last("filter_loss_a")
SECOND_RATIO = _last("filter_loss_b")
# What must be read beside p.
RECONSTRUCTION = (
    (Column("relative_error_1", "Relative error, first layer", "", 3), FIRST_ERROR),
    (Column("relative_error_2", "Relative error, second layer", "", 3), SECOND_ERROR),
)


def eta_of(records: Records, e: Experiment) -> float:
    """The weight of -log p."""
    return float(records.parameters(e)["method"]["eta"])


def ratio_of(records: Records, e: Experiment) -> float | None:
    """The ratio of the filter loss's gradient to the target's; None without filter loss."""
    ratio = records.parameters(e)["method"]["ratio"]
    return None if ratio is None else float(ratio)


def performer_of(records: Records, e: Experiment) -> Experiment | None:
    """The experiment that an explainer explains, if the run measured it."""
    wanted = _shaped(records.parameters(e)["performer"])
    return next(
        (
            other
            for other in records.experiments("ordinary")
            if _shaped(records.parameters(other)) == wanted
        ),
        None,
    )


def alike(records: Records, e: Experiment, role: str) -> list[Experiment]:
    """The explainers of `role` of the same performer."""
    wanted = _shaped(records.parameters(e)["performer"])
    return [
        other
        for other in records.experiments(role)
        if _shaped(records.parameters(other)["performer"]) == wanted
    ]


def _shaped(parameters: dict[str, Any]) -> dict[str, Any]:
    return {key: parameters.get(key) for key in SHAPES}
