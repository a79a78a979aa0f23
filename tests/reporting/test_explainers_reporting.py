"""Tables of explainers: numbers by hand, published values, and runs without them."""

import csv
from math import sqrt
from pathlib import Path

import pytest
from synthetic_explainers import both, explain, performer
from synthetic_parts import CONSTANT, RANDOM, add
from synthetic_run import SyntheticRun

from clearfilters.registry import TABLES
from clearfilters.reporting.explainer_quantities import performer_of
from clearfilters.reporting.records import load
from clearfilters.reporting.tables import build_table, write_table

EXPLAINER = [table for table in TABLES if table.startswith("explainer")]
ICNN = [table for table in TABLES if table.startswith("icnn")]
LITE = "efficientnet-lite0"
PLACE = "location instability"
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


def test_the_tables_are_those_of_the_paper_and_ours() -> None:
    of_paper = [f"explainer_table{number}" for number in range(2, 11)]
    assert [*of_paper, "explainer_eta", "explainer_parts"] == EXPLAINER


def test_a_run_without_explainers_has_one_line(run: SyntheticRun, tmp_path: Path) -> None:
    for dataset in ("ilsvrc-parts", "voc-icnn", "cub"):
        add(run, f"a {dataset}", "ordinary", ("cat",), dataset=dataset)
        add(run, f"b {dataset}", "interpretable", ("cat",), dataset=dataset)
    for table in EXPLAINER:
        cells, text = written(table, run, tmp_path)
        assert not cells
        notes = [line for line in text.splitlines() if line.startswith("- ")]
        assert len(notes) == 1 and notes[0].startswith("- Not run: filled by ")


def test_each_table_is_filled_by_its_own_data(run: SyntheticRun) -> None:
    every = {"explainer_table3", "explainer_table7", "explainer_table10"}
    own = {"explainer_eta", "explainer_parts"}
    animals, birds = (
        {f"explainer_table{number}" for number in numbers} for numbers in ((2, 8), (4, 9))
    )
    filled = {
        "ilsvrc-parts": every | animals | own,
        "animals-ilsvrc": every | animals | own,
        "voc-icnn": every | animals | own,
        "cub": every | birds | own,
        "animals-cub": every | birds | own,
        "imagefolder": own,
    }
    for dataset, expected in filled.items():
        run.index.clear()
        both(run, "a", ("bird",), dataset=dataset, seeds=(0,))
        assert {t for t in EXPLAINER if build_table(t, run.index).rows} == expected, dataset
    run.index.clear()
    both(run, "a", ("cat", "dog"), dataset="voc-icnn", seeds=(0,))
    found = {t for t in EXPLAINER if build_table(t, run.index).rows}
    assert found == every | animals | own | {"explainer_table5"}


def test_an_explainer_changes_no_table_of_part_filters(run: SyntheticRun, tmp_path: Path) -> None:
    for role in ("ordinary", "interpretable", "weighted"):
        add(run, role, role, model=LITE, weight=10000.0 if role == "weighted" else 1.0)
    before = [written(table, run, tmp_path) for table in ICNN]
    for role in ("explainer", "explainer-cls", "explainer-eta", "explainer-ratio"):
        explain(run, role, role)
    assert [written(table, run, tmp_path) for table in ICNN] == before


def test_a_performer_is_found_by_its_training(run: SyntheticRun) -> None:
    performer(run, "cat performer", ("cat",))
    performer(run, "other method", variant="paper")
    performer(run, "other network", model="vgg16")
    performer(run, "of longer training", epochs=16)
    explain(run, "alone")
    performer(run, "dog performer", seeds=(1,))  # its seed does not matter
    explain(run, "explainer", performer="paper")
    explain(run, "more", "explainer-eta", eta=10.0)
    records = load(run.index)
    explainers = records.experiments("explainer", "explainer-eta")
    found = {e.name: performer_of(records, e) for e in explainers}
    assert {name: other and other.name for name, other in found.items()} == {
        "alone": "dog performer",
        "explainer": "other method",
        "more": "dog performer",
    }


def animals(run: SyntheticRun) -> SyntheticRun:
    for category in ("dog", "cat"):
        both(run, category, (category,))
    both(run, "several", ("cat", "dog"))
    return run


