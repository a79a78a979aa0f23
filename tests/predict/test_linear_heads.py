"""Predictions against the network's own logits and a map made by a naive loop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.ndimage import zoom

from clearfilters.data.digits import CLASSES
from clearfilters.data.store import read_split
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict.linear_heads import Prediction, overlay, predict_image
from clearfilters.predict.views import read_image, view_of
from clearfilters.training.checkpoint import load_checkpoint


def predicted(
    checkpoint: Path, picture: Path, filters: int = 16
) -> tuple[Prediction, Classifier, torch.Tensor]:
    """The prediction, the network and its input."""
    method, meta = load_checkpoint(checkpoint)
    view = view_of(read_image(picture), meta)
    found = predict_image(view, method, meta, filters=filters, gate_threshold=0.5)
    return found, method.network, view.network_input()


def test_answer_is_that_of_the_std_path(checkpoint: Path, picture: Path) -> None:
    found, model, image = predicted(checkpoint, picture)
    with torch.no_grad():
        logits = model(image)[0].double().numpy()
    answer = int(logits.argmax())
    assert found.answer.label == CLASSES[answer]
    assert found.answer.logit == pytest.approx(logits[answer], rel=1e-5)
    shares = np.exp(logits) / np.exp(logits).sum()
    assert found.answer.confidence == pytest.approx(shares[answer], rel=1e-5)


def test_contributions_and_bias_add_up_to_the_logit(checkpoint: Path, picture: Path) -> None:
    found, model, image = predicted(checkpoint, picture)
    contributions = [item.contribution for item in found.filters]
    assert sum(contributions) + found.bias == pytest.approx(found.answer.logit, abs=1e-5)
    assert contributions == sorted(contributions, reverse=True)
    assert sorted(item.index for item in found.filters) == list(range(16))
    with torch.no_grad():
        pooled = model.feature_maps(image)[0].flatten(1).sum(dim=1) / 64
    row = model.head.weight[CLASSES.index(found.answer.label)]
    for item in found.filters:
        expected = float(row[item.index].detach() * pooled[item.index])
        assert item.contribution == pytest.approx(expected, abs=1e-6)


def test_only_the_first_filters_are_listed(checkpoint: Path, picture: Path) -> None:
    every, few = predicted(checkpoint, picture)[0], predicted(checkpoint, picture, filters=3)[0]
    assert few.filters == every.filters[:3]
    assert len(predicted(checkpoint, picture, filters=99)[0].filters) == 16


def test_filters_name_the_classes_of_their_gate_column(checkpoint: Path, picture: Path) -> None:
    for item in predicted(checkpoint, picture)[0].filters:
        if item.index == 7:
            assert item.named == tuple(CLASSES)
        elif item.index % 2 == 0:
            assert item.named == ("3", "5")
        else:
            assert item.named == ("3",)
    plain = predicted(checkpoint.parent / "plain", picture)[0]
    assert all(item.named is None for item in plain.filters)


def test_activation_map_by_a_naive_loop(checkpoint: Path, picture: Path) -> None:
    found, model, image = predicted(checkpoint, picture)
    with torch.no_grad():
        maps = model.feature_maps(image)[0].double().numpy()
    row = model.head.weight[CLASSES.index(found.answer.label)].detach().double().numpy()
    coarse = np.zeros((8, 8))
    for k in range(16):
        coarse += row[k] * maps[k]
    assert coarse.mean() + found.bias == pytest.approx(found.answer.logit, abs=1e-5)
    # SciPy's linear zoom on a grid of pixel centres is the same bilinear interpolation.
    expected = zoom(coarse, (40 / 8, 52 / 8), order=1, mode="nearest", grid_mode=True)
    assert found.activation_map.shape == (40, 52)
    np.testing.assert_allclose(found.activation_map, expected, atol=1e-5)


def test_overlay_keeps_the_size_and_marks_the_peak() -> None:
    grey = Image.new("RGB", (6, 4), (100, 100, 100))
    activation_map = np.zeros((4, 6), np.float32)
    activation_map[1, 2] = 5.0
    laid = np.asarray(overlay(grey, activation_map))
    assert laid.shape == (4, 6, 3)
    different = (laid != laid[0, 0]).any(axis=2)
    assert different.sum() == 1 and different[1, 2]
    flat = np.asarray(overlay(grey, np.full((4, 6), -3.0, np.float32)))
    assert (flat == flat[0, 0]).all()


def test_a_dataset_image_is_answered_as_in_the_store(
    checkpoint: Path, digits_store: Path, tmp_path: Path
) -> None:
    method, meta = load_checkpoint(checkpoint)
    model = method.network
    pixels: npt.NDArray[np.uint8] = np.array(read_split(digits_store, "test").images[0])
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    view = view_of(read_image(tmp_path / "digit.png"), meta)
    found = predict_image(view, method, meta, filters=1, gate_threshold=0.5)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    assert found.answer.logit == pytest.approx(float(model(image).detach().max()), rel=1e-5)


def test_one_output_tells_two_classes_apart(
    make_slice: Callable[..., TrainingSlice], fresh_method: Callable[[TrainingSlice], Method]
) -> None:
    method = fresh_method(make_slice()).eval()
    head = torch.nn.Linear(16, 1)
    method.network.parts.head = head
    meta = {
        "parameters": make_slice(loss="logistic").model_dump(by_alias=True),
        "classes": ["no", "yes"],
        "image_size": 32,
    }
    view = view_of(Image.new("RGB", (32, 32), (200, 90, 20)), meta)
    for bias, label, sign in ((50.0, "yes", 1), (-50.0, "no", -1)):
        with torch.no_grad():
            head.bias.fill_(bias)
            z = float(method.network(view.network_input()))
        found = predict_image(view, method, meta, filters=16, gate_threshold=0.5)
        assert (found.answer.label, found.answer.index) == (label, int(sign > 0))
        assert found.answer.logit == pytest.approx(sign * z)
        assert found.answer.confidence == pytest.approx(1 / (1 + np.exp(-sign * z)))
        assert found.bias == sign * bias
        total = sum(item.contribution for item in found.filters) + found.bias
        assert total == pytest.approx(sign * z, abs=1e-4)
