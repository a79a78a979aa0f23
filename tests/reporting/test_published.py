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
    ("EXPLAINER", "table4"): (8, 1),
    ("EXPLAINER", "table5"): (5, 3),
    ("EXPLAINER", "table6"): (4, 7),
    ("EXPLAINER", "table8"): (12, 7),
    ("EXPLAINER", "table9"): (12, 1),
}
# Not every network was measured on all data: rows, columns, cells with a dash.
WITH_DASHES = {
    ("ICNN", "table6"): (6, 3, 2),
    ("ICNN", "table7"): (8, 6, 8),
    ("EXPLAINER", "table2"): (12, 8, 6),
    ("EXPLAINER", "table3"): (6, 3, 5),
    ("EXPLAINER", "table7"): (6, 9, 5),
    # A network and a task each; AlexNet was not trained for several categories.
    ("EXPLAINER", "table10"): (11, 3, 0),
}


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


AVERAGED = [
    *(("ICNN", table) for table in ("table1", "table3", "table4")),
    *(("EXPLAINER", table) for table in ("table2", "table8")),
]


@pytest.mark.parametrize(("paper", "table"), AVERAGED)
def test_averages_are_those_of_their_cells(paper: str, table: str) -> None:
    values = published(paper, table)
    beside = ("average", "several")
    for row in {row for row, _ in values}:
        cells = [v.value for (r, column), v in values.items() if r == row and column not in beside]
        assert None not in cells
        # Three decimals: each cell and the average may be off by half of the last.
        mean = sum(value for value in cells if value is not None) / len(cells)
        assert values[row, "average"].value == pytest.approx(mean, abs=0.001)
        off = abs(mean - (values[row, "average"].value or 0)) > 0.00051
        assert off == bool(values[row, "average"].note)


@pytest.mark.parametrize("network", ["AlexNet", "VGG-M", "VGG-S", "VGG-16"])
def test_icnn_deviations_are_those_by_the_diagonal_times_root_two(network: str) -> None:
    # The same ordinary networks are the performers of the authors' next paper.
    for icnn, explainer, columns in [
        ("table4", "table8", ("bird", "cat", "cow", "dog", "horse", "sheep")),
        ("table5", "table9", ("average",)),
    ]:
        sides, diagonals = published("ICNN", icnn), published("EXPLAINER", explainer)
        for column in columns:
            side = sides[f"{network} / ordinary", column].value
            diagonal = diagonals[f"{network} / performer", column].value
            assert diagonal is not None
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


@pytest.mark.parametrize(("fewer", "more"), [("table2", "table8"), ("table4", "table9")])
def test_explainer_tables_agree_where_they_say_the_same(fewer: str, more: str) -> None:
    one, other = published("EXPLAINER", fewer), published("EXPLAINER", more)
    shared = one.keys() & other.keys()
    # Four networks, performer and explainer.
    assert len(shared) == 8 * (7 if fewer == "table2" else 1)
    assert all(one[key].value == other[key].value for key in shared)


def test_explainer_p_is_the_same_in_both_tables() -> None:
    detailed, rounded = published("EXPLAINER", "table3"), published("EXPLAINER", "table7")
    columns = {
        "VOC, one category": "average",
        "VOC, several categories": "several",
        "CUB, one category": "CUB",
    }
    for (row, column), value in detailed.items():
        other = rounded[row, columns[column]].value
        assert value.value is not None
        assert other == pytest.approx(value.value, abs=0.0051)


def test_explainer_errors_agree_and_differ_by_what_is_said() -> None:
    table5, table10 = published("EXPLAINER", "table5"), published("EXPLAINER", "table10")
    for (row, column), value in table5.items():
        if column == "difference":
            performer, explainer = (table5[row, c].value for c in ("performer", "explainer"))
            assert performer is not None and explainer is not None
            assert explainer - performer == pytest.approx(value.value)
        elif row.startswith("VGG"):
            assert table10[row, column].value == value.value
    # The ordinary networks of ICNN's table 7 are the performers.
    accuracies = published("ICNN", "table7")
    for (row, column), value in table10.items():
        network, task = row.split(" / ")
        data, kind = task.split(", ")
        if column == "performer":
            one = data if kind == "one category" else f"{data}, logistic"
            assert value.value is not None
            expected = accuracies[f"{network} / ordinary", one].value
            assert expected == pytest.approx(100 - value.value)


def test_the_reason_for_flagging_resnets_of_several_categories_holds() -> None:
    table5, table6 = published("EXPLAINER", "table5"), published("EXPLAINER", "table6")
    flagged = {row for (row, _), value in table5.items() if not value.comparable}
    assert flagged == {f"ResNet-{n} / VOC, several categories" for n in (101, 152)}
    for n in (101, 152):
        row = f"ResNet-{n} / ordinary"
        cells = [v.value for (r, c), v in table6.items() if r == row and c != "average"]
        mean = sum(value for value in cells if value is not None) / 6
        assert len(cells) == 6 and table6[row, "average"].value == pytest.approx(mean, abs=0.006)
        same = table5[f"ResNet-{n} / VOC, several categories", "performer"].value
        assert same == table6[row, "average"].value


def test_what_the_paper_says_of_its_instabilities_holds_for_one_category_alone() -> None:
    ratios: dict[bool, list[float]] = {False: [], True: []}
    for table in ("table2", "table4"):
        values = published("EXPLAINER", table)
        for (row, column), value in values.items():
            if row.endswith("explainer") and column in ("average", "several"):
                other = values[row.replace("explainer", "performer"), column].value
                assert value.value is not None and other is not None
                ratios[column == "several"].append(value.value / other)
    # Section 4.1: "only 35.7%-68.8% of the location instability of the performer".
    assert min(ratios[False]) == pytest.approx(0.357, abs=0.0005)
    assert max(ratios[False]) == pytest.approx(0.688, abs=0.0005)
    assert min(ratios[True]) == pytest.approx(0.72, abs=0.005)
    assert max(ratios[True]) == pytest.approx(0.85, abs=0.005)


def test_explainer_spot_checks() -> None:
    table2 = published("EXPLAINER", "table2")
    assert table2["VGG-S / explainer", "several"].value == 0.107
    assert table2["ResNet-152 / explainer", "dog"].value == 0.089
    assert published("EXPLAINER", "table3")["AlexNet / explainer", "CUB, one category"].value == (
        0.5810
    )
    assert published("EXPLAINER", "table6")["ResNet-101 / interpretable", "horse"].value == 12.50
    assert published("EXPLAINER", "table9")["VGG-S / input", "average"].value == 0.1518
