"""The folded copy of a network against the network itself."""

import pytest
import torch

from clearfilters.models.classifier import build_classifier
from clearfilters.models.folding import folded


@pytest.mark.parametrize(
    ("network", "width", "norms_left"),
    [("resnet20", 4, 0), ("alexnet", 4, 0), ("resnet18", None, 0), ("efficientnet-lite0", None, 5)],
)
def test_a_folded_copy_answers_as_the_network(
    network: str, width: int | None, norms_left: int
) -> None:
    torch.manual_seed(0)
    model = build_classifier(
        network, num_classes=5, width=width, mean=[0.5] * 3, std=[0.2] * 3
    ).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
    images = torch.rand(2, 3, 32, 32)
    copy = folded(model, torch.device("cpu"))
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in copy.modules()) == norms_left
    with torch.no_grad():
        expected = model(images)
        torch.testing.assert_close(copy(images), expected, rtol=1e-3, atol=1e-4)
        assert torch.equal(model(images), expected)  # the model itself stays as it was
