"""How arrays are written into a measurement: nested lists, rounded, None for what is undefined."""

from typing import Any

import numpy as np

from clearfilters.analysis.gate_path import Floats


def nested(matrix: Floats, decimals: int = 4) -> Any:
    """A matrix as nested lists, rounded."""
    return np.round(matrix.astype(np.float64), decimals).tolist()


def nested_or_null(matrix: Floats, decimals: int = 4) -> list[Any]:
    """As `nested`, with None in place of each row that holds a NaN (a class without samples)."""
    return [None if np.isnan(row).any() else nested(row, decimals) for row in matrix]


def values_or_null(values: Floats, decimals: int = 6) -> list[float | None]:
    """Values (N,) rounded, None in place of each NaN."""
    rounded: list[float] = nested(values, decimals)
    return [None if value != value else value for value in rounded]


def mean_or_null(values: Floats) -> float | None:
    """Mean of the values that are not NaN, or None if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
