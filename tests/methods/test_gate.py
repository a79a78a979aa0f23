"""The class-specific gate against hand-made numbers, naive loops and finite differences."""

import doctest
import inspect
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.errors import ClearfiltersError
from clearfilters.methods import gate as gates

Floats = npt.NDArray[np.float64]


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    """A head in double precision."""
    head = nn.Linear(len(weight[0]), len(weight)).double()
    head.weight.data.copy_(torch.tensor(weight, dtype=torch.float64))
    head.bias.data.copy_(torch.tensor(bias, dtype=torch.float64))
    return head


# Two classes, two filters, one image of class 0. Through row 0 of the gate, a * G_0 = (2, 1), the
# logits are (2 ln 3, ln 3) = (ln 9, ln 3), and the softmax is (3/4, 1/4).
HEAD = linear([[math.log(3), 0.0], [0.0, math.log(3)]], [0.0, 0.0])
POOLED = torch.tensor([[2.0, 4.0]], dtype=torch.float64)
GATE = torch.tensor([[1.0, 0.25], [0.5, 1.0]], dtype=torch.float64)
LABEL = torch.tensor([0])
CROSS_ENTROPY = math.log(4 / 3)
NORM = 2.75


def cost_by_hand(objective: gates.Lsg | gates.Csg, negative_weight: float = 0.0) -> float:
    """The function under test on the example above; the wrong row is row 1."""
    logits = gates.gated_logits(POOLED, GATE, LABEL, HEAD)
    wrong = torch.tensor([1])
    cost = gates.gate_cost(logits, POOLED, GATE, LABEL, wrong, HEAD, objective, negative_weight)
    return cost.item()


def test_gated_logits_by_hand() -> None:
    logits = gates.gated_logits(POOLED, GATE, LABEL, HEAD)
    assert logits.tolist() == [pytest.approx([math.log(9), math.log(3)])]
    assert F.cross_entropy(logits, LABEL).item() == pytest.approx(CROSS_ENTROPY)


@pytest.mark.parametrize(
    ("s_density", "sparsity"),
    [(0.5, 0.75), (0.9, 0.85), (0.6875, 0.0)],  # s = 2, 3.6 and 2.75 = ||G||_1
)
def test_lsg_cost_by_hand(s_density: float, sparsity: float) -> None:
    objective = gates.Lsg(0.3, 0.02, s_density)
    assert cost_by_hand(objective) == pytest.approx(0.3 * (CROSS_ENTROPY + 0.02 * sparsity))


@pytest.mark.parametrize(
    ("g_density", "psi", "sparsity"),
    [
        (0.5, "l1", 0.75),
        (0.5, "squared", 0.5625),
        (0.9, "l1", 0.0),
        (0.9, "squared", 0.0),
    ],
)
def test_csg_cost_by_hand(g_density: float, psi: Literal["l1", "squared"], sparsity: float) -> None:
    objective = gates.Csg(0.3, 0.02, g_density, psi)
    assert cost_by_hand(objective) == pytest.approx(0.3 * CROSS_ENTROPY + 0.02 * sparsity)


def test_negative_rows_by_hand() -> None:
    # Through row 1, a * G_1 = (1, 4): logits (ln 3, ln 81), softmax (1/28, 27/28).
    expected = math.log(28)
    found = gates.negative_rows(POOLED, GATE, torch.tensor([1]), HEAD)
    assert found.item() == pytest.approx(expected)
    objective = gates.Lsg(0.3, 0.0, 0.5)
    assert cost_by_hand(objective, negative_weight=0.5) == pytest.approx(
        0.3 * (CROSS_ENTROPY + 0.5 * expected)
    )


