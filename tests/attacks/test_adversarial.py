"""Recorded adversarial samples: what is drawn, and whether the file tells the truth."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clearfilters.artifacts import parameters_hash, read_json
from clearfilters.attacks.adversarial import (
    draw_images,
    draw_targets,
    record_adversarial,
)
from clearfilters.data.augmentation import as_network_input
from clearfilters.data.store import read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import load_checkpoint, save_checkpoint

CPU = torch.device("cpu")
NAMES = [str(digit) for digit in range(10)]
FGSM = {"method": "fgsm", "targeted": True, "eps": 0.3, "train_per_class": 2}
UNTARGETED = {**FGSM, "targeted": False, "eps": 0.1}
PGD = {**FGSM, "method": "pgd", "alpha": 0.1, "steps": 4}
CW = {
    "method": "cw", "targeted": True, "c": 10.0, "kappa": 0.0, "steps": 8, "lr": 0.2,
    "train_per_class": 2,
}  # fmt: skip
Build = Callable[..., TrainingSlice]
Fresh = Callable[[TrainingSlice], Method]


@pytest.fixture
def checkpoint(tmp_path: Path, digits_store: Path, make_slice: Build, fresh_method: Fresh) -> Path:
    """A random network, its answers spread over the classes so that attacks succeed at times."""
    meta = read_meta(digits_store)
    torch.manual_seed(0)
    method = fresh_method(make_slice()).eval()
    model = method.network
    with torch.no_grad():
        images = as_network_input(
            torch.from_numpy(np.array(read_split(digits_store, "test").images))
        )
        model.head.bias -= model(images).mean(dim=0)
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, method, [], make_slice(), meta, CPU)
    return folder


def adversarial_slice(training: TrainingSlice, attack: dict[str, Any]) -> dict[str, Any]:
    return {
        **training.model_dump(by_alias=True),
        "sampling": {"seed": 5, "test_per_class": 1, "batch_size": 8},
        "attack": attack,
    }


def record(
    checkpoint: Path, store: Path, slice_: dict[str, Any], name: str = "attack"
) -> dict[str, np.ndarray[Any, Any]]:
    out = checkpoint.parent / f"{name}.npz"
    record_adversarial(checkpoint, store, name, slice_, out, CPU)
    with np.load(out, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("attack", [FGSM, UNTARGETED, PGD, CW], ids=lambda a: a["method"])
def test_the_file_tells_the_truth(
    checkpoint: Path, digits_store: Path, make_slice: Build, attack: dict[str, Any]
) -> None:
    """Bounds, norms, predictions and successes, computed anew from the stored samples."""
    found = record(checkpoint, digits_store, adversarial_slice(make_slice(), attack))
    assert {key: (array.dtype.name, array.shape[1:]) for key, array in found.items()} == {
        "split": ("int8", ()),
        **dict.fromkeys(("index", "label", "target"), ("int64", ())),
        **dict.fromkeys(("clean_predicted", "predicted"), ("int64", ())),
        "success": ("bool", ()),
        **dict.fromkeys(("linf", "l2"), ("float32", ())),
        "clean": ("uint8", (32, 32, 3)),
        "adversarial": ("float32", (32, 32, 3)),
        # Width 4: a quarter of 688.
        **dict.fromkeys(("clean_layers", "adversarial_layers"), ("float32", (172,))),
        "layer_sizes": ("int64", ()),
        **dict.fromkeys(("clean_logits", "adversarial_logits"), ("float32", (10,))),
    }
    assert found["layer_sizes"].tolist() == [4] * 7 + [8] * 6 + [16] * 6
    assert {len(array) for key, array in found.items() if key != "layer_sizes"} == {30}

    for position, name in enumerate(("train", "test")):
        chosen = found["split"] == position
        split = read_split(digits_store, name)
        index = found["index"][chosen]
        assert len(set(index)) == len(index)
        np.testing.assert_array_equal(found["clean"][chosen], split.images[index])
        np.testing.assert_array_equal(found["label"][chosen], split.labels[index])
    np.testing.assert_array_equal(found["split"], [0] * 20 + [1] * 10)
    np.testing.assert_array_equal(found["label"], [*range(10)] * 3)  # by rank, then class

    adversarial = found["adversarial"]
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    perturbation = adversarial.astype(np.float64) - found["clean"] / 255
    flat = perturbation.reshape(30, -1)
    np.testing.assert_allclose(found["linf"], abs(flat).max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["l2"], (flat**2).sum(axis=1) ** 0.5, rtol=1e-5, atol=1e-5)
    if "eps" in attack:
        assert abs(perturbation).max() <= attack["eps"] + 1e-6

    model = load_checkpoint(checkpoint)[0].network
    clean = found["clean"].astype(np.float32) / 255
    for pixels, version in ((clean, "clean"), (adversarial, "adversarial")):
        with torch.no_grad():
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            logits = model(images).numpy()
            pooled = model.pooled(images).numpy()
        np.testing.assert_allclose(found[f"{version}_logits"], logits, atol=1e-4)
        np.testing.assert_allclose(found[f"{version}_layers"][:, -16:], pooled, atol=1e-4)
        predicted = found["clean_predicted" if version == "clean" else "predicted"]
        np.testing.assert_array_equal(predicted, logits.argmax(axis=1))

    for row in range(30):
        label, target = found["label"][row], found["target"][row]
        before, after = found["clean_predicted"][row], found["predicted"][row]
        if attack["targeted"]:
            assert target in range(10) and target != label
            expected = after == target and before != target
        else:
            assert target == -1
            expected = before == label and after != label
        assert found["success"][row] == expected
    assert found["success"].any() and not found["success"].all()


def test_what_made_the_file_stands_beside_it(
    checkpoint: Path, digits_store: Path, make_slice: Build
) -> None:
    slice_ = adversarial_slice(make_slice(), FGSM)
    found = record(checkpoint, digits_store, slice_, "fgsm")
    meta = read_json(checkpoint.parent / "fgsm.json")
    assert meta["attack"] == "fgsm" and meta["parameters"] == slice_
    assert meta["parameters_hash"] == parameters_hash(slice_)
    assert meta["classes"] == NAMES
    assert meta["packages"] == {"torchattacks": metadata.version("torchattacks")}
    assert meta["training"]["epochs"] == 3 and meta["training"]["dataset"] == "digits"
    assert meta["device"].startswith("CPU")
    for position, name in enumerate(("train", "test")):
        chosen = found["split"] == position
        before = found["clean_predicted"][chosen]
        assert meta["counts"][name] == {
            "images": chosen.sum(),
            "clean_correct": (before == found["label"][chosen]).sum(),
            "eligible": (before != found["target"][chosen]).sum(),
            "success": found["success"][chosen].sum(),
        }


@pytest.mark.parametrize("attack", [FGSM, PGD, CW], ids=lambda a: a["method"])
def test_a_smaller_pool_is_the_beginning_of_a_larger_one(
    checkpoint: Path, digits_store: Path, make_slice: Build, attack: dict[str, Any]
) -> None:
    """To the bit, although other images are attacked in the same batches."""
    large = record(checkpoint, digits_store, adversarial_slice(make_slice(), attack))
    fewer = {**attack, "train_per_class": 1}
    small = record(checkpoint, digits_store, adversarial_slice(make_slice(), fewer), "small")
    same = [*range(10), *range(20, 30)]
    for key in large:
        if key != "layer_sizes":
            np.testing.assert_array_equal(small[key], large[key][same], err_msg=key)


def test_images_are_ranked_within_their_class() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 300)
    drawn = draw_images(labels, NAMES, 12, 0, "train")
    assert len(set(drawn.tolist())) == 120
    np.testing.assert_array_equal(labels[drawn], [*range(10)] * 12)
    for fewer in range(1, 12):
        np.testing.assert_array_equal(
            draw_images(labels, NAMES, fewer, 0, "train"), drawn[: 10 * fewer]
        )
    for seed, split in ((1, "train"), (0, "test")):
        assert (draw_images(labels, NAMES, 12, seed, split) != drawn).any()


def test_too_few_images_of_a_class_are_named() -> None:
    labels = np.array([0, 1, 1, 0, 2, 1, 0])
    with pytest.raises(
        ClearfiltersError, match=r"2 images per class .*test split has 1 of class `cat`; lower"
    ):
        draw_images(labels, ["bee", "ant", "cat"], 2, 0, "test")


def test_targets_are_other_classes_and_depend_on_the_image_alone() -> None:
    index = np.arange(4500)
    labels = index % 10
    targets = draw_targets(index, labels, 10, 0, "train")
    counts = np.zeros((10, 10))
    np.add.at(counts, (labels, targets), 1)
    assert (np.diag(counts) == 0).all()
    expected = 450 / 9
    others = counts[~np.eye(10, dtype=bool)]
    assert abs(others - expected).max() < 5 * expected**0.5
    some = np.array([4000, 7, 123])
    np.testing.assert_array_equal(draw_targets(some, labels[some], 10, 0, "train"), targets[some])
    for seed, split in ((1, "train"), (0, "test")):
        other = draw_targets(index, labels, 10, seed, split)
        assert abs((other == targets).mean() - 1 / 9) < 0.03


def test_a_checkpoint_of_other_parameters_is_refused(
    checkpoint: Path, digits_store: Path, make_slice: Build
) -> None:
    other = make_slice(seed=1)
    with pytest.raises(ClearfiltersError) as caught:
        record(checkpoint, digits_store, adversarial_slice(other, FGSM))
    for training in (make_slice(), other):
        assert parameters_hash(training.model_dump(by_alias=True))[:12] in str(caught.value)
    assert not (checkpoint.parent / "attack.npz").exists()
