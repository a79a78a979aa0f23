"""Do a network's features give adversarial samples away? Random forests that tell them apart.

LSG section 4.5 and table 4, CSG section 5.2 and appendix I: the global averages of every
convolution's activations are the features, clean images one class, adversarial ones the other. The
detectors train on images of the training split and are tested on images of the test split, so an
image and its adversarial twin never fall on both sides.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.analysis.recording import write_measurement
from clearfilters.attacks.adversarial_samples import (
    TEST,
    TRAIN,
    AttackSamples,
    Indices,
    load_attack,
    read_features,
)
from clearfilters.attacks.attack_success import attack_success
from clearfilters.attacks.random_forest import (
    Detection,
    Rows,
    area_under_curve,
    detect,
    draw_images,
    fit_forest,
    held_out_rows,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.params.attacks import DetectionParams
from clearfilters.params.reading import parse
from clearfilters.progress import progress

# What stands beside the papers' features (every convolution: "layers").
BASELINES = ("last_layer", "logits", "pixels")


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
        train, test and example (see `attack_success`); detectors: attack -> list of
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
        "attacks": {name: attack_success(samples) for name, samples in attacks.items()},
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