def test_table8_has_performer_input_explainer_and_what_needs_no_training(
    run: SyntheticRun, tmp_path: Path
) -> None:
    cells, text = written("explainer_table8", animals(run), tmp_path)
    row = f"{PLACE} / ilsvrc-parts / {LITE} / "
    # Seed 1 has 0.002 more than seed 0.
    for name, first, several in (
        ("performer", 0.140, 0.135),
        ("input of the explainer", 0.150, 0.151),
        ("explainer", 0.090, 0.095),
        ("explainer, untrained", 0.141, 0.142),
    ):
        line = cells[row + name, "dog"]
        assert (float(line["mean"]), line["seeds"]) == (pytest.approx(first + 0.001), "2")
        assert float(line["std"]) == pytest.approx(0.002 / sqrt(2), rel=1e-4)
        assert ours(cells, row + name, "average") == pytest.approx(first + 0.001)
        assert ours(cells, row + name, "several") == pytest.approx(several)
    for name, expected in (("random unit", RANDOM), ("constant unit", CONSTANT)):
        assert ours(cells, f"{row}baseline: {name}", "cat") == expected
    assert ours(cells, row + "explainer", "r2") == pytest.approx(0.27)
    assert ours(cells, row + "performer", "r2") == pytest.approx(0.06)
    assert ours(cells, row + "explainer, untrained", "r2") == pytest.approx(0.06)
    header = next(line for line in text.splitlines() if line.startswith("| Measured"))
    assert "| bird | cat | cow | dog | horse | sheep | Average | several categories |" in header
    assert "Fine-tuned" not in text
    labels = [line.split(" | ")[3] for line in text.splitlines() if f" | {LITE} | " in line]
    assert labels[:4] == [
        "performer",
        "input of the explainer",
        "explainer",
        "explainer, untrained",
    ]


def test_table2_has_no_input(run: SyntheticRun, tmp_path: Path) -> None:
    cells, _ = written("explainer_table2", animals(run), tmp_path)
    rows = {row for row, _ in cells}
    assert not any("input" in row for row in rows)
    # Of the paper: six networks, performer and explainer; three of them of several categories, too.
    assert sum(bool(line["published"]) for line in cells.values()) == 12 * 7 + 6


def test_published_values_stand_beside_the_same_network(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "a", ("dog",), dataset="voc-icnn", model="vgg16")
    both(run, "b", ("dog",), dataset="ilsvrc-parts", model="vgg16")
    cells, text = written("explainer_table8", run, tmp_path)
    for name, published in (
        ("performer", "0.127"),
        ("input of the explainer", "0.124"),
        ("explainer", "0.085"),
    ):
        assert cells[f"{PLACE} / voc-icnn / vgg16 / {name}", "dog"]["published"] == published
        assert not cells[f"{PLACE} / ilsvrc-parts / vgg16 / {name}", "dog"]["published"]
    assert (f"{PLACE} / VGG-16 / input", "dog") not in cells
    assert (f"{PLACE} / VGG-S / input", "dog") in cells
    assert "orientation only" not in text
    cells, _ = written("explainer_table7", run, tmp_path)
    line = cells["p / voc-icnn / vgg16 / explainer", "dog"]
    assert (float(line["mean"]), line["published"]) == (pytest.approx(0.705), "0.87")
    cells, _ = written("explainer_table10", run, tmp_path)
    line = cells["error / voc-icnn / vgg16 / one category", "explainer"]
    assert (float(line["mean"]), line["published"]) == (pytest.approx(3.5), "6.12")
    assert ("error / VGG-16 / VOC, one category", "performer") not in cells
    assert cells["error / VGG-16 / CUB, one category", "performer"]["published"] == "1.09"


def test_tables_of_birds_have_the_average_alone(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "a", ("bird",), dataset="cub", model="vgg-m")
    cells, _ = written("explainer_table9", run, tmp_path)
    line = cells[f"{PLACE} / cub / vgg-m / input of the explainer", "average"]
    assert (float(line["mean"]), line["published"]) == (pytest.approx(0.151), "0.1484")
    assert not any(column == "bird" for _, column in cells)
    cells, _ = written("explainer_table4", run, tmp_path)
    assert (f"{PLACE} / cub / vgg-m / input of the explainer", "average") not in cells
    assert cells[f"{PLACE} / cub / vgg-m / performer", "average"]["published"] == "0.1476"
    # VOC has birds, too, but these are not they.
    cells, _ = written("explainer_table7", run, tmp_path)
    row = "p / cub / vgg-m / explainer"
    assert {column for found, column in cells if found == row} == {"CUB"}
    assert cells[row, "CUB"]["published"] == "0.8611"


