"""Training: one loop for STD, gate and joint epochs.

The data set lives on the device and a batch is one gather (inputs.py). Nothing inside an epoch
waits for the device. Random streams come from (seed, epoch), so a resumed run equals an
uninterrupted one.
"""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from clearfilters.artifacts import parameters_hash
from clearfilters.data.store import check_store, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods import gate as gates
from clearfilters.models.pretrained import load_pretrained
from clearfilters.models.registry import Classifier
from clearfilters.params.methods import CsgParams, GateParams, LsgParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.training import TrainingParams
from clearfilters.training.checkpoint import (
    build_from_slice,
    load_resume_state,
    save_checkpoint,
    save_resume_state,
)
from clearfilters.training.finetune import trained_part
from clearfilters.training.inputs import Inputs, autocast, stream_seed, to_device
from clearfilters.training.optimizers import PathOptimizer, gate_optimizer, theta_optimizer
from clearfilters.training.schedules import lr_factor
from clearfilters.training.step import StepFunction, make_step


@dataclass
class State:
    """All that changes during training. `feature_maps` is the model's, compiled if asked for.

    `std_path` moves theta; in fine-tuning `gate_path` does so in gate epochs. The gate itself is
    moved by `gate_optimizer`.
    """

    model: Classifier
    feature_maps: Callable[[Tensor], Tensor]
    std_path: PathOptimizer
    gate: gates.ClassSpecificGate | None
    gate_optimizer: torch.optim.Optimizer | None
    gate_path: PathOptimizer | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def optimizer_of(self, path: gates.Path) -> PathOptimizer:
        """What moves theta in an epoch of this path."""
        return self.gate_path if path == "gate" and self.gate_path else self.std_path


def make_deterministic() -> None:
    """Same inputs, same bits, on one machine and thread count; call before the first CUDA work."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # Filling all new memory would cost a kernel each; nothing here reads what it did not write.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # float32 means float32: GPUs would otherwise round the inputs of convolutions to 10 bits.
    torch.backends.cudnn.allow_tf32 = False


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of an epoch's random stream (epoch -1: initialisation)."""
    return stream_seed(seed, epoch + 1)


def initial_state(parameters: TrainingSlice, model: Classifier, device: torch.device) -> State:
    """Network, gate and their optimizers before the first epoch."""
    model = model.to(device).to(memory_format=torch.channels_last)
    training = parameters.training
    std_path = theta_optimizer(model, training, training.lr)
    maps = torch.compile(model.feature_maps) if training.compile else model.feature_maps
    method = parameters.gate
    if method is None:
        return State(model, maps, std_path, None, None)
    gate_path = None
    if parameters.finetune is not None:
        gate_path = theta_optimizer(model, training, parameters.finetune.gate_path_lr)
    gate = build_gate(method, *model.head.weight.shape).to(device)
    if method.update is None:
        return State(model, maps, std_path, gate, None, gate_path)
    moves_gate = gate_optimizer(gate.parameters(), method.update, device)
    return State(model, maps, std_path, gate, moves_gate, gate_path)


def build_gate(method: GateParams, num_classes: int, num_filters: int) -> gates.ClassSpecificGate:
    """The gate of an experiment before its first step, for C classes and K filters."""
    match method.objective:
        case LsgParams(lambda_=lambda_, a=a, s_density=density):
            objective: gates.Lsg | gates.Csg = gates.Lsg(lambda_, a, density)
        case CsgParams(lambda1=lambda1, lambda2=lambda2, g_density=density, psi=psi):
            objective = gates.Csg(lambda1, lambda2, density, psi)
    if method.fixed is None:
        assert method.update is not None
        options: dict[str, Any] = {"init": method.update.init}
    else:
        counts = (method.fixed.monopolized, method.fixed.shared)
        options = {"fixed": gates.fixed_gate(num_classes, num_filters, *counts)}
    return gates.ClassSpecificGate(
        num_classes, num_filters, objective, negative_weight=method.negative_weight, **options
    )


