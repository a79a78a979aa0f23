"""Tables: numbers against hand computation, the Markdown layout, published values beside ours."""

import csv
import json
from pathlib import Path

import pytest
from synthetic_run import CLASSES, SyntheticRun, measure

from clearfilters.errors import ClearfiltersError
from clearfilters.registry import BLOCK_NETWORKS, CIFAR_NETWORKS, TABLES
from clearfilters.reporting.notes import seeds_text
from clearfilters.reporting.published_networks import RELATIVES
from clearfilters.reporting.table import CSV_COLUMNS
from clearfilters.reporting.tables import build_table, table_spec, write_table

Cells = dict[tuple[str, str], dict[str, str]]


def written(table: str, run: SyntheticRun, folder: Path) -> tuple[Cells, str]:
    out_csv, out_md = folder / f"{table}.csv", folder / f"{table}.md"
    write_table(table, run.index, out_csv, out_md)
    with out_csv.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == CSV_COLUMNS
        lines = list(reader)
    cells = {(line["row"], line["column"]): line for line in lines}
    assert len(cells) == len(lines)
    assert {line["table"] for line in lines} <= {table}
    return cells, out_md.read_text(encoding="utf-8")


def numbers(line: dict[str, str]) -> list[float | None]:
    return [float(line[k]) if line[k] else None for k in ("mean", "std", "published")]


def test_table1_numbers(full_run: SyntheticRun, tmp_path: Path) -> None:
    cells, _ = written("lsg_table1", full_run, tmp_path)
    # Seeds 0 and 1 differ by 0.002: mean + 0.001, sample standard deviation 0.002 / sqrt(2).
    std = pytest.approx(0.002 / 2**0.5, rel=1e-4)
    assert numbers(cells["ResNet20 STD", "accuracy"]) == [pytest.approx(0.901), std, 0.9046]
    assert numbers(cells["ResNet20 LSG", "phi"]) == [pytest.approx(0.201), std, 0.2203]
    assert numbers(cells["ResNet20 LSG", "density_trained"])[2] == 0.1742
    assert cells["ResNet20 LSG", "density_fitted"]["published"] == ""
    assert numbers(cells["ResNet20 STD", "density_fitted"])[2] == 0.4757
    assert ("ResNet20 STD", "density_trained") not in cells
    assert numbers(cells["ResNet20 joint", "accuracy"]) == [pytest.approx(0.89), None, None]
    assert cells["ResNet20 joint", "accuracy"]["seeds"] == "1"
    assert numbers(cells["ResNet20 negatives", "leakage"])[0] == pytest.approx(0.031)
    not_run = cells["PASCAL VOC 2010 / ResNet152 / STD", "phi"]
    assert (not_run["mean"], not_run["seeds"], not_run["published"]) == ("", "0", "0.2794")


def test_the_table_says_how_networks_were_fine_tuned(
    full_run: SyntheticRun, tmp_path: Path
) -> None:
    _, text = written("lsg_table1", full_run, tmp_path)
    assert "Fine-tuned" not in text
    for entry in full_run.index:
        if entry["analysis"] == "data":
            continue
        path = Path(entry["path"])
        measurement = json.loads(path.read_text())
        finetune = {"trained_blocks": 2, "views": 8, "weights": "vgg.pth"}
        measurement["provenance"]["parameters"]["finetune"] = finetune
        path.unlink()  # a link to the template's file
        path.write_text(json.dumps(measurement))
    _, text = written("lsg_table1", full_run, tmp_path)
    assert text.count("Fine-tuned") == 1
    assert "last 2 block(s), the gate and the head, from the weights `vgg.pth`; 8 aug" in text


def test_published_values_stand_only_where_they_belong(
    full_run: SyntheticRun, tmp_path: Path
) -> None:
    cells, _ = written("lsg_table1", full_run, tmp_path)
    rows = {row for (row, _), line in cells.items() if line["published"]}
    assert rows == {
        "ResNet20 STD",
        "ResNet20 LSG",
        "PASCAL VOC 2010 / ResNet152 / LSG",
        "PASCAL VOC 2010 / ResNet152 / STD",
    }


def test_table1_layout(full_run: SyntheticRun, tmp_path: Path) -> None:
    _, text = written("lsg_table1", full_run, tmp_path)
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("| Data set"))
    rows = [line for line in lines if line.startswith("| cifar10")]
    assert [line.split(" | ")[2] for line in rows[:3]] == [
        "ResNet20 STD",
        "ResNet20 LSG",
        "ResNet20 CSG",
    ]
    assert all(line.count(" | ") == header.count(" | ") for line in rows)
    assert "0.9010 ± 0.0014 (paper 0.9046)" in rows[0]
    assert "(paper 6.8657†)" in rows[0] and "† not comparable: too large" in text
    assert "[2 of 2 in 0.1 to 0.2]" in rows[2] and "(paper" not in rows[2]
    for fact in ("JPEG copy", "30 epochs", "seeds 0, 1", "AMD EPYC", "bf16", "resnet20"):
        assert fact in text


