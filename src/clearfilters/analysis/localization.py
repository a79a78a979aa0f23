"""How well filters find objects: IoU and APn of the gate papers, and of what needs no network.

A filter's enlarged map, thresholded, is a segmentation of the image (ActivMap), and so is the sum
of all maps, weighted for the image's class (CAM). Both are compared with the object's mask (LSG,
section 4.4 and appendix E; CSG, section 5.1 and appendices G and H). GradMaps, the third kind,
come from `gradmap`; here only their IoU is summarised.

APn is the share of images whose IoU exceeds n. Its mean over images is what both papers mean: the
"max" in CSG's appendix is a misprint.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.activation_overlap import (
    Maps,
    Masks,
    counted_iou,
    overlap_counts,
    upsample,
)
from clearfilters.analysis.class_means import class_means
from clearfilters.analysis.gate_path import Floats, Labels
from clearfilters.analysis.json_values import mean_or_null
from clearfilters.params.measurements import LocalizationParams, SegmentationParams

Values = npt.NDArray[np.float64]


def filter_thresholds(maps: Maps, top_share: float) -> Maps:
    """(K,): the activation that `top_share` of each filter's values exceed, over all its maps.

    Args:
        maps: feature maps of the whole test set, as they are, not enlarged (N, K, h, w).
        top_share: in (0, 1); 0.2 for the top 20 %.
    """
    per_filter = maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)
    return np.quantile(per_filter, 1 - top_share, axis=1).astype(np.float32)


def activation_iou(
    maps: Maps, masks: Masks, top_share: float, threads: int, *, inclusive: bool = False
) -> tuple[Values, float]:
    """IoU (N, K) of every filter's ActivMap with every image's object.

    Args:
        maps: feature maps (N, K, h, w).
        masks: objects (N, H, W).
        top_share: see `filter_thresholds`.
        threads: that share the work.
        inclusive: also select pixels that equal the threshold. A filter that is silent on most
            images has threshold 0, and then selects every pixel.

    Returns:
        The IoU, and the mean share of an image's pixels that a filter selects. It may be less than
        `top_share`: thresholds are those of small maps, and enlarging a map flattens its peaks.
    """
    thresholds = filter_thresholds(maps, top_share)
    if inclusive:
        # Greater than the next smaller number: at least the threshold itself.
        thresholds = np.nextafter(thresholds, np.float32(-np.inf))
    selected, shared = overlap_counts(maps, masks, thresholds, threads)
    return counted_iou(selected, shared, masks), float(selected.mean()) / masks[0].size


def class_activation_maps(maps: Maps, weight: Floats, labels: Labels) -> Maps:
    """(N, h, w): sum over k of W_ck A_k, c the label of each image (CAM, Zhou et al. 2016).

    Args:
        maps: feature maps (N, K, h, w).
        weight: head (C, K).
        labels: (N,).
    """
    summed: Maps = np.einsum("nkhw,nk->nhw", maps, weight[labels], optimize=True)
    return summed


def top_values_iou(maps: Maps, masks: Masks, top_share: float) -> Values:
    """(N,): IoU of the top share of each enlarged map's own values with the object.

    Args:
        maps: one per image (N, h, w).
        masks: objects (N, H, W).
        top_share: in (0, 1).
    """
    return np.array(
        [
            mask_iou(enlarged > np.quantile(enlarged, 1 - top_share), mask)
            for mask, enlarged in zip(
                masks, (upsample(one, *masks.shape[1:]) for one in maps), strict=True
            )
        ]
    )


def mask_iou(selected: Masks, masks: Masks) -> Values:
    """IoU of segmentations (..., H, W) with objects of a shape that broadcasts; 0 if all empty."""
    shared = (selected & masks).sum(axis=(-2, -1))
    union = (selected | masks).sum(axis=(-2, -1))
    return np.divide(shared, union, out=np.zeros(np.shape(union)), where=union > 0)


def average_box(masks: Masks) -> Masks:
    """(H, W): a centred box whose height and width are the objects' mean ones, in whole pixels."""
    shape = masks.shape[1:]
    box = np.zeros(shape, dtype=bool)
    spans = []
    for axis in (1, 2):
        # Which rows (columns) each object reaches, then from the first of them to the last.
        reached = np.any(masks, axis=3 - axis)
        first, behind = reached.argmax(axis=1), reached[:, ::-1].argmax(axis=1)
        length = round(float((shape[axis - 1] - behind - first).mean()))
        start = (shape[axis - 1] - length) // 2
        spans.append(slice(start, start + length))
    box[tuple(spans)] = True
    return box