def batch_cost(
    state: State,
    pooled: Tensor,
    labels: Tensor,
    path: gates.Path,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """The cost of a batch and the logits (N, C) of the path it trains (joint: the STD path)."""
    head = state.model.head
    if path == "std":
        logits = head(pooled)
        return F.cross_entropy(logits, labels), logits
    assert state.gate is not None
    cost, logits = state.gate.cost(pooled, labels, head, generator)
    if path == "joint":
        logits = head(pooled)
        cost = cost + F.cross_entropy(logits, labels)
    return cost, logits


class Trainer:
    """Trains epochs of one training: its state, data, random stream and steps."""

    def __init__(self, state: State, data: Inputs, training: TrainingParams, seed: int) -> None:
        """A trainer of `state` on `data`, the training split, before its first epoch."""
        device = data.labels.device
        self.state = state
        self.data = data
        self.training = training
        self.seed = seed
        self.draws = torch.Generator(device)
        # Of an epoch's samples, so far.
        self.cost, self.correct = torch.zeros(2, device=device).unbind()
        self.steps: dict[gates.Path, StepFunction] = {}

    def epoch(self, epoch: int, path: gates.Path) -> tuple[float, float]:
        """Train one epoch in place.

        Returns:
            Mean cost and accuracy over the epoch's samples.
        """
        training, device = self.training, self.data.labels.device
        self.draws.manual_seed(epoch_seed(self.seed, epoch))
        count = len(self.data.labels)
        order = torch.randperm(count, generator=self.draws, device=device)
        batches = order.split(training.batch_size)
        self.cost.zero_()
        self.correct.zero_()
        theta = self.state.optimizer_of(path)
        step = self._step_of(path)
        self.state.model.train()
        for number, chosen in enumerate(batches):
            theta.set_factor(
                lr_factor(training.schedule, epoch + number / len(batches), training.epochs)
            )
            step(chosen)
        return float(self.cost) / count, float(self.correct) / count

    def _step_of(self, path: gates.Path) -> StepFunction:
        """The step of a path, made when its first epoch comes."""
        if path not in self.steps:
            function = partial(self.train_batch, path)
            self.steps[path] = make_step(function, self.training.batch_size, self.draws)
        return self.steps[path]

    def train_batch(self, path: gates.Path, chosen: Tensor) -> None:
        """Forward, backward and the optimizers' steps; waits for nothing."""
        state, device = self.state, self.draws.device
        theta = state.optimizer_of(path)
        inputs = self.data.batch(chosen, self.draws)
        labels = self.data.labels[chosen]
        with autocast(device, self.training.precision):
            maps = state.feature_maps(inputs)
        pooled = maps.mean(dim=(2, 3), dtype=torch.float32)
        cost, logits = batch_cost(state, pooled, labels, path, self.draws)
        theta.optimizer.zero_grad()
        if state.gate_optimizer is not None:
            state.gate_optimizer.zero_grad()
        cost.backward()
        theta.optimizer.step()
        if path != "std" and state.gate_optimizer is not None:
            assert state.gate is not None
            state.gate.step(state.gate_optimizer)
        self.cost += cost.detach() * len(chosen)
        self.correct += (logits.argmax(dim=1) == labels).sum()


@torch.no_grad()
def evaluate(model: Classifier, data: Inputs, precision: str) -> float:
    """Accuracy of the STD path on a split."""
    model.eval()
    device = data.labels.device
    correct = torch.zeros((), device=device)
    for inputs, labels in data.in_order():
        with autocast(device, precision):
            maps = model.feature_maps(inputs)
        logits = model.head(maps.mean(dim=(2, 3), dtype=torch.float32))
        correct += (logits.argmax(dim=1) == labels).sum()
    return float(correct) / len(data.labels)


def check_finite(loss: float, epoch: int, path: gates.Path, parameters: TrainingSlice) -> None:
    """Stop a training that has diverged.

    Raises:
        ClearfiltersError: if the mean loss of the epoch is NaN or infinite.
    """
    if math.isfinite(loss):
        return
    likely = f"training.lr = {parameters.training.lr:g} is too large"
    if path != "std":
        likely += ", or the gate objective's weight (lambda, lambda1) is"
    raise ClearfiltersError(
        f"epoch {epoch} ({path} path): the loss is {loss}; the likely cause: {likely}. Lower it; "
        "the state before this epoch is kept"
    )


def train(
    parameters: TrainingSlice,
    store_folder: Path,
    out: Path,
    resume: Path,
    device: torch.device,
    raw: Path = Path(),
) -> None:
    """Train one network and write its checkpoint folder.

    Args:
        parameters: everything that shapes the result.
        store_folder: the processed store.
        out: the checkpoint folder to write.
        resume: file that keeps the state after each finished epoch; removed at the end.
        device: where to train.
        raw: the folder of the raw data, where files of pretrained weights lie.

    Raises:
        ClearfiltersError: on unreadable data or weights, a gate that does not fit, or a diverging
            loss.
    """
    make_deterministic()
    training, method = parameters.training, parameters.gate
    store = check_store(store_folder, parameters.data.model_dump())
    check_gate(method, len(store.classes), training.epochs)
    train_images = to_device(read_split(store_folder, "train"), device, training)
    test_images = to_device(read_split(store_folder, "test"), device)
    torch.manual_seed(epoch_seed(parameters.seed, -1))
    model = build_from_slice(parameters, store)
    trained: Classifier = model
    data: Inputs = train_images
    test: Inputs = test_images
    pretrained = None
    if parameters.finetune is not None:
        if parameters.finetune.weights is not None:
            pretrained = load_pretrained(
                model, parameters.model.name, parameters.finetune.weights, raw
            )
        model.to(device).to(memory_format=torch.channels_last)
        trained, data, test = trained_part(model, parameters, train_images, test_images)
    state = initial_state(parameters, trained, device)
    hash_ = parameters_hash(parameters.model_dump(by_alias=True))
    finished = restore(state, load_resume_state(resume, hash_))
    if finished:
        print(f"resuming after epoch {finished - 1}", file=sys.stderr)
    trainer = Trainer(state, data, training, parameters.seed)
    epochs = tqdm(range(finished, training.epochs), disable=None, unit="epoch")
    for epoch in epochs:
        path = path_of(epoch, method)
        loss, accuracy = trainer.epoch(epoch, path)
        check_finite(loss, epoch, path, parameters)
        is_last = epoch + 1 == training.epochs
        evaluated = is_last or (epoch + 1) % training.evaluate_every == 0
        gate = None if state.gate is None else state.gate.values.detach()
        row = {
            "epoch": epoch,
            "path": path,
            "lr": state.optimizer_of(path).lr
            * lr_factor(training.schedule, epoch, training.epochs),
            "train_loss": loss,
            "train_accuracy": accuracy,
            "test_accuracy": evaluate(state.model, test, training.precision) if evaluated else None,
            "density": None if gate is None else float(gates.l1_density(gate)),
        }
        state.history.append(row)
        report(epochs, row)
        save_resume_state(resume, snapshot(state, hash_))
    values = None if state.gate is None else state.gate.values
    save_checkpoint(
        out, model, values, state.history, parameters, store, device, pretrained=pretrained
    )
    resume.unlink(missing_ok=True)


def check_gate(method: GateParams | None, num_classes: int, epochs: int) -> None:
    """Refuse a gate that no epoch would train, or that should become sparser than it can.

    Args:
        method: the gate experiment, if it is one.
        num_classes: C.
        epochs: of the training.

    Raises:
        ClearfiltersError: if every epoch trains the STD path, or a weighted sparsity term aims
            below density 1/C: s, g >= K (LSG Eq. 2, CSG appendix A).
    """
    if method is None:
        return
    if all(path_of(epoch, method) == "std" for epoch in range(epochs)):
        raise ClearfiltersError(
            f"gate.path: none of {epochs} epochs trains the gate path ({method.path}); raise "
            "training.epochs, or correct gate.path"
        )
    match method.objective:
        case LsgParams(a=weight, s_density=density):
            key = "s_density"
        case CsgParams(lambda2=weight, g_density=density):
            key = "g_density"
    if method.fixed is None and weight > 0 and density < 1 / num_classes:
        raise ClearfiltersError(
            f"gate.objective.{key}: {density:g} given, but with {num_classes} classes no gate has "
            f"a density below {1 / num_classes:.4g}, as each column holds a 1; raise it"
        )


def path_of(epoch: int, method: GateParams | None) -> gates.Path:
    """The path that an epoch trains; always STD without a gate."""
    if method is None:
        return "std"
    return gates.path_of_epoch(
        epoch,
        scheme=method.path.scheme,
        period=method.path.period,
        gate_phases=tuple(method.path.gate_phases),
        warmup_epochs=method.path.warmup_epochs,
    )


def snapshot(state: State, hash_: str) -> dict[str, Any]:
    """Everything the next epoch depends on."""
    return {
        "parameters_hash": hash_,
        "model": state.model.state_dict(),
        "optimizer": state.std_path.optimizer.state_dict(),
        "gate_path": None if state.gate_path is None else state.gate_path.optimizer.state_dict(),
        "gate": None if state.gate is None else state.gate.values.detach(),
        "gate_optimizer": None
        if state.gate_optimizer is None
        else state.gate_optimizer.state_dict(),
        "history": state.history,
    }


def restore(state: State, saved: dict[str, Any] | None) -> int:
    """Continue from a snapshot, in place; returns the number of epochs already finished."""
    if saved is None:
        return 0
    state.model.load_state_dict(saved["model"])
    state.std_path.load_state_dict(saved["optimizer"])
    if state.gate_path is not None:
        state.gate_path.load_state_dict(saved["gate_path"])
    if state.gate is not None:
        state.gate.values.data.copy_(saved["gate"])
    if state.gate_optimizer is not None:
        state.gate_optimizer.load_state_dict(saved["gate_optimizer"])
    state.history = saved["history"]
    return len(state.history)


def report(epochs: Any, row: dict[str, Any]) -> None:
    """A line in a log, or the figures beside the progress bar in a terminal."""
    shown = {
        key: f"{value:.4f}" if isinstance(value, float) else value
        for key, value in row.items()
        if value is not None
    }
    if epochs.disable:
        print(" ".join(f"{key}={value}" for key, value in shown.items()), file=sys.stderr)
    else:
        epochs.set_postfix(shown)
