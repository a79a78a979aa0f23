"""Synthetic measurements of localization, whose totals are known."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

FILTERS = 64
# Total IoU of LSG's ActivMap; CAM has 0.1 more, AP twice the IoU, each seed 0.002 more.
IOU = {"std": 0.20, "lsg": 0.40, "csg": 0.35, "worse than std": 0.10}
BASELINE_IOU = {"whole_image": 0.30, "centred_box": 0.28, "random_map": 0.12}
# The class that no filter counts for.
EMPTY_CLASS = 4


def localization_values(role: str, seed: int, classes: list[str]) -> dict[str, Any]:
    """What `training.localization` records; class c has 0.01 c more than the total."""
    iou = IOU.get(role, 0.25) + 0.002 * seed
    count = len(classes)

    def paper(top_share: float, hit_iou: float) -> dict[str, Any]:
        return {
            "top_share": top_share,
            "hit_iou": hit_iou,
            "activmap": {**_one_filter(iou, count), "selected_share": 0.18 + 0.01 * seed},
            "activmap_inclusive": _one_filter(iou - 0.05, count),
            "cam": _summary(iou + 0.1, count),
            "one_filter_baselines": {
                k: {**_summary(v, count), "selected_share": 0.084} for k, v in BASELINE_IOU.items()
            },
            "all_filters_baselines": {k: _summary(v - 0.1, count) for k, v in BASELINE_IOU.items()},
        }

    return {
        "classes": classes,
        "masks": "drawn by hand",
        "skipped_images": 1,
        "images": [20] * count,
        "image_size": [32, 32],
        "map_size": [8, 8],
        "filters": FILTERS,
        "lsg": paper(0.2, 0.15),
        "csg": paper(0.3, 0.3),
        "gradmap": {
            "filters": 30,
            "blur_sigma": 5.0,
            "threshold": 1.0,
            "hit_iou": 0.2,
            "images_per_class": 5,
            "images": [5] * count,
            "result": _one_filter(iou + 0.03, count),
            "baselines": {k: _summary(v + iou, count) for k, v in BASELINE_IOU.items()},
        },
        "examples": [_example(name, iou) for name in classes[:2]],
    }


def _summary(iou: float, classes: int) -> dict[str, Any]:
    def values(total: float) -> dict[str, Any]:
        return {"per_class": [total + 0.01 * c for c in range(classes)], "total": total}

    return {"iou": values(iou), "ap": values(2 * iou)}


def _one_filter(iou: float, classes: int) -> dict[str, Any]:
    found = _summary(iou, classes)
    filters = [6] * classes
    filters[EMPTY_CLASS] = 0
    for metric in ("iou", "ap"):
        found[metric]["per_class"][EMPTY_CLASS] = None
    return {**found, "filters": FILTERS, "filters_per_class": filters, "silent_filters": 2}


def _example(name: str, iou: float) -> dict[str, Any]:
    mask = np.zeros((32, 32), dtype=bool)
    mask[8:24, 10:30] = True
    image = np.full((32, 32, 3), (90, 140, 60), dtype=np.uint8)
    image[mask] = (160, 110, 70)
    heat = np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)
    return {
        "class": name,
        "image": _png(image),
        "mask": _png(mask),
        "cam": _png(heat),
        "cam_iou": iou,
    }


def _png(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()
