"""The filter loss's gradient in loops, as the authors' code has it."""

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def centroid(x: Array) -> tuple[int, int]:
    """Row and column, from 0, of a map's centre of mass; half a cell, counted from 1, goes up."""
    n = len(x)
    row = column = 0.0
    for i in range(n):
        for j in range(n):
            row += (i + 1) * x[i, j]
            column += (j + 1) * x[i, j]
    total = max(x.sum(), 1e-9)
    return tuple(max(1, math.floor(v / total + 0.5)) - 1 for v in (row, column))  # type: ignore[return-value]


def template(row: int, column: int, beta: float, n: int) -> Array:
    """max(1 - beta (|u_i - u_mu| + |u_j - u_mu|), -1), u_k = -1 + 2 (k - 1) / (n - 1)."""
    u = [-1 + 2 * k / (n - 1) for k in range(n)]
    found = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            found[i, j] = max(1 - beta * (abs(u[i] - u[row]) + abs(u[j] - u[column])), -1)
    return found


def templates(x: Array, beta: Array) -> Array:
    """M (B, D, n, n) of maps."""
    found = np.empty_like(x)
    for b in range(len(x)):
        for f in range(x.shape[1]):
            found[b, f] = template(*centroid(x[b, f]), beta[f], x.shape[2])
    return found


def gradient(
    x: Array, beta: Array, positive: npt.NDArray[np.bool_], weights: Array, alpha: float
) -> Array:
    """G with c = 1, one image and filter after the other, without guards against overflow.

    Args:
        x: maps (B, D, n, n).
        beta: (D,).
        positive: (B, D).
        weights: (2, D) of the positive and the negative side.
        alpha: temperature.
    """
    count, filters = x.shape[:2]
    m = templates(x, beta)
    result = np.empty_like(x)
    for f in range(filters):
        lz_p = lz_n = 0.0
        for b in range(count):
            stranger = m[count - 1 - b, filters - 1 - f]
            lz_p += math.exp((x[b, f] * stranger).mean() / alpha) / count
            lz_n += math.exp(-x[b, f].mean() / alpha) / count
        lz_p, lz_n = alpha * math.log(lz_p), alpha * math.log(lz_n)
        a = np.empty(count)
        for b in range(count):
            s = (x[b, f] * m[b, f]).mean() if positive[b, f] else -x[b, f].mean()
            a[b] = math.exp(s / alpha) * (s - (lz_p if positive[b, f] else lz_n) + alpha)
        for side in (True, False):
            chosen = positive[:, f] == side
            for b in np.flatnonzero(chosen):
                strength = a[b] / a[chosen].mean()
                if side:
                    result[b, f] = -weights[0, f] * strength * m[b, f]
                else:
                    result[b, f] = weights[1, f] * strength
    return result
