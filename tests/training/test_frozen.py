"""Fine-tuning: what moves, two optimizers, cached against uncached maps, and resuming."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny_network
import torch
from safetensors.torch import load_file
from tiny_network import CPU, frozen_part, images, network_of
from torch import Tensor, nn

from clearfilters.analysis.features import load_features
from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.pretrained import IMAGENET_MEAN, IMAGENET_STD
from clearfilters.params.measurements import FeaturesParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import frozen, inputs, loop
from clearfilters.training.checkpoint import build_method, load_checkpoint
from clearfilters.training.features import record_features
from clearfilters.training.inputs import in_order

Build = Callable[..., TrainingSlice]
Block = Callable[..., dict[str, Any]]


def run(
    parameters: TrainingSlice, store: Path, folder: Path, raw: Path = Path()
) -> tuple[dict[str, Tensor], pd.DataFrame]:
    """Train; returns the tensors written and the history."""
    loop.train(parameters, store, folder / "checkpoint", folder / "resume.pt", CPU, raw=raw)
    history = pd.read_csv(folder / "checkpoint" / "history.csv")
    return load_file(folder / "checkpoint" / "model.safetensors"), history


def published_weights(folder: Path) -> dict[str, Tensor]:
    """A file of random weights with statistics that are not BatchNorm's first; its tensors."""
    torch.manual_seed(5)
    network = tiny_network.tiny(10)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    state = network.blocks.state_dict()
    published = {theirs: state[ours] for ours, theirs in network.published_names.items()}
    torch.save(published, folder / "tiny.pth")
    return {f"backbone.blocks.{key}": value for key, value in state.items()}


def start(parameters: TrainingSlice, store: Path) -> loop.Trainer:
    """A fine-tuning before its first epoch."""
    torch.manual_seed(0)
    method = build_method(parameters, network_of(parameters, store))
    data, test = images(parameters, store), images(parameters, store, "test")
    inputs_, _ = frozen.train_above(method, parameters, data, test, frozen.Cache(None, ""))
    return loop.Trainer(method, inputs_, parameters.training, 0)


@pytest.mark.parametrize("views", [0, 2])
def test_only_the_last_blocks_and_the_head_move(
    tmp_path: Path, digits_store: Path, tuned: Build, gate_block: Block, views: int
) -> None:
    before = published_weights(tmp_path)
    parameters = tuned({"views": views, "weights": "tiny.pth"}, method=gate_block(), flip=True)
    after, history = run(parameters, digits_store, tmp_path, raw=tmp_path)
    assert history["phase"].tolist() == ["std", "gate", "std"]
    frozen = {key for key in before if key.startswith(("backbone.blocks.0.", "backbone.blocks.1."))}
    assert len(frozen) > 10
    for key, value in before.items():
        # Statistics of frozen BatchNorm layers do not move either; those of trained ones do.
        assert torch.equal(after[key], value) == (key in frozen), key
    assert {"backbone.head.weight", "backbone.head.bias", "gate", "mean", "std"} <= after.keys()
    torch.testing.assert_close(after["mean"].flatten(), torch.tensor(IMAGENET_MEAN))
    method, meta = load_checkpoint(tmp_path / "checkpoint")
    assert meta["mean"] == pytest.approx(IMAGENET_MEAN) and len(meta["std"]) == 3
    assert meta["std"] == pytest.approx(IMAGENET_STD)
    assert meta["pretrained"].startswith("tiny.pth, sha256 ")
    assert method.arrays()["gate"].shape == (10, 32)
    # Accuracy was measured of the whole network.
    test = images(parameters, digits_store, "test")
    assert history["test_accuracy"].iloc[-1] == loop.evaluate(method, test)


def test_features_of_a_fine_tuned_checkpoint(
    tmp_path: Path, digits_store: Path, tuned: Build
) -> None:
    published_weights(tmp_path)
    parameters = tuned({"weights": "tiny.pth"}, epochs=1)
    run(parameters, digits_store, tmp_path, raw=tmp_path)
    (tmp_path / "tiny.pth").unlink()  # a checkpoint needs no published weights
    params = FeaturesParams(batch_size=64, noise_images=8, noise_seed=0)
    slice_ = {**parameters.model_dump(by_alias=True), "features": params.model_dump()}
    checkpoint, out = tmp_path / "checkpoint", tmp_path / "features"
    record_features(checkpoint, digits_store, params, slice_, out, CPU)
    assert load_features(out).test_pooled.shape == (64, 32)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_each_path_has_its_own_optimizer(
    digits_store: Path, tuned: Build, gate_block: Block, optimizer: str
) -> None:
    parameters = tuned(
        {"gate_path_lr": 0.005}, method=gate_block(), optimizer=optimizer, lr=0.001, epochs=10
    )
    trainer = start(parameters, digits_store)
    built = trainer.optimizers.built

    def moments(name: str) -> list[Tensor]:
        key = "exp_avg" if optimizer == "adam" else "momentum_buffer"
        return [entry[key].clone() for entry in built[name].optimizer.state.values()]

    trainer.epoch(0, "std")
    std = moments("theta")
    assert std and not moments("gate_path")
    trainer.epoch(1, "gate")
    assert all(map(torch.equal, std, moments("theta")))
    gate = moments("gate_path")
    assert gate and not all(map(torch.equal, std, gate))
    trainer.epoch(2, "std")
    assert all(map(torch.equal, gate, moments("gate_path")))
    assert not all(map(torch.equal, std, moments("theta")))


