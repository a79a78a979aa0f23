"""Do a network's features give adversarial samples away? Random forests that tell them apart.

LSG section 4.5 and table 4, CSG section 5.2 and appendix I: the global averages of every
convolution's activations are the features, clean images one class, adversarial ones the other. The
detectors train on images of the training split and are tested on images of the test split, so an
image and its adversarial twin never fall on both sides.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from clearfilters.analysis.proportion import wilson_interval
from clearfilters.analysis.recording import write_measurement
from clearfilters.artifacts import parameters_hash, read_arrays, read_json
from clearfilters.errors import ClearfiltersError
from clearfilters.params.attacks import DetectionParams
from clearfilters.params.reading import parse
from clearfilters.progress import progress

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

# Values of `split`.
TRAIN, TEST = 0, 1
# What stands beside the papers' features (every convolution: "layers").
BASELINES = ("last_layer", "logits", "pixels")
# Tell the random streams apart that start from the same seed and repetition. They stand last and
# are not 0, since numpy takes seeds that differ in trailing zeros for the same.
DRAW_STREAM, FOREST_STREAM = 1, 2
# The parts of a detection slice that are not the training's.
OWN_PARTS = ("sampling", "white_box", "detection")
# What is read of the .json beside the samples.
META_KEYS = ("classes", "device", "packages", "training")
PER_IMAGE = (
    "split",
    "index",
    "label",
    "target",
    "clean_predicted",
    "predicted",
    "success",
    "linf",
    "l2",
)


@dataclass(frozen=True)
class AttackSamples:
    """What one attack did to one network: M images, those of the training split first.

    Attributes:
        attack: its name.
        path: the .npz, from which features are read when they are needed.
        classes: names, C of them.
        split: (M,) TRAIN or TEST.
        index: (M,) into that split.
        label: (M,) true class.
        target: (M,) class to reach, -1 if there is none.
        clean_predicted: (M,) the network's answer to the clean image.
        predicted: (M,) its answer to the adversarial one.
        success: (M,) whether the attack succeeded.
        linf: (M,) largest absolute change of a pixel, in [0, 1].
        l2: (M,) Euclidean norm of the change, pixels in [0, 1].
        layer_sizes: (L,) channels of each convolution.
        device: on which the samples were made.
        packages: that made them, name -> version.
        training: what a measurement says of the network's training.
    """

    attack: str
    path: Path
    classes: tuple[str, ...]
    split: Indices
    index: Indices
    label: Indices
    target: Indices
    clean_predicted: Indices
    predicted: Indices
    success: Flags
    linf: Floats
    l2: Floats
    layer_sizes: Indices
    device: str
    packages: dict[str, str]
    training: dict[str, Any]

    @property
    def pool(self) -> int:
        """Training images of the class that has the fewest."""
        counts = np.bincount(self.label[self.split == TRAIN], minlength=len(self.classes))
        return int(counts.min())

    def training_images(self, per_class: int | None = None) -> Indices:
        """Positions of the training images, or of the first `per_class` of each class."""
        positions = np.flatnonzero(self.split == TRAIN)
        if per_class is None:
            return positions
        labels = self.label[positions]
        kept = [positions[labels == c][:per_class] for c in range(len(self.classes))]
        return np.sort(np.concatenate(kept))


@dataclass(frozen=True)
class Features:
    """Features of the clean images and of their adversarial twins, float32 (M, F) each."""

    clean: Floats
    adversarial: Floats


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


def record_detection(
    samples: Path, slice_: dict[str, Any], *, experiment: str, seed: int, out: Path
) -> None:
    """Train and test the detectors of one network, and write the measurement.

    Args:
        samples: folder of the network's adversarial samples, `<attack>.npz` and `.json`.
        slice_: everything that shapes it: the training's part, `sampling`, `white_box` (attack ->
            its parameters) and `detection`.
        experiment: name of the experiment.
        seed: of the training.
        out: the JSON.

    Raises:
        ClearfiltersError: if a table names an attack that does not exist, samples are missing,
            damaged or of other parameters, no attack succeeded often enough for a detector, or an
            attack's pool is smaller than its smallest size.
    """
    detection = parse(DetectionParams, slice_, "detection").model_dump()
    sizes = table_sizes(detection["tables"], slice_["white_box"])
    attacks = {name: load_attack(samples / f"{name}.npz", name, slice_) for name in sizes}
    _check_pools(attacks, sizes)
    _check_successes(attacks, detection["min_positives"], f"{experiment}, seed {seed}")
    first = next(iter(attacks.values()))
    devices = sorted({attack.device for attack in attacks.values()})
    write_measurement(
        out,
        measure(attacks, sizes, detection),
        analysis="detection",
        experiment=experiment,
        seed=seed,
        slice_=slice_,
        inputs={f"adversarial/{a.path.name}": a.path for a in attacks.values()},
        meta={
            "device": "; ".join(devices),
            "training": first.training,
            "packages": first.packages,
        },
    )


def table_sizes(
    tables: Mapping[str, Mapping[str, Any]], white_box: Mapping[str, Any]
) -> dict[str, list[int]]:
    """The sizes that the tables ask for, ascending, by attack.

    Args:
        tables: table -> `attacks` and `sizes`.
        white_box: the attacks that exist.

    Raises:
        ClearfiltersError: if a table names an attack that does not exist, or none names any.
    """
    sizes: dict[str, set[int]] = {}
    for table, wanted in tables.items():
        for attack in wanted["attacks"]:
            if attack not in white_box:
                raise ClearfiltersError(
                    f"attacks.detection.tables.{table}: no attack `{attack}`; defined: "
                    f"{', '.join(white_box)}"
                )
            sizes.setdefault(attack, set()).update(wanted["sizes"])
    if not any(sizes.values()):
        raise ClearfiltersError(
            "attacks.detection.tables: no attack with a size; name some, or attack no experiment"
        )
    return {attack: sorted(found) for attack, found in sizes.items() if found}


def load_attack(path: Path, attack: str, slice_: Mapping[str, Any]) -> AttackSamples:
    """Read what an attack did; features are left in the file.

    Args:
        path: the .npz; what made it stands in the .json beside it.
        attack: name of the attack.
        slice_: of the detection; the samples' own parameters follow from it.

    Raises:
        ClearfiltersError: if a file is missing or damaged, an array is missing or does not fit, or
            the samples were made with other parameters.
    """
    meta = read_json(path.with_suffix(".json"))
    training = {key: value for key, value in slice_.items() if key not in OWN_PARTS}
    expected = parameters_hash(
        {**training, "sampling": slice_["sampling"], "attack": slice_["white_box"][attack]}
    )
    found = str(meta.get("parameters_hash") if isinstance(meta, dict) else None)
    if found != expected:
        raise ClearfiltersError(
            f"{path}: made with parameters {found[:12]}, but the current parameters are "
            f"{expected[:12]}; make the samples of `{attack}` again or restore params.yaml"
        )
    lacking = [key for key in META_KEYS if key not in meta]
    if lacking:
        raise ClearfiltersError(
            f"{path.with_suffix('.json')}: lacks {', '.join(lacking)}; make the samples of "
            f"`{attack}` again"
        )
    arrays = read_arrays(path, (*PER_IMAGE, "layer_sizes"))
    images = arrays["split"].shape
    for name in PER_IMAGE:
        if arrays[name].shape != images or len(images) != 1:
            raise ClearfiltersError(
                f"{path}: `{name}` has shape {arrays[name].shape}, (M,) expected with M = "
                f"{images[0] if images else 0} as in `split`; make it again"
            )
    samples = AttackSamples(
        attack=attack,
        path=path,
        classes=tuple(str(name) for name in meta["classes"]),
        device=meta["device"],
        packages=meta["packages"],
        training=meta["training"],
        **arrays,
    )
    for split in (TRAIN, TEST):
        present = set(samples.label[samples.split == split].tolist())
        if present != set(range(len(samples.classes))):
            raise ClearfiltersError(
                f"{path}: the images of split {split} have labels {sorted(present)}, every one "
                f"of 0 to {len(samples.classes) - 1} expected; make it again"
            )
    return samples


def read_features(samples: AttackSamples, name: str) -> Features:
    """Read features of both versions of every image.

    Args:
        samples: whose.
        name: `layers` (every convolution's pooled activations), `last_layer` (those of the last
            convolution alone), `logits`, or `pixels` in [0, 1].

    Raises:
        ClearfiltersError: if the file lacks them, or they are not finite or of another size.
    """
    if name == "pixels":
        arrays = read_arrays(samples.path, ("clean", "adversarial"))
        # Stored as bytes; the adversarial pixels are in [0, 1].
        pair = [arrays["clean"].astype(np.float32) / 255, arrays["adversarial"]]
        pair = [array.reshape(len(array), -1) for array in pair]
    else:
        kind = "logits" if name == "logits" else "layers"
        arrays = read_arrays(samples.path, (f"clean_{kind}", f"adversarial_{kind}"))
        pair = list(arrays.values())
    if name == "last_layer":
        pair = [array[:, -samples.layer_sizes[-1] :] for array in pair]
    if name == "layers" and pair[0].shape[-1] != samples.layer_sizes.sum():
        raise ClearfiltersError(
            f"{samples.path}: {pair[0].shape[-1]} features in `clean_layers`, "
            f"{samples.layer_sizes.sum()} expected from `layer_sizes`; make it again"
        )
    features = Features(*(np.asarray(array, dtype=np.float32) for array in pair))
    for array in (features.clean, features.adversarial):
        if array.shape != (len(samples.split), features.clean.shape[1]):
            raise ClearfiltersError(
                f"{samples.path}: {name} of shapes {features.clean.shape} (clean) and "
                f"{features.adversarial.shape} (adversarial) for {len(samples.split)} images; "
                "make it again"
            )
        if not np.isfinite(array).all():
            raise ClearfiltersError(
                f"{samples.path}: {name} hold NaN or infinite values; check the training"
            )
    return features


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


def measure(
    attacks: Mapping[str, AttackSamples],
    sizes: Mapping[str, Sequence[int]],
    detection: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything about the detectors of one network.

    Baselines, the mixture of attacks, attacks other than the one trained on and the importance of
    layers are measured at one size for all models and attacks.

    Args:
        attacks: by name.
        sizes: of the tables, by attack.
        detection: `shared_size`, `repetitions`, `trees`, `seed` and `min_positives`.

    Returns:
        classes; layer_sizes [L]; shared_size; attacks: name -> pool (training images per class),
        train and test (see `statistics`) and example (see `example`); detectors: attack -> list of
        size, auc and auc_own_twins [repetition] or None, train_positives [repetition],
        test_positives, reason (why there is no auc); baselines: attack -> feature set -> auc or
        None; cross: trained on -> tested on -> auc or None; mixed: see `measure_mixed`; importance:
        attack -> [L] sums over the layer's features, mean over repetitions, or None. AUCs are in
        [0, 1].
    """
    first = next(iter(attacks.values()))
    shared = detection["shared_size"]
    tests = _measurable_tests(attacks, detection["min_positives"])
    detectors, cross, importance, baselines = {}, {}, {}, {}
    for name, samples in progress(list(attacks.items()), "detectors", "attacks"):
        layers = read_features(samples, "layers")
        own = {name: tests[name]} if name in tests else {}
        found = {
            size: detect(samples, layers, size, tests if size == shared else own, detection)
            for size in sorted({*sizes[name], shared})
        }
        detectors[name] = [_as_values(result, name) for result in found.values()]
        cross[name] = {other: found[shared].auc.get(other) for other in attacks}
        importance[name] = _by_layer(found[shared].importance, samples.layer_sizes)
        baselines[name] = {
            feature_set: _baseline(samples, feature_set, shared, detection)
            for feature_set in BASELINES
        }
    return {
        "classes": list(first.classes),
        "layer_sizes": first.layer_sizes.tolist(),
        "shared_size": shared,
        "attacks": {name: _about(samples) for name, samples in attacks.items()},
        "detectors": detectors,
        "baselines": baselines,
        "cross": cross,
        "mixed": measure_mixed(attacks, shared, tests, detection),
        "importance": importance,
    }


