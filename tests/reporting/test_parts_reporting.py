"""Tables and figure of part filters: numbers by hand, published values, and runs without them."""

import csv
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from synthetic_parts import CONSTANT, ORACLE, RANDOM, add, location_values
from synthetic_run import SyntheticRun

from clearfilters.registry import TABLES
from clearfilters.reporting.drawing import Drawing
from clearfilters.reporting.figures import figure_spec, write_figure
from clearfilters.reporting.figures.parts import icnn_weight
from clearfilters.reporting.part_lines import average
from clearfilters.reporting.records import load
from clearfilters.reporting.tables import build_table, write_table

ICNN = [table for table in TABLES if table.startswith("icnn")]
SIDE = "location deviation, by the side"
DIAGONAL = "location instability, by the diagonal"
Cells = dict[tuple[str, str], dict[str, str]]


def written(table: str, run: SyntheticRun, folder: Path) -> tuple[Cells, str]:
    write_table(table, run.index, folder / "t.csv", folder / "t.md")
    with (folder / "t.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    cells = {(line["row"], line["column"]): line for line in lines}
    assert len(cells) == len(lines)
    return cells, (folder / "t.md").read_text(encoding="utf-8")


def ours(cells: Cells, row: str, column: str) -> float:
    return float(cells[row, column]["mean"])


def categories_run(run: SyntheticRun) -> SyntheticRun:
    for category in ("dog", "cat"):
        for role in ("ordinary", "interpretable"):
            add(run, f"{category} {role}", role, (category,), model="efficientnet-lite0")
    return run


def test_a_run_without_part_filters_has_one_line(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("std", "std", seeds=(0,))
    for table in ICNN:
        cells, text = written(table, run, tmp_path)
        assert not cells
        notes = [line for line in text.splitlines() if line.startswith("- ")]
        assert len(notes) == 1 and notes[0].startswith("- Not run: filled by ")


def test_each_table_is_filled_by_its_own_data(run: SyntheticRun, tmp_path: Path) -> None:
    filled = {
        "ilsvrc-parts": {"icnn_table3", "icnn_table7", "icnn_filters"},
        "animals-ilsvrc": {"icnn_table3", "icnn_table7", "icnn_filters"},
        "voc-icnn": {"icnn_table1", "icnn_table4", "icnn_table7", "icnn_filters"},
        "cub": {"icnn_table5", "icnn_table7", "icnn_filters"},
        "animals-cub": {"icnn_table5", "icnn_table7", "icnn_filters"},
        "imagefolder": {"icnn_filters"},
    }
    for dataset, expected in filled.items():
        run.index.clear()
        add(run, "a", "interpretable", ("cat",), dataset=dataset, parts=dataset == "voc-icnn")
        found = {table for table in ICNN if build_table(table, run.index).rows}
        assert found == expected, dataset
    run.index.clear()
    add(run, "a", "interpretable", ("cat", "dog"), dataset="voc-icnn", parts=True)
    found = {table for table in ICNN if build_table(table, run.index).rows}
    assert found == {"icnn_table2", "icnn_table6", "icnn_table7", "icnn_filters"}


def test_table3_by_the_diagonal_and_by_the_side(run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("icnn_table3", categories_run(run), tmp_path)
    # Seeds 0.083 and 0.085; both categories alike.
    row = "ilsvrc-parts / efficientnet-lite0 / interpretable"
    line = cells[f"{DIAGONAL} / {row}", "dog"]
    assert (float(line["mean"]), line["seeds"]) == (pytest.approx(0.084), "2")
    assert float(line["std"]) == pytest.approx(0.002 / sqrt(2), rel=1e-4)
    assert ours(cells, f"{SIDE} / {row}", "cat") == pytest.approx(0.084 * sqrt(2), rel=1e-5)
    assert ours(cells, f"{SIDE} / {row}", "average") == pytest.approx(0.084 * sqrt(2), rel=1e-5)
    # Averages beside the diagonal's rows only.
    assert ours(cells, f"{DIAGONAL} / {row}", "accuracy") == pytest.approx(0.961)
    assert ours(cells, f"{DIAGONAL} / {row}", "r2") == pytest.approx(0.05)
    assert ours(cells, f"{DIAGONAL} / {row}", "r2_best") == pytest.approx(0.15)
    assert ours(cells, f"{DIAGONAL} / {row}", "r2_floor") == pytest.approx(0.01)
    assert ours(cells, f"{DIAGONAL} / {row}", "difference") == pytest.approx(2.3)
    assert ours(cells, f"{DIAGONAL} / {row}", "dead") == 0.25
    assert (f"{SIDE} / {row}", "accuracy") not in cells
    assert (f"{DIAGONAL} / {row}", "fox") not in cells
    assert "dog (ilsvrc-parts) 150: head 140, frontal-legs 130" in text
    assert "orientation only" in text


def test_table3_what_needs_no_training(run: SyntheticRun, tmp_path: Path) -> None:
    cells, _ = written("icnn_table3", categories_run(run), tmp_path)
    row = f"{DIAGONAL} / ilsvrc-parts / efficientnet-lite0 / "
    assert ours(cells, row + "untrained, ordinary", "dog") == pytest.approx(0.145)
    assert ours(cells, row + "untrained, interpretable", "dog") == pytest.approx(0.082)
    for name, expected in (
        ("random unit", RANDOM),
        ("constant unit", CONSTANT),
        ("oracle (the landmark's mean place)", ORACLE),
    ):
        line = cells[f"{row}baseline: {name}", "cat"]
        assert (float(line["mean"]), line["std"], line["seeds"]) == (expected, "", "0")
        assert ours(cells, f"{row}baseline: {name}", "average") == expected
    assert ours(cells, row + "baseline: constant unit", "spread") == 0
    # It is no filter.
    assert (row + "baseline: oracle (the landmark's mean place)", "spread") not in cells
    assert (row + "untrained, interpretable", "accuracy") not in cells


def test_the_papers_rows_come_first(run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("icnn_table3", categories_run(run), tmp_path)
    lines = [line for line in text.splitlines() if line.startswith("| location")]
    assert [line.split(" | ")[1] for line in lines[:9]] == ["paper"] * 8 + ["ilsvrc-parts"]
    header = next(line for line in text.splitlines() if line.startswith("| Measured"))
    assert "| Training | goldfish | bird | frog |" in header
    assert "| giant-panda | Average | Accuracy |" in header
    line = cells[f"{SIDE} / AlexNet / interpretable", "goldfish"]
    assert (line["mean"], line["published"], line["seeds"]) == ("", "0.118", "0")
    assert sum(bool(line["published"]) for line in cells.values()) == 8 * 31


def test_published_values_stand_beside_the_same_network(run: SyntheticRun, tmp_path: Path) -> None:
    for role in ("ordinary", "interpretable", "masks-only"):
        add(run, role, role, ("dog",), dataset="voc-icnn", model="vgg-m")
    cells, text = written("icnn_table4", run, tmp_path)
    row = f"{SIDE} / voc-icnn / vgg-m / interpretable"
    line = cells[row, "dog"]
    assert (float(line["mean"]), line["published"]) == (pytest.approx(0.118794), "0.123")
    # The paper's alone, for a category that the run lacks.
    assert (cells[row, "cow"]["mean"], cells[row, "cow"]["published"]) == ("", "0.127")
    assert not any(key[0].startswith(f"{SIDE} / VGG-M") for key in cells)
    assert sum(bool(line["published"]) for line in cells.values()) == 8 * 7
    # Ours by the diagonal are not compared, and masks alone are no network of the paper.
    assert cells[f"{DIAGONAL} / voc-icnn / vgg-m / interpretable", "dog"]["published"] == ""
    assert f"{SIDE} / voc-icnn / vgg-m / masks only" not in {row for row, _ in cells}
    assert "orientation" not in text


def test_rendered_data_stand_beside_no_published_value(run: SyntheticRun, tmp_path: Path) -> None:
    add(run, "a", "ordinary", ("cat",), dataset="animals-ilsvrc", model="vgg-m")
    cells, _ = written("icnn_table3", run, tmp_path)
    assert cells[f"{SIDE} / animals-ilsvrc / vgg-m / ordinary", "cat"]["published"] == ""
    assert cells[f"{SIDE} / VGG-M / ordinary", "cat"]["published"] == "0.212"


def test_the_average_is_over_seeds_that_all_categories_have() -> None:
    assert average([{0: 1.0, 1: 3.0}, {0: 2.0, 1: 5.0, 2: 9.0}, {}]) == {0: 1.5, 1: 4.0}
    assert average([{}, {}]) == {}


def test_rows_hold_what_differs_in_its_category_only(run: SyntheticRun, tmp_path: Path) -> None:
    add(run, "dog", "interpretable", ("dog",))
    add(run, "cat", "interpretable", ("cat",))
    add(run, "dog, paper's variant", "interpretable", ("dog",), variant="paper")
    add(run, "dog again", "interpretable", ("dog",), epochs=50)
    table = build_table("icnn_table3", run.index)
    rows = {row.heads[3]: row.cells for row in table.rows if row.heads[0] == DIAGONAL}
    trained = {name: cells for name, cells in rows.items() if name.startswith("interpretable")}
    assert {name: {"dog", "cat"} & set(cells) for name, cells in trained.items()} == {
        "interpretable (dog, cat)": {"dog", "cat"},
        "interpretable (dog again)": {"dog"},
        "interpretable (dog, paper's variant)": {"dog"},
    }
    # Before training they are one network.
    assert sum(name.startswith("untrained") for name in rows) == 1


def test_networks_of_other_sizes_have_rows_of_their_own(run: SyntheticRun, tmp_path: Path) -> None:
    add(run, "small", "interpretable", filters=4)
    add(run, "large", "interpretable", filters=8)
    cells, _ = written("icnn_table3", run, tmp_path)
    row = f"{DIAGONAL} / ilsvrc-parts / resnet20 / "
    assert ours(cells, row + "interpretable, 4 filters", "dead") == 1 / 4
    assert ours(cells, row + "interpretable, 8 filters", "dead") == 1 / 8
    assert (row + "untrained, interpretable, 8 filters", "dog") in cells


def test_cubs_head_is_the_forehead(run: SyntheticRun, tmp_path: Path) -> None:
    landmarks = ("back", "forehead", "tail")
    values = location_values("ordinary", 0, ("bird",), landmarks=landmarks)
    values["categories"]["bird"]["trained"]["r2"]["forehead"]["mean"] = 0.4
    add(run, "a", "ordinary", ("bird",), dataset="cub", values=values, seeds=(0,))
    cells, text = written("icnn_table5", run, tmp_path)
    assert ours(cells, f"{DIAGONAL} / cub / resnet20 / ordinary", "r2") == 0.4
    header = next(line for line in text.splitlines() if line.startswith("| Measured"))
    assert "| Training | Average | Accuracy |" in header
    assert cells[f"{SIDE} / VGG-M / interpretable", "average"]["published"] == "0.091"


def test_table1_with_other_radii(run: SyntheticRun, tmp_path: Path) -> None:
    for category in ("cat", "cow"):
        for role in ("ordinary", "interpretable"):
            name = f"{category} {role}"
            add(run, name, role, (category,), dataset="voc-icnn", parts=True, seeds=(0,))
    cells, text = written("icnn_table1", run, tmp_path)
    row = "part interpretability / voc-icnn / resnet20 / "
    assert ours(cells, row + "interpretable", "cow") == pytest.approx(0.65)
    assert ours(cells, row + "interpretable", "average") == pytest.approx(0.65)
    assert [
        ours(cells, row + "interpretable", f"radius_{radius}") for radius in (16, 32, 48)
    ] == pytest.approx([0.55, 0.65, 0.75])
    assert ours(cells, row + "interpretable", "accuracy") == pytest.approx(0.96)
    assert ours(cells, row + "untrained, ordinary", "cat") == pytest.approx(0.55)
    assert ours(cells, row + "baseline: constant unit", "cat") == pytest.approx(0.4)
    assert not any("oracle" in row for row, _ in cells)
    assert cells["part interpretability / VGG-16 / interpretable", "dog"]["published"] == "0.9"
    assert "Approximation: boxes stand in for masks." in text
    assert "cat ordinary, cat: head 3, torso 1" in text


def test_table2_and_its_losses(run: SyntheticRun, tmp_path: Path) -> None:
    several = ("cat", "dog")
    for loss in ("softmax", "logistic"):
        name = f"{loss} net"
        add(run, name, "interpretable", several, dataset="voc-icnn", parts=True, loss=loss)
    add(run, "one", "interpretable", ("cat",), dataset="voc-icnn", parts=True)
    cells, _ = written("icnn_table2", run, tmp_path)
    row = "part interpretability / voc-icnn / resnet20 / interpretable"
    for loss in ("softmax", "logistic"):
        assert ours(cells, row, f"VOC, {loss}") == pytest.approx(0.75)
        assert ours(cells, row, f"accuracy, VOC, {loss}") == pytest.approx(0.961)
    published = {key: line for key, line in cells.items() if line["published"]}
    assert len(published) == 12


def test_table6_in_both_readings(run: SyntheticRun, tmp_path: Path) -> None:
    values = location_values("ordinary", 0, ("cat", "dog"))
    for category, found in (("cat", [0.1, 0.2, None]), ("dog", [0.3, 0.1, None])):
        values["categories"][category]["random"]["instability_filters"] = found
    about = {"dataset": "voc-icnn", "model": "vgg-s", "seeds": (0,), "values": values}
    add(run, "a", "ordinary", ("cat", "dog"), **about)
    cells, text = written("icnn_table6", run, tmp_path)
    row = "voc-icnn / vgg-s / "
    # 0.130 in the paper's reading, 0.135 in the code's; the published value of that loss alone.
    line = cells[f"{SIDE} / {row}ordinary", "VOC, logistic"]
    assert (float(line["mean"]), line["published"]) == (
        pytest.approx(0.13 * sqrt(2), rel=1e-5),
        "0.195",
    )
    assert cells[f"{SIDE} / VGG-S / ordinary", "VOC, softmax"]["published"] == "0.195"
    assert (f"{SIDE} / VGG-S / ordinary", "VOC, logistic") not in cells
    assert ours(cells, f"{DIAGONAL} / {row}ordinary", "VOC, logistic") == pytest.approx(0.13)
    code = "the same, category as in the authors' code"
    assert ours(cells, f"{code} / {row}ordinary", "VOC, logistic") == pytest.approx(0.135)
    # The least of each filter: 0.1 and 0.1; the third has none.
    name = f"{DIAGONAL} / {row}baseline: random unit"
    assert ours(cells, name, "VOC, logistic") == pytest.approx(0.1)
    assert not any(key.startswith(code) and "baseline" in key for key, _ in cells)
    assert "a: cat 2, dog 2" in text


def test_table7_averages_over_categories_and_keeps_tasks_apart(
    run: SyntheticRun, tmp_path: Path
) -> None:
    for category, accuracy in (("dog", 0.9), ("cat", 0.8)):
        values = {"accuracy": accuracy}
        add(run, category, "ordinary", (category,), model="vgg-m", seeds=(0,), values=values)
    values = {"accuracy": 0.7}
    several = ("dog", "cat")
    add(
        run,
        "several",
        "ordinary",
        several,
        model="vgg-m",
        seeds=(0,),
        loss="softmax",
        values=values,
    )
    cells, _ = written("icnn_table7", run, tmp_path)
    row = "accuracy / ilsvrc-parts / vgg-m / ordinary"
    assert ours(cells, row, "ILSVRC") == pytest.approx(85)
    assert cells[row, "ILSVRC"]["published"] == "97.34"
    assert ours(cells, row, "ILSVRC, softmax") == pytest.approx(70)
    assert cells[row, "ILSVRC, softmax"]["published"] == ""
    # Not run here.
    assert cells["accuracy / VGG-M / ordinary", "ILSVRC, logistic"]["published"] == "96.73"
    assert ("accuracy / VGG-M / ordinary", "ILSVRC") not in cells
    assert sum(bool(line["published"]) for line in cells.values()) == 40
    assert not any("untrained" in key for key, _ in cells)


def test_every_category_by_itself(run: SyntheticRun, tmp_path: Path) -> None:
    categories_run(run)
    add(run, "several", "interpretable", ("dog", "cat"), model="efficientnet-lite0")
    cells, _ = written("icnn_filters", run, tmp_path)
    row = "ilsvrc-parts / efficientnet-lite0 / interpretable"
    assert ours(cells, f"cat / one category / {row}", "instability") == pytest.approx(0.084)
    # The second of several categories has 0.01 more.
    name = f"cat / several, logistic / {row}"
    assert ours(cells, name, "instability") == pytest.approx(0.094)
    assert ours(cells, name, "follows head") == 0.75
    assert (name, "test_only") not in cells


def test_instability_on_test_objects_alone(run: SyntheticRun, tmp_path: Path) -> None:
    values = location_values("ordinary", 0, ("dog",))
    values["categories"]["dog"]["test_only"] = {"instability": 0.2}
    add(run, "a", "ordinary", values=values)
    row = "ilsvrc-parts / resnet20 / ordinary"
    cells, _ = written("icnn_filters", run, tmp_path)
    assert ours(cells, f"dog / one category / {row}", "test_only") == 0.2
    cells, _ = written("icnn_table3", run, tmp_path)
    assert ours(cells, f"{DIAGONAL} / {row}", "test_only") == 0.2


def weights_run(run: SyntheticRun) -> SyntheticRun:
    for category in ("dog", "cat"):
        add(run, f"{category} ordinary", "ordinary", (category,))
        for weight in (10000.0, 100.0):
            name = f"{category} × {weight:g}"
            add(run, name, "weighted", (category,), weight=weight, seeds=(0,))
        add(run, f"{category} 1", "interpretable", (category,))
        add(run, f"{category} masks", "masks-only", (category,))
        add(run, f"{category} held", "held", (category,), ratio=0.3)
    add(run, "fox", "interpretable", ("fox",))
    return run


def test_weight_table(run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("icnn_weight", weights_run(run), tmp_path)
    row = "dog / ilsvrc-parts / resnet20 / "
    assert ours(cells, row + "interpretable, loss × 10,000", "weight") == 10000
    assert ours(cells, row + "interpretable, loss × 10,000", "error") == pytest.approx(15)
    assert ours(cells, row + "interpretable, loss × 10,000", "r2") == pytest.approx(0.73)
    assert ours(cells, row + "interpretable, loss × 100", "weight") == 100
    assert ours(cells, row + "interpretable", "weight") == 1
    assert ours(cells, row + "masks only", "weight") == 0
    assert (row + "ordinary", "weight") not in cells
    assert ours(cells, row + "interpretable, loss held at 0.3", "ratio") == 0.3
    assert (row + "interpretable, loss held at 0.3", "weight") not in cells
    assert ours(cells, row + "untrained, interpretable", "instability") == pytest.approx(0.082)
    assert ours(cells, row + "baseline: constant unit", "instability") == CONSTANT
    names = [line.split(" | ")[3] for line in text.splitlines() if line.startswith("| dog")]
    assert names == [
        "ordinary",
        "interpretable",
        "masks only",
        "interpretable, loss × 100",
        "interpretable, loss × 10,000",
        "interpretable, loss held at 0.3",
        "untrained, ordinary",
        "untrained, interpretable",
        "baseline: constant unit",
    ]
    # No other weight was tried for the fox.
    assert not any(key.startswith("fox") for key, _ in cells)


def drawn(run: SyntheticRun) -> Drawing:
    return icnn_weight(load(run.index, figure_spec("icnn_weight").analyses))


def test_weight_figure(run: SyntheticRun, tmp_path: Path) -> None:
    drawing = drawn(weights_run(run))
    instability, r2, error = drawing.figure.axes
    assert all(axis.get_xscale() == "log" for axis in drawing.figure.axes)
    ticks = [label.get_text() for label in error.get_xticklabels()]
    assert ticks == ["1", "100", "10,000"]
    curves = [
        np.asarray(line.get_xydata()) for line in instability.lines if len(line.get_xdata()) == 3
    ]
    # Means of the seeds: 0.084; one seed: 0.057.
    assert curves[0].ravel().tolist() == pytest.approx([1, 0.084, 100, 0.057, 10000, 0.057])
    levels = [line.get_ydata() for line in instability.lines if line.get_linestyle() == "--"]
    assert [list(level) for level in levels] == [[CONSTANT, CONSTANT]] * 2
    floors = [line.get_ydata() for line in r2.lines if line.get_linestyle() == ":"]
    assert len(floors) == 2 and list(floors[0]) == pytest.approx([0.01] * 3)
    ordinary = [line.get_ydata() for line in error.lines if line.get_linestyle() == "--"]
    assert list(ordinary[0]) == pytest.approx([0.9, 0.9])
    assert [text.get_text() for text in instability.get_legend().get_texts()] == [
        "dog (ilsvrc-parts), 4 filters",
        "cat (ilsvrc-parts), 4 filters",
    ]
    assert "dog × 100 (resnet20, 15 epochs, seed 0)" in drawing.caption
    assert write_figure("icnn_weight", run.index, tmp_path / "a.png")


def test_sizes_have_curves_of_their_own(run: SyntheticRun) -> None:
    for filters in (4, 8):
        for weight in (1.0, 100.0):
            role = "interpretable" if weight == 1 else "weighted"
            add(run, f"{filters} {weight:g}", role, weight=weight, filters=filters)
    legend = drawn(run).figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "dog (ilsvrc-parts), 4 filters",
        "dog (ilsvrc-parts), 8 filters",
    ]
