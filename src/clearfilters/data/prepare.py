"""From raw files to the processed store."""

from pathlib import Path

from clearfilters.data.store import write_store
from clearfilters.params import DatasetParams, DigitsParams


def prepare(data: DatasetParams, raw: Path, out: Path, *, download: bool) -> None:
    """Read the raw data set and write its processed store.

    Args:
        data: which data set, and how to read it.
        raw: folder of the raw files (unused by embedded data sets).
        out: the store's folder.
        download: whether missing raw files may be downloaded.

    Raises:
        ClearfiltersError: if the raw files are missing or malformed.
    """
    sha256: dict[str, str] = {}
    if isinstance(data, DigitsParams):
        from clearfilters.data import digits

        splits = digits.read_digits(test_fraction=data.test_fraction, split_seed=data.split_seed)
        classes, source, verified = digits.CLASSES, "scikit-learn load_digits", True
    else:
        from clearfilters.data import cifar

        splits, sha256 = cifar.read_cifar10(raw, verify=data.verify, download=download)
        classes, source, verified = cifar.CLASSES, "cifar-10-batches-py", data.verify
    write_store(
        out,
        splits,
        dataset=data.format,
        source=source,
        note=data.note,
        classes=classes,
        raw_sha256=sha256,
        verified=verified,
    )
