"""How much each object part contributes to what an explainer says (ICLR 2020, figure 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clearfilters.analysis.filter_parts import part_of_filters
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer_training import Explainer
from clearfilters.params.measurements import FilterPartsParams, PartContributionsParams
from clearfilters.training.contributions import (
    Contributions,
    by_part,
    category_logit,
    contributions,
    filters_of,
    performer_outputs,
    shares,
)
from clearfilters.training.part_maps import BATCH, PartNetwork
from clearfilters.training.part_objects import joined, judged_splits, objects_of
from clearfilters.training.trained_network import Measured, TrainedNetwork


@dataclass(frozen=True)
class CategoryParts:
    """A category's annotated test objects, and what the filters are of there.

    Attributes:
        rows: of the objects in the test split, (N,).
        names: the parts.
        part_of: of each filter, None for none.
        part_from: the same for other limits of R² than the one that counts.
    """

    rows: Tensor
    names: list[str]
    part_of: list[str | None]
    part_from: dict[float, list[str | None]]


def measure_part_contributions(
    network: TrainedNetwork, store: Path, params: PartContributionsParams
) -> Measured:
    """What parts, the ordinary track and the biases contribute to a category's score, on average.

    Args:
        network: an explainer.
        store: a processed store with landmarks, of the data that it was trained on.
        params: the parameters.

    Returns:
        categories -> images, annotated test objects; score and explainer_score, the mean logits of
        performer and explainer on them; parts: of each landmark and of `other` its number of
        `filters`, their mean `contribution` to the explainer's score, and its `share` of the sum
        over all filters (None where that is not above 0); ordinary and rest, the mean contributions
        of the ordinary track and of the biases; part_of_filter [D'], the landmark that each filter
        of conv-interp-2 is of, or None; by_limit: `parts` for
        `least_r2` and for each of `other_limits`.

    Raises:
        ClearfiltersError: if no category has annotated test objects; one without is left out.
    """
    parts = PartNetwork(network, store, "landmarks")
    found = parts_of_categories(parts, params, params.other_limits)
    categories = {name: _category(parts, name, own) for name, own in found.items()}
    return Measured({"categories": categories}, {})


def parts_of_categories(
    parts: PartNetwork, params: FilterPartsParams, other_limits: Sequence[float] = ()
) -> dict[str, CategoryParts]:
    """The categories with annotated test objects, and which parts the filters are of.

    Args:
        parts: of an explainer.
        params: `least_r2` is the limit that counts.
        other_limits: in its place, to be shown beside it.

    Raises:
        ClearfiltersError: if there is none.
    """
    found = {}
    for category in parts.categories:
        objects = objects_of(parts, category, params)
        if objects is None or len(objects.landmarks["test"].rows) == 0:
            continue
        splits = judged_splits(parts, params)
        peaks = {
            split: parts.peaks(parts.method, split, objects.landmarks[split].rows)
            for split in splits
        }
        places = objects.places(splits)
        options = {"strongest": params.strongest, "minimum_images": params.minimum_images}
        part_from = {
            limit: part_of_filters(joined(peaks, splits), places, least_r2=limit, **options)
            for limit in (params.least_r2, *other_limits)
        }
        rows = torch.from_numpy(objects.landmarks["test"].rows).to(parts.device)
        part_of = part_from[params.least_r2]
        found[category] = CategoryParts(rows, list(places), part_of, part_from)
    if not found:
        raise ClearfiltersError(
            f"{', '.join(parts.categories)}: no test object with a landmark, or no landmark on "
            f"{params.minimum_images} objects; parts are told by landmarks: annotate more"
        )
    return found


def explained(parts: PartNetwork, rows: Tensor, category: str) -> tuple[Tensor, Contributions]:
    """The performer's scores of a category (N,) on test objects, and the explainer's contributions.

    Args:
        parts: of an explainer.
        rows: of the test split, (N,).
        category: its name.
    """
    method = parts.method
    assert isinstance(method, Explainer)
    logit = category_logit(method.network.outputs, parts.classes.index(category))
    scores, batches = [], []
    for chosen in rows.split(BATCH):
        inputs = parts.inputs["test"].as_they_are(chosen)
        scores.append(performer_outputs(method, inputs)[:, logit])
        batches.append(contributions(method, inputs, logit))
    names = ("scores", "filters", "ordinary", "maps")
    of_all = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in names}
    return torch.cat(scores), Contributions(**of_all)


def _category(parts: PartNetwork, category: str, own: CategoryParts) -> dict[str, Any]:
    """What is measured on a category's test objects."""
    performer, of_explainer = explained(parts, own.rows, category)
    mean = of_explainer.filters.mean(dim=0)
    return {
        "images": len(own.rows),
        "score": float(performer.mean()),
        "explainer_score": float(of_explainer.scores.mean()),
        "parts": part_values(mean, own.part_of, own.names),
        "ordinary": float(of_explainer.ordinary.mean()),
        "rest": float(of_explainer.rest.mean()),
        "part_of_filter": own.part_of,
        "by_limit": {
            f"{limit:g}": part_values(mean, part_of, own.names)
            for limit, part_of in own.part_from.items()
        },
    }


def part_values(
    of_filters: Tensor, part_of: Sequence[str | None], names: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Filters, contribution and share of each part and of `other`, from filters' contributions."""
    sums = {name: float(value) for name, value in by_part(of_filters, part_of, names).items()}
    share = shares(sums)
    return {
        name: {
            "filters": len(filters_of(name, part_of)),
            "contribution": value,
            "share": share[name],
        }
        for name, value in sums.items()
    }