def first_of_each_class(labels: Labels, count: int | None) -> npt.NDArray[np.intp]:
    """Indices of the first `count` images of each class (None: of all), in ascending order."""
    groups = [np.flatnonzero(labels == c)[:count] for c in np.unique(labels)]
    return np.sort(np.concatenate(groups))


def one_filter(iou: Values, labels: Labels, classes: int, hit_iou: float) -> dict[str, Any]:
    """Localization with one filter: each filter counts for the class that it finds best.

    Filter k belongs to the class with the largest APn_c^k; of equal ones, to that with the larger
    mean IoU. A filter that meets no object of any class is silent: it belongs to no class and
    counts as 0 in the totals.

    Args:
        iou: (N, K); NaN where a filter is not looked at, for all images of a class alike.
        labels: (N,).
        classes: C.
        hit_iou: n of APn, in (0, 1).

    Returns:
        iou and ap, each with per_class (C, None where no filter belongs to the class) and total
        (mean over all filters); filters, filters_per_class (C) and silent_filters, their numbers.
    """
    means = class_means(iou, labels, classes)
    hits = class_means(np.where(np.isnan(iou), np.nan, iou > hit_iou), labels, classes)
    seen = ~np.isnan(means).all(axis=0)
    means, hits = means[:, seen], hits[:, seen]
    best = np.where(hits == np.nanmax(hits, axis=0), means, -1).argmax(axis=0)
    filters = np.arange(len(best))
    own_iou, own_hits = means[best, filters], hits[best, filters]
    owner = np.where(own_iou > 0, best, classes)
    groups = [owner == c for c in range(classes)]
    return {
        "iou": {"per_class": [mean_or_null(own_iou[g]) for g in groups], "total": _mean(own_iou)},
        "ap": {"per_class": [mean_or_null(own_hits[g]) for g in groups], "total": _mean(own_hits)},
        "filters": len(best),
        "filters_per_class": [int(g.sum()) for g in groups],
        "silent_filters": int((owner == classes).sum()),
    }


def all_filters(iou: Values, labels: Labels, classes: int, hit_iou: float) -> dict[str, Any]:
    """Localization with one segmentation per image: means over images.

    Args:
        iou: (N,).
        labels: (N,).
        classes: C.
        hit_iou: n of APn, in (0, 1).

    Returns:
        iou and ap, each with per_class (C, None for a class without images) and total (mean over
        all images).
    """
    found = {}
    for name, values in (("iou", iou), ("ap", (iou > hit_iou).astype(np.float64))):
        per_class = [mean_or_null(values[labels == c]) for c in range(classes)]
        found[name] = {"per_class": per_class, "total": _mean(values)}
    return found


def _mean(values: Values) -> float:
    return float(values.mean())


def _as_filters(iou: Values, looked_at: Masks) -> Values:
    """Segmentations (N, R) dealt in turn to K filters, which are looked at where (N, K) is true."""
    dealt = iou[:, np.arange(looked_at.shape[1]) % iou.shape[1]]
    return np.where(looked_at, dealt, np.nan)