def test_p_of_tables_3_and_7(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "dog", ("dog",), p=0.6)
    both(run, "cat", ("cat",), p=0.8)
    both(run, "several", ("cat", "dog"), p=0.9)
    both(run, "bird", ("bird",), dataset="cub", p=0.5)
    explain(run, "dog η", "explainer-eta", ("dog",), eta=10.0, p=0.1)
    cells, _ = written("explainer_table3", run, tmp_path)
    # Seed 1 has 0.01 more.
    row = f"p / ilsvrc-parts / {LITE} / explainer"
    assert ours(cells, row, "ILSVRC, one category") == pytest.approx(0.705)
    assert ours(cells, row, "ILSVRC, several categories") == pytest.approx(0.905)
    birds = f"p / cub / {LITE} / explainer"
    assert ours(cells, birds, "CUB, one category") == pytest.approx(0.505)
    cells, _ = written("explainer_table7", run, tmp_path)
    assert ours(cells, row, "dog") == pytest.approx(0.605)
    assert ours(cells, row, "cat") == pytest.approx(0.805)
    assert ours(cells, row, "average") == pytest.approx(0.705)
    assert ours(cells, row, "several") == pytest.approx(0.905)
    assert ours(cells, birds, "CUB") == pytest.approx(0.505)


@pytest.mark.parametrize("table", ["explainer_table3", "explainer_table7", "explainer_eta"])
def test_where_p_has_not_settled_or_the_loss_rose(
    table: str, run: SyntheticRun, tmp_path: Path
) -> None:
    both(run, "dog", ("dog",))
    _, text = written(table, run, tmp_path)
    assert "over the last 2 epochs): nowhere." in text
    assert "The loss rose against the epoch before: nowhere." in text
    both(run, "cat", ("cat",), plateau=False, seeds=(1,))
    both(run, "fox", ("fox",), rises=(1, 4), seeds=(0,))
    _, text = written(table, run, tmp_path)
    assert (
        "p has not settled (it changed by more than 0.02 over the last 2 epochs): cat explainer, "
        "seed 1." in text
    )
    # Epochs are counted from 1.
    assert "The loss rose against the epoch before: fox explainer, seed 0 (epoch 2, 5)." in text


def test_errors_of_tables_5_and_10(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "dog", ("dog",), explainer_error=4.0)
    both(run, "cat", ("cat",), explainer_error=6.0)
    both(run, "several", ("cat", "dog"), explainer_error=2.5)
    explain(run, "dog cls", "explainer-cls", ("dog",), explainer_error=1.0)
    cells, _ = written("explainer_table10", run, tmp_path)
    row = f"error / ilsvrc-parts / {LITE} / one category"
    for name, performing, explaining in ((row, 2.0, 5.0), (f"{row}: cat", 2.0, 6.0)):
        assert ours(cells, name, "performer") == pytest.approx(performing)
        assert ours(cells, name, "explainer") == pytest.approx(explaining)
        assert ours(cells, name, "difference") == pytest.approx(explaining - performing)
        # It was not trained for cats.
        assert (name, "explainer+cls") not in cells
    assert ours(cells, f"{row}: dog", "explainer+cls") == pytest.approx(1.0)
    assert ours(cells, f"{row}: dog", "explainer") == pytest.approx(4.0)
    explain(run, "cat cls", "explainer-cls", ("cat",), explainer_error=3.0)
    cells, _ = written("explainer_table10", run, tmp_path)
    assert ours(cells, row, "explainer+cls") == pytest.approx(2.0)
    cells, text = written("explainer_table5", run, tmp_path)
    several = f"error / ilsvrc-parts / {LITE} / several categories"
    assert {found for found, _ in cells if LITE in found} == {several}
    assert ours(cells, several, "difference") == pytest.approx(0.5)
    assert cells["error / VGG-M / VOC, several categories", "difference"]["published"] == "0.5"
    assert "1.52†" in text and "† not comparable: the same number is in table 6" in text


def test_table6_is_of_interpretable_resnets(run: SyntheticRun, tmp_path: Path) -> None:
    for role in ("ordinary", "interpretable"):
        add(run, role, role, ("cat",), dataset="voc-icnn", model="resnet152")
        add(run, f"other {role}", role, ("cat",), dataset="voc-icnn", model="resnet50")
    cells, _ = written("explainer_table6", run, tmp_path)
    assert {row for row, _ in cells if "voc-icnn" in row} == {
        "error / voc-icnn / resnet152 / ordinary",
        "error / voc-icnn / resnet152 / interpretable",
    }
    line = cells["error / voc-icnn / resnet152 / interpretable", "cat"]
    # Accuracy 0.96 and 0.962.
    assert (float(line["mean"]), line["published"]) == (pytest.approx(3.9), "2.25")
    assert cells["error / ResNet-101 / interpretable", "horse"]["published"] == "12.5"


