"""Deciding part filters by hand: what zeroing a map takes away, and where it came from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from clearfilters.data.store import StoreMeta
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Method
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.predict.command import run
from clearfilters.predict.part_filters import describe, draw, predict_image
from clearfilters.predict.views import View, view_of
from clearfilters.training.checkpoint import build_method, build_network, save_checkpoint

Slices = Callable[..., TrainingSlice]
FILTERS = 8
# Of convnet's map of 8 x 8 cells over 32 pixels: two poolings by 2 move the first centre to 2.
STRIDE, START = 4, 2


def trained(parameters: TrainingSlice, classes: list[str]) -> tuple[Method, dict[str, Any]]:
    """A random network with the meta data of its checkpoint."""
    torch.manual_seed(0)
    network = build_network(parameters, classes, [0.5] * 3, [0.25] * 3, 32)
    meta = {
        "parameters": parameters.model_dump(by_alias=True), "classes": classes, "image_size": 32,
    }  # fmt: skip
    return build_method(parameters, network).eval(), meta


def picture() -> Image.Image:
    """Noise, twice as wide as high."""
    pixels = np.random.default_rng(1).integers(0, 256, (40, 80, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def layers_of(network: Classifier) -> nn.Sequential:
    return cast(nn.Sequential, cast(BlockNetwork, network.backbone).blocks[-1])


def by_hand(network: Classifier, view: View) -> tuple[Tensor, Tensor]:
    """The top convolution's map after ReLU (D, n, n), and what the head gets (D, m, m)."""
    maps = (view.network_input() - 0.5) / 0.25
    with torch.no_grad():
        for block in list(cast(BlockNetwork, network.backbone).blocks)[:-1]:
            maps = block(maps)
        fired = torch.empty(0)
        for name, layer in layers_of(network).named_children():
            if name == "pool":
                fired = maps[0]
            maps = layer(maps)
    return fired, maps[0]


def silence(network: Classifier) -> None:
    """No filter of the top convolution fires."""
    convolution = network.parts.last_conv
    assert convolution.bias is not None
    nn.init.constant_(convolution.bias, -1000.0)


def test_without_hidden_layers_drops_are_sums_of_weighted_maps(part_slice: Slices) -> None:
    method, meta = trained(part_slice("cat", hidden=()), ["background", "cat"])
    network = method.network
    assert network.fc is not None
    last = cast(nn.Conv2d, network.fc.layers[0])
    assert last.bias is not None
    view = view_of(picture(), meta)
    _, seen = by_hand(network, view)
    for bias, label, sign in ((30.0, "cat", 1), (-30.0, "background", -1)):
        nn.init.constant_(last.bias, bias)
        found = predict_image(view, network, meta, filters=99)
        share = {
            k: sign * float((last.weight[0, k].detach() * seen[k]).sum()) for k in range(FILTERS)
        }
        assert {item.index for item in found.filters} == set(range(FILTERS))
        for item in found.filters:
            assert item.drop == pytest.approx(share[item.index], abs=1e-4)
        drops = [item.drop for item in found.filters]
        assert drops == sorted(drops, reverse=True)
        assert found.silent == pytest.approx(sign * bias)
        assert found.answer.label == label
        assert found.answer.logit == pytest.approx(found.silent + sum(drops), abs=1e-4)
        assert found.answer.confidence == pytest.approx(1 / (1 + np.exp(-found.answer.logit)))
        few = predict_image(view, network, meta, filters=2)
        assert few.filters == found.filters[:2]


