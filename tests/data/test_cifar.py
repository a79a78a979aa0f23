"""CIFAR-10's official layout, on small synthetic batches."""

import hashlib
import pickle
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from clearfilters.data import archives, cifar
from clearfilters.data.prepare import prepare
from clearfilters.data.store import read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import Cifar10Params

PER_BATCH = 6
NAMES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
DATA = Cifar10Params(format="cifar10", note="", verify=False)
VERIFIED = Cifar10Params(format="cifar10", note="", verify=True)


def official(images: npt.NDArray[np.uint8], labels: list[int]) -> dict[bytes, Any]:
    """A batch as the data set's page describes it: rows of 3072, all red, all green, all blue."""
    rows = np.stack(
        [np.concatenate([image[..., channel].ravel() for channel in range(3)]) for image in images]
    )
    return {
        b"batch_label": b"a batch",
        b"labels": labels,
        b"data": rows,
        b"filenames": [b"x.png"] * len(labels),
    }


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A root with the six batches of six random images each."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "raw" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in NAMES:
        images = generator.integers(0, 256, (PER_BATCH, 32, 32, 3), dtype=np.uint8)
        labels = generator.integers(0, 10, PER_BATCH).tolist()
        (folder / name).write_bytes(pickle.dumps(official(images, labels), protocol=2))
    return folder.parent


def batch(raw: Path, name: str) -> Path:
    """The path of a batch."""
    return raw / "cifar-10-batches-py" / name


def refused(raw: Path, out: Path, data: Cifar10Params = DATA) -> str:
    """Prepare, which must fail with one error and leave no store; returns the message."""
    with pytest.raises(ClearfiltersError) as caught:
        prepare(data, raw, out, download=False)
    assert not out.exists()
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pixels_and_labels_come_back(tmp_path: Path, protocol: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps(official(images, [3, 0, 9, 3]), protocol=protocol))
    split = cifar.read_batch(path)
    np.testing.assert_array_equal(split.images, images)
    assert split.labels.tolist() == [3, 0, 9, 3]
    assert split.images.dtype == np.uint8 and split.labels.dtype == np.int64


def test_a_batch_written_by_python_2(tmp_path: Path) -> None:
    # Protocol 0 text pickles with Python 2 `str` keys, as the published batches have; written out
    # by hand because Python 3 cannot write them.
    content = b"(dp0\nS'labels'\np1\n(lp2\nI7\nasS'data'\np3\n(lp4\n" + b"I5\na" * 3072 + b"s."
    path = tmp_path / "batch"
    path.write_bytes(content)
    split = cifar.read_batch(path)
    assert split.labels.tolist() == [7]
    assert split.images.shape == (1, 32, 32, 3) and (split.images == 5).all()


