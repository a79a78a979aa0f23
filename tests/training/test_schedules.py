"""Learning-rate factors at epochs where they are known by hand."""

import math
from itertools import pairwise

import pytest

from clearfilters.params.training import ScheduleParams
from clearfilters.training.schedules import lr_factor


def schedule(
    name: str, warmup_epochs: int = 0, milestones: list[int] | None = None
) -> ScheduleParams:
    """A schedule with gamma 0.1."""
    return ScheduleParams.model_validate(
        {"name": name, "warmup_epochs": warmup_epochs, "milestones": milestones or [], "gamma": 0.1}
    )


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0, 1.0), (5, 0.5 + math.sqrt(2) / 4), (10, 0.5), (15, 0.5 - math.sqrt(2) / 4), (20, 0.0)],
)
def test_cosine(progress: float, factor: float) -> None:
    assert lr_factor(schedule("cosine"), progress, 20) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0, 0.0), (1, 0.25), (3.5, 0.875), (4, 1.0), (12, 0.5), (20, 0.0)],
)
def test_cosine_after_a_warmup(progress: float, factor: float) -> None:
    assert lr_factor(schedule("cosine", 4), progress, 20) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [(0, 0.0), (0.5, 0.25), (2, 1.0), (7.99, 1.0), (8, 0.1), (11.5, 0.1), (12, 0.01), (19, 0.01)],
)
def test_multistep_after_a_warmup(progress: float, factor: float) -> None:
    assert lr_factor(schedule("multistep", 2, [8, 12]), progress, 20) == pytest.approx(factor)


@pytest.mark.parametrize("epoch", range(15))
def test_geometric_is_the_schedule_of_interpretable_cnns(epoch: int) -> None:
    """lr 10^(-(e - 1) / 9) for e = 1 to 10, a tenth from then on; the same all through an epoch."""
    expected = 10 ** (-min(epoch, 9) / 9)
    for within in (0, 0.5, 0.99):
        factor = lr_factor(schedule("geometric", 0, [10]), epoch + within, 50)
        assert factor == pytest.approx(expected)


def test_geometric_falls_over_one_number_of_epochs() -> None:
    with pytest.raises(ValueError, match="name that one number in milestones"):
        schedule("geometric", 0, [3, 5])


def test_a_training_that_is_all_warmup() -> None:
    assert lr_factor(schedule("cosine", 3), 2.5, 3) == pytest.approx(2.5 / 3)


def test_the_factor_never_rises_after_the_warmup() -> None:
    factors = [lr_factor(schedule("cosine", 3), 3 + step / 10, 30) for step in range(270)]
    assert all(later <= earlier for earlier, later in pairwise(factors))
    assert all(0 <= factor <= 1 for factor in factors)
