"""Mean features of each class."""

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.gate_path import Floats, Labels


def class_means(pooled: Floats, labels: Labels, classes: int) -> npt.NDArray[np.float64]:
    """(C, K): mean of features (N, K) over each class's samples; NaN rows where it has none."""
    means = np.full((classes, pooled.shape[1]), np.nan)
    for c in np.unique(labels):
        means[c] = pooled[labels == c].mean(axis=0, dtype=np.float64)
    return means
