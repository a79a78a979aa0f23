"""A gallery from files: checkpoint, store and recorded measurements in, pages out."""

import base64
import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from explainer_networks import annotated_store, explainer_slice, random_explainer, save
from PIL import Image

from clearfilters.artifacts import parameters_hash
from clearfilters.cli import main
from clearfilters.data.store import read_meta
from clearfilters.errors import ClearfiltersError
from clearfilters.gallery import command
from clearfilters.gallery.recorded import read_recorded
from clearfilters.gallery.sheet import THUMBNAIL
from clearfilters.methods.method import Method
from clearfilters.params.datasets import DatasetBase
from clearfilters.params.reading import parse_dataset
from clearfilters.params.slices import TrainingSlice
from clearfilters.registry import DATASETS
from clearfilters.training.checkpoint import save_checkpoint

Slices = Callable[..., TrainingSlice]
CPU = torch.device("cpu")
OWN: dict[str, Any] = {
    "filters": 7, "images": 4, "picture_size": 112, "quality": 75, "region_share": 0.5,
    "label": "small network", "threshold": 0.5, "mis": {"n_neighbors": 3, "random_state": 0},
    "recorded": {},
}  # fmt: skip


def record(metrics: Path, analysis: str, values: dict[str, Any]) -> str:
    """Write a measurement; returns the hash of its parameters."""
    path = metrics / analysis / "net" / "seed0.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    hash_ = parameters_hash({"of": analysis})
    path.write_text(json.dumps({"values": values, "provenance": {"parameters_hash": hash_}}))
    return hash_


@pytest.fixture
def digits_net(
    tmp_path: Path,
    digits_store: Path,
    make_slice: Slices,
    fresh_method: Callable[[TrainingSlice], Method],
) -> dict[str, Any]:
    """A random network of K = 16 filters on digits, with a gate and mutual information recorded."""
    parameters, metrics = make_slice(), tmp_path / "results/small/metrics"
    method = fresh_method(parameters)
    save_checkpoint(tmp_path / "net", method, [], parameters, read_meta(digits_store), CPU)
    gate = [[1.0 if (k + c) % 10 == 0 else 0.2 for k in range(16)] for c in range(10)]
    recorded = {
        "phi": record(metrics, "phi", {"trained_gate": None, "fitted_gate": gate}),
        "mis": record(
            metrics,
            "mis",
            {
                "best_information": [k / 16 for k in range(16)],
                "best_class": [k % 10 for k in range(16)],
            },
        ),
    }
    slice_ = parameters.model_dump(by_alias=True)
    return {
        "checkpoint": tmp_path / "net",
        "store": digits_store,
        "metrics": metrics,
        "slice_": {**slice_, "gallery": {**OWN, "recorded": recorded}},
        "experiment": "net",
        "seed": 0,
        "out": tmp_path / "results/small/filters/net.html",
        "device": CPU,
    }


@pytest.fixture
def explained(tmp_path: Path, part_slice: Slices) -> dict[str, Any]:
    """A random explainer on data that may not be passed on."""
    ordinary = {"interpretable": False, "masks": False}
    parameters = explainer_slice(part_slice("cat", top=ordinary, hidden=(7, 6)))
    annotated_store(tmp_path / "store", parameters, ["background", "cat"])
    method = random_explainer(parameters, ["background", "cat"])
    save(tmp_path / "net", method, parameters, tmp_path / "store")
    return {
        "checkpoint": tmp_path / "net",
        "store": tmp_path / "store",
        "metrics": tmp_path / "metrics",
        "slice_": {**parameters.model_dump(by_alias=True), "gallery": OWN},
        "experiment": "net",
        "seed": 0,
        "out": tmp_path / "results/small/filters/net.html",
        "device": CPU,
    }


def sizes(folder: Path) -> set[tuple[int, int]]:
    """Of the pictures of a gallery."""
    data = re.findall(r"base64,([^)]*)\)", (folder / "pictures.css").read_text())
    assert len(data) == len(set(data)) > 0
    return {Image.open(BytesIO(base64.b64decode(text))).size for text in data}


def test_what_is_recorded_is_shown(digits_net: dict[str, Any]) -> None:
    command.write_gallery(**digits_net)
    out: Path = digits_net["out"]
    page = out.read_text()
    assert "The 7 of 16 filters that decide most" in page
    assert "report of run “small”" in page.lower()
    articles = dict(re.findall(r'<article id="filter-(\d+)"(.*?)</article>', page, re.S))
    assert len(articles) == 7
    for index, article in articles.items():
        k = int(index)
        assert re.findall(r'<span class="chip">(.*?)</span>', article) == [str(-k % 10)]
        assert f"{k / 16:.2f} nats" in article and f"with {k % 10}" in article
        assert article.count("<svg") <= 4
    assert "classes by the fitted gate" in page
    assert {path.name for path in (out.parent / "net").iterdir()} == {
        "pictures.css", "last-convolution-by-information.html", "last-convolution-by-spread.html",
    }  # fmt: skip
    assert sizes(out.parent / "net") == {(32, 32)}
    # Each class of a picture has one, and the other way round.
    css = (out.parent / "net/pictures.css").read_text()
    used = set(re.findall(r'class="picture (p\d+)"', page))
    assert used == set(re.findall(r"\.(p\d+)[,{]", css))


