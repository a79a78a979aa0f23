"""GradMaps: where in an image a filter's pooled activation comes from (CSG, appendix G)."""

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from clearfilters.data.augmentation import as_network_input
from clearfilters.models.classifier import Classifier


def gradient_maps(model: Classifier, images: Tensor, filters: Tensor) -> Tensor:
    """Length over the colours of the gradient of pooled activations with respect to the image.

    One backward pass per column of `filters` serves the whole batch: an image's activations depend
    on no other image, since the network is in evaluation mode.

    Args:
        model: in evaluation mode.
        images: (B, 3, H, W) in [0, 1]; the gradient is with respect to these.
        filters: which filters of each image (B, F).

    Returns:
        (B, F, H, W), at least 0.
    """
    images = images.detach().requires_grad_()
    chosen = model.pooled(images).gather(1, filters)
    found = []
    for column in chosen.unbind(dim=1):
        (gradient,) = torch.autograd.grad(column.sum(), images, retain_graph=True)
        found.append(gradient.norm(dim=1))
    return torch.stack(found, dim=1)


def blur_matrix(size: int, sigma: float) -> Tensor:
    """(size, size): left-multiplied, blurs columns as SciPy's `gaussian_filter` does.

    The border reflects and the kernel ends at 4 sigma.

    Args:
        size: pixels.
        sigma: standard deviation in pixels.
    """
    return torch.from_numpy(gaussian_filter1d(np.eye(size, dtype=np.float32), sigma, axis=0))


def segment(gradients: Tensor, blur_sigma: float, threshold: float) -> Tensor:
    """Divide by the root mean square over the image, blur, and compare.

    Args:
        gradients: (..., H, W), at least 0.
        blur_sigma: in pixels.
        threshold: a pixel is selected if strictly greater.

    Returns:
        Boolean (..., H, W); empty where there is no gradient at all.
    """
    rms = gradients.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    normalised = torch.where(rms > 0, gradients / rms, 0.0)
    vertical, horizontal = (
        blur_matrix(size, blur_sigma).to(gradients.device) for size in gradients.shape[-2:]
    )
    return vertical @ normalised @ horizontal.T > threshold


def gradmap_iou(
    model: Classifier,
    images: npt.NDArray[np.uint8],
    masks: npt.NDArray[np.bool_],
    filters: npt.NDArray[np.integer],
    *,
    blur_sigma: float,
    threshold: float,
    batch_size: int,
    device: torch.device,
) -> npt.NDArray[np.float64]:
    """IoU (N, K) of GradMaps with the objects; NaN for filters that an image is not asked for.

    Args:
        model: in evaluation mode, on `device`; its parameters stop asking for gradients.
        images: uint8 (N, H, W, 3).
        masks: objects (N, H, W).
        filters: which filters of each image (N, F), each once.
        blur_sigma: in pixels.
        threshold: see `segment`.
        batch_size: images at a time.
        device: where to compute.
    """
    model.requires_grad_(False)
    iou = np.full((len(images), model.head.in_features), np.nan)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        pixels = torch.from_numpy(np.array(images[part])).to(device)
        asked = torch.from_numpy(np.array(filters[part])).to(device)
        gradients = gradient_maps(model, as_network_input(pixels), asked)
        selected = segment(gradients, blur_sigma, threshold)
        objects = torch.from_numpy(np.array(masks[part])).to(device)[:, None]
        shared = (selected & objects).sum(dim=(2, 3))
        union = (selected | objects).sum(dim=(2, 3))
        found = (shared / union.clamp_min(1)).double().cpu().numpy()
        np.put_along_axis(iou[part], filters[part], found, axis=1)
    return iou