def measure_mixed(
    attacks: Mapping[str, AttackSamples],
    size: int,
    tests: Mapping[str, Rows],
    detection: Mapping[str, Any],
) -> dict[str, list[float] | None]:
    """Detectors trained on the successful samples of all attacks together.

    The images are those that every attack was tried on; each is one clean row, with up to one
    adversarial row per attack.

    Args:
        attacks: by name.
        size: n, images per class.
        tests: attack -> rows to test on, for the attacks that have enough.
        detection: `repetitions`, `trees`, `seed` and `min_positives`.

    Returns:
        AUCs [repetition] or None by the attack tested on; `all`: on the samples of all attacks
        together.

    Raises:
        ClearfiltersError: if the attacks were tried on different images.
    """
    first = next(iter(attacks.values()))
    pool = min(samples.pool for samples in attacks.values())
    images = {name: samples.training_images(pool) for name, samples in attacks.items()}
    for name, samples in attacks.items():
        if not np.array_equal(samples.index[images[name]], first.index[images[first.attack]]):
            raise ClearfiltersError(
                f"{samples.path}: other images than in {first.path}; make both again"
            )
    success = {name: samples.success[images[name]] for name, samples in attacks.items()}
    clean = read_features(first, "layers").clean[images[first.attack]]
    adversarial = {
        name: read_features(samples, "layers").adversarial[images[name]]
        for name, samples in attacks.items()
    }
    labels = first.label[images[first.attack]]
    together = _together(tests)
    auc: dict[str, list[float]] = {name: [] for name in together}
    for repetition in range(detection["repetitions"] if tests else 0):
        drawn = draw_images(labels, size, detection["seed"], repetition)
        blocks = [adversarial[name][drawn[success[name][drawn]]] for name in attacks]
        positives = sum(map(len, blocks))
        if positives < detection["min_positives"]:
            auc = {}
            break
        rows = Rows(
            np.concatenate([clean[drawn], *blocks]),
            np.repeat([False, True], [len(drawn), positives]),
        )
        forest = fit_forest(rows, detection["trees"], detection["seed"], repetition)
        for name, held_out in together.items():
            auc[name].append(area_under_curve(forest, held_out))
    return {name: auc.get(name) for name in [*attacks, "all"]}


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