@pytest.mark.parametrize("as_labels", [np.array, list], ids=["array", "scalars"])
def test_a_batch_saved_again_by_python_3(tmp_path: Path, as_labels: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    content = {
        "data": images.transpose(0, 3, 1, 2).reshape(4, -1),
        "labels": as_labels(np.array([3, 1, 0, 9])),
    }
    (tmp_path / "batch").write_bytes(pickle.dumps(content))
    found = cifar.read_batch(tmp_path / "batch")
    np.testing.assert_array_equal(found.images, images)
    assert found.labels.tolist() == [3, 1, 0, 9] and found.labels.dtype == np.int64


def test_the_store_holds_all_batches_in_order(raw: Path, tmp_path: Path) -> None:
    prepare(DATA, raw, tmp_path / "store", download=False)
    meta = read_meta(tmp_path / "store")
    assert meta.classes[0] == "airplane" and meta.classes[9] == "truck" and len(meta.classes) == 10
    assert meta.counts == {"train": 5 * PER_BATCH, "test": PER_BATCH}
    assert meta.verified is False
    for name in NAMES:
        expected = hashlib.sha256(batch(raw, name).read_bytes()).hexdigest()
        assert meta.raw_sha256[name] == expected
    train = read_split(tmp_path / "store", "train")
    third = cifar.read_batch(batch(raw, "data_batch_3"))
    np.testing.assert_array_equal(train.images[2 * PER_BATCH : 3 * PER_BATCH], third.images)
    np.testing.assert_array_equal(train.labels[2 * PER_BATCH : 3 * PER_BATCH], third.labels)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_batch(raw: Path, tmp_path: Path, share: float) -> None:
    path = batch(raw, "data_batch_4")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    message = refused(raw, tmp_path / "store")
    assert str(path) in message and "not a CIFAR-10 batch" in message


class Opens:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        """What `pickle` calls to rebuild the object."""
        return open, (str(self.path), "w")


def test_a_foreign_class_is_refused_and_its_code_does_not_run(raw: Path, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    path = batch(raw, "data_batch_2")
    content = pickle.loads(path.read_bytes(), encoding="bytes")
    path.write_bytes(pickle.dumps({**content, b"extra": Opens(marker)}))
    message = refused(raw, tmp_path / "store")
    assert str(path) in message and "foreign class" in message and "open" in message
    assert not marker.exists()
    # The pickle does what it is meant to do, where it is let.
    pickle.loads(path.read_bytes())
    assert marker.exists()


def test_a_foreign_module_is_not_imported(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign_module.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = batch(raw, "test_batch")
    path.write_bytes(b"cforeign_module\nThing\n)R.")
    assert "foreign_module.Thing" in refused(raw, tmp_path / "store")
    assert "foreign_module" not in sys.modules


@pytest.mark.parametrize("label", [-1, 10, 255])
def test_labels_out_of_range(raw: Path, tmp_path: Path, label: int) -> None:
    path = batch(raw, "test_batch")
    content = pickle.loads(path.read_bytes(), encoding="bytes")
    content[b"labels"][3] = label
    path.write_bytes(pickle.dumps(content, protocol=2))
    message = refused(raw, tmp_path / "store")
    assert "labels out of range" in message and str(label) in message


def test_more_labels_than_images(raw: Path, tmp_path: Path) -> None:
    path = batch(raw, "data_batch_1")
    content = pickle.loads(path.read_bytes(), encoding="bytes")
    content[b"labels"].append(0)
    path.write_bytes(pickle.dumps(content, protocol=2))
    assert f"{path}: 6 images but 7 labels" in refused(raw, tmp_path / "store")


@pytest.mark.parametrize("content", [{}, [1, 2], 3, {b"data": [1], b"labels": [1]}])
def test_a_pickle_that_is_no_batch(raw: Path, tmp_path: Path, content: Any) -> None:
    batch(raw, "data_batch_5").write_bytes(pickle.dumps(content))
    assert "data_batch_5: not a CIFAR-10 batch" in refused(raw, tmp_path / "store")


def test_a_wrong_checksum(raw: Path, tmp_path: Path) -> None:
    message = refused(raw, tmp_path / "store", VERIFIED)
    path = batch(raw, "data_batch_1")
    assert str(path) in message
    assert hashlib.md5(path.read_bytes()).hexdigest() in message
    assert "c99cafc152244af753f735de768cd75f" in message  # published


def test_a_right_checksum(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = [(name, hashlib.md5(batch(raw, name).read_bytes()).hexdigest()) for name in NAMES]
    monkeypatch.setattr(cifar, "BATCHES", {"train": published[:5], "test": published[5:]})
    prepare(VERIFIED, raw, tmp_path / "store", download=False)
    assert read_meta(tmp_path / "store").verified is True


def test_a_missing_batch(raw: Path, tmp_path: Path) -> None:
    batch(raw, "data_batch_3").unlink()
    assert str(batch(raw, "data_batch_3")) in refused(raw, tmp_path / "store")


def test_no_folder_and_no_download(tmp_path: Path) -> None:
    assert "cifar-10-batches-py" in refused(tmp_path / "nowhere", tmp_path / "store")


@pytest.fixture
def published(raw: Path, monkeypatch: pytest.MonkeyPatch) -> archives.Archive:
    """The batches of `raw` as the official archive, with their checksums."""
    checksums = [[name, hashlib.md5(batch(raw, name).read_bytes()).hexdigest()] for name in NAMES]
    monkeypatch.setattr(cifar, "BATCHES", {"train": checksums[:5], "test": checksums[5:]})
    path = raw / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(raw / cifar.FOLDER, cifar.FOLDER)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    official = replace(archives.ARCHIVES[cifar.FOLDER], url=path.as_uri(), md5=md5)
    monkeypatch.setitem(archives.ARCHIVES, cifar.FOLDER, official)
    return official


def test_the_official_archive_is_fetched(published: archives.Archive, tmp_path: Path) -> None:
    prepare(VERIFIED, tmp_path / "fetched", tmp_path / "store", download=True)
    assert len(read_split(tmp_path / "store", "train").images) == 5 * PER_BATCH
    assert read_meta(tmp_path / "store").verified


def test_another_archive_than_the_published_one(
    published: archives.Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(published, md5="0" * 32)
    monkeypatch.setitem(archives.ARCHIVES, cifar.FOLDER, other)
    with pytest.raises(ClearfiltersError, match="the published one is 000"):
        prepare(VERIFIED, tmp_path / "fetched", tmp_path / "store", download=True)
    assert not (tmp_path / "store").exists()


@pytest.mark.usefixtures("published")
def test_a_copy_is_never_replaced_by_the_official_archive(tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match=cifar.FOLDER):
        prepare(DATA, tmp_path / "fetched", tmp_path / "store", download=True)
    assert not (tmp_path / "fetched").exists() and not (tmp_path / "store").exists()