@given(
    pooled=arrays(np.float64, (4, 5), elements=st.floats(0, 3)),
    weight=arrays(np.float64, (3, 5), elements=st.floats(-2, 2)),
    gate=arrays(np.float64, (3, 5), elements=st.floats(0, 1)),
)
@settings(deadline=None)
def test_negative_rows_against_a_naive_loop(pooled: Floats, weight: Floats, gate: Floats) -> None:
    head = linear(weight.tolist(), [0.5, 0.0, -0.5])
    wrong = [0, 1, 2, 0]
    losses = []
    for image, row in enumerate(wrong):
        scores = [
            math.exp(sum(pooled[image] * gate[row] * weight[c]) + 0.5 - 0.5 * c) for c in range(3)
        ]
        losses.append(-math.log((sum(scores) - scores[row]) / sum(scores)))
    found = gates.negative_rows(
        torch.from_numpy(pooled), torch.from_numpy(gate), torch.tensor(wrong), head
    ).item()
    assert found == pytest.approx(sum(losses) / 4, abs=1e-9)
    assert found >= 0


def test_negative_rows_behind_a_closed_gate() -> None:
    """Silent filters and no bias leave the uniform distribution: -log(1 - 1/C)."""
    head = linear([[1.0], [2.0], [3.0]], [0.0, 0.0, 0.0])
    pooled = torch.rand(4, 1, dtype=torch.float64)
    wrong = torch.tensor([0, 1, 2, 2])
    closed = torch.zeros(3, 1, dtype=torch.float64)
    found = gates.negative_rows(pooled, closed, wrong, head)
    assert found.item() == pytest.approx(math.log(3 / 2))


def test_negative_rows_stay_finite_where_the_head_is_sure() -> None:
    head = linear([[1.0, 0.0], [0.0, 0.0]], [0.0, 0.0]).float()
    pooled = torch.tensor([[500.0, 1.0]], requires_grad=True)
    found = gates.negative_rows(pooled, torch.ones(2, 2), torch.tensor([0]), head)
    found.backward()
    assert found.item() == pytest.approx(500)
    assert pooled.grad is not None and torch.isfinite(pooled.grad).all()


def test_gating_the_maps_is_gating_the_pooled_features() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(6, 8, 3, 5, generator=generator, dtype=torch.float64)
    gate = torch.rand(4, 8, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 3, 1, 1, 2, 0])
    head = nn.Linear(8, 4).double()
    gated_maps = maps.clone()
    for image, label in enumerate(labels.tolist()):
        for channel in range(8):
            gated_maps[image, channel] *= gate[label, channel]
    expected = head(gated_maps.mean(dim=(2, 3)))
    found = gates.gated_logits(maps.mean(dim=(2, 3)), gate, labels, head)
    torch.testing.assert_close(found, expected)


OBJECTIVES = [
    gates.Lsg(0.3, 0.05, 0.4),
    gates.Lsg(0.3, 0.05, 0.9),
    gates.Csg(0.3, 0.05, 0.4, "l1"),
    gates.Csg(0.3, 0.05, 0.4, "squared"),
]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradient_of_the_gate_by_finite_differences(objective: gates.Lsg | gates.Csg) -> None:
    generator = torch.Generator().manual_seed(1)
    pooled = torch.rand(5, 4, generator=generator, dtype=torch.float64)
    gate = torch.rand(3, 4, generator=generator, dtype=torch.float64).requires_grad_()
    labels, wrong = torch.tensor([0, 1, 2, 2, 0]), torch.tensor([1, 2, 0, 1, 2])
    head = linear(torch.randn(3, 4, generator=generator).tolist(), [0.1, -0.2, 0.3])

    def cost(values: Tensor) -> Tensor:
        logits = gates.gated_logits(pooled, values, labels, head)
        return gates.gate_cost(logits, pooled, values, labels, wrong, head, objective, 0.7)

    (found,) = torch.autograd.grad(cost(gate), gate)
    step = 1e-6
    for row in range(3):
        for column in range(4):
            change = torch.zeros_like(gate)
            change[row, column] = step
            expected = (cost(gate + change) - cost(gate - change)).item() / (2 * step)
            assert found[row, column].item() == pytest.approx(expected, abs=1e-8)


