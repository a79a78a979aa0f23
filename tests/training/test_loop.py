"""The training loop: what each path moves, and what a training leaves behind."""

import copy
import math
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from digits_training import ADAM, CPU, run, start

from clearfilters.data.store import read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods import gate as gates
from clearfilters.params.slices import TrainingSlice
from clearfilters.training import inputs, loop
from clearfilters.training.checkpoint import load_checkpoint

Build = Callable[..., TrainingSlice]
Block = Callable[..., dict[str, Any]]

JOINT = {"scheme": "joint", "period": 1, "gate_phases": [0], "warmup_epochs": 0}
CSG = {"name": "csg", "lambda1": 0.5, "lambda2": 0.0005, "g_density": 0.15, "psi": "squared"}


def weights(trainer: loop.Trainer) -> dict[str, torch.Tensor]:
    """A copy of theta and the buffers."""
    return {key: value.clone() for key, value in trainer.method.network.state_dict().items()}


def changed(before: dict[str, torch.Tensor], trainer: loop.Trainer) -> set[str]:
    """Which tensors are no longer what they were."""
    return {key for key, value in weights(trainer).items() if not torch.equal(value, before[key])}


def the_gate(trainer: loop.Trainer) -> torch.Tensor:
    """A copy of G."""
    return trainer.method.arrays()["gate"].clone()


