"""All measurements of a model's features in one process; what is current is kept.

Importing torch and reading the features costs more than most measurements, so a job makes all of
them. A changed number shall make only what depends on it, but Snakemake deletes a job's outputs
before it runs. So measurements have a place of their own, beside the features, each with a key of
all that shaped it: parameters, files it was made from, code.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clearfilters.analysis.features import FEATURE_ARRAYS, FeatureSet, load_features
from clearfilters.analysis.recording import Model, record_measurement
from clearfilters.artifacts import atomic_path
from clearfilters.kept import Kept, key_of, model_inputs, say
from clearfilters.params.measurements import FeaturesParams
from clearfilters.params.reading import parse
from clearfilters.registry import MEASUREMENTS
from clearfilters.step_code import model_files, step_files

# Beside the features: the measurements, and what is known of each.
KEPT = "kept"
FEATURES = "features"


def measure_model(
    slices: Mapping[str, Any],
    model: Model,
    *,
    store: Path,
    checkpoint: Path,
    metrics: Path,
    gates: Path,
    device: Callable[[], Any],
) -> None:
    """Record a model's features where they are not current, and take its measurements.

    Args:
        slices: `features`, what shapes the features; `own`, analysis -> what shapes it besides.
        model: where its features and its gates are kept.
        store: the processed store that it was trained on.
        checkpoint: folder of the trained network.
        metrics: folder of the measurements: `<analysis>/<experiment>/seed<seed>.json`.
        gates: where a copy of the gates is to be.
        device: gives the device for the features, if they are to be recorded.

    Raises:
        ClearfiltersError: if the checkpoint, the store or the features are of other parameters,
            missing or damaged, or a parameter is out of range.
    """
    kept = Kept(model.features / KEPT)
    current_features(slices[FEATURES], model.features, store, checkpoint, device)
    feature_set: FeatureSet | None = None
    # Phi first: others read the gates that it writes.
    for analysis in sorted(slices["own"], key=lambda name: name != "phi"):
        slice_ = {**slices[FEATURES], **slices["own"][analysis]}
        code = step_files("measure", MEASUREMENTS[analysis].measure)
        key = key_of(slice_, model.inputs(analysis), code)
        made = kept.folder / f"{analysis}.json"
        if kept.is_current(analysis, key, [made, model.gates] if analysis == "phi" else [made]):
            say(f"{analysis}: kept")
        else:
            feature_set = feature_set or load_features(model.features)
            with kept.making(analysis, key):
                record_measurement(analysis, slice_, model, feature_set, made)
            say(f"{analysis}: measured")
        _copy(made, metrics / analysis / model.experiment / f"seed{model.seed}.json")
    if "phi" in slices["own"]:
        _copy(model.gates, gates)


def current_features(
    slice_: dict[str, Any],
    folder: Path,
    store: Path,
    checkpoint: Path,
    device: Callable[[], Any],
) -> None:
    """Record the features of a model, unless those in the folder were made of the same.

    Args:
        slice_: everything that shapes them.
        folder: of the features.
        store: the processed store that the model was trained on.
        checkpoint: folder of the trained network.
        device: gives the device, if they are to be recorded.

    Raises:
        ClearfiltersError: as `record_features`.
    """
    kept = Kept(folder / KEPT)
    inputs = model_inputs(checkpoint, store)
    key = key_of(slice_, inputs, model_files(FEATURES, slice_))
    files = [folder / name for name in (*FEATURE_ARRAYS, "meta.json")]
    if kept.is_current(FEATURES, key, files):
        say("features: kept")
        return
    from clearfilters.training.features import record_features  # torch is slow to import

    params = parse(FeaturesParams, slice_, FEATURES)
    with kept.making(FEATURES, key):
        record_features(checkpoint, store, params, slice_, folder, device())
    say("features: recorded")


def _copy(made: Path, out: Path) -> None:
    with atomic_path(out) as temporary:
        shutil.copyfile(made, temporary)
