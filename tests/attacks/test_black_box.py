"""What is recorded of the black-box attacks."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clearfilters.analysis.proportion import wilson_interval
from clearfilters.artifacts import parameters_hash, read_json
from clearfilters.attacks.black_box import black_box_values, choose_images
from clearfilters.attacks.queries import Outcome
from clearfilters.data.store import read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import load_checkpoint, save_checkpoint
from clearfilters.training.network_measurement import record_network_measurement

CPU = torch.device("cpu")
Build = Callable[..., TrainingSlice]
Fresh = Callable[[TrainingSlice], Method]
ONE_PIXEL = {
    "images": 3, "population": 6, "generations": 2, "mutation": 0.5, "seed": 0, "batch_size": 32,
}  # fmt: skip
LOCAL_SEARCH = {
    "images": 3, "rounds": 2, "perturbed": 2, "half_side": 2, "cooldown": 30, "p": 1.0, "r": 1.5,
    "initial_share": 0.01, "candidates": 8, "order": "lowest", "seed": 0, "batch_size": 32,
}  # fmt: skip
PARAMETERS: dict[str, dict[str, Any]] = {"one_pixel": ONE_PIXEL, "local_search": LOCAL_SEARCH}


def balance(model: Classifier, store: Path) -> None:
    """Give a random network answers of every class, so that it is sometimes right."""
    images = torch.from_numpy(np.array(read_split(store, "test").images)).permute(0, 3, 1, 2)
    model.eval()
    with torch.no_grad():
        logits = model(images.float() / 255)
        model.head.weight /= logits.std(dim=0)[:, None]
        model.head.bias -= logits.mean(dim=0)
        model.head.bias /= logits.std(dim=0)


@pytest.fixture
def trained(
    tmp_path: Path, digits_store: Path, make_slice: Build, fresh_method: Fresh
) -> dict[str, Any]:
    """A checkpoint of a random network; its slice."""
    parameters = make_slice()
    meta = read_meta(digits_store)
    torch.manual_seed(0)
    method = fresh_method(parameters)
    balance(method.network, digits_store)
    save_checkpoint(tmp_path / "checkpoint", method, [], parameters, meta, CPU)
    return parameters.model_dump(by_alias=True)


def record(
    analysis: str, folder: Path, store: Path, training: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    slice_ = {**training, analysis: {**PARAMETERS[analysis], **changes}}
    out = folder / f"{analysis}.json"
    record_network_measurement(
        analysis, folder / "checkpoint", store, slice_, experiment="net", seed=0, out=out,
        device=CPU,
    )  # fmt: skip
    written: dict[str, Any] = read_json(out)
    assert written["provenance"]["parameters_hash"] == parameters_hash(slice_)
    return written


@pytest.mark.parametrize(("analysis", "budget"), [("one_pixel", 18), ("local_search", 18)])
def test_a_measurement(
    analysis: str, budget: int, tmp_path: Path, digits_store: Path, trained: dict[str, Any]
) -> None:
    written = record(analysis, tmp_path, digits_store, trained)
    values, provenance = written["values"], written["provenance"]
    split = read_split(digits_store, "test")
    model = load_checkpoint(tmp_path / "checkpoint")[0].network
    images = torch.from_numpy(np.array(split.images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        accuracy = (model(images).argmax(dim=1).numpy() == split.labels).mean()
    assert values["accuracy"] == pytest.approx(accuracy)
    assert values["attacked"] == 3 and sum(values["per_class"]["attacked"]) == 3
    assert values["success_rate"] == values["successes"] / 3
    assert values["query_budget"] == budget
    assert 0 < values["queries_mean"] <= budget
    assert provenance["analysis"] == analysis and provenance["training"]["dataset"] == "digits"
    assert set(provenance["inputs"]) == {
        "checkpoint/model.safetensors",
        "test/images.npy",
        "test/labels.npy",
    }
    again = record(analysis, tmp_path, digits_store, trained)
    assert json.dumps(again) == json.dumps(written)


def test_errors(tmp_path: Path, digits_store: Path, trained: dict[str, Any]) -> None:
    with pytest.raises(ClearfiltersError) as caught:
        record("one_pixel", tmp_path, digits_store, trained, images=64)
    for part in ("checkpoint", "of 64 test images", "attacks.one_pixel.images is 64", "lower it"):
        assert part in str(caught.value)
    with pytest.raises(ClearfiltersError, match="train again or restore"):
        record("one_pixel", tmp_path, digits_store, {**trained, "seed": 1})
    with pytest.raises(ClearfiltersError, match="population"):
        record("one_pixel", tmp_path, digits_store, trained, population=3)
    with pytest.raises(ClearfiltersError, match="attak"):
        record("one_pixel", tmp_path, digits_store, trained, attak=3)
    with pytest.raises(ClearfiltersError, match=r"no measurement `two_pixel`.* there are: .*one_"):
        record_network_measurement(
            "two_pixel", tmp_path / "checkpoint", digits_store, trained, experiment="net", seed=0,
            out=tmp_path / "two_pixel.json", device=CPU,
        )  # fmt: skip
    assert not list(tmp_path.glob("*.json"))


def test_images_are_balanced_and_correctly_classified() -> None:
    labels = np.repeat([0, 1, 2], [10, 10, 4])
    predicted = labels.copy()
    predicted[[0, 1, 12]] = 2  # 8 of class 0 are left, 9 of class 1, all 4 of class 2
    for count, expected in ((6, [2, 2, 2]), (7, [3, 2, 2]), (15, [6, 5, 4]), (99, [8, 9, 4])):
        chosen = choose_images(labels, predicted, count, seed=0)
        assert (predicted[chosen] == labels[chosen]).all()
        assert len(set(chosen.tolist())) == len(chosen)
        assert np.bincount(labels[chosen]).tolist() == expected
    assert set(choose_images(labels, predicted, 6, 0)) != set(
        choose_images(labels, predicted, 6, 1)
    )


def test_models_share_the_images_that_both_classify_correctly() -> None:
    labels = np.repeat([0, 1], 50)
    first, second = labels.copy(), labels.copy()
    second[choose_images(labels, first, 2, 0)] = 9  # the other model errs on two of them
    a, b = choose_images(labels, first, 20, 0), choose_images(labels, second, 20, 0)
    assert len(set(a) & set(b)) == 18


def test_values_by_hand() -> None:
    outcome = Outcome(
        adversarial=torch.zeros(4, 3, 2, 2),
        success=np.array([True, False, True, False]),
        queries=np.array([10, 40, 20, 50]),
    )
    values = black_box_values(outcome, np.array([0, 0, 2, 1]), ["a", "b", "c"])
    assert (values["attacked"], values["successes"], values["success_rate"]) == (4, 2, 0.5)
    assert (values["queries_mean"], values["queries_median"]) == (30, 30)
    assert (values["queries_mean_success"], values["queries_median_success"]) == (15, 15)
    assert values["per_class"] == {"attacked": [2, 1, 1], "successes": [1, 0, 1]}
    assert values["classes"] == ["a", "b", "c"]
    none = Outcome(outcome.adversarial, np.zeros(4, bool), outcome.queries)
    values = black_box_values(none, np.array([0, 0, 2, 1]), ["a", "b", "c"])
    assert values["success_rate"] == 0 and values["queries_mean_success"] is None
    assert values["interval"][0] == 0 and values["interval"][1] > 0.4


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (14, 100), (2, 100), (20, 20)])
def test_wilson_interval_by_its_formula(successes: int, trials: int) -> None:
    z, share = 1.959963984540054, successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) * z
    half /= 1 + z * z / trials
    found = wilson_interval(successes, trials)
    assert found == (
        pytest.approx(centre - half, abs=1e-9), pytest.approx(centre + half, abs=1e-9)
    )  # fmt: skip
