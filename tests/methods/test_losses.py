"""Classification losses against sums over samples and classes, one by one."""

import math

import pytest
import torch

from clearfilters.methods.losses import LOSSES

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -0.2], [-1.5, 2.5, 1.0], [1.0, 1.5, -3.0]])
LABELS = torch.tensor([0, 2, 1, 0])


def test_softmax_by_hand() -> None:
    expected = 0.0
    for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        expected -= math.log(math.exp(row[label]) / sum(math.exp(z) for z in row))
    loss = LOSSES["softmax"]
    assert float(loss.cost(LOGITS, LABELS)) == pytest.approx(expected / 4, rel=1e-6)
    assert float(loss.correct(LOGITS, LABELS)) == 2
    assert loss.outputs(7) == 7


def test_logistic_by_hand() -> None:
    logits, labels = LOGITS[:, :1], torch.tensor([1, 1, 0, 0])
    signs = (1, 1, -1, -1)
    expected = sum(
        math.log(1 + math.exp(-y * z)) for y, (z,) in zip(signs, logits.tolist(), strict=True)
    )
    loss = LOSSES["logistic"]
    assert float(loss.cost(logits, labels)) == pytest.approx(expected / 4, rel=1e-6)
    assert float(loss.correct(logits, labels)) == 2  # 2 and -1.5; an output of 0 is class 0
    assert loss.outputs(2) == 1
    with pytest.raises(ValueError, match="two classes, not 3"):
        loss.outputs(3)


def test_multi_label_logistic_by_hand() -> None:
    expected, right = 0.0, 0
    for row, label in zip(LOGITS.tolist(), LABELS.tolist(), strict=True):
        for c, z in enumerate(row):
            y = 1 if c == label else -1
            expected += math.log(1 + math.exp(-y * z))
            right += (z > 0) == (y > 0)
    loss = LOSSES["multi-label-logistic"]
    assert float(loss.cost(LOGITS, LABELS)) == pytest.approx(expected / 4, rel=1e-6)
    assert float(loss.correct(LOGITS, LABELS)) == pytest.approx(right / 3)


@pytest.mark.parametrize("name", LOSSES)
def test_large_outputs_stay_finite(name: str) -> None:
    loss = LOSSES[name]
    logits = 1e4 * LOGITS[:, : loss.outputs(2 if name == "logistic" else 3)]
    labels = LABELS.clamp(max=1) if name == "logistic" else LABELS
    assert math.isfinite(float(loss.cost(logits, labels)))