def test_std_epochs_leave_the_gate_alone(
    digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    for update in (gate_block()["update"], ADAM):
        parameters = make_slice(method=gate_block(update=update))
        trainer = start(parameters, digits_store)
        trainer.epoch(0, "gate")  # so that Adam has a momentum to misuse
        before, theta = the_gate(trainer), weights(trainer)
        trainer.epoch(2, "std")
        assert torch.equal(the_gate(trainer), before)
        assert changed(theta, trainer) == theta.keys() - {"mean", "std"}


@pytest.mark.parametrize("path", ["gate", "joint"])
@pytest.mark.parametrize("update", ["plain", "adam"])
@pytest.mark.parametrize("objective", ["lsg", "csg"])
def test_gate_epochs_keep_the_gate_in_its_solution_space(
    digits_store: Path, make_slice: Build, gate_block: Block,
    path: gates.Path, update: str, objective: str,
) -> None:  # fmt: skip
    changes: dict[str, Any] = {"update": ADAM} if update == "adam" else {}
    if objective == "csg":
        changes["objective"] = CSG
    parameters = make_slice(method=gate_block(**changes))
    trainer = start(parameters, digits_store)
    theta = weights(trainer)
    for number in range(2):
        trainer.epoch(number, path)
    gate = the_gate(trainer)
    assert (gate >= 0).all()
    assert (gate.amax(dim=0) == 1).all()
    assert (gate < 1).any()  # it moved away from all ones
    assert changed(theta, trainer) == theta.keys() - {"mean", "std"}


def test_a_fixed_gate_stays(digits_store: Path, make_slice: Build, gate_block: Block) -> None:
    parameters = make_slice(method=gate_block(fixed={"monopolized": 1, "shared": 6}))
    trainer = start(parameters, digits_store)
    before, theta = the_gate(trainer), weights(trainer)
    assert before.tolist() == gates.fixed_gate(10, 16, 1, 6).tolist()
    for path in ("std", "gate", "joint"):
        trainer.epoch(0, path)
    assert torch.equal(the_gate(trainer), before)
    assert changed(theta, trainer) == theta.keys() - {"mean", "std"}


def test_a_fixed_gate_must_fit(digits_store: Path, make_slice: Build, gate_block: Block) -> None:
    parameters = make_slice(method=gate_block(fixed={"monopolized": 6, "shared": 4}))
    with pytest.raises(ClearfiltersError, match=r"64 columns.* 16 filters"):
        start(parameters, digits_store)


@pytest.mark.parametrize(
    ("objective", "key"),
    [
        ({"name": "lsg", "lambda": 0.1, "a": 0.1, "s_density": 0.09}, "s_density: 0.09"),
        (
            {"name": "csg", "lambda1": 0.1, "lambda2": 0.1, "g_density": 0.05, "psi": "l1"},
            "g_density: 0.05",
        ),
    ],
)
def test_a_gate_cannot_be_sparser_than_one_class_per_filter(
    tmp_path: Path,
    digits_store: Path,
    make_slice: Build,
    gate_block: Block,
    objective: dict[str, Any],
    key: str,
) -> None:
    with pytest.raises(ClearfiltersError, match=f"{key} given.* below 0.1,"):
        run(make_slice(method=gate_block(objective=objective)), digits_store, tmp_path / "out")


def test_a_gate_that_no_epoch_would_train(
    tmp_path: Path, digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    path = {"scheme": "alternating", "period": 3, "gate_phases": [2], "warmup_epochs": 0}
    with pytest.raises(ClearfiltersError, match="none of 2 epochs trains the gate path"):
        run(make_slice(epochs=2, method=gate_block(path=path)), digits_store, tmp_path / "out")


def one_step(
    parameters: TrainingSlice, store: Path, path: gates.Path
) -> tuple[dict[str, np.ndarray], loop.Trainer]:
    """One step on the whole training split, uncropped, and what it started from."""
    trainer = start(parameters, store)
    split = read_split(store, "train")
    images = torch.from_numpy(np.array(split.images)).permute(0, 3, 1, 2).float() / 255
    twin = copy.deepcopy(trainer.method.network).train()
    before = {
        "pooled": twin.pooled(images).detach().double().numpy(),
        "labels": split.labels,
        "weight": twin.head.weight.detach().double().numpy(),
        "bias": twin.head.bias.detach().double().numpy(),
    }
    trainer.epoch(0, path)
    return before, trainer


def errors(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Softmax minus one-hot, (N, C): N times the gradient of the mean cross entropy."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[np.arange(len(labels)), labels] -= 1
    return shares


@pytest.mark.parametrize("path", ["gate", "joint"])
def test_one_step_of_lsg_by_hand(
    digits_store: Path, make_slice: Build, gate_block: Block, path: gates.Path
) -> None:
    """LSG Algorithm 1, lines 5 to 8, worked out for G and for the head."""
    weight_of_cost, a, gate_lr, lr = 0.5, 0.05, 20.0, 0.1
    gate = gate_block(
        objective={"name": "lsg", "lambda": weight_of_cost, "a": a, "s_density": 0.4},
        update={"init": 0.5, "optimizer": "plain", "lr": gate_lr},
    )
    parameters = make_slice(
        method=gate, batch_size=256, crop_padding=0, lr=lr, weight_decay=0.0, momentum=0.0
    )
    before, trainer = one_step(parameters, digits_store, path)
    pooled, labels, weight = before["pooled"], before["labels"], before["weight"]
    gated = errors(0.5 * pooled @ weight.T + before["bias"], labels)
    gradient = np.zeros((10, 16))
    for image, label in enumerate(labels):
        for k in range(16):
            gradient[label, k] += pooled[image, k] * (gated[image] @ weight[:, k]) / len(labels)
    # ||G||_1 = 80 lies above s = 64, so each element's sparsity has slope a.
    stepped = 0.5 - gate_lr * weight_of_cost * (gradient + a)
    clamped = np.maximum(stepped, 0)
    assert (clamped.max(axis=0) > 0).all()
    np.testing.assert_allclose(the_gate(trainer).numpy(), clamped / clamped.max(axis=0), atol=2e-4)
    head_gradient = weight_of_cost * gated.T @ (0.5 * pooled) / len(labels)
    bias_gradient = weight_of_cost * gated.mean(axis=0)
    if path == "joint":
        plain = errors(pooled @ weight.T + before["bias"], labels)
        head_gradient += plain.T @ pooled / len(labels)
        bias_gradient += plain.mean(axis=0)
    found = trainer.method.network.head
    np.testing.assert_allclose(
        found.weight.detach().numpy(), weight - lr * head_gradient, atol=1e-5
    )
    np.testing.assert_allclose(
        found.bias.detach().numpy(), before["bias"] - lr * bias_gradient, atol=1e-5
    )


def test_joint_epochs_run_the_convolutions_once_per_batch(
    digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    parameters = make_slice(method=gate_block(path=JOINT))
    trainer = start(parameters, digits_store)
    calls = []
    trainer.method.network.parts.last_conv.register_forward_hook(lambda *_: calls.append(1))
    trainer.epoch(0, "joint")
    assert len(calls) == 256 / parameters.training.batch_size


def test_every_image_is_used_once_per_epoch(
    digits_store: Path, make_slice: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = make_slice(batch_size=100)
    seen: list[list[int]] = []
    original = inputs.random_crop_flip

    def spy(padded: torch.Tensor, chosen: torch.Tensor, **options: Any) -> torch.Tensor:
        seen.append(chosen.tolist())
        return original(padded, chosen, **options)

    monkeypatch.setattr(inputs, "random_crop_flip", spy)
    trainer = start(parameters, digits_store)
    for number in range(2):
        trainer.epoch(number, "std")
    assert [len(batch) for batch in seen] == [100, 100, 56] * 2
    first, second = list(chain(*seen[:3])), list(chain(*seen[3:]))
    assert sorted(first) == sorted(second) == list(range(256))
    assert first != second


def test_evaluate_is_the_accuracy_of_the_std_path(
    digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    parameters = make_slice(method=gate_block())
    trainer = start(parameters, digits_store)
    trainer.epoch(0, "std")
    split = read_split(digits_store, "test")
    data = inputs.to_device(split, CPU)
    found = loop.evaluate(trainer.method, data)
    images = torch.from_numpy(np.array(split.images)).permute(0, 3, 1, 2).float() / 255
    answers = trainer.method.network.eval()(images).argmax(dim=1).numpy()
    assert found == pytest.approx((answers == split.labels).mean())


def test_a_small_training_learns(tmp_path: Path, digits_store: Path, make_slice: Build) -> None:
    parameters = make_slice(epochs=8, evaluate_every=3, batch_size=16, crop_padding=0, lr=0.05)
    _, history = run(parameters, digits_store, tmp_path)
    assert history["train_loss"].iloc[-1] < 0.5 * history["train_loss"].iloc[0]
    assert history["test_accuracy"].iloc[-1] > 0.6  # 0.1 by chance
    assert history["epoch"].tolist() == list(range(8))
    assert history["test_accuracy"].notna().tolist() == [False, False, True] * 2 + [False, True]
    assert "density" not in history  # a fact of gates
    assert (history["phase"] == "std").all()


def test_history_and_files_of_a_gate_training(
    tmp_path: Path, digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    tensors, history = run(make_slice(method=gate_block(), epochs=5), digits_store, tmp_path)
    assert history["phase"].tolist() == ["std", "gate", "std", "std", "gate"]
    assert history["density"].notna().all()
    assert history["density"].iloc[0] == 0.5
    assert history["density"].iloc[-1] == pytest.approx(float(tensors["gate"].mean()))
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [
        "history.csv", "meta.json", "model.safetensors",
    ]  # fmt: skip
    assert not (tmp_path / "resume.pt").exists()
    method, meta = load_checkpoint(tmp_path / "checkpoint")
    assert torch.equal(method.arrays()["gate"], tensors["gate"])
    assert meta["device"].startswith("CPU")


def test_a_store_of_other_parameters_is_refused(
    tmp_path: Path, digits_store: Path, make_slice: Build
) -> None:
    same = make_slice(epochs=1)
    other = same.model_copy(update={"data": same.data.model_copy(update={"split_seed": 1})})
    with pytest.raises(ClearfiltersError, match=r"meta\.json: prepared with parameters"):
        run(other, digits_store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_seeds_differ_and_repeat(tmp_path: Path, digits_store: Path, make_slice: Build) -> None:
    first, _ = run(make_slice(epochs=1), digits_store, tmp_path / "first")
    again, _ = run(make_slice(epochs=1), digits_store, tmp_path / "again")
    other, _ = run(make_slice(epochs=1, seed=1), digits_store, tmp_path / "other")
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["backbone.head.weight"], other["backbone.head.weight"])


def test_random_streams_differ_by_seed_and_epoch() -> None:
    seeds = {loop.epoch_seed(seed, number) for seed in range(4) for number in range(-1, 5)}
    assert len(seeds) == 24


def test_bf16_keeps_weights_and_gate_in_float32(
    digits_store: Path, make_slice: Build, gate_block: Block
) -> None:
    parameters = make_slice(method=gate_block(), precision="bf16")
    trainer = start(parameters, digits_store)
    loss, _ = trainer.epoch(0, "gate")
    assert math.isfinite(loss)
    assert the_gate(trainer).dtype == torch.float32
    assert (the_gate(trainer).amax(dim=0) == 1).all()
    floats = [value for value in weights(trainer).values() if value.is_floating_point()]
    assert all(value.dtype == torch.float32 for value in floats)


def test_compile_compiles_what_the_loop_calls(
    make_slice: Build, digits_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def compiled(function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        def counted(images: torch.Tensor) -> torch.Tensor:
            calls.append(len(images))
            return function(images)

        return counted

    monkeypatch.setattr(torch, "compile", compiled)
    parameters = make_slice(compile=True)
    start(parameters, digits_store).epoch(0, "std")
    assert sum(calls) == 256
