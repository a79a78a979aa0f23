"""Summaries of arrays in which NaN stands for what is undefined."""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def mean_of_defined(values: Values, axis: int) -> Values:
    """The mean along an axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    counts = defined.sum(axis=axis)
    sums = np.where(defined, values, 0.0).sum(axis=axis)
    return np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def largest_of_defined(values: Values, axis: int) -> Values:
    """The largest along an axis of what is not NaN; NaN where nothing is."""
    largest = np.where(np.isnan(values), -np.inf, values).max(axis=axis)
    return np.where(np.isneginf(largest), np.nan, largest)


def best_row(values: Values) -> npt.NDArray[np.intp]:
    """(D,): the row of (K, D) that is largest in each column, the first of equal ones.

    -1 where none is above 0; NaN counts as 0.
    """
    known = np.nan_to_num(values, nan=0.0)
    return np.where(known.max(axis=0) > 0, known.argmax(axis=0), -1)
