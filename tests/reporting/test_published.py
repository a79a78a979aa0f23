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
    ("ICNN", "table1"): (8, 7),
    ("ICNN", "table2"): (6, 2),
    ("ICNN", "table3"): (8, 31),
    ("ICNN", "table4"): (8, 7),
    ("ICNN", "table5"): (8, 1),
}
# Not every network was measured on all data: rows, columns, cells with a dash.
WITH_DASHES = {("ICNN", "table6"): (6, 3, 2), ("ICNN", "table7"): (8, 6, 8)}


@pytest.mark.parametrize("table", SHAPES)
def test_every_cell_is_present(table: tuple[str, str]) -> None:
    values = published(*table)
    rows = {row for row, _ in values}
    columns = {column for _, column in values}
    assert (len(rows), len(columns)) == SHAPES[table]
    assert len(values) == len(rows) * len(columns)


@pytest.mark.parametrize("table", WITH_DASHES)
def test_every_cell_without_a_dash_is_present(table: tuple[str, str]) -> None:
    values = published(*table)
    rows, columns, dashes = WITH_DASHES[table]
    assert (len({row for row, _ in values}), len({column for _, column in values})) == (
        rows,
        columns,
    )
    assert len(values) == rows * columns - dashes


def test_no_cell_stands_twice_and_none_elsewhere() -> None:
    text = files("clearfilters.reporting").joinpath("published.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(text.splitlines()))
    keys = [(x["paper"], x["table"], x["row"], x["column"]) for x in lines]
    assert len(set(keys)) == len(keys)
    text_values = {("LSG", "section4.3"), ("CSG", "appendixE")}
    assert {key[:2] for key in keys} == set(SHAPES) | set(WITH_DASHES) | text_values


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


@pytest.mark.parametrize("table", ["table1", "table3", "table4"])
def test_icnn_averages_are_those_of_their_cells(table: str) -> None:
    values = published("ICNN", table)
    for row in {row for row, _ in values}:
        cells = [v.value for (r, column), v in values.items() if r == row and column != "average"]
        assert None not in cells
        # Three decimals: each cell and the average may be off by half of the last.
        mean = sum(value for value in cells if value is not None) / len(cells)
        assert values[row, "average"].value == pytest.approx(mean, abs=0.001)
        off = abs(mean - (values[row, "average"].value or 0)) > 0.00051
        assert off == bool(values[row, "average"].note)


# The same ordinary networks in the authors' next paper (ICLR 2020, tables 8 and 9: top conv-layer),
# divided by the diagonal.
BY_DIAGONAL = {
    "AlexNet": (0.153, 0.131, 0.141, 0.128, 0.145, 0.140, 0.1502),
    "VGG-M": (0.152, 0.132, 0.143, 0.130, 0.145, 0.141, 0.1476),
    "VGG-S": (0.152, 0.131, 0.141, 0.128, 0.144, 0.141, 0.1481),
    "VGG-16": (0.145, 0.133, 0.146, 0.127, 0.143, 0.143, 0.1373),
}


@pytest.mark.parametrize("network", BY_DIAGONAL)
def test_icnn_deviations_are_those_by_the_diagonal_times_root_two(network: str) -> None:
    voc, cub = published("ICNN", "table4"), published("ICNN", "table5")
    columns = ("bird", "cat", "cow", "dog", "horse", "sheep")
    sides = [voc[f"{network} / ordinary", column].value for column in columns]
    sides.append(cub[f"{network} / ordinary", "average"].value)
    for side, diagonal in zip(sides, BY_DIAGONAL[network], strict=True):
        assert side == pytest.approx(2**0.5 * diagonal, abs=0.0016)


def test_icnn_accuracies_stand_in_their_columns() -> None:
    # The head of table 7 is garbled in the text at hand; the next paper has the errors (table 10).
    values = published("ICNN", "table7")
    for row, column, error in [
        ("VGG-M", "VOC, logistic", 6.12),
        ("VGG-S", "VOC, logistic", 5.95),
        ("VGG-16", "VOC, logistic", 2.03),
        ("AlexNet", "VOC", 4.60),
        ("VGG-M", "VOC", 3.18),
        ("VGG-S", "VOC", 2.26),
        ("VGG-16", "VOC", 1.34),
        ("AlexNet", "CUB", 4.41),
        ("VGG-M", "CUB", 2.66),
        ("VGG-S", "CUB", 2.76),
        ("VGG-16", "CUB", 1.09),
    ]:
        assert values[f"{row} / ordinary", column].value == pytest.approx(100 - error)
    assert ("AlexNet / ordinary", "ILSVRC, logistic") not in values


def test_icnn_spot_checks() -> None:
    assert published("ICNN", "table1")["VGG-16 / interpretable", "dog"].value == 0.900
    assert published("ICNN", "table2")["VGG-S / ordinary", "VOC, softmax"].value == 0.435
    table3 = published("ICNN", "table3")
    assert table3["AlexNet / ordinary", "goldfish"].value == 0.227
    assert table3["VGG-16 / interpretable", "squirrel"].value == 0.091
    assert table3["VGG-M / interpretable", "horse"].value == 0.133
    assert table3["VGG-S / interpretable", "giant-panda"].value == 0.101
    assert published("ICNN", "table6")["VGG-M / ordinary", "ILSVRC, logistic"].value == 0.236
    assert published("ICNN", "table6")["VGG-S / interpretable", "VOC, softmax"].value == 0.115
