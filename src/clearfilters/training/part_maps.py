"""What the filters of a network's top convolution see of annotated objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from clearfilters.analysis.location_instability import Peaks
from clearfilters.analysis.map_geometry import MapGeometry
from clearfilters.artifacts import file_sha256
from clearfilters.data.rows import held_once
from clearfilters.data.store import SPLITS, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.methods.explainer import find_encoder
from clearfilters.methods.method import Method
from clearfilters.models.classifier import block_network
from clearfilters.models.receptive_fields import top_field
from clearfilters.models.surgery import part_masks
from clearfilters.models.torchvision_networks import Residual
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import build_method, build_network
from clearfilters.training.frozen import Cache, number_type, train_above
from clearfilters.training.inputs import Inputs, initial_seed, to_device
from clearfilters.training.trained_network import TrainedNetwork

# Objects that pass the network at once; only memory depends on it.
BATCH = 100
# Which maps: of the top convolution, or what an explainer's encoder reads of the performer.
Layer = Literal["top", "input"]


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of a category's objects in a split.

    Attributes:
        rows: in the split, of objects that have at least one (N,).
        places: name -> row and column in pixels (N, 2); NaN where it is not visible, or is there
            several times.
    """

    rows: npt.NDArray[np.int64]
    places: dict[str, npt.NDArray[np.float64]]


