"""The command `explain`: what it says, against what it is computed from, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explainer_networks import annotated_store, explainer_slice, random_explainer, save
from PIL import Image

from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.analysis.upsampling import spread
from clearfilters.cli import main
from clearfilters.data.store import read_meta
from clearfilters.errors import ClearfiltersError
from clearfilters.explain.command import run
from clearfilters.explain.drawing import draw
from clearfilters.explain.explanation import describe, explain_view
from clearfilters.explain.part_record import FilterParts, read_parts, record_path
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict.command import run as predict
from clearfilters.predict.views import read_image, view_of
from clearfilters.training.checkpoint import (
    build_method,
    build_network,
    load_checkpoint,
    save_checkpoint,
)
from clearfilters.training.compact import write_compact
from clearfilters.training.contributions import contributions, explainer_cam, performer_cam
from clearfilters.training.frozen import stand_above
from clearfilters.training.network_measurement import record_network_measurement

Slices = Callable[..., TrainingSlice]
TOP = {"interpretable": False, "masks": False}
JUDGED = {
    "landmarks": {}, "test_only": [], "strongest": 100, "minimum_images": 2, "least_r2": 0.6,
    "other_limits": [],
}  # fmt: skip


@pytest.fixture(params=[("background", "cat"), ("cat", "dog")], ids=["one", "several"])
def net(request: pytest.FixtureRequest, tmp_path: Path, part_slice: Slices) -> Path:
    """The checkpoint of an explainer, where the workflow has it, and its measurement."""
    classes = request.param
    categories = [name for name in classes if name != "background"]
    parameters = explainer_slice(part_slice(*categories, top=TOP, hidden=(7, 6)))
    annotated_store(tmp_path / "store", parameters, classes)
    folder = tmp_path / "results/small/checkpoints/cat-explainer/seed0"
    save(folder, random_explainer(parameters, classes), parameters, tmp_path / "store")
    record_network_measurement(
        "part_contributions",
        folder,
        tmp_path / "store",
        {**parameters.model_dump(by_alias=True), "part_contributions": JUDGED},
        experiment="cat-explainer",
        seed=0,
        out=tmp_path / "results/small/metrics/part_contributions/cat-explainer/seed0.json",
        device=torch.device("cpu"),
    )
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Noise with a bright square, twice as wide as high."""
    pixels = np.random.default_rng(1).integers(0, 100, (40, 80, 3), dtype=np.uint8)
    pixels[10:20, 30:50] = 255
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


def loaded(folder: Path) -> tuple[Any, dict[str, Any], dict[str, FilterParts]]:
    """An explainer, its meta.json and its parts."""
    method, meta = load_checkpoint(folder)
    return method, meta, read_parts(record_path(folder), folder, meta)


def test_an_explanation_is_of_the_linear_model(net: Path, picture: Path) -> None:
    method, meta, parts = loaded(net)
    view = view_of(read_image(picture), meta)
    found = explain_view(view, method, meta, parts)
    # From a network of its own: hooks and boundaries of one must not show in the other.
    other, _, _ = loaded(net)
    inputs = stand_above(other, TrainingSlice.model_validate(meta["parameters"])).run(
        view.network_input()
    )
    classes = meta["classes"]
    with torch.no_grad():
        outputs = other.network(view.network_input())
    label = 1 if classes[0] == "background" else int(outputs[0].argmax())
    logit = 0 if classes[0] == "background" else label
    of = contributions(other, inputs, logit)
    assert found.category == classes[label]
    assert found.score == pytest.approx(float(outputs[0, logit]), rel=1e-4, abs=1e-5)
    part_of = parts[classes[label]].part_of
    assert {part.name for part in found.parts} == {name or "other" for name in part_of}
    for part in found.parts:
        own = [f for f, name in enumerate(part_of) if (name or "other") == part.name]
        assert part.filters == len(own)
        expected = float(of.filters[0, own].sum())
        assert part.contribution == pytest.approx(expected, rel=1e-4, abs=1e-6)
        np.testing.assert_allclose(part.cells, of.maps[0, own].sum(dim=0), rtol=1e-4)
    values = [part.contribution for part in found.parts]
    assert values == sorted(values, reverse=True)
    together = sum(values) + found.ordinary + found.rest
    assert together == pytest.approx(found.score, rel=1e-4, abs=1e-5)
    for name, cam in (("performer", performer_cam), ("explainer", explainer_cam)):
        np.testing.assert_allclose(found.cams[name], cam(other, inputs, logit)[0], rtol=1e-4)
    assert found.p == pytest.approx(1 / (1 + np.exp(-0.7)), rel=1e-4)
    assert found.geometry == MapGeometry(8, 4, 2, 32)


