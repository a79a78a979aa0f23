"""What an analysis reads: a model's pooled features, its head and its gates, from two folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import read_arrays, read_json
from clearfilters.errors import ClearfiltersError

Array32 = npt.NDArray[np.float32]
Array64i = npt.NDArray[np.int64]


# What `load_features` reads besides meta.json.
FEATURE_ARRAYS = ("train.npz", "test.npz", "noise.npz", "head.npz")


@dataclass(frozen=True)
class FeatureSet:
    """One forward pass of a trained model. C classes, K filters in the last convolution.

    Attributes:
        train_pooled: a = GAP(A) of the training images (N, K).
        train_logits: logits of the STD path (N, C).
        train_labels: labels (N,) in [0, C).
        test_pooled: as above, test images.
        test_logits: as above, test images.
        test_labels: as above, test images.
        noise_pooled: pooled features of noise images (M, K).
        weight: head (C, K).
        bias: head (C,).
        last_conv: weights of the last convolution (K, I, h, w).
        trained_gate: (C, K) in [0, 1], or None if the model was trained without one.
        classes: names, in the order of the labels.
    """

    train_pooled: Array32
    train_logits: Array32
    train_labels: Array64i
    test_pooled: Array32
    test_logits: Array32
    test_labels: Array64i
    noise_pooled: Array32
    weight: Array32
    bias: Array32
    last_conv: Array32
    trained_gate: Array32 | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Gates:
    """A model's gates (C, K): the one fitted to the frozen network (Φ), and the one trained."""

    fitted: Array32
    trained: Array32 | None

    @property
    def used(self) -> Array32:
        """The gate that analyses read: the trained one where there is one, else the fitted."""
        return self.fitted if self.trained is None else self.trained

    @property
    def source(self) -> str:
        """Which of the two `used` is: "trained" or "fitted"."""
        return "fitted" if self.trained is None else "trained"


def load_features(folder: Path) -> FeatureSet:
    """Read `train.npz`, `test.npz`, `noise.npz`, `head.npz` and `meta.json` of a feature folder.

    Raises:
        ClearfiltersError: if a file is missing, damaged, lacks an array, or holds arrays whose
            shapes or values do not fit together.
    """
    split = ("pooled", "logits", "labels")
    train = _read_numbers(folder / "train.npz", split)
    test = _read_numbers(folder / "test.npz", split)
    noise = _read_numbers(folder / "noise.npz", ("pooled",))
    head = _read_numbers(folder / "head.npz", ("weight", "bias", "last_conv"), ("gate",))
    meta = read_json(folder / "meta.json")
    if not isinstance(meta, dict) or not isinstance(meta.get("classes"), list):
        raise ClearfiltersError(
            f"{folder / 'meta.json'}: key `classes` with a list of names expected; "
            "extract the features again"
        )
    features = FeatureSet(
        train_pooled=_float32(train["pooled"]),
        train_logits=_float32(train["logits"]),
        train_labels=train["labels"].astype(np.int64),
        test_pooled=_float32(test["pooled"]),
        test_logits=_float32(test["logits"]),
        test_labels=test["labels"].astype(np.int64),
        noise_pooled=_float32(noise["pooled"]),
        weight=_float32(head["weight"]),
        bias=_float32(head["bias"]),
        last_conv=_float32(head["last_conv"]),
        trained_gate=_float32(head["gate"]) if "gate" in head else None,
        classes=tuple(str(name) for name in meta["classes"]),
    )
    _check_features(features, folder)
    return features


def load_gates(path: Path) -> Gates:
    """Read the gates of one model, `gates/<experiment>/seed<k>.npz`.

    Raises:
        ClearfiltersError: if the file is missing, damaged, lacks the fitted gate, or the two gates
            disagree in shape.
    """
    arrays = _read_numbers(path, ("fitted",), ("trained",))
    fitted = _float32(arrays["fitted"])
    trained = _float32(arrays["trained"]) if "trained" in arrays else None
    if fitted.ndim != 2:
        raise ClearfiltersError(f"{path}: gate of shape {fitted.shape}, (C, K) expected")
    _check_gate(fitted, fitted.shape, path, "fitted")
    if trained is not None:
        _check_gate(trained, fitted.shape, path, "trained")
    return Gates(fitted, trained)


def require_gates(gates: Gates | None, analysis: str) -> Gates:
    """The gates, for an analysis that cannot do without.

    Raises:
        ClearfiltersError: if there are none.
    """
    if gates is None:
        raise ClearfiltersError(
            f"{analysis}: needs the model's gates; run the analysis `phi`, which fits and records "
            "them, first"
        )
    return gates


def _read_numbers(
    path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, npt.NDArray[np.generic]]:
    arrays = read_arrays(path, required, optional)
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise ClearfiltersError(
                f"{path}: `{name}` has type {array.dtype}, numbers expected; make it again"
            )
    return arrays


def _float32(array: npt.NDArray[np.generic]) -> Array32:
    return np.ascontiguousarray(array, dtype=np.float32)


def _check_features(features: FeatureSet, folder: Path) -> None:
    classes, filters = len(features.classes), features.weight.shape[-1]
    train, test = features.train_labels.size, features.test_labels.size
    expected: dict[tuple[str, str], tuple[npt.NDArray[Any], tuple[int, ...]]] = {
        ("train.npz", "pooled"): (features.train_pooled, (train, filters)),
        ("train.npz", "logits"): (features.train_logits, (train, classes)),
        ("train.npz", "labels"): (features.train_labels, (train,)),
        ("test.npz", "pooled"): (features.test_pooled, (test, filters)),
        ("test.npz", "logits"): (features.test_logits, (test, classes)),
        ("test.npz", "labels"): (features.test_labels, (test,)),
        ("noise.npz", "pooled"): (
            features.noise_pooled,
            (*features.noise_pooled.shape[:1], filters),
        ),
        ("head.npz", "weight"): (features.weight, (classes, filters)),
        ("head.npz", "bias"): (features.bias, (classes,)),
        ("head.npz", "last_conv"): (
            features.last_conv,
            (filters, *features.last_conv.shape[1:]),
        ),
    }
    for (name, key), (array, shape) in expected.items():
        if array.shape != shape or array.size == 0:
            raise ClearfiltersError(
                f"{folder / name}: `{key}` has shape {array.shape}, {shape} expected from the "
                f"{classes} classes of meta.json and the {filters} filters of head.npz (and not "
                "empty); extract the features again"
            )
        if not np.isfinite(array).all():
            raise ClearfiltersError(
                f"{folder / name}: `{key}` holds NaN or infinite values; check the training"
            )
    for name, labels in (("train.npz", features.train_labels), ("test.npz", features.test_labels)):
        if labels.min() < 0 or labels.max() >= classes:
            raise ClearfiltersError(
                f"{folder / name}: labels from {labels.min()} to {labels.max()}, 0 to "
                f"{classes - 1} expected; prepare the data again"
            )
    if features.trained_gate is not None:
        _check_gate(features.trained_gate, (classes, filters), folder / "head.npz", "gate")


def _check_gate(gate: Array32, shape: tuple[int, ...], path: Path, key: str) -> None:
    if gate.shape != shape:
        raise ClearfiltersError(
            f"{path}: `{key}` has shape {gate.shape}, {shape} expected; make the file again"
        )
    if not (np.isfinite(gate).all() and gate.min() >= 0 and gate.max() <= 1):
        raise ClearfiltersError(
            f"{path}: `{key}` has values outside [0, 1]; make the file again from its checkpoint"
        )
