"""Φ, the papers' measure of filter ambiguity, by fitting a gate to a frozen network.

Φ = min_G CE(y ‖ ŷ^G) + a |‖G‖₁ - s| over gates G in [0, 1]^{C x K} whose columns all have maximum
1 (LSG, equation 2). Lower means more class-specific filters. The gate is fitted on training
features and Φ is reported on test features, with the same a, s and start for every model, so that
models trained with and without a gate can be compared.

The fit is a projected gradient method with a backtracking line search. It follows the gradient of
the cross entropy, which is convex and smooth in G; the sparsity term, with its kink at ‖G‖₁ = s,
is taken together with the constraints in the projection, exactly. A step along the subgradient of
the whole cost would stall beside the kink, where every step long enough to matter crosses it. The
projection of the training step (divide each column by its maximum) is not used either: it does not
give the nearest feasible gate, so the cost may rise along it however short the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.features import Array32, FeatureSet, Gates
from clearfilters.analysis.gate_path import (
    Floats,
    Labels,
    cross_entropy,
    gated_logits,
    l1_density,
)
from clearfilters.analysis.json_values import nested
from clearfilters.errors import ClearfiltersError

Gate = npt.NDArray[np.float64]

# These shape the speed of the line search, not where it ends.
STEP_GROWTH = 1.3
STEP_CUT = 0.5
BISECTIONS = 60


@dataclass(frozen=True)
class GateCrossEntropy:
    """CE(y ‖ ŷ^G) of a frozen head as a function of the gate.

    Holds each class's features as one block (K, N_c): all images of a block pass the same gate
    row, so a block needs one product with a gated head instead of gated copies of its features,
    and no array is larger than the features themselves.
    """

    blocks: Sequence[Floats]
    weight: Floats
    bias: Floats
    count: int

    @classmethod
    def of(cls, pooled: Floats, labels: Labels, weight: Floats, bias: Floats) -> "GateCrossEntropy":
        """Sort features (N, K) with labels (N,) by class, for a head (C, K), (C,)."""
        blocks = [np.ascontiguousarray(pooled[labels == c].T) for c in range(len(weight))]
        return cls(blocks, weight, bias, len(labels))

    def __call__(self, gate: Gate) -> tuple[float, Gate]:
        """Mean cross entropy (nats) at a gate (C, K), and its gradient (C, K).

        With p = softmax of a block's logits: dCE/dG_ck = 1/N Σ_i a_ik Σ_j (p_ij - [j = c]) W_jk,
        over the images i of class c.
        """
        gated_heads = self.weight * gate.astype(self.weight.dtype)[:, None, :]
        total = 0.0
        gradient = np.zeros(gate.shape)
        for c, block in enumerate(self.blocks):
            logits = gated_heads[c] @ block
            logits += self.bias[:, None]
            logits -= logits.max(axis=0)
            chosen = logits[c].copy()
            error = np.exp(logits, out=logits)
            partition = error.sum(axis=0)
            total += float(np.sum(np.log(partition) - chosen, dtype=np.float64))
            error /= partition
            error[c] -= 1
            gradient[c] = np.sum((error @ block.T) * self.weight, axis=0, dtype=np.float64)
        return total / self.count, gradient / self.count


def nearest_gate(matrix: Gate) -> Gate:
    """The feasible gate nearest to a matrix (C, K) in Euclidean distance.

    Clip to [0, 1], then raise each column's largest element to 1 (the first of equal ones).
    """
    gate = np.clip(matrix, 0.0, 1.0)
    gate[matrix.argmax(axis=0), np.arange(matrix.shape[1])] = 1.0
    return gate


def sparse_gate(matrix: Gate, strength: float, target: float) -> Gate:
    """The feasible G that minimises ½‖G - matrix‖² + strength · |‖G‖₁ - target|.

    It is `nearest_gate(matrix - shift)` for one shift in [-strength, strength]: the end that moves
    ‖G‖₁ towards the target where the target stays out of reach, else the shift that meets it (the
    norm falls as the shift grows). shift / strength is the subgradient of |x| that the step uses,
    so that a gate on the kink stays there when that is best.

    Args:
        matrix: (C, K).
        strength: a times the step, above 0.
        target: s, at least K.
    """
    low, high = -strength, strength
    if nearest_gate(matrix - high).sum() >= target:
        return nearest_gate(matrix - high)
    if nearest_gate(matrix - low).sum() <= target:
        return nearest_gate(matrix - low)
    for _ in range(BISECTIONS):
        shift = (low + high) / 2
        if nearest_gate(matrix - shift).sum() > target:
            low = shift
        else:
            high = shift
    return nearest_gate(matrix - high)


@dataclass(frozen=True)
class GateFit:
    """A fitted gate (C, K) and how the fit ended.

    Attributes:
        gate: float64, in [0, 1], each column's maximum 1.
        costs: the cost CE + a |‖G‖₁ - s| at the start and after each iteration.
        converged: whether the cost settled within the tolerance before the last iteration.
    """

    gate: Gate
    costs: tuple[float, ...]
    converged: bool

    @property
    def iterations(self) -> int:
        """Steps taken."""
        return len(self.costs) - 1


def fit_gate(
    loss: GateCrossEntropy,
    *,
    a: float,
    s: float,
    init: float,
    tolerance: float,
    window: int,
    max_iterations: int,
) -> GateFit:
    """Fit a gate to a frozen network: a minimum of CE + a |‖G‖₁ - s|.

    The feasible set is not convex (which element of a column is its 1 is a choice), so the minimum
    is a local one and the start is part of the definition: all elements `init`, and in each column
    the element raised to 1 whose growth lowers the cross entropy most.

    Args:
        loss: the cross entropy to lower.
        a: weight of the sparsity term, at least 0.
        s: target of ‖G‖₁, at least K.
        init: start value, in [0, 1].
        tolerance: converged when the cost falls by at most this share of itself over `window`
            iterations; 0 runs until nothing moves.
        window: iterations, at least 1.
        max_iterations: iterations, at least 1.
    """
    gate: Gate = np.full(loss.weight.shape, float(init))
    gate[loss(gate)[1].argmin(axis=0), np.arange(loss.weight.shape[1])] = 1.0
    value, gradient = loss(gate)
    costs = [value + a * abs(float(gate.sum()) - s)]
    step = 1.0 / max(float(np.abs(gradient).max()), np.finfo(np.float64).tiny)
    for iteration in range(1, max_iterations + 1):
        previous = gate
        gate, value, gradient, step = _descend(loss, gate, value, gradient, step, a, s)
        costs.append(value + a * abs(float(gate.sum()) - s))
        settled = iteration >= window and costs[-1 - window] - costs[-1] <= tolerance * abs(
            costs[-1]
        )
        if settled or np.array_equal(gate, previous):
            return GateFit(gate, tuple(costs), True)
        step *= STEP_GROWTH
    return GateFit(gate, tuple(costs), False)


def _descend(
    loss: GateCrossEntropy,
    gate: Gate,
    value: float,
    gradient: Gate,
    step: float,
    a: float,
    s: float,
) -> tuple[Gate, float, Gate, float]:
    """One step, cut until the cross entropy lies below the parabola that the step assumes.

    The gate stays where it is when that takes a change too small for float32.
    """
    resolution = np.finfo(np.float32).eps
    rounding = resolution * value
    while True:
        candidate = sparse_gate(gate - step * gradient, step * a, s)
        change = candidate - gate
        candidate_value, candidate_gradient = loss(candidate)
        parabola = value + np.sum(gradient * change) + np.sum(change**2) / (2 * step)
        if candidate_value <= parabola + rounding:
            return candidate, candidate_value, candidate_gradient, step
        if np.abs(change).max() < resolution:
            return gate, value, gradient, step
        step *= STEP_CUT


@dataclass(frozen=True)
class Phi:
    """Φ of one model, with the gate that gives it.

    Attributes:
        fitted_gate: (C, K), unrounded.
        cross_entropy_train: CE of the fitted gate's path on training features, nats per sample.
        cross_entropy_test: as above, test features.
        penalty: a |‖G‖₁ - s|.
        a: weight of the sparsity term.
        s: target of ‖G‖₁.
        iterations: steps of the fit.
        converged: whether the fit settled within its tolerance.
    """

    fitted_gate: Array32
    cross_entropy_train: float
    cross_entropy_test: float
    penalty: float
    a: float
    s: float
    iterations: int
    converged: bool

    @property
    def train(self) -> float:
        """Φ on training features."""
        return self.cross_entropy_train + self.penalty

    @property
    def test(self) -> float:
        """Φ on test features: the value to report."""
        return self.cross_entropy_test + self.penalty


def evaluate_phi(
    features: FeatureSet,
    *,
    a: float,
    s_density: float,
    init: float,
    tolerance: float,
    window: int,
    max_iterations: int,
) -> Phi:
    """Fit a gate on training features and measure Φ on both splits.

    Args:
        features: the model.
        a: weight of the sparsity term, at least 0.
        s_density: s / (C K), in (0, 1]; below 1/C it counts as 1/C, the least density there is.
        init: see `fit_gate`, as the three below.
        tolerance: relative decrease.
        window: iterations.
        max_iterations: iterations.

    Raises:
        ClearfiltersError: if a parameter is out of its range.
    """
    classes, filters = features.weight.shape
    _check_parameters(a, s_density, init, window, max_iterations)
    # No gate's norm is below K, that of one-hot columns; few classes may ask for less.
    s = max(s_density * classes * filters, float(filters))
    head = (features.weight, features.bias)
    fit = fit_gate(
        GateCrossEntropy.of(features.train_pooled, features.train_labels, *head),
        a=a,
        s=s,
        init=init,
        tolerance=tolerance,
        window=window,
        max_iterations=max_iterations,
    )
    gate = fit.gate.astype(np.float32)

    def gated_cross_entropy(pooled: Array32, labels: Labels) -> float:
        return cross_entropy(gated_logits(pooled, labels, gate, *head), labels)

    return Phi(
        fitted_gate=gate,
        cross_entropy_train=gated_cross_entropy(features.train_pooled, features.train_labels),
        cross_entropy_test=gated_cross_entropy(features.test_pooled, features.test_labels),
        penalty=float(a * abs(gate.sum(dtype=np.float64) - s)),
        a=a,
        s=s,
        iterations=fit.iterations,
        converged=fit.converged,
    )


def convergence_interval(classes: int, upper_density: float | None) -> tuple[float, float] | None:
    """L1 densities [1/C, g/(C K)] that a converged CSG gate can have (CSG, appendix A).

    Args:
        classes: C.
        upper_density: g / (C K), or None for a method that has no g.
    """
    return None if upper_density is None else (1 / classes, upper_density)


def phi_values(
    phi: Phi, features: FeatureSet, upper_density: float | None = None
) -> dict[str, Any]:
    """The recorded values of a Φ: see `measure`."""
    trained = features.trained_gate
    trained_density = None if trained is None else l1_density(trained)
    interval = convergence_interval(len(features.classes), upper_density)
    within = None
    if interval is not None and trained_density is not None:
        # Recorded gates are float32: a gate at a bound may miss it by rounding.
        margin = float(np.finfo(np.float32).eps)
        within = interval[0] - margin <= trained_density <= interval[1] + margin
    return {
        "phi_train": phi.train,
        "phi_test": phi.test,
        "cross_entropy_test": phi.cross_entropy_test,
        "penalty": phi.penalty,
        "fitted_density": l1_density(phi.fitted_gate),
        "trained_density": trained_density,
        "interval": None if interval is None else list(interval),
        "within_interval": within,
        "iterations": phi.iterations,
        "converged": phi.converged,
        "fitted_gate": nested(phi.fitted_gate),
        "trained_gate": None if trained is None else nested(trained),
        "a": phi.a,
        "s": phi.s,
    }


def measure(
    features: FeatureSet,
    gates: Gates | None = None,
    *,
    a: float,
    s_density: float,
    init: float,
    tolerance: float,
    window: int,
    max_iterations: int,
    upper_density: float | None = None,
) -> dict[str, Any]:
    """Φ, the density of the fitted gate, and the density of the trained one beside it.

    Args:
        features: the model.
        gates: not used; the gate is fitted here.
        a: see `evaluate_phi`, as the five below.
        s_density: s / (C K).
        init: start value.
        tolerance: relative decrease.
        window: iterations.
        max_iterations: iterations.
        upper_density: g / (C K) for a CSG model, to check its trained gate's density; else None.

    Returns:
        phi_train, phi_test, cross_entropy_test, penalty, fitted_density, trained_density, interval,
        within_interval, iterations, converged, fitted_gate, trained_gate, a, s.
    """
    phi = evaluate_phi(
        features,
        a=a,
        s_density=s_density,
        init=init,
        tolerance=tolerance,
        window=window,
        max_iterations=max_iterations,
    )
    return phi_values(phi, features, upper_density)


def _check_parameters(
    a: float, s_density: float, init: float, window: int, max_iterations: int
) -> None:
    if not 0 < s_density <= 1:
        raise ClearfiltersError(
            f"phi.s_density: {s_density} given, a value above 0 and at most 1 expected"
        )
    if a < 0:
        raise ClearfiltersError(f"phi.a: {a} given, 0 or more expected")
    if not 0 <= init <= 1:
        raise ClearfiltersError(f"phi.init: {init} given, a value from 0 to 1 expected")
    if window < 1 or max_iterations < 1:
        raise ClearfiltersError(
            f"phi.window and phi.max_iterations: {window} and {max_iterations} given, 1 or more "
            "expected"
        )
