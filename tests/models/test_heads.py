"""A head of convolutional layers is what fully connected layers on whole maps are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import build_classifier
from clearfilters.models.heads import ConvolutionalHead
from clearfilters.params.networks import ConvolutionalHeadParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop
from clearfilters.training.checkpoint import load_checkpoint

HEAD = {"hidden": [12, 7], "dropout": 0.5}
Build = Callable[..., Any]


def test_layers_against_matrix_products() -> None:
    torch.manual_seed(0)
    head = ConvolutionalHead(5, 3, [8, 6], 4, dropout=0.5).eval()
    maps = torch.rand(2, 5, 3, 3)
    first, second, last = (head.layers[index] for index in (0, 3, 6))
    found = (maps.flatten(1) @ first.weight.flatten(1).T + first.bias).relu()
    found = (found @ second.weight.flatten(1).T + second.bias).relu()
    found = found @ last.weight.flatten(1).T + last.bias
    torch.testing.assert_close(head(maps), found)


def test_dropout_in_training_only() -> None:
    head = ConvolutionalHead(5, 3, [50], 4, dropout=0.5)
    maps = torch.rand(2, 5, 3, 3)
    assert not torch.equal(head.train()(maps), head(maps))
    assert torch.equal(head.eval()(maps), head(maps))


def test_no_hidden_layer_is_a_linear_layer_on_whole_maps() -> None:
    assert len(ConvolutionalHead(5, 3, [], 4, dropout=0.0).layers) == 1


@pytest.mark.parametrize("name", ["resnet8", "resnet18"])
def test_a_network_with_such_a_head(name: str) -> None:
    model = build_classifier(
        name, num_classes=4, width=None, mean=[0.5] * 3, std=[0.2] * 3,
        head=ConvolutionalHeadParams.model_validate(HEAD), image_size=48,
    ).eval()  # fmt: skip
    images = torch.rand(2, 3, 48, 48)
    assert model(images).shape == (2, 4)
    assert torch.equal(model(images), model.logits(model.feature_maps(images)))
    assert not any("backbone.head" in key for key in model.state_dict())
    with pytest.raises(ClearfiltersError, match=r"leave model\.head out"):
        _ = model.head


@pytest.mark.parametrize("loss", ["softmax", "multi-label-logistic"])
def test_a_training_with_such_a_head(
    tmp_path: Path, digits_store: Path, make_slice: Build, loss: str
) -> None:
    head = {"hidden": [32, 16], "dropout": 0.1}
    model = {"name": "resnet8", "width": 4, "head": head}
    parameters: TrainingSlice = make_slice(
        model=model, loss=loss, epochs=8, batch_size=16, crop_padding=0, lr=0.02
    )
    out = tmp_path / "checkpoint"
    loop.train(parameters, digits_store, out, tmp_path / "resume.pt", torch.device("cpu"))
    history = pd.read_csv(out / "history.csv")
    assert history["train_loss"].iloc[-1] < 0.8 * history["train_loss"].iloc[0]
    method, meta = load_checkpoint(out)
    assert meta["parameters"]["model"]["head"] == head
    assert method.network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_a_gate_needs_the_linear_head(
    make_slice: Build, gate_block: Build, fresh_method: Build
) -> None:
    model = {"name": "resnet8", "width": 4, "head": HEAD}
    with pytest.raises(ClearfiltersError, match=r"model\.head"):
        fresh_method(make_slice(model=model, method=gate_block()))
    with pytest.raises(ClearfiltersError, match=r"training\.loss: .* softmax"):
        fresh_method(make_slice(method=gate_block(), loss="multi-label-logistic"))
    with pytest.raises(ClearfiltersError, match="two classes, not 10"):
        fresh_method(make_slice(loss="logistic"))
