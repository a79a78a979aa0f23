"""The transcription of the published values is complete."""

import csv
from importlib.resources import files
from math import log

import pytest

from clearfilters.reporting.published import published

# (paper, table) -> (rows, columns) in the paper.
SHAPES = {
    ("LSG", "table1"): (4, 4),
    ("LSG", "table2"): (1, 4),
    ("LSG", "table3"): (8, 7),
    ("LSG", "table4"): (2, 3),
    ("LSG", "table5"): (3, 2),
    ("CSG", "tableJ.1"): (3, 2),
}


@pytest.mark.parametrize("table", SHAPES)
def test_every_cell_is_present(table: tuple[str, str]) -> None:
    values = published(*table)
    rows = {row for row, _ in values}
    columns = {column for _, column in values}
    assert (len(rows), len(columns)) == SHAPES[table]
    assert len(values) == len(rows) * len(columns)


def test_no_cell_stands_twice_and_none_elsewhere() -> None:
    text = files("clearfilters.reporting").joinpath("published.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(text.splitlines()))
    keys = [(x["paper"], x["table"], x["row"], x["column"]) for x in lines]
    assert len(set(keys)) == len(keys)
    text_values = {("LSG", "section4.3"), ("CSG", "appendixE")}
    assert {key[:2] for key in keys} == set(SHAPES) | text_values


def test_spot_checks_against_the_paper() -> None:
    assert published("LSG", "table1")["CIFAR-10 / ResNet20 / LSG", "phi"].value == 0.2203
    assert published("LSG", "table2")["CIC", "LSG AlexNet"].value == 0.0684
    assert published("LSG", "table3")["all filters (CAM) / AP15 / STD", "sheep"].value == 0.630
    assert published("LSG", "table4")["STD", "1000"].value == 83.64
    assert (
        published("LSG", "table5")["Local Search Attack / Attack Success Rate", "STD CNN"].value
        == 15
    )


def test_the_cross_entropies_are_flagged_and_only_they() -> None:
    values = published("LSG", "table1")
    flagged = {key for key, value in values.items() if not value.comparable}
    assert flagged == {key for key in values if key[1] == "cross_entropy"}
    assert all(values[key].note for key in flagged)


@pytest.mark.parametrize("method", ["LSG", "STD"])
def test_the_reason_for_the_voc_flag_holds(method: str) -> None:
    values = published("LSG", "table1")
    row = f"PASCAL VOC 2010 / ResNet152 / {method}"
    accuracy, entropy = values[row, "accuracy"].value, values[row, "cross_entropy"].value
    assert accuracy is not None and entropy is not None
    assert entropy < (1 - accuracy) * log(2)


def test_illegible_cells_are_empty_and_say_why() -> None:
    illegible = [v for v in published("CSG", "tableJ.1").values() if v.value is None]
    assert len(illegible) == 2
    assert all("illegible" in v.note and not v.comparable for v in illegible)


def test_an_unknown_table_has_no_values() -> None:
    assert published("LSG", "table99") == {}
