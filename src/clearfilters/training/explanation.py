"""What an explainer says of its performer: p, and how well it gives its features again."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from clearfilters.artifacts import file_sha256
from clearfilters.data.store import read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer import reconstruction_errors
from clearfilters.methods.explainer_training import Explainer
from clearfilters.models.performer import pooled_features, reconstructed
from clearfilters.params.measurements import ExplanationParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.frozen import Cache, number_type, stand_above
from clearfilters.training.inputs import Inputs, in_order, to_device
from clearfilters.training.trained_network import Measured, TrainedNetwork

# Of history.csv, what is shown of every epoch.
HISTORY = (
    "p",
    "reconstruction",
    "relative_error_1",
    "relative_error_2",
    "filter_loss_a",
    "filter_loss_b",
)


def measure_explanation(
    network: TrainedNetwork, store: Path, params: ExplanationParams
) -> Measured:
    """P with its history, the reconstruction's errors, and what is classified from it.

    Args:
        network: an explainer.
        store: the processed store that it was trained on.
        params: the parameters.

    Returns:
        p; eta, ratio and target of the training; history: of every epoch `loss` and what HISTORY
        names; plateau: whether p has settled; rises: the epochs, from 0, in which the loss rose;
        test_images; error: of `performer` and `explainer`, the share of test images that is
        classified wrongly; agreement: the share that both classify alike; relative_error: of both
        layers on test images, see `Explainer.facts`; dead: channels of both tracks that count as
        dead, and filters there are.

    Raises:
        ClearfiltersError: if history.csv is missing or has not what is shown of it.
    """
    method = network.method.to(network.device)
    assert isinstance(method, Explainer)
    parameters = TrainingSlice.model_validate(network.meta["parameters"])
    images = to_device(read_split(store, "test"), network.device)
    assert parameters.finetune is not None
    cache = Cache(
        network.frozen, file_sha256(store / "meta.json"), number_type(parameters.finetune)
    )
    test = cache.outputs(images, stand_above(method, parameters), "test")
    history = _history(network.checkpoint / "history.csv")
    encoder = method.encoder
    values = {
        "p": float(encoder.p.detach()),
        "eta": method.params.eta,
        "ratio": method.params.ratio,
        "target": method.params.target,
        "history": history,
        "plateau": has_plateau(history["p"], params.plateau_epochs, params.plateau_change),
        "rises": [
            epoch
            for epoch in range(1, len(history["loss"]))
            if history["loss"][epoch] > history["loss"][epoch - 1]
        ],
        "test_images": len(test.labels),
        **_on_images(method, test),
        "dead": {
            "interpretable": encoder.norm_interp.dead_channels(),
            "ordinary": encoder.norm_ordin.dead_channels(),
            "filters": len(encoder.norm_interp.running),
        },
    }
    return Measured(values, {"checkpoint/history.csv": network.checkpoint / "history.csv"})


def has_plateau(p: list[float], epochs: int, change: float) -> bool:
    """Whether p, of each epoch, changed by `change` at most over the last epochs."""
    return len(p) > epochs and abs(p[-1] - p[-1 - epochs]) <= change


def _history(path: Path) -> dict[str, list[float]]:
    try:
        table = pd.read_csv(path)
        return {
            "loss": table["train_loss"].tolist(),
            **{name: table[name].tolist() for name in HISTORY},
        }
    except (OSError, ValueError, KeyError) as error:
        raise ClearfiltersError(
            f"{path}: no history of an explainer's training ({error}); train again"
        ) from None


@torch.no_grad()
def _on_images(method: Explainer, images: Inputs) -> dict[str, Any]:
    """Errors of classification and reconstruction on a split."""
    method.eval()
    performer, explainer = reconstructed(method.performer), reconstructed(method.network)
    right = {"performer": 0.0, "explainer": 0.0}
    same = 0.0
    errors, squares = [0.0, 0.0], [0.0, 0.0]
    for inputs, labels in in_order(images):
        wanted = performer.outputs(pooled_features(method.performer, inputs))
        found = method.reconstruction(inputs)
        logits = {
            "performer": performer.logits(wanted[1]),
            "explainer": explainer.logits(found[1]),
        }
        for name, of in logits.items():
            right[name] += float(method.loss.correct(of, labels))
        same += float(method.loss.agree(logits["performer"], logits["explainer"]))
        for layer, (one, other) in enumerate(zip(found, wanted, strict=True)):
            errors[layer] += float(reconstruction_errors(one, other).sum())
            squares[layer] += float(other.square().sum())
    count = len(images.labels)
    return {
        "error": {name: 1 - number / count for name, number in right.items()},
        "agreement": same / count,
        "relative_error": [math.sqrt(e / s) for e, s in zip(errors, squares, strict=True)],
    }
