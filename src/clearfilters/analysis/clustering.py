"""Whether clusters of the features find the gate's rows (LSG, figure 10; CSG, appendix F)."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from clearfilters.analysis.features import FeatureSet, Gates, require_gates
from clearfilters.analysis.gate_path import Floats
from clearfilters.analysis.json_values import nested
from clearfilters.analysis.similarity import cosines
from clearfilters.errors import ClearfiltersError

Matrix = npt.NDArray[np.float64]


def cluster_centers(pooled: Floats, clusters: int, *, seed: int, starts: int) -> Matrix:
    """Centres (C, K) of k-means on features (N, K), the best of some seeded starts."""
    kmeans = KMeans(n_clusters=clusters, n_init=starts, random_state=seed).fit(pooled)
    return np.asarray(kmeans.cluster_centers_, dtype=np.float64)


def best_match(similarity: Matrix) -> npt.NDArray[np.intp]:
    """(C,): the cluster given to each class by the permutation of the largest total similarity.

    Args:
        similarity: (clusters, classes), square.
    """
    _, order = linear_sum_assignment(similarity.T, maximize=True)
    return np.asarray(order)


def mean_matched(similarity: Matrix, order: npt.NDArray[np.integer]) -> float:
    """Mean similarity of each class with the cluster `order[c]` given to it."""
    return float(similarity[order, np.arange(len(order))].mean())


def measure(
    features: FeatureSet, gates: Gates | None, *, seed: int, n_init: int, permutations: int
) -> dict[str, Any]:
    """k-means with C clusters on test features, matched with the gate's rows by cosine.

    Args:
        features: the model.
        gates: its gates.
        seed: of k-means and of the random permutations.
        n_init: starts of k-means, at least 1.
        permutations: random permutations to compare the best one with, at least 1.

    Returns:
        source, centers (C x K, in the clustering's own order), order [C] (the cluster given to
        each class), match (mean cosine of matched centre and gate row), match_random (its mean
        over random permutations).

    Raises:
        ClearfiltersError: if a parameter is out of range, there are no gates, or there are fewer
            images than classes.
    """
    gates = require_gates(gates, "clustering")
    classes = len(features.classes)
    if n_init < 1 or permutations < 1:
        raise ClearfiltersError(
            f"clustering.n_init and clustering.permutations: {n_init} and {permutations} given, "
            "1 or more expected"
        )
    if len(features.test_pooled) < classes:
        raise ClearfiltersError(
            f"clustering: {len(features.test_pooled)} test images for {classes} clusters; use more"
        )
    centers = cluster_centers(features.test_pooled, classes, seed=seed, starts=n_init)
    similarity = cosines(centers, gates.used)
    order = best_match(similarity)
    generator = np.random.default_rng(seed)
    random_matches = [
        mean_matched(similarity, generator.permutation(classes)) for _ in range(permutations)
    ]
    return {
        "source": gates.source,
        "centers": nested(centers),
        "order": order.tolist(),
        "match": mean_matched(similarity, order),
        "match_random": float(np.mean(random_matches)),
    }
