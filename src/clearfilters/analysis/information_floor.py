"""What the estimate of MIS comes to where there is nothing to know: its floor (ours).

The estimate of each filter and class scatters around the true value and is cut off at 0, and MIS
takes each filter's largest over the classes: it is above 0 for a dead filter, too.
"""

from typing import Any

import numpy as np

from clearfilters.analysis.features import FeatureSet, Gates
from clearfilters.analysis.mutual_information import mutual_information_matrix


def measure(
    features: FeatureSet,
    gates: Gates | None = None,
    *,
    shuffles: int,
    seed: int,
    n_neighbors: int,
    random_state: int,
) -> dict[str, Any]:
    """MIS of the test features with the labels permuted among the images, mean over permutations.

    Features and the number of images of each class are those of `mutual_information.measure`; only
    which image has which label is lost.

    Args:
        features: the model.
        gates: not used.
        shuffles: permutations.
        seed: of the permutations.
        n_neighbors: the estimator's, as for MIS.
        random_state: the estimator's, as for MIS.

    Returns:
        floor, in nats; shuffled, the MIS of each permutation.
    """
    generator = np.random.default_rng(seed)
    shuffled = []
    for _ in range(shuffles):
        information = mutual_information_matrix(
            features.test_pooled,
            generator.permutation(features.test_labels),
            len(features.classes),
            neighbors=n_neighbors,
            seed=random_state,
        )
        shuffled.append(float(information.max(axis=1).mean()))
    return {"floor": float(np.mean(shuffled)), "shuffled": shuffled}
