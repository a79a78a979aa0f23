"""What an attack did to a network, read from the files that `attacks.adversarial` writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clearfilters.artifacts import parameters_hash, read_arrays, read_json
from clearfilters.errors import ClearfiltersError

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

# Values of `split`.
TRAIN, TEST = 0, 1
# The parts of a detection slice that are not the training's.
OWN_PARTS = ("sampling", "white_box", "detection")
# What is read of the .json beside the samples.
META_KEYS = ("classes", "device", "packages", "training")
PER_IMAGE = (
    "split",
    "index",
    "label",
    "target",
    "clean_predicted",
    "predicted",
    "success",
    "linf",
    "l2",
)


@dataclass(frozen=True)
class AttackSamples:
    """What one attack did to one network: M images, those of the training split first.

    Attributes:
        attack: its name.
        path: the .npz, from which features are read when they are needed.
        classes: names, C of them.
        split: (M,) TRAIN or TEST.
        index: (M,) into that split.
        label: (M,) true class.
        target: (M,) class to reach, -1 if there is none.
        clean_predicted: (M,) the network's answer to the clean image.
        predicted: (M,) its answer to the adversarial one.
        success: (M,) whether the attack succeeded.
        linf: (M,) largest absolute change of a pixel, in [0, 1].
        l2: (M,) Euclidean norm of the change, pixels in [0, 1].
        layer_sizes: (L,) channels of each convolution.
        device: on which the samples were made.
        packages: that made them, name -> version.
        training: what a measurement says of the network's training.
    """

    attack: str
    path: Path
    classes: tuple[str, ...]
    split: Indices
    index: Indices
    label: Indices
    target: Indices
    clean_predicted: Indices
    predicted: Indices
    success: Flags
    linf: Floats
    l2: Floats
    layer_sizes: Indices
    device: str
    packages: dict[str, str]
    training: dict[str, Any]

    @property
    def pool(self) -> int:
        """Training images of the class that has the fewest."""
        counts = np.bincount(self.label[self.split == TRAIN], minlength=len(self.classes))
        return int(counts.min())

    def training_images(self, per_class: int | None = None) -> Indices:
        """Positions of the training images, or of the first `per_class` of each class."""
        positions = np.flatnonzero(self.split == TRAIN)
        if per_class is None:
            return positions
        labels = self.label[positions]
        kept = [positions[labels == c][:per_class] for c in range(len(self.classes))]
        return np.sort(np.concatenate(kept))


@dataclass(frozen=True)
class Features:
    """Features of the clean images and of their adversarial twins, float32 (M, F) each."""

    clean: Floats
    adversarial: Floats


def sample_slice(slice_: Mapping[str, Any], attack: str) -> dict[str, Any]:
    """What shapes the samples of an attack, from what shapes their detection."""
    training = {key: value for key, value in slice_.items() if key not in OWN_PARTS}
    return {**training, "sampling": slice_["sampling"], "attack": slice_["white_box"][attack]}


def load_attack(path: Path, attack: str, slice_: Mapping[str, Any]) -> AttackSamples:
    """Read what an attack did; features are left in the file.

    Args:
        path: the .npz; what made it stands in the .json beside it.
        attack: name of the attack.
        slice_: of the detection; the samples' own parameters follow from it.

    Raises:
        ClearfiltersError: if a file is missing or damaged, an array is missing or does not fit, or
            the samples were made with other parameters.
    """
    meta = read_json(path.with_suffix(".json"))
    expected = parameters_hash(sample_slice(slice_, attack))
    found = str(meta.get("parameters_hash") if isinstance(meta, dict) else None)
    if found != expected:
        raise ClearfiltersError(
            f"{path}: made with parameters {found[:12]}, but the current parameters are "
            f"{expected[:12]}; make the samples of `{attack}` again or restore params.yaml"
        )
    lacking = [key for key in META_KEYS if key not in meta]
    if lacking:
        raise ClearfiltersError(
            f"{path.with_suffix('.json')}: lacks {', '.join(lacking)}; make the samples of "
            f"`{attack}` again"
        )
    arrays = read_arrays(path, (*PER_IMAGE, "layer_sizes"))
    images = arrays["split"].shape
    for name in PER_IMAGE:
        if arrays[name].shape != images or len(images) != 1:
            raise ClearfiltersError(
                f"{path}: `{name}` has shape {arrays[name].shape}, (M,) expected with M = "
                f"{images[0] if images else 0} as in `split`; make it again"
            )
    samples = AttackSamples(
        attack=attack,
        path=path,
        classes=tuple(str(name) for name in meta["classes"]),
        device=meta["device"],
        packages=meta["packages"],
        training=meta["training"],
        **arrays,
    )
    for split in (TRAIN, TEST):
        present = set(samples.label[samples.split == split].tolist())
        if present != set(range(len(samples.classes))):
            raise ClearfiltersError(
                f"{path}: the images of split {split} have labels {sorted(present)}, every one "
                f"of 0 to {len(samples.classes) - 1} expected; make it again"
            )
    return samples


def read_features(samples: AttackSamples, name: str) -> Features:
    """Read features of both versions of every image.

    Args:
        samples: whose.
        name: `layers` (every convolution's pooled activations), `last_layer` (those of the last
            convolution alone), `logits`, or `pixels` in [0, 1].

    Raises:
        ClearfiltersError: if the file lacks them, or they are not finite or of another size.
    """
    if name == "pixels":
        arrays = read_arrays(samples.path, ("clean", "adversarial"))
        # Stored as bytes; the adversarial pixels are in [0, 1].
        pair = [arrays["clean"].astype(np.float32) / 255, arrays["adversarial"]]
        pair = [array.reshape(len(array), -1) for array in pair]
    else:
        kind = "logits" if name == "logits" else "layers"
        arrays = read_arrays(samples.path, (f"clean_{kind}", f"adversarial_{kind}"))
        pair = list(arrays.values())
    if name == "last_layer":
        pair = [array[:, -samples.layer_sizes[-1] :] for array in pair]
    if name == "layers" and pair[0].shape[-1] != samples.layer_sizes.sum():
        raise ClearfiltersError(
            f"{samples.path}: {pair[0].shape[-1]} features in `clean_layers`, "
            f"{samples.layer_sizes.sum()} expected from `layer_sizes`; make it again"
        )
    features = Features(*(np.asarray(array, dtype=np.float32) for array in pair))
    for array in (features.clean, features.adversarial):
        if array.shape != (len(samples.split), features.clean.shape[1]):
            raise ClearfiltersError(
                f"{samples.path}: {name} of shapes {features.clean.shape} (clean) and "
                f"{features.adversarial.shape} (adversarial) for {len(samples.split)} images; "
                "make it again"
            )
        if not np.isfinite(array).all():
            raise ClearfiltersError(
                f"{samples.path}: {name} hold NaN or infinite values; check the training"
            )
    return features
