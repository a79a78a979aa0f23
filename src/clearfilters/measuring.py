"""All measurements of a model's features in one process; what is current is kept.

Importing torch and reading the features costs more than most measurements, so a job makes all of
them. A changed number shall make only what depends on it, but Snakemake deletes a job's outputs
before it runs. So measurements have a place of their own, beside the features, each with a key of
all that shaped it: parameters, files it was made from, code.
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearfilters.analysis.features import FEATURE_ARRAYS, FeatureSet, load_features
from clearfilters.analysis.recording import Model, record_measurement
from clearfilters.artifacts import (
    atomic_path,
    file_sha256,
    parameters_hash,
    read_json,
    write_json,
)
from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import FeaturesParams
from clearfilters.params.reading import parse
from clearfilters.registry import MEASUREMENTS
from clearfilters.step_code import model_files, step_files

# Beside the features: the measurements, and the key of each.
KEPT = "kept"
KEYS = "keys.json"
FEATURES = "features"


@dataclass(frozen=True)
class Kept:
    """What was made before, each by a name, with the key of what shaped it."""

    folder: Path

    def is_current(self, name: str, key: str, files: Iterable[Path]) -> bool:
        """Whether these files are there, and were made with this key."""
        return self._keys().get(name) == key and all(file.is_file() for file in files)

    def add(self, name: str, key: str) -> None:
        """Remember the key of what was made."""
        write_json(self.folder / KEYS, {**self._keys(), name: key})

    def _keys(self) -> dict[str, str]:
        try:
            keys: dict[str, str] = read_json(self.folder / KEYS)
        except ClearfiltersError:  # nothing kept yet, or damaged: all is made again
            return {}
        return keys


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
    _current_features(slices[FEATURES], model.features, kept, store, checkpoint, device)
    feature_set: FeatureSet | None = None
    # Phi first: others read the gates that it writes.
    for analysis in sorted(slices["own"], key=lambda name: name != "phi"):
        slice_ = {**slices[FEATURES], **slices["own"][analysis]}
        code = step_files("measure", MEASUREMENTS[analysis].measure)
        key = _key(slice_, model.inputs(analysis), code)
        made = kept.folder / f"{analysis}.json"
        if kept.is_current(analysis, key, [made, model.gates] if analysis == "phi" else [made]):
            _say(f"{analysis}: kept")
        else:
            feature_set = feature_set or load_features(model.features)
            record_measurement(analysis, slice_, model, feature_set, made)
            kept.add(analysis, key)
            _say(f"{analysis}: measured")
        _copy(made, metrics / analysis / model.experiment / f"seed{model.seed}.json")
    if "phi" in slices["own"]:
        _copy(model.gates, gates)


def _current_features(
    slice_: dict[str, Any],
    folder: Path,
    kept: Kept,
    store: Path,
    checkpoint: Path,
    device: Callable[[], Any],
) -> None:
    """Record the features, unless those in the folder were made of the same."""
    inputs = {
        "weights": checkpoint / "model.safetensors",
        "checkpoint": checkpoint / "meta.json",
        "store": store / "meta.json",
    }
    key = _key(slice_, inputs, model_files(FEATURES, slice_))
    files = [folder / name for name in (*FEATURE_ARRAYS, "meta.json")]
    if kept.is_current(FEATURES, key, files):
        _say("features: kept")
        return
    from clearfilters.training.features import record_features  # torch is slow to import

    params = parse(FeaturesParams, slice_, FEATURES)
    record_features(checkpoint, store, params, slice_, folder, device())
    kept.add(FEATURES, key)
    _say("features: recorded")


def _key(slice_: Mapping[str, Any], inputs: Mapping[str, Path], code: Iterable[str]) -> str:
    return parameters_hash(
        {
            "parameters": slice_,
            "inputs": {name: file_sha256(path) for name, path in inputs.items()},
            "code": sorted(file_sha256(Path(path)) for path in code),
        }
    )


def _copy(made: Path, out: Path) -> None:
    with atomic_path(out) as temporary:
        shutil.copyfile(made, temporary)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
