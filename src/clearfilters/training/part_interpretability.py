"""How often the region that a network's filter fires for is a part (CVPR 2018, section 5.2)."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.analysis.defined import Values
from clearfilters.analysis.json_values import mean_or_null
from clearfilters.analysis.part_interpretability import (
    active_units,
    central_units,
    part_statistics,
    random_units,
)
from clearfilters.data.parts import PartRows, rows_with_parts
from clearfilters.data.store import SPLITS
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.params.measurements import PartInterpretabilityParams
from clearfilters.training.part_maps import PartNetwork
from clearfilters.training.trained_network import Measured, TrainedNetwork

# By split, objects with the masks of their parts.
Objects = Mapping[str, PartRows]


def measure_part_interpretability(
    network: TrainedNetwork, store: Path, params: PartInterpretabilityParams
) -> Measured:
    """Part interpretability of the top convolution's filters, after ReLU and mask.

    All objects with annotated parts count, those that the network was trained on included, and
    thresholds are those of their maps.

    Args:
        network: a network with a top of its own.
        store: a processed store with parts, of the data that it was trained on.
        params: the parameters.

    Returns:
        categories -> images; parts -> images that have it; of the trained network, the untrained
        (None where its first weights are not kept), of units that fire at random and of units that
        always fire at the centre see `part_interpretability.part_statistics`. multi -> None for one
        category, else `primary` of the trained and the untrained network, each filter judged on the
        category that excites it most. approximation: how the parts' masks were obtained, if they
        are not exact.

    Raises:
        ClearfiltersError: if no object has an annotated part; a category without is left out.
    """
    parts = PartNetwork(network, store, "parts")
    methods = {"trained": parts.method, "untrained": parts.untrained()}
    rows = {split: rows_with_parts(data) for split, data in parts.splits.items()}
    found: dict[str, dict[str, Any]] = {}
    sums: dict[str, dict[str, Values]] = {}
    for category in parts.categories:
        objects = _of_category(parts, rows, category)
        if any(len(of_split.rows) for of_split in objects.values()):
            found[category], sums[category] = _category(parts, methods, objects, params)
    if not found:
        raise ClearfiltersError(
            f"{', '.join(parts.categories)}: no object has an annotated part; part "
            "interpretability needs some"
        )
    several = len(found) > 1
    values = {
        "categories": found,
        "multi": _multi(found, sums) if several else None,
        "approximation": network.store_meta.masks_note,
    }
    return Measured(values, {})


def _multi(
    found: Mapping[str, Mapping[str, Any]], sums: Mapping[str, Mapping[str, Values]]
) -> dict[str, Any]:
    """Mean over filters of P_f on the category whose images have the largest maps (section 3.1)."""
    states = {state for of_states in sums.values() for state in of_states}
    result: dict[str, Any] = {"untrained": None}
    for state in states:
        own = np.stack([sums[category][state] for category in found]).argmax(axis=0)
        scores = np.array([found[category][state]["filters"] for category in found], float)
        result[state] = {"primary": mean_or_null(scores[own, np.arange(len(own))])}
    return result


def _category(
    parts: PartNetwork,
    methods: Mapping[str, Method | None],
    masks: Objects,
    params: PartInterpretabilityParams,
) -> tuple[dict[str, Any], dict[str, Values]]:
    """What is measured on a category, and of each network the filters' mean sums of maps (D,)."""
    geometry = parts.geometry
    images = sum(len(of_split.rows) for of_split in masks.values())
    filters = parts.filters
    sums: dict[str, Values] = {}
    active = {
        "random": random_units(images, filters, geometry.side, params.seed),
        "constant": central_units(images, filters, geometry.side),
    }
    for name, method in methods.items():
        if method is not None:
            of_splits = [parts.masked_maps(method, split, of.rows) for split, of in masks.items()]
            maps = np.concatenate(of_splits)
            active[name] = active_units(maps, params.quantile)
            sums[name] = maps.sum(axis=(2, 3)).mean(axis=0)
    joined = {
        name: np.concatenate([of_split.masks[name] for of_split in masks.values()])
        for name in masks[SPLITS[0]].masks
    }
    shown = {name: found for name, found in joined.items() if found.any()}
    statistics = partial(
        part_statistics,
        parts=shown,
        geometry=geometry,
        radii=params.radii,
        primary=params.radius,
        least_iou=params.hit_iou,
    )
    values = {
        "images": images,
        "parts": {name: int(found.any(axis=(1, 2)).sum()) for name, found in shown.items()},
        "untrained": None,
        **{name: statistics(units) for name, units in active.items()},
    }
    return values, sums


def _of_category(parts: PartNetwork, rows: Mapping[str, PartRows], category: str) -> Objects:
    """By split, the objects of a category among those with annotated parts."""
    found = {}
    for split, of_all in rows.items():
        own = parts.splits[split].labels[of_all.rows] == parts.classes.index(category)
        masks = {name: masks[own] for name, masks in of_all.masks.items()}
        found[split] = PartRows(of_all.rows[own], masks)
    return found