def _about(samples: AttackSamples) -> dict[str, Any]:
    return {
        "pool": samples.pool,
        "train": statistics(samples, TRAIN),
        "test": statistics(samples, TEST),
        "example": example(samples),
    }


def _measurable_tests(attacks: Mapping[str, AttackSamples], needed: int) -> dict[str, Rows]:
    """The rows to test on, of the attacks that have enough successful test samples."""
    return {
        name: held_out_rows(samples, read_features(samples, "layers"))
        for name, samples in attacks.items()
        if samples.success[samples.split == TEST].sum() >= needed
    }


def _together(tests: Mapping[str, Rows]) -> dict[str, Rows]:
    """The tests and `all`: the clean rows, which they share, and everyone's adversarial rows."""
    if not tests:
        return {}
    first = next(iter(tests.values()))
    blocks = [first.features[~first.adversarial]]
    blocks += [rows.features[rows.adversarial] for rows in tests.values()]
    counts = [len(blocks[0]), sum(map(len, blocks[1:]))]
    return {**tests, "all": Rows(np.concatenate(blocks), np.repeat([False, True], counts))}


def _baseline(
    samples: AttackSamples, feature_set: str, size: int, detection: Mapping[str, Any]
) -> list[float] | None:
    features = read_features(samples, feature_set)
    tests = {samples.attack: held_out_rows(samples, features)}
    return detect(samples, features, size, tests, detection).auc.get(samples.attack)


