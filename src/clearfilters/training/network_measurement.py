"""A measurement of a trained network and the store that it was trained on, whichever it is."""

from pathlib import Path
from typing import Any

import torch

from clearfilters.analysis.recording import write_measurement
from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import of_kind
from clearfilters.params.reading import parse
from clearfilters.registry import MEASUREMENTS, load
from clearfilters.training.trained_network import Measured, open_network


def record_network_measurement(
    analysis: str,
    checkpoint: Path,
    store: Path,
    slice_: dict[str, Any],
    *,
    experiment: str,
    seed: int,
    out: Path,
    device: torch.device,
    frozen: Path | None = None,
) -> None:
    """Measure a trained network and write the JSON.

    Args:
        analysis: a measurement of networks (registry.MEASUREMENTS).
        checkpoint: folder of the trained network.
        store: the processed store that it was trained on.
        slice_: the training slice, and under `analysis` the measurement's parameters.
        experiment: name of the experiment.
        seed: of the training.
        out: the JSON.
        device: where to compute.
        frozen: folder that keeps what frozen blocks make of images.

    Raises:
        ClearfiltersError: if there is no such measurement, a parameter is wrong, the checkpoint or
            the store was made with other parameters or cannot be read, or as the measurement says.
    """
    known = of_kind("network")
    if analysis not in known:
        raise ClearfiltersError(
            f"no measurement `{analysis}` of networks; there are: {', '.join(known)}"
        )
    entry = MEASUREMENTS[analysis]
    params = parse(load(entry.params), slice_, analysis)
    network = open_network(checkpoint, store, slice_, analysis, device=device, frozen=frozen)
    measured: Measured = load(entry.measure)(network, store, params)
    write_measurement(
        out,
        measured.values,
        analysis=analysis,
        experiment=experiment,
        seed=seed,
        slice_=slice_,
        inputs={**network.inputs(), **measured.inputs},
        meta=network.provenance(),
    )
