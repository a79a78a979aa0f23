"""Detection on made-up samples whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
from detection_samples import (
    ALL,
    LAYERS,
    TEST_POOL,
    TRAIN_POOL,
    C,
    recorded,
    slice_of,
    write_samples,
)

from clearfilters.attacks.adversarial_samples import load_attack, read_features
from clearfilters.attacks.detection import table_sizes
from clearfilters.attacks.random_forest import detector_rows
from clearfilters.errors import ClearfiltersError


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


def test_the_same_samples_give_the_same_file(tmp_path: Path) -> None:
    slice_ = slice_of("pgd")
    write_samples(tmp_path, slice_, "pgd", fails=lambda i: i % 3 == 0)
    assert recorded(tmp_path, slice_) == recorded(tmp_path, slice_)


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
