"""Archives of raw data: downloaded, compared with a published checksum, and unpacked safely."""

import hashlib
import os
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from clearfilters.artifacts import atomic_path
from clearfilters.errors import ClearfiltersError

TIMEOUT_SECONDS = 60
FETCH_AGAIN = "the file is damaged or another one; fetch it again"


@dataclass(frozen=True)
class Archive:
    """An archive of a data set.

    Attributes:
        url: where it is published.
        md5: published too.
        inner: the folder in it that is wanted.
        last: what readers look for in that folder to tell whether the set was fetched; it comes
            last, so that an interrupted fetch is done again.
    """

    url: str
    md5: str
    inner: str
    last: str


# By the folder below raw.root that the wanted content goes to. URL and MD5 as torchvision has them,
# for CUB as its publisher has them.
ARCHIVES: dict[str, Archive] = {
    "cifar-10-batches-py": Archive(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        md5="c58f30108f718f92721af3b95e74349a",
        inner="cifar-10-batches-py",
        last="test_batch",
    ),
    "VOC2010": Archive(
        url="https://thor.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
        md5="da459979d0c395079b5c75ee67908abb",
        inner="VOCdevkit/VOC2010",
        last="JPEGImages",
    ),
    "CUB_200_2011": Archive(
        url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
        md5="97eceeb196236b17998738112f37df78",
        inner="CUB_200_2011",
        last="images",
    ),
}


def check_md5(path: Path, expected: str, source: str, advice: str = FETCH_AGAIN) -> None:
    """Compare a file with its published MD5.

    Args:
        path: the file.
        expected: the published MD5.
        source: what the message calls the file.
        advice: what the message ends in.

    Raises:
        ClearfiltersError: if they differ.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != expected:
        raise ClearfiltersError(
            f"{source}: MD5 is {found}, the published one is {expected}; {advice}"
        )


def download(url: str, path: Path, md5: str) -> None:
    """Fetch `url` to `path`, which appears only if the MD5 is right.

    Raises:
        ClearfiltersError: if the download fails or the MD5 differs.
    """
    with atomic_path(path) as temporary:
        try:
            with urlopen(url, timeout=TIMEOUT_SECONDS) as response, temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
        except (URLError, OSError, ValueError) as error:
            raise ClearfiltersError(
                f"{url}: the download failed ({error}); fetch it by hand (docs/data.md)"
            ) from None
        check_md5(temporary, md5, url)


def extract(archive: Path, folder: Path) -> None:
    """Unpack a tar (compressed or not) or zip archive into the new folder `folder`, whole or not.

    Raises:
        ClearfiltersError: if it is no such archive, is damaged, or has a member that would land
            outside the folder or is neither a file nor a folder (tar).
    """
    with TemporaryDirectory(dir=folder.parent) as temporary:
        unpacked = Path(temporary, "unpacked")
        unpacked.mkdir()
        try:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as content:
                    _check_names(content.namelist())
                    content.extractall(unpacked)
            else:
                with tarfile.open(archive) as content:
                    _check_types(content.getmembers())
                    _check_names(content.getnames())
                    # Python's own filter besides, which came with 3.11.4.
                    content.extraction_filter = getattr(tarfile, "data_filter", None)
                    content.extractall(unpacked)
        except Exception as error:  # a damaged archive may raise anything
            raise ClearfiltersError(
                f"{archive}: cannot be unpacked ({error}); expected the published archive; fetch "
                "it again"
            ) from None
        os.replace(unpacked, folder)


def _check_types(members: list[tarfile.TarInfo]) -> None:
    for member in members:
        if not member.isfile() and not member.isdir():
            raise ValueError(f"`{member.name}` is a link or a device, which may lead outside")


def _check_names(names: list[str]) -> None:
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"`{name}` would be extracted outside the folder")


def fetch(name: str, raw: Path) -> None:
    """Download and unpack a known archive; what lies in its folder already is left as it is.

    Args:
        name: a key of ARCHIVES, and the folder below `raw`.
        raw: the folder of all raw data.

    Raises:
        ClearfiltersError: see `download` and `extract`.
    """
    archive = ARCHIVES[name]
    target = raw / name
    raw.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=raw) as temporary:
        file = Path(temporary, PurePosixPath(urlsplit(archive.url).path).name)
        download(archive.url, file, archive.md5)
        unpacked = Path(temporary, "content")
        extract(file, unpacked)
        inner = unpacked / archive.inner
        if not inner.is_dir():
            raise ClearfiltersError(
                f"{archive.url}: it holds no folder {archive.inner}; unpack it by hand to {target}"
            )
        target.mkdir(parents=True, exist_ok=True)
        for child in sorted(inner.iterdir(), key=lambda child: child.name == archive.last):
            if not (target / child.name).exists():
                os.replace(child, target / child.name)