class Baselines:
    """What needs no network: the whole image, a centred box of the average size, random maps."""

    def __init__(self, masks: Masks, labels: Labels, classes: int, random_maps: Maps) -> None:
        """Prepare them.

        Args:
            masks: objects (N, H, W).
            labels: (N,).
            classes: C.
            random_maps: (N, R, h, w); R random filters.
        """
        self.masks, self.labels, self.classes, self.maps = masks, labels, classes, random_maps
        self.fixed = {
            "whole_image": mask_iou(np.ones(masks.shape[1:], dtype=bool), masks),
            "centred_box": mask_iou(average_box(masks), masks),
        }

    def one_filter(
        self, top_share: float, hit_iou: float, threads: int, looked_at: Masks | None = None
    ) -> dict[str, Any]:
        """Each measured as filters are, their choice of the best class included.

        Args:
            top_share: see `filter_thresholds`.
            hit_iou: n of APn.
            threads: that share the work.
            looked_at: which of K filters are looked at on which image (N, K), for a class that
                does not look at a filter cannot be its best one; None for one filter, or all
                random ones, on every image.

        Returns:
            By baseline, what the function `one_filter` returns; but for those that are the same
            for every filter, `per_class` shows every class, and there are no numbers of filters.
            Of random_map also the selected_share.
        """
        score = (self.labels, self.classes, hit_iou)
        found = {}
        for name, iou in self.fixed.items():
            every = all_filters(iou, *score)
            alone = np.ones((len(iou), 1), dtype=bool) if looked_at is None else looked_at
            filters = one_filter(_as_filters(iou[:, None], alone), *score)
            found[name] = {
                key: {**every[key], "total": filters[key]["total"]} for key in ("iou", "ap")
            }
        random, share = activation_iou(self.maps, self.masks, top_share, threads)
        if looked_at is not None:
            random = _as_filters(random, looked_at)
        return {**found, "random_map": {**one_filter(random, *score), "selected_share": share}}

    def all_filters(self, top_share: float, hit_iou: float) -> dict[str, Any]:
        """Each measured as a CAM is."""
        score = (self.labels, self.classes, hit_iou)
        found = {name: all_filters(iou, *score) for name, iou in self.fixed.items()}
        random = top_values_iou(self.maps[:, 0], self.masks, top_share)
        return {**found, "random_map": all_filters(random, *score)}


def random_maps(shape: tuple[int, int, int, int], seed: int) -> Maps:
    """Independent values, uniform in [0, 1), of a shape (N, R, h, w)."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def measure(
    maps: Maps,
    weight: Floats,
    masks: Masks,
    labels: Labels,
    gradmap_iou: Values,
    gradmap_images: npt.NDArray[np.intp],
    params: LocalizationParams,
    threads: int,
) -> dict[str, Any]:
    """Every localization of a model, beside its baselines.

    Args:
        maps: feature maps of the test set (N, K, h, w).
        weight: head (C, K).
        masks: objects (N, H, W), none of them empty.
        labels: (N,).
        gradmap_iou: IoU of GradMaps (M, K), NaN for filters that are not looked at.
        gradmap_images: which images these are (M,).
        params: thresholds of both papers, and the random maps.
        threads: that share the work.

    Returns:
        lsg and csg, each with its rule, activmap, activmap_inclusive (≥ for >), cam,
        one_filter_baselines and all_filters_baselines; gradmap with its rule, result and
        baselines, which are looked at where its filters are; sizes. ActivMaps, and the random maps
        beside them, also have selected_share (see `activation_iou`).
    """
    classes = len(weight)
    cams = class_activation_maps(maps, weight, labels)
    random = random_maps((len(maps), params.random_maps, *maps.shape[2:]), params.random_seed)
    baselines = Baselines(masks, labels, classes, random)

    def segmented(rule: SegmentationParams) -> dict[str, Any]:
        score = (labels, classes, rule.hit_iou)

        def activmap(*, inclusive: bool) -> dict[str, Any]:
            iou, share = activation_iou(maps, masks, rule.top_share, threads, inclusive=inclusive)
            return {**one_filter(iou, *score), "selected_share": share}

        cam = top_values_iou(cams, masks, rule.top_share)
        return {
            **rule.model_dump(),
            "activmap": activmap(inclusive=False),
            "activmap_inclusive": activmap(inclusive=True),
            "cam": all_filters(cam, *score),
            "one_filter_baselines": baselines.one_filter(rule.top_share, rule.hit_iou, threads),
            "all_filters_baselines": baselines.all_filters(rule.top_share, rule.hit_iou),
        }

    chosen = gradmap_images
    beside = Baselines(masks[chosen], labels[chosen], classes, random[chosen])
    hit_iou = params.gradmap.hit_iou
    return {
        "images": np.bincount(labels, minlength=classes).tolist(),
        "image_size": list(masks.shape[1:]),
        "map_size": list(maps.shape[2:]),
        "filters": maps.shape[1],
        "lsg": segmented(params.lsg),
        "csg": segmented(params.csg),
        "gradmap": {
            **params.gradmap.model_dump(),
            "images": np.bincount(labels[chosen], minlength=classes).tolist(),
            "result": one_filter(gradmap_iou, labels[chosen], classes, hit_iou),
            "baselines": beside.one_filter(
                params.csg.top_share, hit_iou, threads, ~np.isnan(gradmap_iou)
            ),
        },
    }
