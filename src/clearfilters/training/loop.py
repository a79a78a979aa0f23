"""Training: one loop for every method.

The data set lives on the device and a batch is one gather (inputs.py). Nothing inside an epoch
waits for the device. Random streams come from (seed, epoch), so a resumed run equals an
uninterrupted one. What is trained, and how, is the method's matter (methods/method.py).
"""

import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from clearfilters.artifacts import file_sha256, parameters_hash
from clearfilters.data.store import check_store, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.method import Batch, Method
from clearfilters.models.classifier import Classifier
from clearfilters.params.slices import TrainingSlice
from clearfilters.params.training import TrainingParams
from clearfilters.registry import PRETRAINED, load
from clearfilters.training.checkpoint import (
    build_method,
    build_network,
    load_resume_state,
    load_trained,
    save_checkpoint,
    save_resume_state,
)
from clearfilters.training.compact import original_sha256
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.evaluation import evaluate
from clearfilters.training.frozen import Cache, number_type, train_above
from clearfilters.training.inputs import Inputs, epoch_seed, initial_seed, to_device
from clearfilters.training.optimizers import build_optimizers
from clearfilters.training.schedules import lr_factor
from clearfilters.training.step import StepFunction, make_step


class Trainer:
    """Trains epochs of one training: its method, optimizers, data, random stream and steps.

    Attributes:
        history: a row per finished epoch.
    """

    def __init__(self, method: Method, data: Inputs, training: TrainingParams, seed: int) -> None:
        """A trainer before its first epoch; `data`, the training split, lies where it does."""
        device = data.labels.device
        self.method = method
        self.optimizers = build_optimizers(method.optimizers(training))
        self.data = data
        self.training = training
        self.seed = seed
        self.draws = torch.Generator(device)
        # Of an epoch's samples, so far.
        self.cost, self.correct = torch.zeros(2, device=device).unbind()
        self.steps: dict[str, StepFunction] = {}
        self.history: list[dict[str, Any]] = []

    def epoch(self, epoch: int, phase: str) -> tuple[float, float]:
        """Train one epoch in place.

        Returns:
            Mean cost and accuracy over the epoch's samples.
        """
        training, device = self.training, self.data.labels.device
        self.draws.manual_seed(epoch_seed(self.seed, epoch))
        # Dropout draws from torch's own stream.
        torch.manual_seed(epoch_seed(self.seed, epoch))
        self.method.start_epoch(epoch)
        count = len(self.data.labels)
        order = torch.randperm(count, generator=self.draws, device=device)
        batches = order.split(training.batch_size)
        self.cost.zero_()
        self.correct.zero_()
        step = self._step_of(phase)
        self.method.train()
        for number, chosen in enumerate(batches):
            self.optimizers.set_factor(
                lr_factor(training.schedule, epoch + number / len(batches), training.epochs)
            )
            step(chosen)
        return float(self.cost) / count, float(self.correct) / count

    def _step_of(self, phase: str) -> StepFunction:
        """The step of a phase, made when its first epoch comes."""
        if phase not in self.steps:
            function = partial(self.train_batch, phase)
            self.steps[phase] = make_step(function, self.training.batch_size, self.draws)
        return self.steps[phase]

    def train_batch(self, phase: str, chosen: Tensor) -> None:
        """Forward, backward and the method's step; waits for nothing."""
        labels = self.data.labels[chosen]
        batch = Batch(self.data.batch(chosen, self.draws), labels, chosen, self.draws)
        cost, logits = self.method.cost(batch, phase)
        self.method.zero_grad()
        cost.backward()
        self.method.step(self.optimizers.of_phase(phase))
        self.cost += cost.detach() * len(chosen)
        if logits is not None:
            self.correct += self.method.loss.correct(logits.detach(), labels)

    def lr(self, epoch: int, phase: str) -> float:
        """The learning rate at the start of an epoch, of the first optimizer that moves in it."""
        factor = lr_factor(self.training.schedule, epoch, self.training.epochs)
        return self.optimizers.lr(phase) * factor

    def snapshot(self, hash_: str) -> dict[str, Any]:
        """Everything the next epoch depends on; `hash_` is that of the training's parameters."""
        return {
            "parameters_hash": hash_,
            "method": self.method.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "history": self.history,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue from a snapshot, in place."""
        self.method.load_state_dict(saved["method"])
        self.optimizers.load_state_dict(saved["optimizers"])
        self.history = saved["history"]


def check_finite(
    loss: float, epoch: int, phase: str, method: Method, training: TrainingParams
) -> None:
    """Stop a training that has diverged.

    Raises:
        ClearfiltersError: if the mean loss of the epoch is NaN or infinite.
    """
    if math.isfinite(loss):
        return
    likely = f"training.lr = {training.lr:g} is too large"
    if method.likely_cause(phase):
        likely += f", or {method.likely_cause(phase)}"
    raise ClearfiltersError(
        f"epoch {epoch} ({phase}): the loss is {loss}; the likely cause: {likely}. Lower it; the "
        "state before this epoch is kept"
    )


def train(
    parameters: TrainingSlice,
    store_folder: Path,
    out: Path,
    resume: Path,
    device: torch.device,
    raw: Path = Path(),
    frozen: Path | None = None,
    performer: Path | None = None,
) -> None:
    """Train one network and write its checkpoint folder.

    Args:
        parameters: everything that shapes the result.
        store_folder: the processed store.
        out: the checkpoint folder to write.
        resume: file that keeps the state after each finished epoch; removed at the end.
        device: where to train.
        raw: the folder of the raw data, where files of pretrained weights lie.
        frozen: folder that keeps what frozen blocks make of images, for other trainings; None
            keeps nothing.
        performer: checkpoint folder of the network that is explained, where one is.

    Raises:
        ClearfiltersError: on unreadable data or weights, a method that does not fit the network or
            the data, or a diverging loss.
    """
    make_deterministic()
    training = parameters.training
    store = check_store(store_folder, parameters.data.model_dump())
    torch.manual_seed(initial_seed(parameters.seed))
    network = build_network(parameters, store.classes, store.mean, store.std, store.image_size)
    explained = take_performer(network, performer, parameters)
    method = build_method(parameters, network)
    images = to_device(read_split(store_folder, "train"), device, training)
    test_images = to_device(read_split(store_folder, "test"), device)
    finetune = parameters.finetune
    pretrained = None
    if finetune is not None and finetune.weights is not None:
        pretrained = load(PRETRAINED)(network, parameters.model.name, finetune.weights, raw)
    method.to(device).to(memory_format=torch.channels_last)
    data: Inputs = images
    test: Inputs = test_images
    if finetune is not None:
        cache = Cache(frozen, file_sha256(store_folder / "meta.json"), number_type(finetune))
        data, test = train_above(method, parameters, images, test_images, cache)
    trainer = Trainer(method, data, training, parameters.seed)
    shaped_by = parameters.model_dump(by_alias=True)
    if explained is not None:
        # Trained again, a performer has other weights under the same parameters.
        shaped_by["performer_sha256"] = explained
    hash_ = parameters_hash(shaped_by)
    saved = load_resume_state(resume, hash_)
    method.prepare(data)
    if saved is None:
        method.begin(data)
    else:
        trainer.restore(saved)
        print(f"resuming after epoch {len(trainer.history) - 1}", file=sys.stderr)
    epochs = tqdm(range(len(trainer.history), training.epochs), disable=None, unit="epoch")
    for epoch in epochs:
        train_epoch(trainer, epoch, test)
        report(epochs, trainer.history)
        save_resume_state(resume, trainer.snapshot(hash_))
    given = {"pretrained": pretrained, "performer": explained}
    save_checkpoint(out, method, trainer.history, parameters, store, device, given=given)
    resume.unlink(missing_ok=True)


def take_performer(
    network: Classifier, folder: Path | None, parameters: TrainingSlice
) -> str | None:
    """Give a network the weights of the performer that is to be explained, in place.

    Returns:
        SHA-256 of the file with its weights; None where nothing is explained.

    Raises:
        ClearfiltersError: if it is missing, cannot be read, or was trained with other parameters.
    """
    if parameters.performer is None:
        return None
    if folder is None:
        raise ClearfiltersError(
            "method: explainer, but no performer is given; name its checkpoint folder with "
            "--performer"
        )
    # What is drawn after it is as without a performer: see `PartNetwork.untrained`.
    with torch.random.fork_rng(devices=[]):
        trained, meta = load_trained(folder, parameters.performer.model_dump(by_alias=True))
    network.load_state_dict(trained.network.state_dict())
    return original_sha256(folder, meta)


def train_epoch(trainer: Trainer, epoch: int, test: Inputs) -> None:
    """Train an epoch, evaluate if it is its turn, and write its row of the history.

    Raises:
        ClearfiltersError: if the loss is NaN or infinite.
    """
    method, training = trainer.method, trainer.training
    phase = method.phase(epoch)
    loss, accuracy = trainer.epoch(epoch, phase)
    check_finite(loss, epoch, phase, method, training)
    is_last = epoch + 1 == training.epochs
    evaluated = is_last or (epoch + 1) % training.evaluate_every == 0
    row = {
        "epoch": epoch,
        "phase": phase,
        "lr": trainer.lr(epoch, phase),
        "train_loss": loss,
        "train_accuracy": accuracy,
        "test_accuracy": evaluate(method, test) if evaluated else None,
        **method.facts(),
    }
    trainer.history.append(row)


def report(epochs: Any, history: Sequence[dict[str, Any]]) -> None:
    """A line in a log, or the figures beside the progress bar in a terminal, of the last epoch."""
    row = history[-1]
    before = [other for other in history[:-1] if other["phase"] == row["phase"]]
    if before and row["train_loss"] > before[-1]["train_loss"]:
        tqdm.write(
            f"epoch {row['epoch']} ({row['phase']}): the loss rose from "
            f"{before[-1]['train_loss']:.4f} to {row['train_loss']:.4f}",
            file=sys.stderr,
        )
    shown = {
        key: f"{value:.4f}" if isinstance(value, float) else value
        for key, value in row.items()
        if value is not None
    }
    if epochs.disable:
        print(" ".join(f"{key}={value}" for key, value in shown.items()), file=sys.stderr)
    else:
        epochs.set_postfix(shown)