@pytest.mark.parametrize(
    "table", [t for t in TABLES if not t.startswith(("data", "icnn", "explainer"))]
)
def test_every_table_names_its_origin(table: str, full_run: SyntheticRun, tmp_path: Path) -> None:
    _, text = written(table, full_run, tmp_path)
    for fact in ("JPEG copy", "30 epochs", "seeds 0, 1", "AMD EPYC", "ResNet20 negatives"):
        assert fact in text


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_written_when_nothing_ran(
    table: str, run: SyntheticRun, tmp_path: Path
) -> None:
    _, text = written(table, run, tmp_path)
    assert "Not run" in text


@pytest.mark.parametrize("table", TABLES)
def test_a_table_reads_only_what_it_declares(table: str, full_run: SyntheticRun) -> None:
    for entry in full_run.index:
        if entry["analysis"] not in table_spec(table).analyses:
            Path(entry["path"]).unlink()
    assert build_table(table, full_run.index).rows


@pytest.mark.parametrize("table", ["csg_mis", "lsg_table1"])
def test_the_floor_of_mis_stands_beside_it(table: str, run: SyntheticRun, tmp_path: Path) -> None:
    run.add("measured", "std")
    older = [name for name in measure("csg", 0, "resnet20") if name != "mis_floor"]
    run.add("older", "csg", analyses=tuple(older))
    cells, text = written(table, run, tmp_path)
    assert numbers(cells["measured", "mis_floor"])[::2] == [pytest.approx(0.0205), None]
    assert cells["older", "mis"]["mean"] and ("older", "mis_floor") not in cells
    assert "MIS | MIS floor |" in text
    assert "with the test labels shuffled (mean of 2)" in text


