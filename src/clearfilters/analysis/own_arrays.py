"""What the measurements read, made from arrays of one's own: of any network, trained anywhere."""

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.features import FeatureSet
from clearfilters.analysis.gate_path import Floats, Labels, head_logits
from clearfilters.analysis.location_instability import Peaks
from clearfilters.errors import ClearfiltersError


def features_of(
    train: tuple[Floats, Labels], test: tuple[Floats, Labels], weight: Floats, bias: Floats
) -> FeatureSet:
    """A network by its pooled features and its linear head, for `phi.evaluate_phi`.

    It has no noise images and no last convolution (both empty), which other measurements read.

    Args:
        train: pooled features a (N, K) of the training images, and their labels (N,) in [0, C).
        test: likewise of the test images.
        weight: of the head (C, K).
        bias: of the head (C,).

    Raises:
        ClearfiltersError: if shapes or labels do not fit together.
    """
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise ClearfiltersError(
            f"features_of: weight {weight.shape} and bias {bias.shape} given, (C, K) and (C,) "
            "expected: a linear head"
        )
    classes, filters = weight.shape
    for name, (pooled, labels) in {"train": train, "test": test}.items():
        if pooled.shape != (len(labels), filters) or len(labels) == 0:
            raise ClearfiltersError(
                f"features_of: {name} has features {pooled.shape} and {len(labels)} labels, (N, "
                f"{filters}) and N above 0 expected: one number per image and filter, after pooling"
            )
        if labels.min() < 0 or labels.max() >= classes:
            raise ClearfiltersError(
                f"features_of: {name} has labels from {labels.min()} to {labels.max()}, but the "
                f"head has {classes} classes"
            )
    (train_pooled, train_labels), (test_pooled, test_labels) = train, test
    return FeatureSet(
        train_pooled=np.asarray(train_pooled, np.float32),
        train_logits=np.asarray(head_logits(train_pooled, weight, bias), np.float32),
        train_labels=np.asarray(train_labels, np.int64),
        test_pooled=np.asarray(test_pooled, np.float32),
        test_logits=np.asarray(head_logits(test_pooled, weight, bias), np.float32),
        test_labels=np.asarray(test_labels, np.int64),
        noise_pooled=np.empty((0, filters), np.float32),
        weight=np.asarray(weight, np.float32),
        bias=np.asarray(bias, np.float32),
        last_conv=np.empty((filters, 0, 0, 0), np.float32),
        trained_gate=None,
        classes=tuple(str(c) for c in range(classes)),
    )


def peaks_of(maps: npt.NDArray[np.floating]) -> Peaks:
    """Where each filter's map is largest; of equal cells the first, of a constant map nowhere.

    Args:
        maps: of N images and D filters (N, D, n, n).

    Raises:
        ClearfiltersError: if the maps are not square.
    """
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
        raise ClearfiltersError(f"peaks_of: maps {maps.shape} given, (N, D, n, n) expected")
    flat = maps.reshape(*maps.shape[:2], -1)
    scores = flat.max(axis=2)
    positions = np.stack(np.divmod(flat.argmax(axis=2), maps.shape[3]), axis=2).astype(np.float64)
    positions[scores == flat.min(axis=2)] = np.nan
    return Peaks(positions, scores)
