"""Whether a filter's peak moves with a landmark: R² of position against landmark (ours).

Location instability is as low for a unit that never moves as for one that follows a part; R² is 0
for the first and 1 for the second. Its floor says what chance gives with so few images.
"""

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.defined import Values
from clearfilters.analysis.location_instability import Chosen, LandmarkPeaks, centre

# Of the sum of squares: a variance below it is rounding of numbers that are all the same.
ROUNDING = 1e-12


def landmark_r2(found: LandmarkPeaks) -> Values:
    """(D,): squared Pearson correlation of position and landmark, mean of rows and columns.

    In [0, 1] over each filter's chosen images; 0 for a coordinate that does not change among them,
    NaN for a filter without chosen images.
    """
    return _r2(found, found.places[:, None, :])[0]


def shuffled_r2(found: LandmarkPeaks, *, shuffles: int, seed: int) -> Values:
    """(S, D): as `landmark_r2`, with the landmark's places permuted among the images S times."""
    generator = np.random.default_rng(seed)
    permuted = [generator.permutation(found.places) for _ in range(shuffles)]
    return _r2(found, np.stack(permuted, axis=1))


def _r2(found: LandmarkPeaks, places: npt.NDArray[np.floating]) -> Values:
    """(S, D) for S versions of the landmark's places (V, S, 2)."""
    by_axis = [
        _squared_correlation(found.positions[..., axis].T, places[..., axis], found.chosen)
        for axis in (0, 1)
    ]
    r2: Values = np.mean(by_axis, axis=0)
    r2[~found.chosen.any(axis=1)] = np.nan
    return r2.T


def _squared_correlation(
    positions: npt.NDArray[np.floating], places: npt.NDArray[np.floating], chosen: Chosen
) -> Values:
    """(D, S): of positions (D, V) with places (V, S), over the chosen (D, V)."""
    moves, counts = centre(positions.astype(np.float64), chosen)
    # Near 0, so that little is lost when the square of the mean is taken off below.
    targets = places - places.sum(axis=0, dtype=np.float64) / max(len(places), 1)
    weights = chosen.astype(np.float64)
    covered = weights @ targets
    squares = weights @ targets**2
    target_spread = squares - covered**2 / np.maximum(counts, 1)[:, None]
    spread = np.einsum("dv,dv->d", moves, moves)[:, None]
    varies = (target_spread > ROUNDING * squares) & (spread > ROUNDING)
    product = spread * target_spread
    return np.divide((moves @ targets) ** 2, product, out=np.zeros(product.shape), where=varies)
