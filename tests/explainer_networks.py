"""Small explainers of random weights, on data made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from clearfilters.data.store import LANDMARK_COLUMNS, LANDMARK_TYPES, Split, read_meta, write_store
from clearfilters.methods.explainer_training import Explainer, decoder_of
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.torchvision_networks import Residual
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method, build_network, save_checkpoint

SIZE = 32
METHOD = {
    "name": "explainer", "target": "reconstruction", "reconstruction": 0.5, "eta": 1.0,
    "ratio": None, "falling": False, "alpha": 0.5, "memory": 0.9, "beta": 4.0, "init_std": None,
    "momentum": 0.1, "dead": 0.01, "keep_scale": True, "decoder_lr": 0.01, "p_lr": 0.05,
}  # fmt: skip


def small_resnet(num_classes: int) -> BlockNetwork:
    """A first convolution and three residual blocks of K = 8."""
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU())
    blocks = [(f"layer{number}.", Residual(8, 8, 1, False)) for number in range(3)]
    return BlockNetwork([("stem.", stem), *blocks], num_classes)


def explainer_slice(performer: TrainingSlice, **changes: Any) -> TrainingSlice:
    """The slice of an explainer whose performer has this one, or its model at least."""
    content = performer.model_dump(by_alias=True)
    content["method"] = {"name": "std"}
    finetune = {"weights": None, "trained_blocks": 1, "views": 1}
    own = {"method": METHOD, "performer": content, "finetune": finetune}
    return TrainingSlice.model_validate({**content, **own, **changes})


def random_explainer(parameters: TrainingSlice, classes: Sequence[str], seed: int = 0) -> Explainer:
    """An explainer whose biases, p, scales and decoder are not those of the start, as tested."""
    torch.manual_seed(seed)
    network = build_network(parameters, classes, [0.4] * 3, [0.2] * 3, SIZE)
    method = build_method(parameters, network)
    assert isinstance(method, Explainer)
    with torch.no_grad():
        for layer in method.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                layer.bias.normal_(std=0.1)
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
        for layer in decoder_of(method.network):
            for weight in layer.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        encoder = method.encoder
        encoder.w_p.fill_(0.7)
        encoder.scale.fill_(5.0)
        for norm in (encoder.norm_interp, encoder.norm_ordin):
            norm.running.uniform_(1, 4)
    return method.eval()


def annotated_store(
    root: Path, parameters: TrainingSlice, classes: Sequence[str]
) -> dict[str, Split]:
    """Noise with a bright square, the head; of each category every second object has one."""
    rng = np.random.default_rng(0)
    splits = {}
    first = int("background" in classes)
    for name, count in (("train", 24), ("test", 16)):
        images = rng.integers(0, 100, (count, SIZE, SIZE, 3), dtype=np.uint8)
        labels = np.arange(count) % 2
        rows = []
        for row in range(count):
            x, y = rng.integers(2, SIZE - 6, 2)
            images[row, y : y + 5, x : x + 5] = 255
            if labels[row] >= first and row % 4 in (1, 2):
                rows += [(row, "head", x + 2.5, y + 2.5, True), (row, "tail", 4.0, 4.0, True)]
        table = pd.DataFrame(rows, columns=LANDMARK_COLUMNS).astype(LANDMARK_TYPES)
        splits[name] = Split(images, labels, landmarks=table)
    write_store(
        root, splits, dataset="ilsvrc-parts", source="", note="", classes=list(classes),
        raw_sha256={}, verified=False, parameters=parameters.model_dump(by_alias=True)["data"],
    )  # fmt: skip
    return splits


def save(folder: Path, method: Explainer, parameters: TrainingSlice, store: Path) -> None:
    """The explainer's checkpoint."""
    save_checkpoint(
        folder, method, [{"epoch": 0}], parameters, read_meta(store), torch.device("cpu"),
        given={"performer": "0" * 64},
    )  # fmt: skip
