"""What images and models must be for an attack to work with them."""

import torch
from torch import Tensor, nn

from clearfilters.errors import ClearfiltersError


@torch.inference_mode()
def check_attackable(model: nn.Module, images: Tensor) -> None:
    """Refuse images and models that an attack cannot work with.

    Args:
        model: takes images in [0, 1], returns logits.
        images: float32 (N, 3, H, W).

    Raises:
        ClearfiltersError: for another type or shape, pixels outside [0, 1], or a model that does
            not return one logits tensor (n, C).
    """
    if images.dtype != torch.float32 or images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise ClearfiltersError(
            f"attack: images are {images.dtype} {tuple(images.shape)}; expected float32 "
            "(N, 3, H, W), at least one"
        )
    low, high = images.min().item(), images.max().item()
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise ClearfiltersError(
            f"attack: pixels lie in [{low:g}, {high:g}]; expected [0, 1]: divide 8-bit images by "
            "255, and let the model normalise"
        )
    logits = model(images[:1])
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 1:
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ClearfiltersError(
            f"attack: the model returned {found} for one image; expected one logits tensor of "
            "shape (1, C): wrap the model so that it returns its logits alone"
        )