def test_a_category_without_known_parts(net: Path, picture: Path) -> None:
    method, meta, _ = loaded(net)
    found = explain_view(view_of(read_image(picture), meta), method, meta, {})
    assert [(part.name, part.filters) for part in found.parts] == [("other", 8)]


def test_run_prints_and_draws(
    net: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    method, meta, parts = loaded(net)
    found = explain_view(view_of(read_image(picture), meta), method, meta, parts)
    run([picture], net, tmp_path / "out", None)
    text = capsys.readouterr().out
    assert text.startswith(f"{picture}: performer {found.performer.label} (confidence ")
    assert f"explainer {found.explainer.label} (confidence " in text
    assert describe(found) in text
    assert f"p {found.p:.3f}" in text and "ordinary track" in text and "biases" in text
    places = [text.index(f"    {part.label} ") for part in found.parts]
    assert places == sorted(places)
    for part in found.parts:
        assert f"{part.contribution:+8.3f}" in text and f"{part.filters} filter" in text
    drawn = tmp_path / "out/picture.png.parts.png"
    assert str(drawn) in text
    sheet = Image.open(drawn)
    assert sheet.size == ((3 + len(found.parts)) * 80, 40 + 18)
    assert list((tmp_path / "out").iterdir()) == [drawn]


def test_the_command_line(
    net: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a compact checkpoint elsewhere, with the measurement of the original."""
    small, record = tmp_path / "small", record_path(net)
    assert main(["compact", str(net), "--out", str(small)]) == 0
    where = ["explain", str(picture), "--out", str(tmp_path / "out")]
    assert main([*where, "--checkpoint", str(small)]) == 1
    error = capsys.readouterr().err
    assert f"{small}: lies not in results/<run>/checkpoints" in error and "--parts" in error
    assert main([*where, "--checkpoint", str(small), "--parts", str(record)]) == 0
    halved = capsys.readouterr().out
    assert main([*where, "--checkpoint", str(net)]) == 0
    whole = capsys.readouterr().out
    # Confidences may differ in their last digit.
    assert halved.split(" (")[0] == whole.split(" (")[0]


def test_the_picture_shows_the_maps(net: Path, picture: Path) -> None:
    method, meta, parts = loaded(net)
    view = view_of(read_image(picture), meta)
    found = explain_view(view, method, meta, parts)
    sheet = np.asarray(draw(view, found)).astype(int)[18:]
    np.testing.assert_array_equal(sheet[:, :80], np.asarray(view.picture))
    # Blue where a map is lowest, red where it is largest, in the colours of the overlay.
    warmth = sheet[..., 0] - sheet[..., 2]
    for number, part in enumerate(found.parts, start=3):
        panel = warmth[:, number * 80 : (number + 1) * 80]
        fine = spread(part.cells, found.geometry, 40, 80)
        assert panel[fine > 0.8 * fine.max()].mean() > panel[fine < 0.2 * fine.max()].mean() + 50


def test_spread_by_hand() -> None:
    """2 cells of stride 4 over 8 pixels: centres at 2 and 6; one pixel of the picture is half."""
    geometry = MapGeometry(2, 4.0, 2.0, 8)
    found = spread(np.array([[0.0, 1.0], [0.0, 1.0]]), geometry, 8, 4)
    # Centres of 4 pixels: 1, 3, 5, 7.
    np.testing.assert_allclose(found, np.tile([0, 0.25, 0.75, 1], (8, 1)))
    rising = spread(np.array([[0.0, 0.0], [4.0, 4.0]]), geometry, 8, 3)
    expected = np.clip(np.arange(8) + 0.5 - 2, 0, 4)
    np.testing.assert_allclose(rising, np.repeat(expected[:, None], 3, axis=1))


def test_where_the_measurement_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = tmp_path / "results/run/metrics/part_contributions/grid/a.b/seed1.json"
    assert record_path(Path("results/run/checkpoints/grid/a.b/seed1")) == expected
    (tmp_path / "results/run/checkpoints/x/checkpoints").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "results/run/checkpoints/x")
    expected = tmp_path / "results/run/metrics/part_contributions/x/checkpoints.json"
    assert record_path(Path("checkpoints")) == expected
    with pytest.raises(ClearfiltersError, match=r"/kept/net: lies not in .* --parts"):
        record_path(Path("/kept/net"))


def test_measurements_that_are_refused(net: Path, picture: Path, tmp_path: Path) -> None:
    record, moved = record_path(net), tmp_path / "moved.json"
    shutil.move(record, moved)
    with pytest.raises(
        ClearfiltersError, match=r"cat-explainer/seed0\.json: no such file.*--parts"
    ):
        run([picture], net, tmp_path / "out", None)
    content = json.loads(moved.read_text())
    content["provenance"]["inputs"]["checkpoint/model.safetensors"] = "0" * 64
    record.write_text(json.dumps(content))
    with pytest.raises(ClearfiltersError, match=r"seed0\.json: measured on weights 000000000000"):
        run([picture], net, tmp_path / "out", None)
    for broken in ({}, [], {"provenance": {"analysis": "part_location"}, "values": {}}):
        moved.write_text(json.dumps(broken))
        with pytest.raises(ClearfiltersError, match=r"moved\.json: no measurement `part_contrib"):
            run([picture], net, tmp_path / "out", moved)
    assert not (tmp_path / "out").exists()


def test_a_compact_checkpoint_of_another(net: Path, picture: Path, tmp_path: Path) -> None:
    write_compact(net, tmp_path / "small")
    meta = json.loads((tmp_path / "small/meta.json").read_text())
    meta["compact"]["sha256"] = "1" * 64
    (tmp_path / "small/meta.json").write_text(json.dumps(meta))
    with pytest.raises(ClearfiltersError, match=r"but .*small has 111111111111"):
        run([picture], tmp_path / "small", tmp_path / "out", record_path(net))


def test_what_is_no_explainer_and_what_is_one(
    net: Path, picture: Path, tmp_path: Path, part_slice: Slices
) -> None:
    with pytest.raises(ClearfiltersError, match=r"seed0: an explainer; .* `clearfilters explain`"):
        predict([picture], net, tmp_path / "out", 3, 0.5)
    content = part_slice("cat", top=TOP).model_dump(by_alias=True)
    plain = TrainingSlice.model_validate({**content, "method": {"name": "std"}})
    method = build_method(
        plain, build_network(plain, ["background", "cat"], [0.4] * 3, [0.2] * 3, 32)
    )
    save_checkpoint(
        tmp_path / "plain", method, [{"epoch": 0}], plain, read_meta(tmp_path / "store"),
        torch.device("cpu"), given={},
    )  # fmt: skip
    with pytest.raises(
        ClearfiltersError, match=r"plain: .* method `std`, no explainer; .* `clearfilters predict`"
    ):
        run([picture], tmp_path / "plain", tmp_path / "out", None)
