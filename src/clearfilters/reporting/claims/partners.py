"""Which experiments a claim is about, and which they are compared with."""

from collections.abc import Callable
from typing import Any

from clearfilters.reporting.explainer_quantities import alike, eta_of, performer_of, ratio_of
from clearfilters.reporting.part_quantities import (
    INTERPRETABILITY,
    LOCATION,
    categories_of,
    partner_of,
    weight_of,
)
from clearfilters.reporting.records import Experiment, Records

DATA_AND_NETWORK = "data_and_network"
ALEXNET = "caffe-alexnet"
# Of appendix H: the filter loss is a 300th of the reconstruction, falling over the epoch.
PUBLISHED_RATIO = 1 / 300
NEAR = 0.005  # it is written down with few digits


def _alike(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The first explainer of `role` of the same performer."""
    return next(iter(alike(records, e, role)), None)


def _without_loss(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The explainer of the same performer that had no filter loss."""
    others = alike(records, e, role)
    return next((other for other in others if ratio_of(records, other) is None), None)


def _of_alexnet(records: Records, e: Experiment, role: str) -> Experiment | None:
    """The experiment of an AlexNet on the same data, whose images may have another size."""
    wanted = _content(records, e)
    return next(
        (
            other
            for other in records.experiments(role)
            if other.model == ALEXNET and _content(records, other) == wanted
        ),
        None,
    )


def _content(records: Records, e: Experiment) -> dict[str, Any]:
    data = records.parameters(e)["data"]
    return {key: value for key, value in data.items() if key != "image_size"}


def _explained(records: Records, e: Experiment, role: str) -> Experiment | None:
    return performer_of(records, e)


# Subject and the partner's role -> the experiment to compare with.
MATCHES: dict[str, Callable[[Records, Experiment, str], Experiment | None]] = {
    # Of those on the same data and network, the nearest in epochs.
    DATA_AND_NETWORK: Records.partner,
    # Of those, one with as many filters.
    "number_of_filters": partner_of,
    # The performer that an explainer explains, whose epochs are of another training.
    "explained": _explained,
    # Another explainer of the same performer.
    "performer": _alike,
    "performer_without_filter_loss": _without_loss,
    # Of other networks on the same data, AlexNet.
    "data_of_alexnet": _of_alexnet,
}
OF_OTHER_EPOCHS = "explained"


def _categories(records: Records, e: Experiment) -> int:
    """How many categories had their parts looked at, in either measurement."""
    return len(categories_of(records, e, LOCATION) or categories_of(records, e, INTERPRETABILITY))


def _loss(records: Records, e: Experiment) -> Any:
    return records.parameters(e)["training"].get("loss")


def _published(records: Records, e: Experiment) -> bool:
    ratio, method = ratio_of(records, e), records.parameters(e)["method"]
    return ratio is not None and bool(method["falling"]) and abs(ratio / PUBLISHED_RATIO - 1) < NEAR


def _graded(records: Records, e: Experiment) -> bool:
    """Whether the loss was run at another weight or ratio, or on some filters only, beside it."""
    ordinary = partner_of(records, e, "ordinary")
    return any(
        partner_of(records, other, "ordinary") == ordinary
        for other in records.experiments("weighted", "held", "mixed", analysis=LOCATION)
    )


# What a subject must be.
ONLY: dict[str, Callable[[Records, Experiment], bool]] = {
    "one_category": lambda records, e: _categories(records, e) == 1,
    "several_categories": lambda records, e: _categories(records, e) > 1,
    "logistic_loss": lambda records, e: _loss(records, e) == "logistic",
    "multi_label_logistic_loss": lambda records, e: _loss(records, e) == "multi-label-logistic",
    "filter_loss": lambda records, e: ratio_of(records, e) is not None,
    "published_filter_loss": _published,
    "loss_graded_beside_it": _graded,
}
# Numbers that an experiment was given.
SETTINGS: dict[str, Callable[[Records, Experiment], float | None]] = {
    "weight": weight_of,
    "eta": eta_of,
    "ratio": ratio_of,
}
