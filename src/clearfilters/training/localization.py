"""The localization measurement: a trained network, run on test images that have object masks."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clearfilters.analysis.activation_overlap import Maps, Masks, upsample
from clearfilters.analysis.class_means import class_means
from clearfilters.analysis.correlation import dominant_filters
from clearfilters.analysis.gate_path import Labels
from clearfilters.analysis.gradmap import gradmap_iou
from clearfilters.analysis.localization import (
    class_activation_maps,
    first_of_each_class,
    measure,
    top_values_iou,
)
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.rows import SplitImages
from clearfilters.data.store import Split, image_files, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import Classifier
from clearfilters.params.measurements import GradMapParams, LocalizationParams
from clearfilters.pictures import as_png
from clearfilters.training.trained_network import Measured, TrainedNetwork


@torch.no_grad()
def feature_maps(
    model: Classifier, images: SplitImages, batch_size: int, device: torch.device
) -> Maps:
    """Maps A (N, K, h, w), float32, of uint8 images (N, H, W, 3)."""
    found = []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(np.array(images[start : start + batch_size])).to(device)
        maps = model.feature_maps(as_network_input(batch))
        found.append(maps.float().cpu().contiguous().numpy())
    return np.concatenate(found)


def measure_localization(
    network: TrainedNetwork, store: Path, params: LocalizationParams
) -> Measured:
    """How well a trained network's filters find the objects.

    Args:
        network: the trained network.
        store: a processed store with object masks, of the data that it was trained on.
        params: the parameters.

    Returns:
        See `analysis.localization.measure`, and `examples`, the first test image of some classes
        with its object and its CAM as PNGs in base64.

    Raises:
        ClearfiltersError: if the store has no masks.
    """
    model, classes, device = network.model, network.meta["classes"], network.device
    split, masks, skipped = _read_test_split(store)
    model.to(device).to(memory_format=torch.channels_last)
    maps = feature_maps(model, split.images, params.batch_size, device)
    weight = model.head.weight.detach().cpu().numpy()
    chosen = first_of_each_class(split.labels, params.gradmap.images_per_class)
    values = measure(
        maps,
        weight,
        masks,
        split.labels,
        _gradmaps(model, split, masks, maps, chosen, params.gradmap, params.batch_size, device),
        chosen,
        params,
        torch.get_num_threads(),
    )
    return Measured(
        {
            "classes": classes,
            "masks": network.store_meta.masks_note,
            "skipped_images": skipped,
            **values,
            "examples": _examples(split, masks, maps, weight, classes, params),
        },
        {
            f"store/test/{file}": store / "test" / file
            for file in (*image_files(network.store_meta), "masks.npy")
        },
    )


def _read_test_split(store: Path) -> tuple[Split, Masks, int]:
    """Test images with an object, their masks (N, H, W), and how many have an empty mask."""
    split = read_split(store, "test", annotations=("masks",))
    if split.masks is None or not split.masks.any():
        raise ClearfiltersError(
            f"{store}: the test images have no object masks, and localization needs them; choose a "
            "data set that has masks, or take localization out of params.yaml"
        )
    present = split.masks.any(axis=(1, 2))
    masks = np.array(split.masks[present])
    return Split(split.images[present], split.labels[present]), masks, int((~present).sum())


def _gradmaps(
    model: Classifier,
    split: Split,
    masks: Masks,
    maps: Maps,
    chosen: npt.NDArray[np.intp],
    params: GradMapParams,
    batch_size: int,
    device: torch.device,
) -> npt.NDArray[np.float64]:
    """IoU of the GradMaps of the filters that each image's class activates most."""
    labels: Labels = split.labels
    means = class_means(maps.mean(axis=(2, 3)), labels, model.head.out_features)
    dominant = dominant_filters(means, params.filters)
    return gradmap_iou(
        model,
        split.images[chosen],
        masks[chosen],
        dominant[labels[chosen]],
        blur_sigma=params.blur_sigma,
        threshold=params.threshold,
        batch_size=batch_size,
        device=device,
    )


def _examples(
    split: Split,
    masks: Masks,
    maps: Maps,
    weight: npt.NDArray[np.float32],
    classes: list[str],
    params: LocalizationParams,
) -> list[dict[str, Any]]:
    """The first image of each of the first classes, with its object and CAM (LSG, figure 8)."""
    chosen = first_of_each_class(split.labels, 1)
    chosen = chosen[np.argsort(split.labels[chosen])][: params.examples]
    labels = split.labels[chosen]
    cams = class_activation_maps(maps[chosen], weight, labels)
    iou = top_values_iou(cams, masks[chosen], params.lsg.top_share)
    return [
        {
            "class": classes[label],
            "image": as_png(split.images[index]),
            "mask": as_png(masks[index]),
            "cam": as_png(_grey(upsample(cam, *masks.shape[1:]))),
            "cam_iou": float(overlap),
        }
        for index, label, cam, overlap in zip(chosen, labels, cams, iou, strict=True)
    ]


def _grey(heat: Maps) -> npt.NDArray[np.uint8]:
    """From the least value, 0, to the largest, 255."""
    spread = max(float(np.ptp(heat)), np.finfo(np.float32).tiny)
    return np.round((heat - heat.min()) / spread * 255).astype(np.uint8)
