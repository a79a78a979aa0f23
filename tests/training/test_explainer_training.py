"""Explainers trained above a frozen performer, from what it makes of images once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clearfilters.artifacts import file_sha256
from clearfilters.data.store import read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer_training import Explainer, decoder_of
from clearfilters.methods.method import Batch
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.performer import reconstructed
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import loop
from clearfilters.training.checkpoint import load_checkpoint
from clearfilters.training.inputs import Images, in_order, to_device

MakeSlice = Callable[..., TrainingSlice]
CPU = torch.device("cpu")


def images_of(square_store: Path, split: str = "train") -> Images:
    """As they are."""
    return to_device(read_split(square_store, split), CPU)


def targets_by_hand(performer: Path, images: Tensor) -> list[Tensor]:
    """Fc6 and fc7 of a performer before ReLU, and its last map, of images in [0, 1]."""
    network = load_checkpoint(performer)[0].network
    assert network.fc is not None
    fc6, fc7, _ = (x for x in network.fc.layers if isinstance(x, nn.Conv2d))
    with torch.no_grad():
        maps = network.feature_maps(images)
        first = fc6(maps)
        return [first, fc7(first.relu()), maps]


def test_an_explainer_is_trained_from_cached_inputs_and_targets(
    tmp_path: Path,
    square_store: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    watched: list[Explainer],
) -> None:
    parameters = explainer_slice(ratio=0.3, training={"epochs": 4})
    folder = train_explainer(parameters)
    method = watched[-1]
    assert isinstance(method, Explainer) and method.targets is not None
    (images, labels), = in_order(images_of(square_store))  # fmt: skip
    first, second, maps = targets_by_hand(tmp_path / "performer", images)
    torch.testing.assert_close(method.targets[0], first, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(method.targets[1], second, rtol=1e-4, atol=1e-5)
    # lambda_l and kappa, of all training rows, and of the positive ones.
    for layer, outputs in enumerate((first, second)):
        norms = [np.linalg.norm(np.maximum(row.flatten().numpy(), 0)) for row in outputs]
        assert float(method.weights[layer]) == pytest.approx(0.5 / np.mean(norms), rel=1e-4)
    kappa = np.mean([float(x.sum()) / 6 for x, y in zip(maps, labels, strict=True) if y == 1])
    assert float(method.encoder.scale) == pytest.approx(kappa, rel=1e-4)
    assert float(method.losses[0].shares) == pytest.approx(24 / 36)
    history = pd.read_csv(folder / "history.csv")
    assert (history["train_loss"].diff()[1:] < 0).all()
    assert history["p"].between(0.4, 0.6).all() and (history["p"] != 0.5).all()
    assert np.allclose(history["filter_loss_b"] * (history["epoch"] + 1), 0.3, rtol=1e-3)
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["performer"] == file_sha256(tmp_path / "performer/model.safetensors")
    again = load_checkpoint(folder)[0]
    assert all(torch.equal(x, again.state_dict()[key]) for key, x in method.state_dict().items())


def test_kappa_is_one_where_scale_is_not_kept(
    explainer_slice: MakeSlice, train_explainer: Callable[..., Path], watched: list[Explainer]
) -> None:
    train_explainer(explainer_slice(keep_scale=False, training={"epochs": 1}))
    assert watched[-1].encoder.scale == 1


def test_targets_of_augmented_images_are_computed_anew(
    tmp_path: Path,
    square_store: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    watched: list[Explainer],
) -> None:
    for name, views in (("uncached", 0), ("views", 2)):
        augmented = {"crop_padding": 2, "flip": True, "epochs": 1}
        train_explainer(explainer_slice(finetune={"views": views}, training=augmented), name)
        method = watched[-1]
        assert method.targets is None
        (images, labels), = in_order(images_of(square_store))  # fmt: skip
        first, second, _ = targets_by_hand(tmp_path / "performer", images)
        network = method.network
        assert isinstance(network.backbone, BlockNetwork)
        with torch.no_grad():
            maps = network.backbone.trunk((images - network.mean) / network.std)
            method.train()
            method.start_epoch(0)
            draws = torch.Generator()
            method.cost(Batch(maps, labels, torch.zeros_like(labels), draws), "std")
        sums = method.sums.tolist()
        assert sums[1] == pytest.approx(float(first.square().sum()), rel=1e-4)
        assert sums[3] == pytest.approx(float(second.square().sum()), rel=1e-4)


@pytest.mark.parametrize("views", [0, 1])
def test_frozen_outputs_in_bf16_are_explained_too(
    explainer_slice: MakeSlice, train_explainer: Callable[..., Path], views: int
) -> None:
    half = {"precision": "bf16", "epochs": 1, "crop_padding": 0 if views else 2}
    model = explainer_slice().model.model_dump()
    model["top"]["standardised"] = False
    folder = train_explainer(explainer_slice(model=model, finetune={"views": views}, training=half))
    assert pd.read_csv(folder / "history.csv")["relative_error_1"].between(0, 2).all()


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_the_performer_stays_bit_for_bit(
    tmp_path: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    watched: list[Explainer],
) -> None:
    train_explainer(
        explainer_slice(ratio=0.3, training={"epochs": 2, "lr": 0.1, "weight_decay": 0.1})
    )
    method = watched[-1]
    performer = load_checkpoint(tmp_path / "performer")[0].network
    theirs = reconstructed(performer)
    own = reconstructed(method.performer)
    for mine, layer in ((own.first, theirs.first), (own.second, theirs.second)):
        assert all(torch.equal(mine.state_dict()[key], x) for key, x in tensors_of(layer).items())
    trained = decoder_of(method.network)
    assert not torch.equal(trained[0].weight, own.first.weight)  # type: ignore[arg-type]
    method.train()
    assert not any(module.training for module in method.performer.modules())
    # Frozen blocks, their normalisation and what gives the logits are the performer's, too.
    left, right = tensors_of(performer), tensors_of(method.network)
    kept = [key for key in left if key in right and ".blocks.3." not in key]
    kept = [key for key in kept if not key.startswith(("fc.layers.0.", "fc.layers.3."))]
    assert "fc.layers.6.weight" in kept and len(kept) > 20
    assert all(torch.equal(left[key], right[key]) for key in kept)


def test_batchnorm_of_copied_residual_blocks_stays(
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    watched: list[Explainer],
    small_resnet: None,
) -> None:
    epochs = {"epochs": 2, "lr": 0.01}
    folder = train_explainer(explainer_slice(model={"name": "tiny"}, blocks=3, training=epochs))
    method = watched[-1]
    assert method.targets is None
    for mine, theirs in zip(decoder_of(method.network), decoder_of(method.performer), strict=True):
        own, other = mine.state_dict(), theirs.state_dict()
        changed = {key.rsplit(".", 1)[-1] for key in own if not torch.equal(own[key], other[key])}
        assert changed == {"weight", "bias"}
    history = pd.read_csv(folder / "history.csv")
    assert history["train_loss"][1] < history["train_loss"][0]


@pytest.mark.parametrize("views", [0, 1])
def test_a_resumed_explainer_is_as_if_left_alone(
    tmp_path: Path,
    explainer_slice: MakeSlice,
    train_explainer: Callable[..., Path],
    watched: list[Explainer],
    monkeypatch: pytest.MonkeyPatch,
    views: int,
) -> None:
    training = {"epochs": 3, "batch_size": 16, "crop_padding": 0 if views else 2}
    parameters = explainer_slice(ratio=0.3, finetune={"views": views}, training=training)
    alone = train_explainer(parameters, "alone")
    original = loop.save_resume_state

    def interrupt(path: Path, state: dict[str, Any]) -> None:
        original(path, state)
        if len(state["history"]) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "save_resume_state", interrupt)
        train_explainer(parameters, "stopped")
    assert not (tmp_path / "stopped").exists()
    resumed = train_explainer(parameters, "stopped")
    for name in ("model.safetensors", "history.csv", "meta.json"):
        assert (resumed / name).read_bytes() == (alone / name).read_bytes(), name
    before, after = (method.targets for method in watched[-2:])
    assert (before is None) == (after is None) == (views == 0)
    if before is not None and after is not None:
        assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


def test_a_performer_of_other_parameters_is_refused(
    tmp_path: Path, explainer_slice: MakeSlice, train_explainer: Callable[..., Path]
) -> None:
    train_explainer(explainer_slice(training={"epochs": 1}))
    with pytest.raises(ClearfiltersError, match=r"performer: trained with parameters .* but"):
        train_explainer(explainer_slice(seed=1, training={"epochs": 1}), "other")
    with pytest.raises(ClearfiltersError, match="name its checkpoint folder with --performer"):
        train_explainer(explainer_slice(training={"epochs": 1}), "none", performer=None)
    with pytest.raises(ClearfiltersError, match=r"nowhere.meta.json"):
        train_explainer(
            explainer_slice(training={"epochs": 1}), "gone", performer=tmp_path / "nowhere"
        )


@pytest.mark.parametrize("blocks", [2, 3])
def test_a_boundary_elsewhere_than_below_the_encoder_is_refused(
    explainer_slice: MakeSlice, train_explainer: Callable[..., Path], blocks: int
) -> None:
    with pytest.raises(
        ClearfiltersError,
        match=rf"finetune.trained_blocks is {blocks}, but an explainer of `convnet` has 1 block",
    ):
        train_explainer(explainer_slice(blocks=blocks))


def test_inputs_cached_from_another_checkpoint_are_refused(
    tmp_path: Path, explainer_slice: MakeSlice, train_explainer: Callable[..., Path]
) -> None:
    parameters = explainer_slice(training={"epochs": 1})
    train_explainer(parameters, "first")
    files = list((tmp_path / "frozen").iterdir())
    assert len(files) == 2
    for path in files:
        save_file(load_file(path), path, {"shaped_by": "another checkpoint"})
    with pytest.raises(ClearfiltersError, match=r"outputs of other frozen blocks .*; delete it"):
        train_explainer(parameters, "second")


def test_an_infinite_loss_names_eta(
    tmp_path: Path, explainer_slice: MakeSlice, train_explainer: Callable[..., Path]
) -> None:
    with pytest.raises(ClearfiltersError) as caught:
        train_explainer(explainer_slice(eta=1e39))
    assert "epoch 0 (std): the loss is inf" in str(caught.value)
    assert "method.eta or method.p_lr is" in str(caught.value)
    assert not (tmp_path / "explainer").exists()
