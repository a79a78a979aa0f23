"""Where DVC keeps files: the remote in this repository, one on S3, and the pointers to raw data."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer
from project import ROOT, Project

from clearfilters.data.archives import ARCHIVES

# The greatest size of the remote in this repository and of one of its files, in bytes.
REMOTE = 40_000_000
FILE = 3_000_000
POINTERS = sorted(ROOT.glob("results/**/*.dvc"))


def pointer(path: Path) -> dict[str, str]:
    """The one output of a .dvc file."""
    found: dict[str, str] = yaml.safe_load(path.read_text())["outs"][0]
    return found


def test_the_remote_in_the_repository_is_small() -> None:
    sizes = [path.stat().st_size for path in (ROOT / "remote").rglob("*") if path.is_file()]
    assert sizes and sum(sizes) <= REMOTE and max(sizes) <= FILE


def test_it_has_every_trained_network_that_a_pointer_names() -> None:
    assert POINTERS
    for path in POINTERS:
        md5 = pointer(path)["md5"]
        assert (ROOT / "remote/files/md5" / md5[:2] / md5[2:]).is_file(), path
        # What else a checkpoint has is in git, beside the pointer.
        assert {"meta.json", "history.csv"} <= {file.name for file in path.parent.iterdir()}


def test_a_network_comes_back_in_a_clone_without_an_account(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository, so nothing to clone")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    clone = Project(tmp_path / "clone")
    network = "results/parts/checkpoints/dog-explainer/seed0/performer.safetensors"
    clone.run("dvc", "pull", "--quiet", network)
    assert (clone.folder / network).stat().st_size == int(pointer(ROOT / f"{network}.dvc")["size"])
    # One of this machine is left, unless told otherwise; what no remote has is left in any case.
    (clone.folder / network).unlink()
    (clone.folder / network).write_bytes(b"trained here")
    made = clone.folder / "data/processed/quick/made_here"
    made.mkdir(parents=True)
    assert "--force" in clone.run("dvc", "pull", network, ok=False)
    clone.run("dvc", "pull", "--force", network)
    assert (clone.folder / network).stat().st_size == int(pointer(ROOT / f"{network}.dvc")["size"])
    assert made.is_dir()
    # An explainer's performer is the ordinary network, kept once.
    ordinary = "results/parts/checkpoints/dog-ordinary/seed0/model.safetensors.dvc"
    assert pointer(ROOT / ordinary)["md5"] == pointer(ROOT / f"{network}.dvc")["md5"]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server on this machine with a bucket `lab`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-this-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="lab")
    yield url
    server.stop()


def test_a_remote_on_s3(endpoint: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.run("git", "init", "--quiet")
    project.run("dvc", "init", "--quiet")
    shutil.copy(ROOT / ".dvc/config", tmp_path / ".dvc/config")
    # As docs/dvc.md has it.
    project.run("dvc", "remote", "add", "--local", "--default", "lab", "s3://lab/clearfilters")
    project.run("dvc", "remote", "modify", "--local", "lab", "endpointurl", endpoint)
    network = tmp_path / "model.safetensors"
    network.write_bytes(b"trained")
    project.run("dvc", "add", "--quiet", network.name)
    assert "1 file pushed" in project.run("dvc", "push")
    shutil.rmtree(tmp_path / ".dvc/cache")
    network.unlink()
    project.run("dvc", "pull")
    assert network.read_bytes() == b"trained"


def test_the_pointers_to_raw_data_have_the_official_checksums() -> None:
    known = {archive.url: archive.md5 for archive in ARCHIVES.values()}
    found = {}
    for path in (ROOT / "datasets").glob("[!.]*.dvc"):
        content = yaml.safe_load(path.read_text())
        found[content["deps"][0]["path"]] = content["outs"][0].get("md5")
    assert {url: md5 for url, md5 in found.items() if md5} == known
    # Pascal-Part and both repositories of ILSVRC Animal-Part, of which none is published.
    assert len(found) == len(known) + 3


def test_raw_data_are_a_dvc_project_of_their_own(tmp_path: Path) -> None:
    # So that `dvc status` and `dvc pull` do not ask for gigabytes.
    project = Project(tmp_path)
    project.run("git", "init", "--quiet")
    project.run("dvc", "init", "--quiet")
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    assert "no data or pipelines tracked" in project.run("dvc", "status")
    (tmp_path / "datasets/archive.txt").write_text("archive")
    listed = project.run("dvc", "list", "--dvc-only", "--recursive", "datasets")
    assert "CUB_200_2011.tgz" in listed
