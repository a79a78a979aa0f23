"""Images as networks take them; random crop and flip of a whole batch, on the images' device."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clearfilters.params.training import Border


def as_network_input(images: Tensor) -> Tensor:
    """Uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float() / 255


def pad_images(
    images: npt.NDArray[np.uint8], padding: int, border: Border
) -> npt.NDArray[np.uint8]:
    """Surround images (N, H, W, 3) with `padding` pixels on each side.

    Args:
        images: uint8 images.
        padding: pixels on each side.
        border: `black`, or `reflect`: the image mirrored at its outermost pixels.

    Returns:
        uint8 images (N, H + 2p, W + 2p, 3).
    """
    widths = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    if border == "black":
        return np.pad(images, widths)
    return np.pad(images, widths, mode="reflect")


def random_crop_flip(
    padded: Tensor,
    chosen: Tensor,
    *,
    mirrored: Tensor,
    size: int,
    flip: bool,
    generator: torch.Generator,
) -> Tensor:
    """The usual CIFAR augmentation: a random crop of the padded image, flipped half of the time.

    One gather per batch; no loop over images.

    Args:
        padded: uint8 images (N, H + 2p, W + 2p, 3), those of `pad_images` on the device.
        chosen: indices of the batch's images, (B,).
        mirrored: whether the batch has an image mirrored before it is cropped, bool (B,).
        size: H = W of the crops.
        flip: whether to mirror each image with probability 1/2.
        generator: source of the crop offsets and flips, on the device of `padded`.

    Returns:
        uint8 images (B, 3, size, size), in channels-last memory order.
    """
    device = padded.device
    count, height, width = len(chosen), padded.shape[1], padded.shape[2]

    def draw(upper: int) -> Tensor:
        return torch.randint(upper, (count, 1), generator=generator, device=device)

    line = torch.arange(size, device=device)
    rows = draw(height - size + 1) + line
    columns = draw(width - size + 1) + line
    columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    if flip:
        columns = torch.where(draw(2).bool(), columns.flip(1), columns)
    pixels = (chosen[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    crops = padded.view(-1, 3).index_select(0, pixels.flatten())
    return crops.view(count, size, size, 3).permute(0, 3, 1, 2)