@pytest.mark.parametrize(("path", "rate"), [("std", 0.03), ("gate", 0.07), ("joint", 0.03)])
def test_each_path_has_its_own_rate(
    digits_store: Path, tuned: Build, gate_block: Block, path: Any, rate: float
) -> None:
    """One step of plain SGD on all images: the step is minus the rate times the gradient."""
    schedule = {"name": "multistep", "warmup_epochs": 0, "milestones": [4], "gamma": 0.1}
    parameters = tuned(
        {"gate_path_lr": 0.07},
        method=gate_block(), lr=0.03, momentum=0.0, weight_decay=0.0, batch_size=256, epochs=5,
        schedule=schedule,
    )  # fmt: skip
    trainer = start(parameters, digits_store)
    weight = trainer.method.network.head.weight
    for epoch, factor in ((0, 1.0), (4, 0.1)):
        before = weight.detach().clone()
        trainer.epoch(epoch, path)
        assert weight.grad is not None
        torch.testing.assert_close(weight.detach() - before, -rate * factor * weight.grad)


def test_the_history_tells_the_rate_of_each_path(
    tmp_path: Path, digits_store: Path, tuned: Build, gate_block: Block
) -> None:
    parameters = tuned(
        {"gate_path_lr": 0.02}, method=gate_block(), lr=0.01,
        schedule={"name": "multistep", "warmup_epochs": 0, "milestones": [2], "gamma": 0.5},
    )  # fmt: skip
    _, history = run(parameters, digits_store, tmp_path)
    assert history["lr"].tolist() == [0.01, 0.02, 0.005]


def test_cached_training_equals_uncached_without_augmentation(
    tmp_path: Path, digits_store: Path, tuned: Build, gate_block: Block
) -> None:
    found = {}
    for views in (0, 1):
        published_weights(tmp_path)
        parameters = tuned(
            {"views": views, "weights": "tiny.pth"},
            method=gate_block(), crop_padding=0, lr=0.02, epochs=5, evaluate_every=1,
        )  # fmt: skip
        found[views] = run(parameters, digits_store, tmp_path / str(views), raw=tmp_path)
    (uncached, history), (cached, cached_history) = found[0], found[1]
    for key in uncached:
        torch.testing.assert_close(cached[key], uncached[key], rtol=1e-3, atol=1e-4)
    pd.testing.assert_frame_equal(cached_history, history, rtol=1e-3, atol=1e-3)


def test_a_small_fine_tuning_learns(tmp_path: Path, digits_store: Path, tuned: Build) -> None:
    parameters = tuned(
        {"views": 2}, epochs=12, batch_size=16, crop_padding=1, optimizer="adam", lr=0.005
    )
    _, history = run(parameters, digits_store, tmp_path)
    assert history["train_loss"].iloc[-1] < 0.7 * history["train_loss"].iloc[0]
    assert history["test_accuracy"].iloc[-1] > 0.5  # 0.1 by chance


