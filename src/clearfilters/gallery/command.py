"""The gallery of one experiment's filters, from its checkpoint, its store and its measurements."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clearfilters.artifacts import atomic_path
from clearfilters.data.store import Split, check_store, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.gallery.cards import Shelf, shelves
from clearfilters.gallery.pages import STYLE_SHEET, About, pages_of
from clearfilters.gallery.recorded import read_recorded
from clearfilters.gallery.sheet import THUMBNAIL, fitting_sheet
from clearfilters.gallery.viewing import View, view
from clearfilters.params.gallery import GalleryOfExperiment
from clearfilters.params.reading import parse
from clearfilters.params.slices import TrainingSlice
from clearfilters.training.checkpoint import load_trained
from clearfilters.training.determinism import make_deterministic
from clearfilters.training.trained_network import TrainedNetwork, dataset_note

# Bytes of all pages of an experiment and their pictures together.
LIMIT = 5_000_000


def write_gallery(
    checkpoint: Path,
    store: Path,
    metrics: Path,
    slice_: dict[str, Any],
    *,
    experiment: str,
    seed: int,
    out: Path,
    device: torch.device,
    frozen: Path | None = None,
) -> None:
    """Write the gallery of a network's filters: `out`, and a folder of the same name beside it.

    Args:
        checkpoint: folder of the trained network.
        store: the processed store that it was trained on.
        metrics: folder of the run's measurements.
        slice_: the training slice, and `gallery`.
        experiment: its name.
        seed: of the training.
        out: the first page, `<experiment>.html` below results/<run>.
        device: where to compute.
        frozen: folder that keeps what frozen blocks make of images.

    Raises:
        ClearfiltersError: if the checkpoint, the store or a measurement is missing, damaged or of
            other parameters, or the pages would be over LIMIT with the smallest pictures.
    """
    params = parse(GalleryOfExperiment, slice_, "gallery")
    network = _opened(checkpoint, store, slice_, device, frozen)
    classes: list[str] = network.meta["classes"]
    recorded = read_recorded(metrics, experiment, seed, params.recorded, classes)
    test = read_split(store, "test")
    seen = view(network, store, test, params.images)
    layers = shelves(seen, recorded, np.asarray(test.labels), classes, params)
    about = _about(network, seen, params, experiment, seed, out)
    side = min(params.picture_size, THUMBNAIL) if about.small else params.picture_size
    _write(_files(about, layers, test, side, params.quality), out)


def _opened(
    checkpoint: Path, store: Path, slice_: dict[str, Any], device: torch.device, frozen: Path | None
) -> TrainedNetwork:
    """As `open_network`, but on a CPU, which needs no care, without seconds of torch's imports."""
    if device.type != "cpu":
        make_deterministic()
    method, meta = load_trained(checkpoint, slice_, "gallery")
    return TrainedNetwork(
        method, meta, check_store(store, slice_["data"]), checkpoint, device, frozen
    )


def _about(
    network: TrainedNetwork,
    seen: View,
    params: GalleryOfExperiment,
    experiment: str,
    seed: int,
    out: Path,
) -> About:
    dataset, parameters = network.meta["dataset"], network.meta["parameters"]
    note = dataset_note(dataset)
    return About(
        run=out.absolute().parent.parent.name,
        experiment=experiment,
        label=params.label,
        seed=seed,
        dataset=dataset["name"] + (f" ({note})" if note else ""),
        source=network.store_meta.source,
        images=len(seen.rows),
        logit=seen.logit,
        region_share=params.region_share,
        small=not TrainingSlice.model_validate(parameters).data.SHAREABLE,
    )


def _files(
    about: About, layers: list[Shelf], test: Split, side: int, quality: int
) -> Mapping[str, str]:
    """All files of a gallery, by path."""
    rows = {
        shown.row: test.images[shown.row]
        for layer in layers
        for card in layer.cards
        for shown in card.shown
    }
    names = {row: f"p{number}" for number, row in enumerate(rows)}
    pages = pages_of(about, layers, names)
    length = sum(len(page.encode()) for page in pages.values())
    pictures = {names[row]: pixels for row, pixels in rows.items()}
    css = fitting_sheet(pictures, side, quality, LIMIT - length)
    if css is None:
        raise ClearfiltersError(
            f"the gallery of {about.experiment}: its pages take {length} bytes, and with the "
            f"smallest pictures more than the {LIMIT} that it may have; lower gallery.filters or "
            "gallery.images"
        )
    return {**pages, f"{about.experiment}/{STYLE_SHEET}": css}


def _write(files: Mapping[str, str], out: Path) -> None:
    """Write all files, the first page last; none of an older gallery stays."""
    shutil.rmtree(out.with_suffix(""), ignore_errors=True)
    for path, content in sorted(files.items(), key=lambda item: item[0] == out.name):
        with atomic_path(out.parent / path) as temporary:
            temporary.write_text(content, encoding="utf-8")