def test_table2(full_run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("lsg_table2", full_run, tmp_path)
    # The published values are of the size of absolute ones.
    assert numbers(cells["CIC", "AlexNet STD"])[::2] == [pytest.approx(0.1605), None]
    assert numbers(cells["CIC absolute", "AlexNet STD"])[::2] == [pytest.approx(0.1805), 0.1224]
    assert numbers(cells["CIC absolute", "ResNet20 fixed"])[::2] == [pytest.approx(0.0905), 0.1022]
    assert numbers(cells["CIC distinct", "ResNet20 fixed"])[::2] == [pytest.approx(0.0505), None]
    assert cells["CIC", "ResNet20 LSG"]["published"] == ""
    header = next(line for line in text.splitlines() if line.startswith("| Model"))
    assert header.startswith("| Model | AlexNet STD | AlexNet fixed | ResNet20 STD | ResNet20 fix")


def test_table2_shows_what_was_not_run(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("resnet20-std", "std")
    cells, text = written("lsg_table2", run, tmp_path)
    assert cells["CIC absolute", "LSG AlexNet"]["published"] == "0.0684"
    assert cells["CIC absolute", "LSG AlexNet"]["mean"] == ""
    assert ("CIC", "LSG AlexNet") not in cells
    assert "LSG AlexNet (not run here)" in text


def test_other_data_are_for_orientation_only(tmp_path: Path) -> None:
    run = SyntheticRun(tmp_path, dataset="digits")
    run.add("a", "std", model="resnet8")
    cells, text = written("lsg_table1", run, tmp_path)
    assert cells["a", "accuracy"]["published"] == "0.9046"
    assert "(digits): the published values are here for orientation only" in text


def test_another_resnet_leaves_the_published_value_to_resnet20(
    run: SyntheticRun, tmp_path: Path
) -> None:
    run.add("deep", "std", model="resnet56")
    run.add("paper", "std", model="resnet20")
    cells, _ = written("lsg_table1", run, tmp_path)
    assert cells["deep", "accuracy"]["published"] == ""
    assert cells["paper", "accuracy"]["published"] == "0.9046"


def test_imagenet_networks_are_no_relatives_of_cifars(run: SyntheticRun, tmp_path: Path) -> None:
    assert set(RELATIVES) == set(CIFAR_NETWORKS)
    for model in BLOCK_NETWORKS:
        run.add(model, "csg", model=model, seeds=(0,))
        run.add(f"{model}-std", "std", model=model, seeds=(0,))
    for table in ("lsg_table2", "lsg_gate_statistics", "lsg_table4", "lsg_table5"):
        cells, _ = written(table, run, tmp_path)
        assert not any(line["published"] and line["mean"] for line in cells.values()), table
    cells, _ = written("lsg_table1", run, tmp_path)
    beside = {row for (row, _), line in cells.items() if line["published"] and line["mean"]}
    assert beside == {"resnet152-std"}  # of PASCAL VOC


def test_gate_statistics(full_run: SyntheticRun, tmp_path: Path) -> None:
    cells, _ = written("lsg_gate_statistics", full_run, tmp_path)
    # Seed 0: 6 filters for each of 10 classes, 4 shared; seed 1: the last class has 7, 3 shared.
    own = cells["ResNet20 LSG", "monopolized_per_class"]
    assert numbers(own)[::2] == [pytest.approx(6.05), 6]
    share = cells["ResNet20 LSG", "monopolized_share_per_class"]
    assert numbers(share)[::2] == [pytest.approx((6 / 64 + 6.1 / 64) / 2, rel=1e-4), 0.1]
    assert numbers(cells["ResNet20 CSG", "shared"])[::2] == [3.5, 4]
    assert cells["ResNet20 CSG", "shared_share"]["published"] == ""
    assert float(cells["ResNet20 LSG", f"monopolized {CLASSES[-1]}"]["mean"]) == 6.5
    assert float(cells["AlexNet fixed", "shared"]["mean"]) == 5.5


def test_gate_statistics_of_two_data_sets(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("objects", "lsg", folder="a")
    change = {
        "classification": {"classes": ["cat", "cow"]},
        "gate_statistics": {"monopolized": [3, 5]},
    }
    run.add("animals", "lsg", folder="b", change=change)
    cells, text = written("lsg_gate_statistics", run, tmp_path)
    own = {
        row: [key.removeprefix("monopolized ") for r, key in cells if r == row and " " in key]
        for row in ("objects", "animals")
    }
    assert own == {"objects": CLASSES, "animals": ["cat", "cow"]}
    assert cells["animals", "monopolized cow"]["mean"] == "5"
    header = next(line for line in text.splitlines() if line.startswith("| Training"))
    assert header.endswith("| Own: ship | Own: truck | Own: cow |")


def test_mis_has_no_published_column(full_run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("csg_mis", full_run, tmp_path)
    assert float(cells["ResNet20 CSG", "mis"]["mean"]) == pytest.approx(0.2005)
    assert not any(line["published"] for line in cells.values())
    assert "No published column: CSG's tables are not at hand." in text


def test_leakage_table(full_run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("lsg_leakage", full_run, tmp_path)
    assert float(cells["ResNet20 STD", "density"]["mean"]) == pytest.approx(0.501)  # fitted
    assert float(cells["ResNet20 LSG", "density"]["mean"]) == pytest.approx(0.151)  # trained
    assert "| ResNet20 STD | fitted |" in text and "| ResNet20 LSG | trained |" in text


def test_tradeoff(full_run: SyntheticRun, tmp_path: Path) -> None:
    cells, text = written("lsg_tradeoff", full_run, tmp_path)
    row = "LSG, λ = 1, a = 0.02"
    assert (cells[row, "lambda"]["mean"], cells[row, "a"]["mean"]) == ("1", "0.02")
    assert float(cells[row, "density_trained"]["mean"]) == pytest.approx(0.2)
    # Accuracy 0.81 at seed 0 against STD's 0.90 at seed 0.
    assert float(cells[row, "accuracy_difference"]["mean"]) == pytest.approx(-9)
    # 0.91 - 0.90 and 0.912 - 0.902.
    assert numbers(cells["ResNet20 LSG", "accuracy_difference"])[0] == pytest.approx(1)
    assert ("ResNet20 STD", "accuracy_difference") not in cells
    assert "the grid (10 against 30 epochs)" in text
    assert "AlexNet" not in text


def test_tradeoff_of_other_data_of_the_same_format(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("grid", "tradeoff", folder="a")
    run.add("std", "std", folder="b")
    cells, _ = written("lsg_tradeoff", run, tmp_path)
    assert {row for row, _ in cells} == {"grid"}
    assert ("grid", "accuracy_difference") not in cells


def test_the_same_measurements_give_the_same_bytes(full_run: SyntheticRun, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_table(
            "lsg_table1", full_run.index, tmp_path / folder / "t.csv", tmp_path / folder / "t.md"
        )
    for name in ("t.csv", "t.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_unknown_table_is_refused(run: SyntheticRun, tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match="no table `lsg_table9`"):
        write_table("lsg_table9", run.index, tmp_path / "a.csv", tmp_path / "a.md")
    assert not list(tmp_path.glob("*.csv"))


def test_seeds_text() -> None:
    assert seeds_text((3,)) == "seed 3"
    assert seeds_text((0, 1)) == "seeds 0, 1"
    assert seeds_text(tuple(range(20))) == "20 seeds (0 to 19)"
