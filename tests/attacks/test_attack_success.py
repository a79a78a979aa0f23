"""The statistics of an attack on made-up samples, and the pictures of an example."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from detection_samples import ALL, TEST_POOL, TRAIN_POOL, C, recorded, slice_of, write_samples
from PIL import Image

from clearfilters.attacks.adversarial_samples import TEST, TRAIN, load_attack
from clearfilters.attacks.attack_success import statistics


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