class PartNetwork:
    """A trained network, or the same before training, with the data that it was trained on.

    Attributes:
        method: the network with what its method adds.
        parameters: of the training.
        classes: of the data set.
    """

    def __init__(self, network: TrainedNetwork, store: Path, annotations: str) -> None:
        """A network and its data; what its frozen blocks make of them comes from files.

        Args:
            network: the trained network.
            store: the processed store that it was trained on.
            annotations: the kind that is measured on: landmarks or parts.

        Raises:
            ClearfiltersError: if the store has no such annotations.
        """
        if annotations not in network.store_meta.annotations:
            raise ClearfiltersError(
                f"{store}: the data have no {annotations}, which this measurement needs; choose a "
                "data set that has some (docs/data.md)"
            )
        self.parameters = TrainingSlice.model_validate(network.meta["parameters"])
        self.method = network.method.to(network.device)
        self.classes: list[str] = network.meta["classes"]
        self.meta = network.meta
        self.device = network.device
        self.splits = {name: read_split(store, name, annotations=(annotations,)) for name in SPLITS}
        images = {name: to_device(split, self.device) for name, split in self.splits.items()}
        self.inputs: dict[str, Inputs] = dict(images)
        finetune = self.parameters.finetune
        if finetune is not None:
            cache = Cache(network.frozen, file_sha256(store / "meta.json"), number_type(finetune))
            above = train_above(
                self.method, self.parameters, images["train"], images["test"], cache
            )
            self.inputs = dict(zip(SPLITS, above, strict=True))

    @property
    def categories(self) -> list[str]:
        """The classes that stand for a category of objects, of the network's outputs."""
        return self.classes[1:] if self.method.network.outputs == 1 else self.classes

    @property
    def filters(self) -> int:
        """D of the top convolution, without those that are left ordinary beside part filters."""
        masks = part_masks(self.method.network)
        return len(masks[-1].beta) if masks else self.method.network.parts.last_conv.out_channels

    @cached_property
    def geometry(self) -> MapGeometry:
        """Of the top convolution's map."""
        blocks = block_network(self.method.network, self.parameters.model.name).blocks
        size = self.meta["image_size"]
        field = top_field(blocks, size)
        rows = torch.zeros(1, dtype=torch.int64, device=self.device)
        side = next(self.top_maps(self.method, "test", rows)).shape[-1]
        return MapGeometry(side, field.stride, field.start, size)

    def untrained(self) -> Method | None:
        """The same network before its first epoch; None if some of its first weights are not kept.

        Where it stands on a frozen part, that part and the scale of its maps are the trained one's.
        """
        parameters, finetune = self.parameters, self.parameters.finetune
        if finetune is not None and finetune.trained_blocks > 1 and finetune.weights is not None:
            return None
        torch.manual_seed(initial_seed(parameters.seed))
        mean, std = self.meta["mean"], self.meta["std"]
        network = build_network(parameters, self.classes, mean, std, self.meta["image_size"])
        method = build_method(parameters, network)
        method.take_given(self.method)
        if finetune is not None:
            method.take(block_network(method.network, parameters.model.name).top, compiled=False)
        return method.to(self.device).eval()

    @torch.no_grad()
    def top_maps(
        self, method: Method, split: str, rows: Tensor, layer: Layer = "top"
    ) -> Iterator[Tensor]:
        """The top convolution's output before ReLU (B, D, n, n), for batches of rows of a split.

        Filters that are left ordinary beside part filters are left out. Of an explainer it is
        conv-interp-2, or what its encoder reads; of a ResNet its last block, after ReLU, whose
        convolution has a part of a sum.
        """
        encoder = find_encoder(method.network)
        found: list[Tensor] = []
        if encoder is None:
            last = block_network(method.network, self.parameters.model.name).blocks[-1]
            is_sum = isinstance(last, Residual)
            hooked: nn.Module = last if is_sum else method.network.parts.last_conv
        else:
            hooked = encoder.conv_interp2 if layer == "top" else encoder.standardisation
        # A copy: the ReLU behind it may work in place.
        hook = hooked.register_forward_hook(
            lambda _layer, _inputs, output: found.append(output.clone())
        )
        try:
            for chosen in rows.split(BATCH):
                method.maps(self.inputs[split].as_they_are(chosen))
                maps = found.pop().float()
                yield maps[:, : self.filters] if layer == "top" else maps
        finally:
            hook.remove()

    def peaks(
        self, method: Method, split: str, rows: npt.NDArray[np.int64], layer: Layer = "top"
    ) -> Peaks:
        """Where each filter's map is largest on rows of a split, before ReLU, mask and pooling.

        A map that is the same everywhere has no peak.
        """
        positions, scores = [], []
        for maps in self.top_maps(method, split, torch.from_numpy(rows).to(self.device), layer):
            side = maps.shape[-1]
            flat = maps.flatten(2)
            largest, index = flat.max(dim=2)
            place = torch.stack([index // side, index % side], dim=2).float()
            place[largest == flat.amin(dim=2)] = torch.nan
            positions.append(place.cpu().numpy())
            scores.append(largest.cpu().numpy())
        return Peaks(np.concatenate(positions), np.concatenate(scores))

    def masked_maps(
        self,
        method: Method,
        split: str,
        rows: npt.NDArray[np.int64],
        filters: npt.NDArray[np.intp] | None = None,
    ) -> npt.NDArray[np.float32]:
        """The top convolution's maps after ReLU and mask, not pooled, float32 (N, D, n, n).

        D are the chosen filters; all by default.
        """
        masks = [mask for mask in part_masks(method.network) if mask.masks]
        found = []
        for maps in self.top_maps(method, split, torch.from_numpy(rows).to(self.device)):
            maps = maps.relu()
            # The mask stands above the pooling; its template has the same shape on either map.
            masked = (masks[-1](maps) if masks else maps).cpu().numpy()
            found.append(masked if filters is None else masked[:, filters])
        return np.concatenate(found)

    def objects(self, split: str, category: str) -> int:
        """How many different objects of a category a split has."""
        data = self.splits[split]
        own = data.labels == self.classes.index(category)
        return len(np.unique(held_once(data.images).image_of_row[own]))

    def landmark_names(self, category: str, wanted: list[str] | None) -> list[str]:
        """The landmarks of a category that count: those wanted that it has, or all for None.

        Raises:
            ClearfiltersError: if it has none of those wanted.
        """
        tables = [self._landmark_table(split, category) for split in SPLITS]
        known = list(dict.fromkeys(name for table in tables for name in table["landmark"]))
        found = [name for name in known if wanted is None or name in wanted]
        if known and not found:
            raise ClearfiltersError(
                f"analysis.part_location.landmarks: {category} has none of "
                f"{', '.join(wanted or ())}; it has: {', '.join(known)}"
            )
        return found

    def landmarks(self, split: str, category: str, names: list[str]) -> Landmarks:
        """These landmarks of a category's objects in a split, each object once."""
        table = self._landmark_table(split, category)
        return _landmarks(table[table["visible"]], names)

    def _landmark_table(self, split: str, category: str) -> pd.DataFrame:
        data = self.splits[split]
        assert data.landmarks is not None
        own = data.labels == self.classes.index(category)
        return data.landmarks[own[data.landmarks["image"].to_numpy()]]


def _landmarks(visible: pd.DataFrame, names: list[str]) -> Landmarks:
    visible = visible[visible["landmark"].isin(names)]
    single = visible.drop_duplicates(["image", "landmark"], keep=False)
    rows = np.unique(single["image"].to_numpy(np.int64))
    places = {}
    for name in names:
        own = single[single["landmark"] == name]
        found = np.full((len(rows), 2), np.nan)
        found[np.searchsorted(rows, own["image"])] = own[["y", "x"]]
        places[name] = found
    return Landmarks(rows, places)