def _as_values(result: Detection, attack: str) -> dict[str, Any]:
    return {
        "size": result.size,
        "auc": result.auc.get(attack),
        "auc_own_twins": result.auc_own_twins or None,
        "train_positives": result.train_positives,
        "test_positives": result.test_positives,
        "reason": result.reason,
    }


def _by_layer(
    importance: npt.NDArray[np.float64] | None, layer_sizes: Indices
) -> list[float] | None:
    """Sums over the features of each layer."""
    if importance is None:
        return None
    starts = np.concatenate([[0], np.cumsum(layer_sizes)[:-1]])
    return np.add.reduceat(importance, starts).tolist()


def _check_pools(attacks: Mapping[str, AttackSamples], sizes: Mapping[str, Sequence[int]]) -> None:
    for name, samples in attacks.items():
        if min(sizes[name]) > samples.pool:
            raise ClearfiltersError(
                f"{samples.path}: `{name}` attacked {samples.pool} training images per class, but "
                f"the smallest size of its detectors is {min(sizes[name])}; raise attacks."
                f"white_box.{name}.train_per_class or lower attacks.detection.tables.*.sizes"
            )


def _check_successes(attacks: Mapping[str, AttackSamples], needed: int, model: str) -> None:
    """A network that withstands some attacks is a result; without any sample there is none."""
    found = {
        name: [int(samples.success[samples.split == split].sum()) for split in (TRAIN, TEST)]
        for name, samples in attacks.items()
    }
    if any(min(counts) >= needed for counts in found.values()):
        return
    listed = ", ".join(f"`{name}` {train} and {test}" for name, (train, test) in found.items())
    raise ClearfiltersError(
        f"detection of {model}: a detector needs {needed} successful adversarial samples in "
        f"training and {needed} in test, found: {listed}; attack harder, attack more images, lower "
        "attacks.detection.min_positives, or take the model out of attacks.experiments"
    )
