from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, minimize

from clearfilters.analysis.gate_path import cross_entropy, gated_logits
from clearfilters.analysis.phi import (
    GateCrossEntropy,
    convergence_interval,
    evaluate_phi,
    fit_gate,
    measure,
    nearest_gate,
    phi_values,
    sparse_gate,
)
from clearfilters.errors import ClearfiltersError

FIT = {"tolerance": 1e-9, "window": 10, "max_iterations": 2000}
PARAMETERS = {"a": 0.01, "s_density": 0.4, "init": 0.5, **FIT}

matrices = arrays(
    np.float64,
    st.tuples(st.integers(2, 4), st.integers(1, 5)),
    elements=st.floats(-2, 3, allow_nan=False),
)


def problem(seed, classes=3, filters=4, count=40, scale=1.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    labels[:classes] = np.arange(classes)
    pooled = generator.random((count, filters))
    pooled[np.arange(count), labels % filters] += 1.0
    weight = scale * generator.normal(size=(classes, filters))
    return pooled, labels, weight, generator.normal(size=classes)


def naive_cross_entropy(gate, pooled, labels, weight, bias):
    total = 0.0
    for features, label in zip(pooled, labels, strict=True):
        scores = []
        for j in range(len(weight)):
            score = bias[j]
            for k in range(len(features)):
                score += features[k] * gate[label, k] * weight[j, k]
            scores.append(score)
        total += np.log(np.sum(np.exp(scores))) - scores[label]
    return total / len(labels)


@pytest.mark.parametrize("seed", range(3))
def test_cross_entropy_and_gradient_against_loops(seed):
    arrays_ = problem(seed)
    gate = np.random.default_rng(seed).random((3, 4))
    value, gradient = GateCrossEntropy.of(*arrays_)(gate)
    assert value == pytest.approx(naive_cross_entropy(gate, *arrays_))
    small = 1e-6
    for c, k in np.ndindex(gate.shape):
        up, down = gate.copy(), gate.copy()
        up[c, k] += small
        down[c, k] -= small
        slope = naive_cross_entropy(up, *arrays_) - naive_cross_entropy(down, *arrays_)
        assert gradient[c, k] == pytest.approx(slope / (2 * small), abs=1e-7)


def test_cross_entropy_equals_the_gate_paths_with_float32():
    pooled, labels, weight, bias = (
        x.astype(np.float32) if x.dtype == np.float64 else x for x in problem(5, count=300)
    )
    gate = np.random.default_rng(0).random((3, 4))
    value, _ = GateCrossEntropy.of(pooled, labels, weight, bias)(gate)
    expected = cross_entropy(
        gated_logits(pooled, labels, gate.astype(np.float32), weight, bias), labels
    )
    assert value == pytest.approx(expected, rel=1e-6)


def test_a_class_without_samples_has_no_gradient():
    pooled, _, weight, bias = problem(0)
    labels = np.zeros(len(pooled), dtype=np.int64)
    _, gradient = GateCrossEntropy.of(pooled, labels, weight, bias)(np.ones((3, 4)))
    assert not gradient[1:].any()
    assert gradient[0].any()


def test_nearest_gate_by_hand():
    matrix = np.array([[0.5, -1.0, 2.0], [0.2, -3.0, 1.5], [-0.1, -2.0, 0.3]])
    expected = [[1.0, 1.0, 1.0], [0.2, 0.0, 1.0], [0.0, 0.0, 0.3]]
    np.testing.assert_array_equal(nearest_gate(matrix), expected)


@given(matrices)
def test_nearest_gate_is_feasible_and_idempotent(matrix):
    gate = nearest_gate(matrix)
    assert gate.min() >= 0 and gate.max() <= 1
    assert (gate.max(axis=0) == 1).all()
    np.testing.assert_array_equal(nearest_gate(gate), gate)


@given(matrices, st.integers(0, 2**32 - 1))
def test_no_feasible_gate_is_nearer(matrix, seed):
    generator = np.random.default_rng(seed)
    distance = np.sum((nearest_gate(matrix) - matrix) ** 2)
    for _ in range(20):
        other = generator.random(matrix.shape) ** 2
        other[generator.integers(0, len(matrix), matrix.shape[1]), range(matrix.shape[1])] = 1
        assert distance <= np.sum((other - matrix) ** 2) + 1e-9


@given(matrices, st.floats(0.01, 2), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_sparse_gate_is_the_best_feasible_gate(matrix, strength, share, seed):
    classes, filters = matrix.shape
    target = filters + share * (classes - 1) * filters

    def cost(gate):
        return 0.5 * np.sum((gate - matrix) ** 2) + strength * abs(gate.sum() - target)

    gate = sparse_gate(matrix, strength, target)
    assert (gate.max(axis=0) == 1).all() and gate.min() >= 0
    generator = np.random.default_rng(seed)
    for scale in (1.0, 0.1, 0.01):
        other = nearest_gate(gate + scale * generator.normal(size=gate.shape))
        assert cost(gate) <= cost(other) + 1e-7


def test_sparse_gate_by_hand():
    matrix = np.array([[0.9, 0.8], [0.5, 0.3]])
    # Without a shift: columns (1, .5) and (1, .3), norm 2.8.
    np.testing.assert_allclose(sparse_gate(matrix, 0.1, 2.0), [[1, 1], [0.4, 0.2]])
    np.testing.assert_allclose(sparse_gate(matrix, 0.1, 4.0), [[1, 1], [0.6, 0.4]])
    # In reach: the kink itself.
    np.testing.assert_allclose(sparse_gate(matrix, 1.0, 2.4), [[1, 1], [0.3, 0.1]])


def brute_force(loss, a, s, steps):
    """The least cost over a grid of all feasible gates with C = K = 2."""
    grid = np.linspace(0, 1, steps)
    columns = [(1.0, g) for g in grid] + [(g, 1.0) for g in grid]
    gates = (np.array([left, right]).T for left in columns for right in columns)
    return min(loss(gate)[0] + a * abs(gate.sum() - s) for gate in gates)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("a", "s"), [(0.0, 2.0), (0.05, 2.0), (0.05, 3.0), (2.0, 2.5)])
def test_the_fit_finds_the_least_cost_of_a_grid(seed, a, s):
    loss = GateCrossEntropy.of(*problem(seed, classes=2, filters=2, count=12, scale=2.0))
    fit = fit_gate(loss, a=a, s=s, init=0.5, **FIT)
    assert fit.converged
    assert fit.costs[-1] == pytest.approx(
        loss(fit.gate)[0] + a * abs(fit.gate.sum() - s), rel=1e-12
    )
    assert fit.costs[-1] <= brute_force(loss, a, s, 41) + 1e-6


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1000), st.sampled_from([0.0, 0.01, 0.3]), st.floats(1 / 3, 1), st.floats(0, 1)
)
def test_the_fit_never_rises_and_ends_at_a_local_minimum(seed, a, density, init):
    loss = GateCrossEntropy.of(*problem(seed, scale=2.0))
    s = max(density * 12, 4)
    fit = fit_gate(loss, a=a, s=s, init=init, **FIT)
    assert (np.diff(fit.costs) <= 1e-6).all()
    assert (fit.gate.max(axis=0) == 1).all() and fit.gate.min() >= 0
    generator = np.random.default_rng(seed)
    for _ in range(20):
        near = nearest_gate(fit.gate + 1e-3 * generator.normal(size=fit.gate.shape))
        assert fit.costs[-1] <= loss(near)[0] + a * abs(near.sum() - s) + 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_on_the_kink_the_fit_agrees_with_another_solver(seed):
    """With a strong penalty ‖G‖₁ = s is a constraint; given the columns' 1s the rest is convex."""
    loss = GateCrossEntropy.of(*problem(seed, scale=3.0))
    fit = fit_gate(loss, a=10.0, s=6.5, init=0.5, **FIT)
    assert fit.converged
    assert fit.gate.sum() == pytest.approx(6.5)
    top = fit.gate.argmax(axis=0)
    lower = np.zeros(fit.gate.shape)
    lower[top, range(4)] = 1
    solution = minimize(
        lambda gate: loss(gate.reshape(3, 4))[0],
        np.clip(lower + 2.5 / 8, 0, 1).ravel(),
        jac=lambda gate: loss(gate.reshape(3, 4))[1].ravel(),
        bounds=Bounds(lower.ravel(), np.ones(12)),
        constraints={"type": "eq", "fun": lambda gate: gate.sum() - 6.5},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert fit.costs[-1] == pytest.approx(solution.fun, abs=1e-6)


def test_a_fit_cut_short_says_so():
    loss = GateCrossEntropy.of(*problem(1, scale=3.0))
    fit = fit_gate(loss, a=0.01, s=5.0, init=0.5, tolerance=0.0, window=5, max_iterations=3)
    assert fit.iterations == 3
    assert not fit.converged


def test_phi_reports_both_splits_of_one_gate(features):
    phi = evaluate_phi(features, **PARAMETERS)
    gate = phi.fitted_gate
    assert phi.s == pytest.approx(6.0)
    assert phi.penalty == pytest.approx(0.01 * abs(gate.sum() - 6.0))
    for pooled, labels, expected in (
        (features.train_pooled, features.train_labels, phi.train),
        (features.test_pooled, features.test_labels, phi.test),
    ):
        loop = naive_cross_entropy(gate, pooled, labels, features.weight, features.bias)
        assert expected == pytest.approx(loop + phi.penalty, rel=1e-5)


def test_phi_ignores_the_trained_gate_and_the_test_split(features, gated_features):
    plain = evaluate_phi(features, **PARAMETERS)
    gated = evaluate_phi(gated_features, **PARAMETERS)
    other = evaluate_phi(
        replace(features, test_pooled=features.test_pooled[::-1].copy()), **PARAMETERS
    )
    np.testing.assert_array_equal(plain.fitted_gate, gated.fitted_gate)
    np.testing.assert_array_equal(plain.fitted_gate, other.fitted_gate)


def test_measure_without_and_with_a_trained_gate(features, gated_features):
    values = measure(features, **PARAMETERS)
    assert values["trained_gate"] is None and values["trained_density"] is None
    assert values["interval"] is None and values["within_interval"] is None
    assert values["phi_test"] == pytest.approx(values["cross_entropy_test"] + values["penalty"])
    assert values["fitted_density"] == pytest.approx(np.mean(values["fitted_gate"]), abs=1e-4)
    density = float(gated_features.trained_gate.mean())
    for upper, within in ((density + 0.01, True), (density - 0.01, False)):
        values = measure(gated_features, **PARAMETERS, upper_density=upper)
        assert values["interval"] == [pytest.approx(1 / 3), upper]
        assert values["within_interval"] is within
        assert values["trained_density"] == pytest.approx(density)


def test_gates_at_the_ends_of_the_interval_are_within(gated_features):
    one_hot = np.zeros((3, 5), dtype=np.float32)
    one_hot[[0, 1, 2, 0, 1], range(5)] = 1
    phi = evaluate_phi(gated_features, **PARAMETERS)
    model = replace(gated_features, trained_gate=one_hot)
    assert phi_values(phi, model, 1 / 3)["within_interval"] is True
    assert convergence_interval(3, None) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("s_density", 0.0),
        ("s_density", 1.1),
        ("s_density", float("nan")),
        ("a", -0.1),
        ("init", 1.5),
        ("window", 0),
        ("max_iterations", 0),
    ],
)
def test_parameters_out_of_range_are_named(features, key, value):
    with pytest.raises(ClearfiltersError, match=key):
        measure(features, **{**PARAMETERS, key: value})


@pytest.mark.parametrize("s_density", [1 / 3, 0.1])
def test_s_is_never_below_the_least_norm_of_a_gate(features, s_density):
    assert evaluate_phi(features, **{**PARAMETERS, "s_density": s_density}).s == 5.0