def test_the_same_files_come_out_again_and_an_older_page_goes(digits_net: dict[str, Any]) -> None:
    folder = digits_net["out"].with_suffix("")
    folder.mkdir(parents=True)
    (folder / "older.html").touch()
    contents = []
    for _ in range(2):
        command.write_gallery(**digits_net)
        contents.append({path: path.read_bytes() for path in folder.parent.rglob("*.*")})
    assert contents[0] == contents[1]
    assert not (folder / "older.html").exists()


def test_a_gallery_that_is_over_its_limit_has_smaller_pictures_or_is_an_error(
    explained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    command.write_gallery(**explained)
    folder = explained["out"].parent

    def size() -> int:
        return sum(path.stat().st_size for path in folder.rglob("*.*"))

    limit = size() - 500
    monkeypatch.setattr(command, "LIMIT", limit)
    command.write_gallery(**explained)
    assert size() <= limit
    assert max(sizes(folder / "net")) < (32, 32)
    monkeypatch.setattr(command, "LIMIT", 10_000)
    with pytest.raises(ClearfiltersError, match=r"the gallery of net: .* lower gallery\.filters"):
        command.write_gallery(**explained)


def test_data_that_may_not_be_passed_on_are_thumbnails(
    explained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert THUMBNAIL == 64
    monkeypatch.setattr(command, "THUMBNAIL", 20)
    command.write_gallery(**explained)
    folder = explained["out"].parent
    assert sizes(folder / "net") == {(20, 20)}
    assert "may not be passed on" in explained["out"].read_text()
    # Both layers, without what is not recorded.
    assert {path.stem for path in (folder / "net").glob("*.html")} == {
        f"conv-interp-{n}-by-{order}"
        for n in (1, 2)
        for order in ("weight", "information", "spread")
        if (n, order) != (2, "weight")
    }


def test_only_data_that_say_so_may_be_passed_on() -> None:
    shareable = set()
    for name, entry in DATASETS.items():
        module, schema = entry.params.split(":")
        kind: type[DatasetBase] = getattr(__import__(module, fromlist=[schema]), schema)
        if kind.SHAREABLE:
            shareable.add(name)
    assert shareable == {"digits", "animals", "animals-cub", "animals-ilsvrc"}
    assert not parse_dataset({"format": "cifar10", "note": "", "verify": True}).SHAREABLE


def test_a_measurement_of_other_parameters_is_refused(digits_net: dict[str, Any]) -> None:
    digits_net["slice_"]["gallery"]["recorded"]["mis"] = "0" * 64
    with pytest.raises(ClearfiltersError, match=r"mis/net/seed0\.json: measured with parameters"):
        command.write_gallery(**digits_net)


def test_r2_is_of_the_landmark_that_a_filter_follows_best(tmp_path: Path) -> None:
    def category(**rows: list[float | None]) -> dict[str, Any]:
        return {"trained": {"r2_filters": rows}}

    one = {"cat": category(head=[0.1, 0.6, None], tail=[0.4, 0.2, None])}
    several = {**one, "dog": category(head=[0.2, 0.9, None])}
    expected = {
        "one": [(0.4, "tail"), (0.6, "head"), None],
        "several": [(0.4, "tail of cat"), (0.9, "head of dog"), None],
    }
    for name, categories in (("one", one), ("several", several)):
        hash_ = record(tmp_path, "part_location", {"categories": categories})
        found = read_recorded(tmp_path, "net", 0, {"part_location": hash_}, ["cat", "dog"])
        assert found.r2 == expected[name]
        assert found.groups(["cat", "dog"], 0.5) is None


def test_parts_are_those_of_any_category(tmp_path: Path) -> None:
    categories = {
        "cat": {"part_of_filter": ["head", None, None]},
        "dog": {"part_of_filter": ["tail", "head", None]},
    }
    hash_ = record(tmp_path, "part_contributions", {"categories": categories})
    found = read_recorded(tmp_path, "net", 0, {"part_contributions": hash_}, ["cat", "dog"])
    assert found.groups(["cat", "dog"], 0.5) == [
        ("head of cat", "tail of dog"),
        ("head of dog",),
        (),
    ]
    assert found.grouped_by == "parts"


def test_the_command_line_makes_a_gallery(digits_net: dict[str, Any]) -> None:
    named = {
        **digits_net,
        "parameters": json.dumps(digits_net["slice_"]),
        "data": digits_net["store"],
    }
    options = ("parameters", "experiment", "seed", "data", "checkpoint", "metrics", "out")
    arguments = [f"--{name}={named[name]}" for name in options]
    assert main(["gallery", *arguments, "--device=cpu"]) == 0
    assert digits_net["out"].is_file()
