"""Random forests that tell the adversarial samples of an attack from clean images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from clearfilters.attacks.adversarial_samples import (
    TEST,
    AttackSamples,
    Features,
    Flags,
    Floats,
    Indices,
)

# Tell the random streams apart that start from the same seed and repetition. They stand last and
# are not 0, since numpy takes seeds that differ in trailing zeros for the same.
DRAW_STREAM, FOREST_STREAM = 1, 2


@dataclass(frozen=True)
class Rows:
    """What a forest sees: features (N, F), and which rows are adversarial (N,)."""

    features: Floats
    adversarial: Flags


@dataclass(frozen=True)
class Detection:
    """The detectors of one attack at one size.

    Attributes:
        size: n, clean training images per class.
        train_positives: adversarial training samples of each repetition.
        test_positives: adversarial test samples.
        auc: of each repetition in [0, 1], by the attack it was tested on; empty if there were too
            few samples.
        auc_own_twins: of each repetition, tested on its own attack's successful samples and the
            clean twins of these alone; empty if there were too few samples.
        importance: (F,), mean over repetitions; None if there were too few samples.
        reason: why nothing was measured, or nothing.
    """

    size: int
    train_positives: list[int]
    test_positives: int
    auc: dict[str, list[float]]
    auc_own_twins: list[float]
    importance: npt.NDArray[np.float64] | None
    reason: str


def draw_images(labels: Indices, size: int, seed: int, repetition: int) -> Indices:
    """Draw `size` images of each class, without replacement.

    Every image gets a random number that depends on seed, repetition, class and its place in the
    class alone, and the lowest are drawn: a smaller draw is the beginning of a larger one; pools
    with the same images get the same draw; and where a pool is the beginning of a larger one, both
    draw its images in the same order.

    Args:
        labels: (N,) classes of the pool.
        size: at most the images of the smallest class.
        seed: of the detectors.
        repetition: of the experiment.

    Returns:
        (size * C,) positions in `labels`.
    """
    drawn = []
    for class_ in np.unique(labels):
        members = np.flatnonzero(labels == class_)
        stream = np.random.default_rng([seed, repetition, class_, DRAW_STREAM])
        drawn.append(members[np.argsort(stream.random(len(members)))[:size]])
    return np.concatenate(drawn)


def detector_rows(samples: AttackSamples, features: Features, images: Indices) -> Rows:
    """Clean rows of all these images, adversarial rows of those where the attack succeeded."""
    fooled = images[samples.success[images]]
    return Rows(
        np.concatenate([features.clean[images], features.adversarial[fooled]]),
        np.repeat([False, True], [len(images), len(fooled)]),
    )


def held_out_rows(samples: AttackSamples, features: Features) -> Rows:
    """The rows that a detector is tested on: the test images and their successful twins."""
    return detector_rows(samples, features, np.flatnonzero(samples.split == TEST))


def own_twin_rows(samples: AttackSamples, features: Features) -> Rows:
    """The successful test samples and their clean twins, as many of each.

    Attacks succeed more readily on images near a boundary between classes. Here the clean images
    are selected in the same way, so that telling such images apart is of no use.
    """
    fooled = np.flatnonzero((samples.split == TEST) & samples.success)
    return detector_rows(samples, features, fooled)


def fit_forest(rows: Rows, trees: int, seed: int, repetition: int) -> RandomForestClassifier:
    """A random forest (Breiman 2001) that tells adversarial rows from clean ones.

    The classes weigh the same, since attacks that fail leave fewer adversarial rows.
    """
    state = np.random.SeedSequence([seed, repetition, FOREST_STREAM]).generate_state(1)[0]
    forest = RandomForestClassifier(
        n_estimators=trees, class_weight="balanced", random_state=int(state), n_jobs=1
    )
    return forest.fit(rows.features, rows.adversarial)


def area_under_curve(forest: RandomForestClassifier, rows: Rows) -> float:
    """AUC in [0, 1] of a forest on rows of both classes; 0.5 is chance."""
    return float(roc_auc_score(rows.adversarial, forest.predict_proba(rows.features)[:, 1]))


def detect(
    samples: AttackSamples,
    features: Features,
    size: int,
    tests: Mapping[str, Rows],
    detection: Mapping[str, Any],
) -> Detection:
    """Train the detectors of one attack at one size, and test them.

    Args:
        samples: of the attack.
        features: of its images.
        size: n, images per class that each repetition draws anew.
        tests: attack -> rows to test on; its own must be among them.
        detection: `repetitions`, `trees`, `seed` and `min_positives`.
    """
    test_positives = int(samples.success[samples.split == TEST].sum())
    if size > samples.pool:
        reason = f"{size} training images per class needed, {samples.pool} attacked"
        return Detection(size, [], test_positives, {}, [], None, reason)
    pool = samples.training_images()
    draws = [
        pool[draw_images(samples.label[pool], size, detection["seed"], repetition)]
        for repetition in range(detection["repetitions"])
    ]
    positives = [int(samples.success[images].sum()) for images in draws]
    needed = detection["min_positives"]
    if min(*positives, test_positives) < needed:
        reason = (
            f"{needed} successful samples needed, found {min(positives)} in training and "
            f"{test_positives} in test"
        )
        return Detection(size, positives, test_positives, {}, [], None, reason)
    own_twins = own_twin_rows(samples, features)
    auc: dict[str, list[float]] = {name: [] for name in tests}
    auc_own_twins = []
    importance = np.zeros(features.clean.shape[1])
    for repetition, images in enumerate(draws):
        rows = detector_rows(samples, features, images)
        forest = fit_forest(rows, detection["trees"], detection["seed"], repetition)
        for name, held_out in tests.items():
            auc[name].append(area_under_curve(forest, held_out))
        auc_own_twins.append(area_under_curve(forest, own_twins))
        importance += forest.feature_importances_ / len(draws)
    return Detection(size, positives, test_positives, auc, auc_own_twins, importance, "")
