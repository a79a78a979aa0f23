"""MIS: how much a filter's activation says about one class (CSG, section 4)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_selection import mutual_info_classif

from clearfilters.analysis.features import FeatureSet, Gates
from clearfilters.analysis.gate_path import Floats, Labels


def mutual_information_matrix(
    pooled: Floats, labels: Labels, classes: int, *, neighbors: int, seed: int
) -> npt.NDArray[np.float64]:
    """M (K, C): estimated mutual information, in nats, of a_k and the event y = c.

    Args:
        pooled: features (N, K).
        labels: (N,) in [0, C).
        classes: C.
        neighbors: of the nearest-neighbour estimator (Ross 2014), scikit-learn's `n_neighbors`.
        seed: of the tiny noise that the estimator adds to break ties.
    """
    columns = [
        mutual_info_classif(
            pooled,
            labels == c,
            discrete_features=False,
            n_neighbors=neighbors,
            random_state=seed,
        )
        for c in range(classes)
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def measure(
    features: FeatureSet,
    gates: Gates | None = None,
    *,
    n_neighbors: int,
    random_state: int,
) -> dict[str, Any]:
    """MIS = mean_k max_c M_kc on test features.

    Args:
        features: the model.
        gates: not used.
        n_neighbors: see `mutual_information_matrix`; scikit-learn's default is 3.
        random_state: the seed there.

    Returns:
        mis; best_class [K] and best_information [K], the class of each filter's maximum and the
        maximum.
    """
    information = mutual_information_matrix(
        features.test_pooled,
        features.test_labels,
        len(features.classes),
        neighbors=n_neighbors,
        seed=random_state,
    )
    best = information.max(axis=1)
    return {
        "mis": float(best.mean()),
        "best_class": information.argmax(axis=1).tolist(),
        "best_information": best.tolist(),
    }
