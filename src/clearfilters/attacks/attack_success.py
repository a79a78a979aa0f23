"""How an attack fared on a network, and an example of what it did."""

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clearfilters.analysis.proportion import wilson_interval
from clearfilters.artifacts import read_arrays
from clearfilters.attacks.adversarial_samples import TEST, TRAIN, AttackSamples


def attack_success(samples: AttackSamples) -> dict[str, Any]:
    """The pool of training images per class, the `statistics` of both splits and an `example`."""
    return {
        "pool": samples.pool,
        "train": statistics(samples, TRAIN),
        "test": statistics(samples, TEST),
        "example": example(samples),
    }


def statistics(samples: AttackSamples, split: int) -> dict[str, Any]:
    """How an attack fared on the images of a split.

    Returns:
        attacked; clean_correct, images that the network classifies correctly without the attack;
        clean_accuracy; succeeded, all successful samples; succeeded_correct, those of correctly
        classified images; success_rate = succeeded_correct / clean_correct, with the bounds of its
        95 % Wilson interval (both None without such images); linf and l2, means over the successful
        samples (None without any).
    """
    chosen = samples.split == split
    correct = chosen & (samples.clean_predicted == samples.label)
    fooled = chosen & samples.success
    attacked, trials, hits = (int(f.sum()) for f in (chosen, correct, correct & fooled))
    return {
        "attacked": attacked,
        "clean_correct": trials,
        "clean_accuracy": trials / attacked,
        "succeeded": int(fooled.sum()),
        "succeeded_correct": hits,
        "success_rate": hits / trials if trials else None,
        "interval": list(wilson_interval(hits, trials)) if trials else None,
        "linf": float(samples.linf[fooled].mean()) if fooled.any() else None,
        "l2": float(samples.l2[fooled].mean()) if fooled.any() else None,
    }


def example(samples: AttackSamples) -> dict[str, Any] | None:
    """The first test image on which the attack succeeded; None if there is none.

    Returns:
        label, target (None if untargeted) and predicted, class names; linf and l2; and PNGs in
        base64: clean, adversarial (8 bit), perturbation (grey for none, its largest value to the
        ends of the scale).
    """
    found = np.flatnonzero((samples.split == TEST) & samples.success)
    if not len(found):
        return None
    image = found[0]
    arrays = read_arrays(samples.path, ("clean", "adversarial"))
    clean, adversarial = arrays["clean"][image], arrays["adversarial"][image]
    change = adversarial - clean / np.float32(255)
    largest = np.abs(change).max() or 1.0
    target = int(samples.target[image])
    return {
        "label": samples.classes[samples.label[image]],
        "target": None if target < 0 else samples.classes[target],
        "predicted": samples.classes[samples.predicted[image]],
        "linf": float(samples.linf[image]),
        "l2": float(samples.l2[image]),
        "clean": _png(clean / 255),
        "adversarial": _png(adversarial),
        "perturbation": _png(0.5 + change / (2 * largest)),
    }


def _png(pixels: npt.NDArray[np.floating[Any]]) -> str:
    """An image (H, W, 3) in [0, 1] as a PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(np.round(255 * pixels).astype(np.uint8)).save(stream, "png", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