def test_wrong_classes_are_the_other_classes_uniformly() -> None:
    labels = torch.arange(4).repeat(3000)
    wrong = gates.wrong_classes(labels, 4, torch.Generator().manual_seed(0))
    counts = np.zeros((4, 4))
    np.add.at(counts, (labels.numpy(), wrong.numpy()), 1)
    assert (np.diag(counts) == 0).all()
    off_diagonal = counts[~np.eye(4, dtype=bool)]
    # 1000 expected in each cell, +- 5 standard deviations
    assert abs(off_diagonal - 1000).max() < 5 * (3000 * (1 / 3) * (2 / 3)) ** 0.5


def naive_projection(gate: Floats, previous: Floats) -> Floats:
    """LSG Algorithm 1, lines 7 and 8, an element at a time."""
    result = previous.copy()
    classes, filters = gate.shape
    for k in range(filters):
        column = [max(gate[c, k], 0.0) for c in range(classes)]
        if max(column) > 0:
            for c in range(classes):
                result[c, k] = min(max(column[c] / max(column), 0.0), 1.0)
    return result


# A gradient step moves an element by far less than 1e3; the least positive ones are still normal.
ELEMENTS = st.floats(-1e3, 1e3, width=32).filter(lambda value: value == 0 or abs(value) > 1e-30)


@given(gate=arrays(np.float32, (3, 4), elements=ELEMENTS), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_projection_against_a_naive_loop(gate: npt.NDArray[np.float32], seed: int) -> None:
    start = np.random.default_rng(seed).random((3, 4), dtype=np.float32)
    start /= start.max(axis=0)
    projected = torch.from_numpy(gate.copy())
    gates.project_(projected, torch.from_numpy(start))
    expected = naive_projection(gate.astype(np.float64), start.astype(np.float64))
    np.testing.assert_allclose(projected.numpy(), expected, rtol=1e-6, atol=1e-30)
    assert (projected >= 0).all() and (projected.amax(dim=0) == 1).all()
    again = projected.clone()
    gates.project_(again, torch.zeros(3, 4))
    assert (again == projected).all()


def test_projection_by_hand() -> None:
    gate = torch.tensor([[0.5, -1.0, 3.0, 0.0], [0.25, -2.0, -1.0, 0.0]])
    previous = torch.tensor([[1.0, 0.75, 1.0, 0.125], [0.5, 1.0, 0.5, 1.0]])
    gates.project_(gate, previous)
    assert gate.tolist() == [[1.0, 0.75, 1.0, 0.125], [0.5, 1.0, 0.0, 1.0]]


def test_the_first_projection_opens_a_uniform_gate() -> None:
    gate = torch.full((3, 4), 0.5)
    gates.project_(gate, gate.clone())
    assert (gate == 1).all()


def test_density_by_hand() -> None:
    assert float(gates.l1_density(GATE)) == NORM / 4
    assert float(gates.l1_density(gates.fixed_gate(10, 64, 6, 4))) == pytest.approx((60 + 40) / 640)


def test_the_fixed_gate_of_resnet20() -> None:
    gate = gates.fixed_gate(10, 64, 6, 4).numpy()
    assert gate.shape == (10, 64)
    for k in range(64):
        expected = np.ones(10) if k >= 60 else np.eye(10)[k // 6]
        np.testing.assert_array_equal(gate[:, k], expected)


@pytest.mark.parametrize(("monopolized", "shared"), [(6, 5), (7, 4), (0, 0), (6, 0)])
def test_a_fixed_gate_must_add_up(monopolized: int, shared: int) -> None:
    with pytest.raises(ClearfiltersError, match=rf"10 classes x {monopolized} .* 64 filters"):
        gates.fixed_gate(10, 64, monopolized, shared)


def sequence(count: int, **options: Any) -> str:
    """The first letters of the paths of the first epochs."""
    return "".join(gates.path_of_epoch(epoch, **options)[0] for epoch in range(count))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # LSG Algorithm 1: the gate path if E % 3 == 1
        (
            {"scheme": "alternating", "period": 3, "gate_phases": (1,), "warmup_epochs": 0},
            "sgssgssgssgssgss",
        ),
        # CSG on VOC: 10 epochs without the gate, then 2 in 3
        (
            {"scheme": "alternating", "period": 3, "gate_phases": (1, 2), "warmup_epochs": 10},
            "ssssssssss" + "ggsggsggs",
        ),
        # the released code: E % 3 == 2 after 10 epochs
        (
            {"scheme": "alternating", "period": 3, "gate_phases": (2,), "warmup_epochs": 10},
            "ssssssssss" + "sgssgssgs",
        ),
        # LSG footnote 1, and the same with a warm-up
        ({"scheme": "joint", "period": 1, "gate_phases": (0,), "warmup_epochs": 0}, "jjjjj"),
        ({"scheme": "joint", "period": 3, "gate_phases": (1,), "warmup_epochs": 2}, "ssjjj"),
        ({"scheme": "alternating", "period": 3, "gate_phases": (), "warmup_epochs": 0}, "ssssss"),
    ],
)
def test_which_epochs_train_which_path(options: dict[str, Any], expected: str) -> None:
    assert sequence(len(expected), **options) == expected


