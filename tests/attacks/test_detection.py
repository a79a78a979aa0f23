"""Detection on made-up samples whose answers are known."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clearfilters.artifacts import parameters_hash, read_measurement
from clearfilters.attacks.detection import (
    TEST,
    TRAIN,
    detector_rows,
    draw_images,
    held_out_rows,
    load_attack,
    read_features,
    record_detection,
    statistics,
    table_sizes,
)
from clearfilters.errors import ClearfiltersError

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


def test_separable_features_give_1_and_identical_ones_a_half(tmp_path: Path) -> None:
    slice_ = slice_of("pgd", "fgsm")
    write_samples(tmp_path, slice_, "pgd", shifted=ALL)
    write_samples(tmp_path, slice_, "fgsm")
    values = recorded(tmp_path, slice_)
    assert [d["size"] for d in values["detectors"]["pgd"]] == [4, 8]
    for detector in values["detectors"]["pgd"]:
        assert detector["auc"] == [1.0, 1.0]
        assert detector["train_positives"] == [C * detector["size"]] * 2
        assert detector["test_positives"] == C * TEST_POOL
    # A test image and its twin have the same features, hence the same scores: exactly chance.
    for detector in values["detectors"]["fgsm"]:
        assert detector["auc"] == [pytest.approx(0.5)] * 2
    assert values["shared_size"] == 8
    for key in ("last_layer", "logits", "pixels"):
        assert values["baselines"]["pgd"][key] == [1.0, 1.0]
        assert values["baselines"]["fgsm"][key] == [pytest.approx(0.5)] * 2
    assert values["cross"]["pgd"]["fgsm"] == [pytest.approx(0.5)] * 2
    assert values["cross"]["pgd"]["pgd"] == values["detectors"]["pgd"][1]["auc"]
    assert values["mixed"]["pgd"] == [1.0, 1.0]
    # Half of the positives are told apart fully, the other half by chance.
    assert values["mixed"]["all"] == [pytest.approx(0.75, abs=0.01)] * 2
    for importance in values["importance"].values():
        assert len(importance) == len(LAYERS) and sum(importance) == pytest.approx(1)


def test_importance_lies_in_the_layer_that_was_moved(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    rng = np.random.default_rng(0)
    clean = rng.random(((TRAIN_POOL + TEST_POOL) * C, sum(LAYERS)), dtype=np.float32)
    moved = clean + np.float32([5] * LAYERS[0] + [0] * LAYERS[1])
    write_samples(tmp_path, slice_, "pgd", clean_layers=clean, adversarial_layers=moved)
    values = recorded(tmp_path, slice_)
    assert values["importance"]["pgd"][0] > 0.9
    assert values["detectors"]["pgd"][0]["auc"] == [1.0, 1.0]
    assert values["baselines"]["pgd"]["last_layer"] == [pytest.approx(0.5)] * 2


def test_failures_are_counted_and_left_out(tmp_path: Path) -> None:
    slice_ = slice_of("pgd", sizes=(TRAIN_POOL,))
    path = write_samples(tmp_path, slice_, "pgd", shifted=ALL, fails=lambda i: i % 4 == 0)
    values = recorded(tmp_path, slice_)
    # Every fourth of 48 and of 36 images.
    detector = values["detectors"]["pgd"][0]
    assert (detector["train_positives"], detector["test_positives"]) == ([36, 36], 27)
    assert values["attacks"]["pgd"]["train"]["succeeded"] == 36
    samples = load_attack(path, "pgd", slice_)
    features = read_features(samples, "layers")
    rows = detector_rows(samples, features, samples.training_images())
    assert rows.adversarial.sum() == 36 and (~rows.adversarial).sum() == 48
    # Only successful samples were moved into the rows.
    expected = features.adversarial[: TRAIN_POOL * C][samples.success[: TRAIN_POOL * C]]
    np.testing.assert_array_equal(rows.features[rows.adversarial], expected)


def test_own_twins_do_not_profit_from_which_images_can_be_attacked(tmp_path: Path) -> None:
    """The attack moves nothing, but succeeds only where the features lie high."""
    slice_ = slice_of("pgd")
    total = (TRAIN_POOL + TEST_POOL) * C
    easy = np.random.default_rng(5).random(total) < 0.5
    layers = np.random.default_rng(6).random((total, sum(LAYERS)), dtype=np.float32)
    layers += easy[:, None]
    write_samples(
        tmp_path, slice_, "pgd", success=easy, clean_layers=layers, adversarial_layers=layers
    )
    for detector in recorded(tmp_path, slice_)["detectors"]["pgd"]:
        assert min(detector["auc"]) > 0.65
        assert detector["auc_own_twins"] == [pytest.approx(0.5)] * 2


def test_twins_never_lie_on_both_sides(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    path = write_samples(tmp_path, slice_, "pgd", fails=lambda i: i % 5 == 0)
    samples = load_attack(path, "pgd", slice_)
    features = read_features(samples, "layers")  # the random rows name their image
    pool = samples.training_images()
    drawn = pool[draw_images(samples.label[pool], 8, 0, 0)]
    trained = {row.tobytes() for row in detector_rows(samples, features, drawn).features}
    tested = {row.tobytes() for row in held_out_rows(samples, features).features}
    # Features are not changed here: each image and its twin are one row.
    assert len(trained) == C * 8 and len(tested) == C * TEST_POOL
    assert not trained & tested


def test_draws() -> None:
    labels = np.tile(np.arange(C), 20)
    drawn = draw_images(labels, 5, seed=3, repetition=0)
    assert np.bincount(labels[drawn]).tolist() == [5] * C
    assert len(set(drawn)) == len(drawn)
    # A smaller draw lies within a larger one; another repetition is another draw.
    assert set(drawn) < set(draw_images(labels, 9, seed=3, repetition=0))
    assert set(drawn) != set(draw_images(labels, 5, seed=3, repetition=1))
    np.testing.assert_array_equal(drawn, draw_images(labels, 5, seed=3, repetition=0))


def test_draws_of_a_smaller_pool_stand_in_the_same_order() -> None:
    labels = np.tile(np.arange(C), 20)
    whole = draw_images(labels, 20, seed=3, repetition=1)
    for pool in (1, 7, 12):
        smaller = labels[: pool * C]
        kept = whole[whole < len(smaller)]
        np.testing.assert_array_equal(draw_images(smaller, pool, seed=3, repetition=1), kept)


@given(st.integers(0, 3), st.integers(0, 3))
def test_classes_and_repetitions_are_drawn_apart(seed: int, repetition: int) -> None:
    """Also at seed 0: numpy pads seeds with zeros."""
    labels = np.repeat([0, 1], 30)
    first, second = draw_images(labels, 30, seed, repetition).reshape(2, 30)
    assert not np.array_equal(first, second - 30)
    other = draw_images(labels, 30, seed, repetition + 1)
    assert not np.array_equal(first, other[:30]) and not np.array_equal(second, other[30:])


def test_the_same_samples_give_the_same_file(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    write_samples(tmp_path, slice_, "pgd", fails=lambda i: i % 3 == 0)
    assert recorded(tmp_path, slice_) == recorded(tmp_path, slice_)


def test_statistics_by_hand(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    total = (TRAIN_POOL + TEST_POOL) * C
    clean_predicted = np.tile(np.arange(C), TRAIN_POOL + TEST_POOL)
    # Six test images are misclassified without the attack; it succeeds on two of these as well.
    clean_predicted[-6:] = (clean_predicted[-6:] + 2) % C
    success = np.zeros(total, bool)
    success[-20:-4] = True
    linf = np.where(success, np.linspace(0, 1, total), 9).astype(np.float32)
    path = write_samples(
        tmp_path, slice_, "pgd", clean_predicted=clean_predicted, success=success, linf=linf
    )
    found = statistics(load_attack(path, "pgd", slice_), TEST)
    assert (found["attacked"], found["clean_correct"], found["succeeded"]) == (36, 30, 16)
    assert found["clean_accuracy"] == pytest.approx(30 / 36)
    assert found["succeeded_correct"] == 14 and found["success_rate"] == pytest.approx(14 / 30)
    # Wilson's formula.
    p, n, z = 14 / 30, 30, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert found["interval"] == pytest.approx([centre - half, centre + half], abs=1e-6)
    assert found["linf"] == pytest.approx(linf[success].mean())
    nothing = statistics(load_attack(path, "pgd", slice_), TRAIN)
    assert nothing["success_rate"] == 0 and nothing["linf"] is None


def test_example_pictures(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    first = TRAIN_POOL * C + 2
    path = write_samples(tmp_path, slice_, "pgd", shifted=ALL, fails=lambda i: i == first - 2)
    example = recorded(tmp_path, slice_)["attacks"]["pgd"]["example"]

    def pixels(key: str) -> np.ndarray:
        with Image.open(io.BytesIO(base64.b64decode(example[key]))) as image:
            return np.asarray(image).astype(int)

    with np.load(path) as stored:
        np.testing.assert_array_equal(pixels("clean"), stored["clean"][first - 1])
        assert np.abs(pixels("adversarial") / 255 - stored["adversarial"][first - 1]).max() < 0.003
    assert (pixels("perturbation") == 255).all()
    assert (example["label"], example["target"]) == ("class 1", "class 2")


def test_a_weak_attack_is_not_measured_but_ends_nothing(tmp_path: Path) -> None:
    slice_ = slice_of("pgd", "fgsm", "untested", min_positives=8)
    write_samples(tmp_path, slice_, "pgd", shifted=ALL)
    # One class only: 4 of 12 drawn images at n = 4, 8 of 24 at n = 8.
    write_samples(tmp_path, slice_, "fgsm", shifted=ALL, fails=lambda i: i % C != 0)
    # Never in the test split.
    write_samples(tmp_path, slice_, "untested", fails=lambda i: i >= TRAIN_POOL * C)
    values = recorded(tmp_path, slice_)
    small, large = values["detectors"]["fgsm"]
    assert (
        small["auc"] is None
        and small["auc_own_twins"] is None
        and small["train_positives"] == [4, 4]
    )
    assert small["reason"] == "8 successful samples needed, found 4 in training and 12 in test"
    assert large["auc"] == [1.0, 1.0] and large["reason"] == ""
    assert [d["auc"] for d in values["detectors"]["untested"]] == [None, None]
    assert values["cross"]["pgd"]["untested"] is None
    assert values["cross"]["untested"]["pgd"] is None
    assert values["mixed"]["untested"] is None
    assert values["mixed"]["fgsm"] is not None
    assert values["baselines"]["untested"]["logits"] is None
    assert values["importance"]["untested"] is None
    assert values["attacks"]["untested"]["example"] is None


def test_a_smaller_pool_leaves_out_the_larger_sizes(tmp_path: Path) -> None:
    slice_ = slice_of("pgd", "cw", sizes=(4, 8, 16), shared_size=8)
    write_samples(tmp_path, slice_, "pgd", shifted=ALL)
    # The smaller pool is the beginning of the larger one.
    write_samples(tmp_path, slice_, "cw", shifted=ALL, pool=8)
    values = recorded(tmp_path, slice_)
    assert [d["auc"] is None for d in values["detectors"]["cw"]] == [False, False, True]
    reason = values["detectors"]["cw"][2]["reason"]
    assert reason == "16 training images per class needed, 8 attacked"
    assert values["shared_size"] == 8


def test_attacks_on_different_images_cannot_be_mixed(tmp_path: Path) -> None:
    slice_ = slice_of("pgd", "cw")
    write_samples(tmp_path, slice_, "pgd")
    index = np.arange((TRAIN_POOL + TEST_POOL) * C)[::-1].copy()
    write_samples(tmp_path, slice_, "cw", index=index)
    with pytest.raises(ClearfiltersError, match=r"cw.npz: other images than in .*pgd.npz"):
        recorded(tmp_path, slice_)


def test_a_model_without_enough_samples_of_any_attack(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm", "pgd", min_positives=10)
    write_samples(tmp_path, slice_, "fgsm", fails=lambda i: i > 6)
    # Enough in training, too few in test.
    write_samples(tmp_path, slice_, "pgd", fails=lambda i: i >= TRAIN_POOL * C + 9)
    message = "resnet20-std, seed 0: a detector needs 10 .* `fgsm` 7 and 0, `pgd` 48 and 9; attack"
    with pytest.raises(ClearfiltersError, match=message):
        recorded(tmp_path, slice_)
    assert not (tmp_path / "metrics").exists()


def test_a_size_above_the_pool_is_named(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm", sizes=(17, 30))
    write_samples(tmp_path, slice_, "fgsm")
    with pytest.raises(ClearfiltersError, match=r"attacked 16 training images .* is 17"):
        recorded(tmp_path, slice_)


def test_an_unknown_attack_is_named() -> None:
    tables = {"lsg_table4": {"attacks": ["gpd"], "sizes": [4]}}
    with pytest.raises(ClearfiltersError, match=r"lsg_table4: no attack `gpd`; defined: pgd"):
        table_sizes(tables, {"pgd": {}})
    with pytest.raises(ClearfiltersError, match="no attack with a size"):
        table_sizes({}, {"pgd": {}})


def test_samples_of_other_parameters_are_refused(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm")
    write_samples(tmp_path, slice_, "fgsm")
    slice_["white_box"]["fgsm"]["eps"] = 0.5
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: made with parameters .* restore"):
        recorded(tmp_path, slice_)


def test_samples_without_the_packages_that_made_them_are_refused(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm")
    about = write_samples(tmp_path, slice_, "fgsm").with_suffix(".json")
    meta = json.loads(about.read_text())
    del meta["packages"]
    about.write_text(json.dumps(meta))
    with pytest.raises(ClearfiltersError, match=r"fgsm.json: lacks packages; .*`fgsm` again"):
        recorded(tmp_path, slice_)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"success": np.ones(3, bool)}, r"`success` has shape \(3,\), \(M,\) expected with M = 84"),
        ({"label": np.zeros(84, np.int64)}, r"labels \[0\], every one of 0 to 2 expected"),
        ({"layer_sizes": np.array([3, 4])}, "8 features in `clean_layers`, 7 expected"),
        ({"adversarial_logits": np.zeros((5, C))}, r"\(5, 3\) \(adversarial\) for 84 images"),
        ({"clean_layers": np.full((84, 8), np.nan)}, "layers hold NaN"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    slice_ = slice_of("fgsm")
    write_samples(tmp_path, slice_, "fgsm", **change)
    with pytest.raises(ClearfiltersError, match=message):
        recorded(tmp_path, slice_)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    slice_ = slice_of("fgsm")
    with pytest.raises(ClearfiltersError, match=r"fgsm.json: no such file"):
        recorded(tmp_path, slice_)
    path = write_samples(tmp_path, slice_, "fgsm")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: damaged"):
        recorded(tmp_path, slice_)
    np.savez(path, split=np.zeros(3))
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: arrays split, index, .* expected"):
        recorded(tmp_path, slice_)
    path.unlink()
    with pytest.raises(ClearfiltersError, match=r"fgsm.npz: no such file"):
        recorded(tmp_path, slice_)
