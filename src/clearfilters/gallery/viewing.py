"""One pass over the test images: what the filters of each layer do on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clearfilters.analysis.defined import Values
from clearfilters.analysis.location_statistics import position_spread
from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.artifacts import file_sha256
from clearfilters.data.rows import SplitImages, held_once
from clearfilters.data.store import Split
from clearfilters.gallery.layers import Layer, Seen, layers_of, see
from clearfilters.gallery.strongest import Search, Strongest
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import block_network
from clearfilters.models.receptive_fields import top_field
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.frozen import Cache, UncachedOutputs, number_type, stand_above
from clearfilters.training.inputs import Inputs, to_device
from clearfilters.training.trained_network import TrainedNetwork

# Images that pass the network at once; only memory and rounding depend on it.
BATCH = 100
# What a pass runs on: batches of rows, and what makes maps A of them.
Source = tuple[Inputs, Callable[[Tensor], Tensor]]


@dataclass(frozen=True)
class LayerView:
    """What a layer's K filters do on N images.

    Attributes:
        name: of the layer.
        geometry: of its maps.
        weights: mean over the images of what a filter adds to the answered class's logit (K,).
        pooled: mean activations (N, K).
        spread: of the places where a filter peaks, in cells (K,); NaN where it fires on fewer than
            two objects.
        strongest: the images that activate each filter most, as rows of the split.
    """

    name: str
    geometry: MapGeometry
    weights: npt.NDArray[np.float64]
    pooled: npt.NDArray[np.float32]
    spread: Values
    strongest: Strongest


@dataclass(frozen=True)
class View:
    """What a network does on its N test images, each taken once.

    Attributes:
        rows: of the images in the split (N,).
        logit: mean logit of the answers.
        layers: the one nearest to the head first.
    """

    rows: npt.NDArray[np.int64]
    logit: float
    layers: list[LayerView]


def view(network: TrainedNetwork, store: Path, test: Split, images: int) -> View:
    """Run a network over its test images, once.

    Args:
        network: the trained network.
        store: the processed store that it was trained on.
        test: its test split.
        images: how many of each filter's strongest to keep.
    """
    rows = first_rows(test.images)
    inputs, feature_maps = _source(network, store, test)
    model = network.model.requires_grad_(False)
    layers = layers_of(model)
    passes = [_Pass(layer, images) for layer in layers]
    logits = []
    for chosen in torch.from_numpy(rows).to(network.device).split(BATCH):
        answers, seen = see(model, layers, feature_maps, inputs.as_they_are(chosen))
        logits.append(answers.double().sum())
        for one, of_layer in zip(passes, seen, strict=True):
            one.add(of_layer, chosen)
    is_object = test.labels[rows] >= (1 if model.outputs == 1 else 0)
    return View(
        rows,
        float(sum(logits)) / len(rows),
        [one.found(_geometry(network, one.side), is_object) for one in passes],
    )


def first_rows(images: SplitImages) -> npt.NDArray[np.int64]:
    """The first row that shows each image, if there is one where it is not mirrored."""
    held = held_once(images)
    order = np.lexsort((held.mirrored, held.image_of_row))
    _, first = np.unique(held.image_of_row[order], return_index=True)
    return np.sort(order[first]).astype(np.int64)


class _Pass:
    """What is known of a layer so far."""

    def __init__(self, layer: Layer, images: int) -> None:
        self.name = layer.name
        self.search = Search(images)
        self.side = 0
        self._weights: list[Tensor] = []
        self._pooled: list[Tensor] = []
        self._peaks: list[Tensor] = []

    def add(self, seen: Seen, rows: Tensor) -> None:
        """Take a batch."""
        self.side = seen.maps.shape[-1]
        largest, cell = seen.maps.flatten(2).max(dim=2)
        place = torch.stack([cell // self.side, cell % self.side], dim=2).float()
        place[largest <= 0] = torch.nan
        self._peaks.append(place.cpu())
        self._weights.append(seen.contributions.double().sum(dim=0).cpu())
        self._pooled.append(seen.maps.mean(dim=(2, 3)).float().cpu())
        self.search.add(seen.maps, rows)

    def found(self, geometry: MapGeometry, is_object: npt.NDArray[np.bool_]) -> LayerView:
        """What is known after all batches; only objects have a place."""
        pooled = torch.cat(self._pooled).numpy()
        weights = torch.stack(self._weights).sum(dim=0).numpy() / len(pooled)
        peaks = torch.cat(self._peaks).numpy()[is_object]
        return LayerView(
            self.name, geometry, weights, pooled, position_spread(peaks), self.search.found()
        )


def _source(network: TrainedNetwork, store: Path, test: Split) -> Source:
    """The test images, or what frozen blocks make of them, which comes from files."""
    method = network.method.to(network.device)
    images = to_device(test, network.device)
    parameters = TrainingSlice.model_validate(network.meta["parameters"])
    if parameters.finetune is None:
        return images, method.network.feature_maps
    part = stand_above(method, parameters)
    top = block_network(method.network, parameters.model.name).top
    if parameters.finetune.views == 0:
        inputs: Inputs = UncachedOutputs(images, part)
    else:
        kept_as = number_type(parameters.finetune)
        cache = Cache(network.frozen, file_sha256(store / "meta.json"), kept_as)
        inputs = cache.outputs(images, part, "test")
    # What was trained in bf16 is looked at in float32, as by measurements of features.
    return inputs, lambda outputs: top(outputs.float())


def _geometry(network: TrainedNetwork, side: int) -> MapGeometry:
    """Of all layers' maps; without a new top, cells of one size that cover the image."""
    size = network.meta["image_size"]
    parameters, backbone = network.meta["parameters"], network.model.backbone
    explains = parameters.get("performer") is not None
    if (explains or parameters["model"].get("top")) and isinstance(backbone, BlockNetwork):
        field = top_field(backbone.blocks, size)
        return MapGeometry(side, field.stride, field.start, size)
    return MapGeometry(side, size / side, size / side / 2, size)