def test_two_epochs_in_three_use_the_gate() -> None:
    found = sequence(10 + 90, scheme="alternating", period=3, gate_phases=(0, 2), warmup_epochs=10)
    assert found[:10].count("g") == 0 and found[10:].count("g") == 60


@pytest.mark.parametrize(
    "sparsity", [gates.lsg_sparsity, lambda g, s: gates.csg_sparsity(g, s, "l1")]
)
def test_sparsity_is_zero_at_its_target(sparsity: Callable[[Tensor, float], Tensor]) -> None:
    assert float(sparsity(GATE, NORM)) == 0


def test_a_gate_that_dies_in_its_first_step_enters_the_solution_space() -> None:
    gate = torch.tensor([[-1.0, 0.2], [-0.5, 0.4]])
    gates.project_(gate, torch.tensor([[0.5, 0.5], [0.25, 0.5]]))
    assert torch.equal(gate, torch.tensor([[1.0, 0.5], [0.5, 1.0]]))


def test_the_example_of_ones_own_loop_runs() -> None:
    found = doctest.testmod(gates)
    assert found.attempted > 10 and found.failed == 0


def test_the_mathematics_knows_no_parameter_file() -> None:
    source = inspect.getsource(gates)
    assert "clearfilters.params" not in source and "pydantic" not in source


def test_a_gate_in_ones_own_loop_becomes_sparse_and_classifies() -> None:
    # Two channels a class: a gate can leave each class its own.
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    pooled = F.one_hot(labels, 3).repeat(1, 2) + 0.1 * torch.rand(60, 6, generator=generator)
    torch.manual_seed(0)
    head = nn.Linear(6, 3)
    gate = gates.ClassSpecificGate(3, 6, gates.Lsg(lambda_=1.0, a=0.05, density=0.4))
    theta = torch.optim.SGD(head.parameters(), lr=0.5)
    moves_gate = torch.optim.SGD(gate.parameters(), lr=1.0)
    start = gate.cost(pooled, labels, head)[0].item()
    for _ in range(100):
        cost, logits = gate.cost(pooled, labels, head)
        theta.zero_grad()
        moves_gate.zero_grad()
        cost.backward()
        theta.step()
        gate.step(moves_gate)
        assert gate.values.amax(dim=0).tolist() == [1.0] * 6 and gate.values.min() >= 0
    assert (logits.argmax(dim=1) == labels).all() and cost.item() < start / 2
    assert gates.l1_density(gate.values).item() == pytest.approx(0.4, abs=0.1)


def test_a_fixed_gate_does_not_move() -> None:
    fixed = gates.fixed_gate(2, 5, monopolized=2, shared=1)
    gate = gates.ClassSpecificGate(2, 5, gates.Csg(1.0, 0.1, 0.5, "l1"), fixed=fixed)
    cost, _ = gate.cost(torch.rand(3, 5), torch.tensor([0, 1, 0]), nn.Linear(5, 2))
    cost.backward()
    assert gate.values.grad is None and torch.equal(gate.values, fixed)
