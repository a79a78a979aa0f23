"""The table of data sets, their records in the index, and the contact sheet of the animals."""

import csv
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from synthetic_run import SyntheticRun

from clearfilters.data.animals.scene import CLASSES
from clearfilters.data.animals.voc_layout import voc_scene
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import StyleParams
from clearfilters.params.reading import parse
from clearfilters.params.slices import ContactSheetSlice
from clearfilters.reporting.contact_sheet import write_contact_sheet
from clearfilters.reporting.drawing import read_caption
from clearfilters.reporting.figures import CONTACT_SHEET
from clearfilters.reporting.page import write_page
from clearfilters.reporting.records import expand_index, load
from clearfilters.reporting.tables import build_table, write_table

STYLE = {
    "image_size": 64,
    "object_scale": [0.6, 1.0],
    "clutter": 3,
    "second_share": 0.0,
    "border_share": 0.0,
    "occluder_share": 0.0,
    "visible_share": 0.5,
    "exposure": [0.8, 1.2],
    "blur": 0.2,
    "noise": 0.01,
}


def sheet(**changes: Any) -> ContactSheetSlice:
    return parse(ContactSheetSlice, {"seed": 0, "style": STYLE, "columns": 1, **changes})


def test_the_table_of_data_sets(run: SyntheticRun, tmp_path: Path) -> None:
    run.add_data("cifar10")
    run.add_data(
        "voc",
        "voc-parts",
        source="Pascal VOC 2010",
        verified=True,
        note="five classes",
        classes=["cat", "cow"],
        counts={"train": 7, "test": 3},
        image_size=128,
        annotations=["masks", "parts", "landmarks"],
        masks_note="class mask inside the box",
        skipped={"objects with an empty mask": 2, "parts `tail` of a cow": 5},
    )
    write_table("data", run.index, tmp_path / "a.csv", tmp_path / "a.md")
    assert (tmp_path / "a.csv").read_text().splitlines()[1:] == [
        "data,cifar10,train,50000,,0,,images",
        "data,cifar10,test,10000,,0,,images",
        "data,cifar10,classes,10,,0,,",
        "data,cifar10,image_size,32,,0,,pixels",
        "data,voc,train,7,,0,,images",
        "data,voc,test,3,,0,,images",
        "data,voc,classes,2,,0,,",
        "data,voc,image_size,128,,0,,pixels",
    ]
    text = (tmp_path / "a.md").read_text()
    for line in (
        "| cifar10 | cifar-10-batches-py, not verified | JPEG copy | none | nothing "
        "| 50000 | 10000 | 10 | 32 |",
        "| voc | Pascal VOC 2010 | five classes | class mask inside the box | objects with an "
        "empty mask: 2; parts `tail` of a cow: 5 | 7 | 3 | 2 | 128 |",
        "- Classes of voc: cat, cow.",
    ):
        assert line in text.splitlines(), line


def test_many_classes_are_named_by_the_first_and_the_last(run: SyntheticRun) -> None:
    run.add_data("cub", "cub", classes=[f"species {number}" for number in range(200)])
    assert "Classes of cub: species 0 to species 199." in build_table("data", run.index).notes


def test_data_sets_without_experiments_and_the_other_way_round(run: SyntheticRun) -> None:
    run.add_data("cifar10")
    records = load(run.index)
    assert records.experiments() == [] and list(records.data) == ["cifar10"]
    run.index.clear()
    run.add("a", "std", seeds=(0,))
    assert load(run.index).data == {}
    assert load(run.index, ("data",)).experiments() == []


def test_a_record_of_other_parameters_is_refused(run: SyntheticRun) -> None:
    run.add_data("cifar10")
    run.index[0]["expected_hash"] = "f" * 64
    assert load(run.index, ("phi",)).data == {}
    with pytest.raises(ClearfiltersError, match=r"cifar10\.json: measured with parameters"):
        build_table("data", run.index)


@pytest.mark.parametrize("missing", ["dataset", "path"])
def test_an_entry_of_a_data_set_without_a_key(run: SyntheticRun, missing: str) -> None:
    run.add_data("cifar10")
    del run.index[0][missing]
    with pytest.raises(ClearfiltersError, match=f"lacks {missing}"):
        load(run.index)


def test_a_data_set_listed_twice(run: SyntheticRun) -> None:
    run.add_data("cifar10")
    run.add_data("cifar10")
    with pytest.raises(ClearfiltersError, match="data/cifar10 is listed twice"):
        load(run.index)


def test_the_compact_index() -> None:
    compact = {
        "experiments": {"a": {"label": "A", "role": "std", "seeds": {"1": {"phi": "abc"}}}},
        "data": {"digits": "def"},
    }
    assert expand_index(Path("results/x"), compact) == [
        {
            "analysis": "data",
            "dataset": "digits",
            "path": "results/x/metrics/data/digits.json",
            "expected_hash": "def",
        },
        {
            "analysis": "phi",
            "experiment": "a",
            "seed": 1,
            "path": "results/x/metrics/phi/a/seed1.json",
            "expected_hash": "abc",
            "label": "A",
            "role": "std",
        },
    ]


def test_the_contact_sheet(tmp_path: Path) -> None:
    for name, columns in (("a", 1), ("b", 1), ("wide", 20)):
        write_contact_sheet(sheet(columns=columns), tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "embedded animals" in read_caption(tmp_path / "a.png")
    with Image.open(tmp_path / "wide.png") as image:
        assert image.format == "PNG" and image.width == 770
    write_contact_sheet(sheet(seed=1), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_the_numbers_of_the_contact_sheet(tmp_path: Path) -> None:
    write_contact_sheet(sheet(), tmp_path / "a.png")
    scene = voc_scene("bird", 0, 0, StyleParams(**STYLE))
    animal = scene.objects[0]
    with (tmp_path / "a.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    found = {line["series"]: line for line in lines if line["panel"] == "bird, image 1"}
    assert int(found["bird 1, pixels of torso"]["value"]) == animal.parts["torso"].sum()
    seen = {name: place for name, place in animal.landmarks.items() if place[2]}
    assert seen
    for name, (x, y, _) in seen.items():
        line = found[f"bird 1, {name}"]
        assert (float(line["x"]), float(line["y"])) == (x, y)
    assert {line["panel"].split(",")[0] for line in lines} == set(CLASSES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"columns": 0}, "columns"), ({"style": {**STYLE, "image_size": 8}}, "image_size")],
)
def test_a_contact_sheet_that_cannot_be_drawn(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClearfiltersError, match=message):
        write_contact_sheet(sheet(**changes), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_the_page_shows_the_contact_sheet_of_rendered_data_only(run: SyntheticRun) -> None:
    def page() -> str:
        write_page(run.folder, run.index, ["data"], [], run.folder / "report.html")
        return (run.folder / "report.html").read_text(encoding="utf-8")

    run.add("a", "std", seeds=(0,))
    run.add_data("cifar10")
    assert CONTACT_SHEET not in page()
    run.add_data("animals-cub", "animals-cub", source="rendered birds")
    assert f"{CONTACT_SHEET}.png was not drawn" in page()
    write_contact_sheet(sheet(), run.folder / f"figures/{CONTACT_SHEET}.png")
    text = page()
    assert text.count("data:image/png;base64,") == 1 and f'id="figure-{CONTACT_SHEET}"' in text
    assert "rendered birds" in text and "JPEG copy" in text
