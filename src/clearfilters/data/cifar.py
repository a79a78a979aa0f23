"""CIFAR-10 as it is published: `cifar-10-batches-py` (Krizhevsky 2009)."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import CIFAR10

from clearfilters.artifacts import file_sha256
from clearfilters.data.archives import check_md5, fetch
from clearfilters.data.store import RawData, Split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import Cifar10Params

FOLDER = CIFAR10.base_folder
CLASSES = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
]  # fmt: skip
# (file, published MD5) of each batch.
BATCHES = {"train": CIFAR10.train_list, "test": CIFAR10.test_list}
LAST = "test_batch"
# What to do about a batch whose MD5 is another one.
IF_A_COPY = (
    "fetch the file again, or set `datasets.cifar10.verify: false` if it is a re-encoded copy (the "
    "tables will say so)"
)

# All that the published batches, or NumPy arrays written by Python 2 or 3, need to load.
ALLOWED_GLOBALS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and plain containers and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up one of the allowed globals.

        Raises:
            pickle.UnpicklingError: for any other global.
        """
        if (module, name) not in ALLOWED_GLOBALS:
            raise pickle.UnpicklingError(f"it names the foreign class {module}.{name}")
        return super().find_class(module, name)


def read_batch(path: Path) -> Split:
    """One batch file.

    Raises:
        ClearfiltersError: if the file is missing, truncated, names a foreign class in its pickle,
            or does not hold `data` uint8 (N, 3072) and as many `labels`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ClearfiltersError(
            f"{path}: {error.strerror}; put CIFAR-10's `{FOLDER}` there (with `verify` and "
            "`raw.download` on, the official one is fetched)"
        ) from None
    try:
        batch = RestrictedUnpickler(io.BytesIO(content), encoding="bytes").load()
        # The published batches were written by Python 2; saved again by Python 3, keys are text.
        named = {key.decode() if isinstance(key, bytes) else key: batch[key] for key in batch}
        data = np.asarray(named["data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
        labels = np.asarray(named["labels"], dtype=np.int64)
    except Exception as error:  # a broken pickle may raise anything
        raise ClearfiltersError(
            f"{path}: not a CIFAR-10 batch ({type(error).__name__}: {error}); expected the file "
            "of the official archive; fetch it again"
        ) from None
    if len(data) != len(labels):
        raise ClearfiltersError(
            f"{path}: {len(data)} images but {len(labels)} labels; fetch the file again"
        )
    return Split(np.ascontiguousarray(data.transpose(0, 2, 3, 1)), labels)


def read_raw(data: Cifar10Params, raw: Path, out: Path, *, download: bool) -> RawData:
    """CIFAR-10 below the folder `raw`, for the processed store; errors as `read_cifar10`."""
    splits, sha256 = read_cifar10(raw, verify=data.verify, download=download)
    return RawData(
        splits=splits,
        classes=CLASSES,
        source=FOLDER,
        raw_sha256=sha256,
        verified=data.verify,
    )


def read_cifar10(
    root: Path, *, verify: bool, download: bool
) -> tuple[dict[str, Split], dict[str, str]]:
    """The 50,000 training and 10,000 test images.

    Args:
        root: the folder that holds `cifar-10-batches-py`.
        verify: compare each batch with its published MD5.
        download: fetch the official archive if the batches are absent; never where `verify` is
            off, since those are other images.

    Returns:
        The splits, and the SHA-256 of each raw file.

    Raises:
        ClearfiltersError: see `read_batch`, `archives.check_md5` and `archives.fetch`.
    """
    folder = root / FOLDER
    if download and verify and not (folder / LAST).exists():
        fetch(FOLDER, root)
    splits, sha256 = {}, {}
    for split, batches in BATCHES.items():
        parts = []
        for name, md5 in batches:
            path = folder / name
            if verify and path.exists():
                check_md5(path, md5, str(path), IF_A_COPY)
            parts.append(read_batch(path))
            sha256[name] = file_sha256(path)
        splits[split] = Split(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
        )
    return splits, sha256