def test_the_frozen_blocks_see_each_view_once(
    tmp_path: Path, digits_store: Path, tuned: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[int] = []

    build = tiny_network.tiny

    def counting(num_classes: int) -> BlockNetwork:
        network = build(num_classes)
        network.blocks[0].register_forward_hook(lambda *call: passed.append(len(call[2])))
        return network

    monkeypatch.setattr(tiny_network, "tiny", counting)
    run(tuned({"views": 3}, epochs=6, evaluate_every=1), digits_store, tmp_path)
    assert sum(passed) == 3 * 256 + 64
    passed.clear()
    run(tuned({"views": 0}, epochs=2, evaluate_every=1), digits_store, tmp_path)
    assert sum(passed) == 2 * (256 + 64)


def test_view_streams_are_no_epoch_streams() -> None:
    seeds = [
        found
        for seed in range(3)
        for number in range(4)
        for found in (
            loop.epoch_seed(seed, number - 1),
            inputs.stream_seed(seed, number, frozen.VIEW_STREAM),
        )
    ]
    assert len(set(seeds)) == len(seeds)


def test_a_batch_takes_any_view_of_its_own_images() -> None:
    maps = (torch.arange(3)[:, None] + 10.0 * torch.arange(50))[:, :, None, None, None]
    data = frozen.CachedOutputs(maps, torch.arange(50), torch.arange(50))
    chosen = torch.tensor([4, 7, 31] * 40)
    found = data.batch(chosen, torch.Generator().manual_seed(0))
    assert found.shape == (120, 1, 1, 1)
    assert torch.equal(found.flatten() // 10, chosen.float())
    assert set((found.flatten() % 10).tolist()) == {0.0, 1.0, 2.0}
    assert torch.cat([maps for maps, _ in in_order(data)]).flatten().tolist() == [
        10.0 * image for image in range(50)
    ]


def test_bf16_training_keeps_bf16_maps(digits_store: Path, tuned: Build) -> None:
    parameters = tuned(precision="bf16")
    part = frozen_part(parameters, digits_store)
    few = replace(images(parameters, digits_store), labels=torch.zeros(20, dtype=torch.int64))
    assert frozen.Cache(None, "").augmented(few, part, 1, seed=0).outputs.dtype == torch.bfloat16
    assert part.run(torch.rand(2, 3, 32, 32)).dtype == torch.bfloat16  # so nothing is lost


@pytest.mark.parametrize("trained_blocks", [0, 4])
def test_no_block_or_every_block_may_be_trained(
    tmp_path: Path, digits_store: Path, tuned: Build, trained_blocks: int
) -> None:
    published = published_weights(tmp_path)
    parameters = tuned({"trained_blocks": trained_blocks, "weights": "tiny.pth"}, epochs=1)
    after, _ = run(parameters, digits_store, tmp_path, raw=tmp_path)
    same = {torch.equal(after[key], value) for key, value in published.items()}
    assert same == {trained_blocks == 0}


@pytest.mark.parametrize("views", [0, 2])
def test_interrupted_and_resumed_ends_as_if_left_alone(
    tmp_path: Path, digits_store: Path, tuned: Build, gate_block: Block,
    monkeypatch: pytest.MonkeyPatch, views: int,
) -> None:  # fmt: skip
    update = {"init": 0.5, "optimizer": "adam", "lr": 0.05}
    gate = gate_block(update=update, negative_weight=0.5)
    parameters = tuned(
        {"views": views}, method=gate, epochs=5, flip=True, optimizer="adam", lr=0.001
    )
    original = loop.save_resume_state

    def interrupt(path: Path, state: dict[str, Any]) -> None:
        original(path, state)
        if len(state["history"]) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(loop, "save_resume_state", interrupt)
        run(parameters, digits_store, tmp_path / "resumed")
    run(parameters, digits_store, tmp_path / "resumed")
    run(parameters, digits_store, tmp_path / "alone")
    for name in ("model.safetensors", "history.csv", "meta.json"):
        resumed = (tmp_path / "resumed" / "checkpoint" / name).read_bytes()
        assert resumed == (tmp_path / "alone" / "checkpoint" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("changes", "model", "message"),
    [
        ({"trained_blocks": 5}, "tiny", "trained_blocks: 5, but the network has 4 blocks"),
        ({}, "resnet20", "`resnet20` has no published weights and is no sequence of blocks"),
        ({"weights": "absent.pth"}, "tiny", r"absent\.pth: no such file"),
        ({"weights": "torchvision"}, "tiny", "torchvision has none for `tiny`"),
    ],
)
def test_what_cannot_be_fine_tuned(
    tmp_path: Path, digits_store: Path, tuned: Build,
    changes: dict[str, Any], model: str, message: str,
) -> None:  # fmt: skip
    parameters = tuned(changes, model={"name": model})
    with pytest.raises(ClearfiltersError, match=message):
        run(parameters, digits_store, tmp_path, raw=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_fixed_gate_stays(digits_store: Path, tuned: Build, gate_block: Block) -> None:
    parameters = tuned(method=gate_block(fixed={"monopolized": 3, "shared": 2}))
    trainer = start(parameters, digits_store)
    before = trainer.method.arrays()["gate"].clone()
    trainer.epoch(0, "gate")
    assert torch.equal(trainer.method.arrays()["gate"], before)
    assert np.isfinite(trainer.method.network.head.weight.detach().numpy()).all()