@pytest.mark.parametrize("loss", ["multi-label-logistic", "softmax"])
def test_several_categories_with_hidden_layers(part_slice: Slices, loss: str) -> None:
    method, meta = trained(part_slice("cat", "dog", loss=loss), ["cat", "dog"])
    network, view = method.network, view_of(picture(), meta)
    with torch.no_grad():
        outputs = network(view.network_input())[0].numpy()
        _, seen = by_hand(network, view)
        found = predict_image(view, network, meta, filters=FILTERS)
        answer = int(outputs.argmax())
        for item in found.filters:
            without = seen.clone()
            without[item.index] = 0
            left = float(network.logits(without[None])[0, answer])
            assert item.drop == pytest.approx(outputs[answer] - left, abs=1e-5)
    assert found.answer.label == meta["classes"][answer]
    expected = 1 / (1 + np.exp(-outputs[answer]))
    if loss == "softmax":
        expected = np.exp(outputs[answer]) / np.exp(outputs).sum()
    assert found.answer.confidence == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "top",
    [
        {},
        {"interpretable": False, "masks": False},
        {"pool": {"side": 3, "stride": 3, "zeros": 1}},
    ],
)
def test_places_by_a_naive_search(part_slice: Slices, top: dict[str, Any]) -> None:
    parameters = part_slice("cat", top=top)
    if not top.get("interpretable", True):
        content = parameters.model_dump(by_alias=True)
        parameters = TrainingSlice.model_validate({**content, "method": {"name": "std"}})
    method, meta = trained(parameters, ["background", "cat"])
    view = view_of(picture(), meta)
    found = predict_image(view, method.network, meta, filters=FILTERS)
    fired, seen = by_hand(method.network, view)
    side = step = layers_of(method.network).pool.kernel_size

    def place(k: int, cell: tuple[int, int]) -> tuple[float, float]:
        window = [
            (i, j)
            for i in range(step * cell[0], step * cell[0] + side)
            for j in range(step * cell[1], step * cell[1] + side)
            if i < 8 and j < 8
        ]
        row, column = max(window, key=lambda unit: float(fired[k][unit]))
        return (START + STRIDE * column) * 80 / 32, (START + STRIDE * row) * 40 / 32

    assert found.radius == (2 * STRIDE * 80 / 32, 2 * STRIDE * 40 / 32)
    for item in found.filters:
        k = item.index
        cells = [(i, j) for i in range(seen.shape[1]) for j in range(seen.shape[2])]
        best = max(cells, key=lambda cell: float(seen[k][cell]))
        if seen[k][best] == 0:
            assert item.place is None and item.region == ()
            continue
        assert item.place == place(k, best)
        strong = [cell for cell in cells if seen[k][cell] >= 0.5 * seen[k][best]]
        assert set(item.region) == {place(k, cell) for cell in strong}
    assert any(item.place is not None for item in found.filters)


def test_silent_filters_are_said_to_be(part_slice: Slices) -> None:
    method, meta = trained(part_slice("cat"), ["background", "cat"])
    silence(method.network)
    view = view_of(picture(), meta)
    found = predict_image(view, method.network, meta, filters=2)
    assert [(item.drop, item.place, item.region) for item in found.filters] == [(0, None, ())] * 2
    assert found.answer.logit == found.silent
    assert describe(found).count("did not fire") == 2
    sheet = np.asarray(draw(view, found))
    # Nothing is lit: below the line of text all is grey.
    assert (sheet[20:, :, 0] == sheet[20:, :, 1]).all()


def test_the_region_is_lit_and_the_place_marked(part_slice: Slices) -> None:
    method, meta = trained(part_slice("cat"), ["background", "cat"])
    colour = Image.new("RGB", (640, 320), (200, 20, 20))
    colour.paste((20, 20, 200), (200, 100, 300, 200))
    view = view_of(colour, meta)
    found = predict_image(view, method.network, meta, filters=3)
    assert all(item.place is not None for item in found.filters)
    sheet = np.asarray(draw(view, found)).astype(int)
    # Half the size, beside each other.
    assert sheet.shape == (160 + 18, 3 * 320, 3)
    for number, item in enumerate(found.filters):
        panel = sheet[18:, 320 * number : 320 * (number + 1)]
        x, y = (round(value / 2) for value in item.place)
        assert (panel[y, x] == 255).all()
        lit = abs(panel[..., 0] - panel[..., 2]) > 60
        inside = np.zeros_like(lit)
        rows, columns = np.mgrid[: panel.shape[0], : panel.shape[1]]
        for x, y in item.region:
            across, down = (
                (columns - x / 2) * 2 / found.radius[0],
                (rows - y / 2) * 2 / found.radius[1],
            )
            inside |= across**2 + down**2 <= 1
        assert (lit != inside).mean() < 0.02


def test_run_writes_places(
    part_slice: Slices, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = part_slice("cat")
    method, _ = trained(parameters, ["background", "cat"])
    meta = StoreMeta(
        dataset="ilsvrc-parts", source="", note="", classes=["background", "cat"],
        counts={"train": 1, "test": 1}, image_size=32, mean=[0.5] * 3, std=[0.25] * 3,
        raw_sha256={}, verified=False, parameters_hash="", indexed=True,
    )  # fmt: skip
    save_checkpoint(tmp_path / "net", method, [], parameters, meta, torch.device("cpu"))
    picture().save(tmp_path / "cat.png")
    run([tmp_path / "cat.png"], tmp_path / "net", tmp_path / "out", 3, 0.5)
    text = capsys.readouterr().out
    assert text.count("    filter ") == 3 and " at x " in text
    drawn = tmp_path / "out" / "cat.png.filters.png"
    assert f"where the filters fired: {drawn}" in text
    assert Image.open(drawn).size == (3 * 80, 40 + 18)
    assert list((tmp_path / "out").iterdir()) == [drawn]


def test_other_heads_need_a_new_top(make_slice: Slices) -> None:
    model = {"name": "resnet8", "width": 4, "head": {"hidden": [4], "dropout": 0.0}}
    method, meta = trained(make_slice(model=model), [str(number) for number in range(10)])
    with pytest.raises(ClearfiltersError, match=r"model\.head: .* train it with model\.top"):
        predict_image(view_of(picture(), meta), method.network, meta, filters=1)
