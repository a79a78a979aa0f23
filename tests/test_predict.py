"""Predictions against the network's own logits and a map made by a naive loop."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.ndimage import zoom

from clearfilters.data.imagefolder import centre_crop
from clearfilters.data.store import read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.gate_training import GateTraining
from clearfilters.methods.method import Method
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict import (
    Prediction,
    network_input,
    overlay,
    predict_image,
    prepared,
    read_image,
    run,
)
from clearfilters.training.checkpoint import load_checkpoint, save_checkpoint

CLASSES = [f"class {index}" for index in range(10)]


@pytest.fixture
def checkpoint(
    tmp_path: Path,
    digits_store: Path,
    make_slice: Callable[..., TrainingSlice],
    gate_block: Callable[..., dict[str, Any]],
    fresh_method: Callable[[TrainingSlice], Method],
) -> Path:
    """A checkpoint of a random network of K = 16 filters, with a gate; `plain` has none."""
    torch.manual_seed(0)
    parameters, meta = make_slice(method=gate_block()), read_meta(digits_store)
    method = fresh_method(parameters)
    assert isinstance(method, GateTraining)
    torch.nn.init.normal_(method.network.head.bias)
    with torch.no_grad():
        gate = method.gate.values.zero_()
        gate[3, :] = 1.0
        gate[5, 0::2] = 0.5
        gate[:, 7] = 1.0
    save_checkpoint(tmp_path / "gated", method, [], parameters, meta, torch.device("cpu"))
    without = make_slice()
    plain = fresh_method(without)
    save_checkpoint(tmp_path / "plain", plain, [], without, meta, torch.device("cpu"))
    return tmp_path / "gated"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A random colour picture, 40 high and 52 wide."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


def predicted(
    checkpoint: Path, picture: Path, filters: int = 16
) -> tuple[Prediction, Classifier, torch.Tensor]:
    """The prediction, the network and its input."""
    method, meta = load_checkpoint(checkpoint)
    model = method.network
    image = read_image(picture)
    found = predict_image(
        image, model, method.arrays().get("gate"), CLASSES,
        image_size=meta["image_size"], filters=filters, gate_threshold=0.5,
    )  # fmt: skip
    return found, model, network_input(image, 32)


def test_answer_is_that_of_the_std_path(checkpoint: Path, picture: Path) -> None:
    found, model, image = predicted(checkpoint, picture)
    with torch.no_grad():
        logits = model(image)[0].double().numpy()
    answer = int(logits.argmax())
    assert found.label == CLASSES[answer]
    assert found.logit == pytest.approx(logits[answer], rel=1e-5)
    shares = np.exp(logits) / np.exp(logits).sum()
    assert found.confidence == pytest.approx(shares[answer], rel=1e-5)


def test_contributions_and_bias_add_up_to_the_logit(checkpoint: Path, picture: Path) -> None:
    found, model, image = predicted(checkpoint, picture)
    contributions = [item.contribution for item in found.filters]
    assert sum(contributions) + found.bias == pytest.approx(found.logit, abs=1e-5)
    assert contributions == sorted(contributions, reverse=True)
    assert sorted(item.index for item in found.filters) == list(range(16))
    with torch.no_grad():
        pooled = model.feature_maps(image)[0].flatten(1).sum(dim=1) / 64
    row = model.head.weight[CLASSES.index(found.label)]
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
            assert item.named == ("class 3", "class 5")
        else:
            assert item.named == ("class 3",)
    plain = predicted(checkpoint.parent / "plain", picture)[0]
    assert all(item.named is None for item in plain.filters)


def test_activation_map_by_a_naive_loop(checkpoint: Path, picture: Path) -> None:
    found, model, image = predicted(checkpoint, picture)
    with torch.no_grad():
        maps = model.feature_maps(image)[0].double().numpy()
    row = model.head.weight[CLASSES.index(found.label)].detach().double().numpy()
    coarse = np.zeros((8, 8))
    for k in range(16):
        coarse += row[k] * maps[k]
    assert coarse.mean() + found.bias == pytest.approx(found.logit, abs=1e-5)
    # SciPy's linear zoom on a grid of pixel centres is the same bilinear interpolation.
    expected = zoom(coarse, (40 / 8, 52 / 8), order=1, mode="nearest", grid_mode=True)
    assert found.activation_map.shape == (40, 52)
    np.testing.assert_allclose(found.activation_map, expected, atol=1e-5)


def test_an_image_of_the_network_s_size_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    taken = network_input(Image.fromarray(pixels), 32)
    assert taken.shape == (1, 3, 32, 32)
    expected = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    np.testing.assert_array_equal(taken.numpy(), expected)


def test_a_network_of_whole_images_sees_them_as_its_data_set_does() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    data = {"format": "imagefolder", "resize": 20, "image_size": 16}
    found = prepared(image, {"parameters": {"data": data}})
    np.testing.assert_array_equal(np.asarray(found), centre_crop(pixels, 20, 16))
    # Nothing is left to resize, and the map lies over what the network saw.
    np.testing.assert_array_equal(
        network_input(found, 16)[0].permute(1, 2, 0).mul(255).round().numpy(), np.asarray(found)
    )
    assert prepared(image, {"parameters": {"data": {"format": "digits"}}}) is image


def test_a_broken_exif_block_is_passed_over(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    path = tmp_path / "broken.png"
    Image.fromarray(pixels).save(path, exif=b"Exif\x00\x00nonsense")
    np.testing.assert_array_equal(np.asarray(read_image(path)), pixels)


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


def test_run_prints_and_draws(
    checkpoint: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([picture], checkpoint, tmp_path / "out", 3, 0.5)
    text = capsys.readouterr().out
    found, _, _ = predicted(checkpoint, picture)
    assert text.startswith(f"{picture}: {CLASSES.index(found.label)} (confidence ")
    for item in found.filters[:3]:
        assert f"filter {item.index:4d}" in text
    assert text.count("    filter ") == 3
    drawn = tmp_path / "out" / "picture.png.cam.png"
    assert str(drawn) in text
    assert Image.open(drawn).size == (52, 40)
    assert list((tmp_path / "out").iterdir()) == [drawn]


def test_run_says_when_there_is_no_gate(
    checkpoint: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([picture], checkpoint.parent / "plain", tmp_path / "out", 2, 0.5)
    assert capsys.readouterr().out.count("no gate") == 2
    run([picture], checkpoint, tmp_path / "out", 16, 1.0)
    text = capsys.readouterr().out
    assert "no gate" not in text and "all 10 classes" in text and "5" in text


def test_a_dataset_image_is_answered_as_in_the_store(
    checkpoint: Path, digits_store: Path, tmp_path: Path
) -> None:
    method, _ = load_checkpoint(checkpoint)
    model = method.network
    pixels: npt.NDArray[np.uint8] = np.array(read_split(digits_store, "test").images[0])
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    found = predict_image(
        read_image(tmp_path / "digit.png"), model, method.arrays()["gate"], CLASSES,
        image_size=32, filters=1, gate_threshold=0.5,
    )  # fmt: skip
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    assert found.logit == pytest.approx(float(model(image).detach().max()), rel=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_every_8_bit_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (5, 4))
    assert (np.asarray(image) == 255).all()


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 10))
    exif = image.getexif()
    exif[0x0112] = 6  # taken with the camera turned by a quarter
    image.save(tmp_path / "photo.jpg", exif=exif)
    assert read_image(tmp_path / "photo.jpg").size == (10, 30)


def test_unreadable_images(tmp_path: Path, picture: Path) -> None:
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(picture.read_bytes()[:2000])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    folder = tmp_path / "folder.png"
    folder.mkdir()
    for path in (truncated, text, empty, folder):
        with pytest.raises(ClearfiltersError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: cannot be read as an image")
    with pytest.raises(ClearfiltersError, match=r"missing\.png: no such file"):
        read_image(tmp_path / "missing.png")
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(deep)
    with pytest.raises(ClearfiltersError, match=r"deep\.png: cannot be read .*\(mode I;16"):
        read_image(deep)


def test_an_image_over_the_pixel_limit(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ClearfiltersError, match=r"picture\.png: .* pixels.*scale the image down"):
        read_image(picture)


def test_a_bad_image_leaves_no_picture(checkpoint: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    with pytest.raises(ClearfiltersError, match=r"bad\.png"):
        run([bad], checkpoint, tmp_path / "out", 3, 0.5)
    assert not (tmp_path / "out").exists()


def test_two_images_of_one_name_need_two_folders(
    checkpoint: Path, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(picture, tmp_path / "other" / "picture.png")
    with pytest.raises(ClearfiltersError, match="would overwrite"):
        run([picture, tmp_path / "other" / "picture.png"], checkpoint, tmp_path / "out", 3, 0.5)
    assert not (tmp_path / "out").exists()


def test_the_folder_for_pictures_is_no_file(
    checkpoint: Path, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.png").touch()
    with pytest.raises(ClearfiltersError, match=r"--out .*out\.png: a file"):
        run([picture], checkpoint, tmp_path / "out.png", 3, 0.5)


@pytest.mark.parametrize(
    ("filters", "threshold", "named"),
    [
        (0, 0.5, "--filters: 0"),
        (3, 0.0, "--gate-threshold: 0.0"),
        (3, 1.5, "--gate-threshold: 1.5"),
    ],
)
def test_values_out_of_range(
    checkpoint: Path, picture: Path, tmp_path: Path, filters: int, threshold: float, named: str
) -> None:
    with pytest.raises(ClearfiltersError, match=named):
        run([picture], checkpoint, tmp_path / "out", filters, threshold)
