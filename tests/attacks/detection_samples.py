"""Made-up adversarial samples, and what the detection of them records."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from clearfilters.artifacts import parameters_hash, read_measurement
from clearfilters.attacks.adversarial_samples import TEST, TRAIN
from clearfilters.attacks.detection import record_detection

C, TRAIN_POOL, TEST_POOL = 3, 16, 12
LAYERS = [3, 5]
ALL = ("layers", "logits", "pixels")


def slice_of(*attacks: str, sizes: tuple[int, ...] = (4, 8), **detection: Any) -> dict[str, Any]:
    """A detection slice; every attack stands in one table."""
    return {
        "model": {"name": "resnet20", "width": 4},
        "seed": 0,
        "sampling": {"seed": 0},
        "white_box": {name: {"method": "fgsm", "name": name} for name in attacks},
        "detection": {
            "tables": {"csg_detection": {"attacks": list(attacks), "sizes": list(sizes)}},
            "shared_size": max(sizes),
            "repetitions": 2,
            "trees": 15,
            "seed": 0,
            "min_positives": 3,
            **detection,
        },
    }


def write_samples(
    folder: Path,
    slice_: dict[str, Any],
    attack: str,
    *,
    shifted: tuple[str, ...] = (),
    fails: Any = None,
    pool: int = TRAIN_POOL,
    noise_seed: int = 0,
    **change: Any,
) -> Path:
    """The samples of an attack.

    Args:
        shifted: feature sets that the attack moves far away; it leaves the others as they were.
        fails: (M,) or a function of the image numbers: where the attack does not succeed.
        pool: training images per class.
        change: arrays to write instead.
    """
    labels = np.tile(np.arange(C), pool + TEST_POOL)
    split = np.repeat([TRAIN, TEST], [pool * C, TEST_POOL * C])
    number = np.arange(len(labels))
    success = np.ones(len(labels), bool) if fails is None else ~fails(number)
    rng = np.random.default_rng(noise_seed)
    features = {
        "layers": rng.random((len(labels), sum(LAYERS)), dtype=np.float32),
        "logits": rng.random((len(labels), C), dtype=np.float32),
    }
    clean = rng.integers(0, 120, (len(labels), 4, 4, 3), dtype=np.uint8)
    arrays: dict[str, Any] = {
        "split": split.astype(np.int8),
        "index": np.where(split == TRAIN, number, number - pool * C),
        "label": labels,
        "target": (labels + 1) % C,
        "clean_predicted": labels,
        "predicted": np.where(success, (labels + 1) % C, labels),
        "success": success,
        "linf": np.full(len(labels), 0.1, np.float32),
        "l2": np.full(len(labels), 0.5, np.float32),
        "clean": clean,
        "adversarial": clean.astype(np.float32) / 255 + 0.5 * ("pixels" in shifted),
        "layer_sizes": np.array(LAYERS),
    }
    for name, values in features.items():
        arrays[f"clean_{name}"] = values
        arrays[f"adversarial_{name}"] = values + np.float32(5 * (name in shifted))
    path = folder / f"{attack}.npz"
    np.savez(path, **(arrays | change))
    training = {k: v for k, v in slice_.items() if k not in ("sampling", "white_box", "detection")}
    made = {**training, "sampling": slice_["sampling"], "attack": slice_["white_box"][attack]}
    meta = {
        "parameters_hash": parameters_hash(made),
        "classes": [f"class {c}" for c in range(C)],
        "training": {"epochs": 1, "packages": {"torch": "2.15.0"}, "dataset": "digits"},
        "device": "cpu",
        "packages": {"torchattacks": "3.5.1"},
    }
    path.with_suffix(".json").write_text(json.dumps(meta))
    return path


def recorded(folder: Path, slice_: dict[str, Any]) -> dict[str, Any]:
    out = folder / "metrics" / "seed0.json"
    record_detection(folder, slice_, experiment="resnet20-std", seed=0, out=out)
    found = read_measurement(out, parameters_hash(slice_))
    assert found.provenance["analysis"] == "detection" and found.provenance["device"] == "cpu"
    assert set(found.provenance["inputs"]) == {f"adversarial/{a}.npz" for a in slice_["white_box"]}
    assert found.provenance["packages"]["torchattacks"] == "3.5.1"
    assert found.provenance["packages"]["torch"] == "2.15.0"
    return found.values
