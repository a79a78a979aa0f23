"""Groups, factors, phases and schedules of optimizers, against steps worked out by hand."""

import pytest
import torch
from torch import nn

from clearfilters.methods.method import OptimizerSpec, ParameterGroup
from clearfilters.training.optimizers import build_optimizers


def parameter(value: float) -> nn.Parameter:
    """One number whose gradient is 1."""
    made = nn.Parameter(torch.tensor([value]))
    made.grad = torch.ones(1)
    return made


def test_factors_on_rate_and_decay() -> None:
    plain, fast, bare = parameter(2.0), parameter(2.0), parameter(2.0)
    spec = OptimizerSpec(
        [
            ParameterGroup([plain]),
            ParameterGroup([fast], lr_factor=5.0),
            ParameterGroup([bare], weight_decay_factor=0.0),
        ],
        "sgd", lr=0.1, weight_decay=0.01,
    )  # fmt: skip
    optimizers = build_optimizers({"theta": spec})
    optimizers.set_factor(0.5)
    optimizers.built["theta"].optimizer.step()
    assert float(plain.detach()) == pytest.approx(2 - 0.05 * (1 + 0.02))
    assert float(fast.detach()) == pytest.approx(2 - 0.25 * (1 + 0.02))
    assert float(bare.detach()) == pytest.approx(2 - 0.05)


def test_phases_and_constant_rates() -> None:
    first, second, third = parameter(0.0), parameter(0.0), parameter(0.0)
    optimizers = build_optimizers(
        {
            "theta": OptimizerSpec([ParameterGroup([first])], "sgd", lr=0.1),
            "late": OptimizerSpec([ParameterGroup([second])], "sgd", lr=0.2, phases=["b"]),
            "own": OptimizerSpec([ParameterGroup([third])], "adam", lr=0.3, scheduled=False),
        }
    )
    assert list(optimizers.of_phase("a")) == ["theta", "own"]
    assert list(optimizers.of_phase("b")) == ["theta", "late", "own"]
    assert optimizers.lr("a") == 0.1
    optimizers.set_factor(0.0)
    for optimizer in optimizers.of_phase("b").values():
        optimizer.step()
    assert float(first.detach()) == float(second.detach()) == 0.0
    assert float(third.detach()) == pytest.approx(-0.3, rel=1e-4)  # Adam's first step is its rate


def test_states_go_on() -> None:
    def made() -> tuple[nn.Parameter, dict[str, OptimizerSpec]]:
        value = parameter(1.0)
        return value, {"theta": OptimizerSpec([ParameterGroup([value])], "sgd", 0.1, momentum=0.9)}

    whole, specs = made()
    through = build_optimizers(specs)
    for _ in range(3):
        through.built["theta"].optimizer.step()
    first, specs = made()
    before = build_optimizers(specs)
    before.built["theta"].optimizer.step()
    second, specs = made()
    second.data.copy_(first.data)
    after = build_optimizers(specs)
    after.load_state_dict(before.state_dict())
    for _ in range(2):
        after.built["theta"].optimizer.step()
    assert torch.equal(second, whole)