def test_eta_has_every_setting(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "dog")
    explain(run, "a", "explainer-eta", eta=1000.0, p=0.8, rises=(1,), seeds=(0,))
    explain(run, "b", "explainer-eta", eta=10.0, p=0.5, seeds=(0,))
    explain(run, "c", "explainer-ratio", ratio=None, seeds=(0,))
    explain(run, "d", "explainer-ratio", ratio=0.3, falling=False, ratio_found=0.2, seeds=(0,))
    explain(run, "e", "explainer-cls", explainer_error=1.0, plateau=False, seeds=(0,))
    cells, _ = written("explainer_eta", run, tmp_path)
    row = f"dog / ilsvrc-parts / {LITE} / "
    trained = {
        "explainer": ("100", "0.00333333", 0.705, 3.5),
        "explainer, η 1,000": ("1000", "0.00333333", 0.8, 3.5),
        "explainer, η 10": ("10", "0.00333333", 0.5, 3.5),
        "explainer, no filter loss": ("100", None, 0.7, 3.5),
        "explainer, filter loss held at 0.3": ("100", "0.3", 0.7, 3.5),
        "explainer, classification loss": ("100", "0.00333333", 0.7, 1.0),
    }
    for name, (eta, ratio, p, error) in trained.items():
        assert cells[row + name, "eta"]["mean"] == eta
        assert cells.get((row + name, "ratio"), {"mean": None})["mean"] == ratio
        assert ours(cells, row + name, "p") == pytest.approx(p)
        assert ours(cells, row + name, "explainer_error") == pytest.approx(error)
        assert ours(cells, row + name, "performer_error") == pytest.approx(2.0)
        assert ours(cells, row + name, "relative_error_1") == pytest.approx(0.25)
        assert ours(cells, row + name, "relative_error_2") == pytest.approx(0.2)
        assert ours(cells, row + name, "agreement") == pytest.approx(0.97)
    held = row + "explainer, filter loss held at 0.3"
    assert ours(cells, held, "ratio_1") == pytest.approx(0.2)
    assert ours(cells, held, "ratio_2") == pytest.approx(0.4)
    assert ours(cells, row + "explainer, η 1,000", "rises") == 1
    assert ours(cells, row + "explainer, classification loss", "settled") == 0
    assert ours(cells, row + "explainer", "settled") == 1
    assert (row + "performer", "p") not in cells
    for name, instability in (("performer", 0.141), ("explainer, untrained", 0.142)):
        assert ours(cells, row + name, "instability") == pytest.approx(instability)
    assert ours(cells, row + "baseline: constant unit", "instability") == CONSTANT


def test_explainers_of_two_kinds_of_performers_are_told_apart(
    run: SyntheticRun, tmp_path: Path
) -> None:
    for kind in ("code", "paper"):
        performer(run, f"of {kind}", variant=kind)
        explain(run, f"by {kind}", performer=kind, location=(0.09 if kind == "code" else 0.08, 0.3))
    cells, _ = written("explainer_table2", run, tmp_path)
    row = f"{PLACE} / ilsvrc-parts / {LITE} / explainer"
    assert ours(cells, f"{row} (by code)", "dog") == pytest.approx(0.091)
    assert ours(cells, f"{row} (by paper)", "dog") == pytest.approx(0.081)


def test_parts_add_up(run: SyntheticRun, tmp_path: Path) -> None:
    both(run, "several", ("cat", "dog"))
    cells, _ = written("explainer_parts", run, tmp_path)
    for category in ("cat", "dog"):
        row = f"{category} / ilsvrc-parts / {LITE} / several explainer / "
        summands = ("head", "other", "ordinary track", "biases")
        total = sum(ours(cells, row + name, "contribution") for name in summands)
        assert total == pytest.approx(ours(cells, row + "the explainer's score", "contribution"))
        assert ours(cells, row + "head", "share") == 0.75
        assert ours(cells, row + "head", "share_from_0.3") == 0.1
        assert ours(cells, row + "head", "filters") == 3
        assert ours(cells, row + "the performer's score", "contribution") == 4.2


def test_a_part_without_a_share_has_none(run: SyntheticRun, tmp_path: Path) -> None:
    contributions = {
        "categories": {
            "dog": {
                "images": 3,
                "score": 1.0,
                "explainer_score": -1.0,
                "parts": {"head": {"filters": 4, "contribution": -1.0, "share": None}},
                "ordinary": 0.0,
                "rest": 0.0,
                "by_limit": {},
            }
        }
    }
    explain(run, "a", contributions=contributions)
    cells, _ = written("explainer_parts", run, tmp_path)
    row = f"dog / ilsvrc-parts / {LITE} / a / head"
    assert ours(cells, row, "contribution") == -1.0
    assert (row, "share") not in cells
