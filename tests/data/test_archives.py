"""Archives: checksums, unpacking that stays in its folder, nothing half-written."""

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from torchvision.datasets import CIFAR10
from torchvision.datasets.voc import DATASET_YEAR_DICT

from clearfilters.data import archives, cifar, cub, pascal_part
from clearfilters.data.archives import ARCHIVES, Archive, download, extract, fetch
from clearfilters.errors import ClearfiltersError


def tar_of(path: Path, *members: tuple[str, bytes | str]) -> Path:
    """A tar of files (bytes) and symbolic links (str)."""
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def zip_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def below(folder: Path) -> set[str]:
    """Everything below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_unpacking(tmp_path: Path, suffix: str) -> None:
    build = zip_of if suffix == "zip" else tar_of
    archive = build(tmp_path / f"a.{suffix}", ("x/y.txt", b"y"), ("z", b"zz"))
    extract(archive, tmp_path / "new")
    assert below(tmp_path / "new") == {"x", "x/y.txt", "z"}
    assert (tmp_path / "new/x/y.txt").read_bytes() == b"y"


@pytest.mark.parametrize(
    ("suffix", "members"),
    [
        ("tar", [("fine", b"1"), ("../evil", b"2")]),
        ("tgz", [("fine", b"1"), ("sub/../../evil", b"2")]),
        ("tar", [("fine", b"1"), ("link", ".."), ("link/evil", b"2")]),
        ("tar", [("fine", b"1"), ("link", "/etc/passwd")]),
        ("zip", [("fine", b"1"), ("../evil", b"2")]),
        ("zip", [("fine", b"1"), ("/evil", b"2")]),
        ("zip", [("fine", b"1"), ("..\\evil", b"2")]),
    ],
)
def test_an_archive_that_leads_outside(
    tmp_path: Path, suffix: str, members: list[tuple[str, bytes]]
) -> None:
    build = zip_of if suffix == "zip" else tar_of
    archive = build(tmp_path / f"a.{suffix}", *members)
    (tmp_path / "raw").mkdir()
    with pytest.raises(ClearfiltersError) as caught:
        extract(archive, tmp_path / "raw/new")
    assert str(archive) in str(caught.value) and "outside" in str(caught.value)
    assert below(tmp_path) == {"raw", archive.name}


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_a_damaged_archive(tmp_path: Path, suffix: str) -> None:
    build = zip_of if suffix == "zip" else tar_of
    archive = build(tmp_path / f"a.{suffix}", ("x", bytes(range(256)) * 40), ("y", b"1" * 999))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    (tmp_path / "raw").mkdir()
    with pytest.raises(ClearfiltersError, match="cannot be unpacked"):
        extract(archive, tmp_path / "raw/new")
    assert below(tmp_path) == {"raw", archive.name}


@pytest.mark.parametrize("suffix", ["tar", "tgz", "zip"])
def test_an_archive_without_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    build = zip_of if suffix == "zip" else tar_of
    archive = build(tmp_path / f"a.{suffix}")
    extract(archive, tmp_path / "new")
    assert below(tmp_path / "new") == set()
    known(monkeypatch, archive, "kit/S")
    with pytest.raises(ClearfiltersError, match="no folder kit/S"):
        fetch("Set", tmp_path / "raw")


def test_a_download_is_checked(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    download(source.as_uri(), tmp_path / "raw/copy", md5(source))
    assert (tmp_path / "raw/copy").read_bytes() == b"content"


def test_a_checksum_mismatch_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    with pytest.raises(ClearfiltersError) as caught:
        download(source.as_uri(), tmp_path / "raw/copy", "0" * 32)
    message = str(caught.value)
    assert source.as_uri() in message and md5(source) in message and "0" * 32 in message
    assert below(tmp_path) == {"raw", "source"}


def test_a_failed_download_leaves_nothing(tmp_path: Path) -> None:
    url = (tmp_path / "absent").as_uri()
    with pytest.raises(ClearfiltersError, match="the download failed"):
        download(url, tmp_path / "raw/copy", "0" * 32)
    assert below(tmp_path) == {"raw"}


def known(monkeypatch: pytest.MonkeyPatch, path: Path, inner: str) -> None:
    entry = Archive(url=path.as_uri(), md5=md5(path), inner=inner, last="images")
    monkeypatch.setitem(archives.ARCHIVES, "Set", entry)


def test_fetching_fills_in_what_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tar_of(tmp_path / "a.tar", ("kit/S/images/1", b"1"), ("kit/S/own/2", b"2"))
    known(monkeypatch, path, "kit/S")
    (tmp_path / "raw/Set/own").mkdir(parents=True)
    (tmp_path / "raw/Set/own/mine").write_bytes(b"mine")
    fetch("Set", tmp_path / "raw")
    assert below(tmp_path / "raw") == {
        "Set",
        "Set/own",
        "Set/own/mine",
        "Set/images",
        "Set/images/1",
    }


def test_what_readers_look_for_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch interrupted at any move is completed by the next one."""
    names = ("annotations", "images", "zebras")
    path = tar_of(tmp_path / "a.tar", *[(f"kit/S/{name}/1", b"1") for name in names])
    known(monkeypatch, path, "kit/S")
    wanted, replace = tmp_path / "raw/Set", os.replace
    for moves in range(3):
        done: list[Path] = []

        def interrupted(source: Path, target: Path, done: list[Path] = done) -> None:
            if target.parent == wanted:
                if len(done) == 1:
                    raise KeyboardInterrupt
                done.append(target)
            replace(source, target)

        monkeypatch.setattr(archives.os, "replace", interrupted)
        if moves < 2:
            with pytest.raises(KeyboardInterrupt):
                fetch("Set", tmp_path / "raw")
        else:
            fetch("Set", tmp_path / "raw")
        assert (wanted / "images").exists() == (moves == 2)
    assert {child.name for child in wanted.iterdir()} == set(names)


def test_an_archive_without_the_wanted_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, tar_of(tmp_path / "a.tar", ("other/1", b"1")), "kit/S")
    with pytest.raises(ClearfiltersError, match="no folder kit/S"):
        fetch("Set", tmp_path / "raw")
    assert below(tmp_path / "raw") == set()


def test_cifar10_is_the_archive_that_torchvision_knows() -> None:
    found = ARCHIVES["cifar-10-batches-py"]
    assert (found.url, found.md5, found.inner) == (
        CIFAR10.url,
        CIFAR10.tgz_md5,
        CIFAR10.base_folder,
    )


def test_voc_is_the_archive_that_torchvision_knows() -> None:
    expected = DATASET_YEAR_DICT["2010"]
    found = ARCHIVES["VOC2010"]
    assert (found.url, found.md5) == (expected["url"], expected["md5"])
    assert found.inner == expected["base_dir"]


def test_readers_look_for_what_comes_last() -> None:
    assert {name: archive.last for name, archive in ARCHIVES.items()} == {
        pascal_part.FOLDER: pascal_part.IMAGES,
        cub.FOLDER: cub.IMAGES,
        cifar.FOLDER: cifar.LAST,
    }
