"""GradMaps against one gradient at a time, SciPy's blur, and a map known by hand."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from clearfilters.analysis.gradmap import gradient_maps, gradmap_iou, segment
from clearfilters.models.classifier import build_classifier

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_classifier("resnet20", num_classes=3, width=4, mean=MEAN, std=STD).eval()


def images(count, size=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def naive_gradient(model, image, k):
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    x.requires_grad_()
    model(x)
    model.feature_maps(x)[0, k].mean().backward()
    return np.sqrt((x.grad[0].numpy() ** 2).sum(axis=0))


def test_iou_against_one_gradient_at_a_time(model):
    pixels, sigma, threshold = images(3), 2.0, 0.9
    masks = np.random.default_rng(1).random((3, 16, 16)) > 0.5
    filters = np.array([[0, 5], [3, 2], [7, 15]])
    found = gradmap_iou(
        model,
        pixels,
        masks,
        filters,
        blur_sigma=sigma,
        threshold=threshold,
        batch_size=2,
        device=torch.device("cpu"),
    )
    for n in range(3):
        assert np.flatnonzero(~np.isnan(found[n])).tolist() == sorted(filters[n])
        for k in filters[n]:
            gradient = naive_gradient(model, pixels[n], k)
            blurred = gaussian_filter(gradient / np.sqrt((gradient**2).mean()), sigma)
            chosen = blurred > threshold
            assert 0 < chosen.sum() < chosen.size
            expected = (chosen & masks[n]).sum() / (chosen | masks[n]).sum()
            assert found[n, k] == pytest.approx(expected, abs=0.01)


def test_gradients_of_a_batch_do_not_mix(model):
    pixels = images(2)
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    found = gradient_maps(model, batch, torch.tensor([[4], [9]])).numpy()
    for n, k in ((0, 4), (1, 9)):
        np.testing.assert_allclose(
            found[n, 0], naive_gradient(model, pixels[n], k), rtol=1e-3, atol=1e-7
        )


class Linear(nn.Module):
    """One map that is weighted brightness: its gradient is the same in every pixel."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, 2)

    def pooled(self, x):
        weights = torch.tensor([3.0, 0.0, 4.0]).view(1, 3, 1, 1)
        return (weights * x).sum(dim=1, keepdim=True).mean(dim=(2, 3))


def test_the_gradient_of_a_known_map():
    found = gradient_maps(Linear(), torch.rand(2, 3, 4, 5), torch.zeros(2, 1, dtype=torch.int64))
    # Length of (3, 0, 4), divided by the 20 pixels of the mean.
    np.testing.assert_allclose(found, np.full((2, 1, 4, 5), 5 / 20), rtol=1e-6)


def test_segmentation_by_hand():
    gradients = torch.zeros(3, 31, 31)
    gradients[0, 15, 15] = 7.0  # a point: root mean square 7 / 31, so it becomes 31
    gradients[1] = 2.0  # the same everywhere: 1 after division and blur, not above 1
    found = segment(gradients, 1.0, 1.001).numpy()
    # Gauss: 31 / (2 pi) exp(-r^2 / 2) > 1 within r^2 < 3.19.
    y, x = np.mgrid[-15:16, -15:16]
    np.testing.assert_array_equal(found[0], y**2 + x**2 < 3.19)
    assert not found[1].any()
    assert not found[2].any()  # no gradient
