"""Detection in the report: tables by hand, what was not measured, claims both ways, figures."""

import csv
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_detection import AUC, MIXED, OWN_TWINS, detection_values
from synthetic_run import CLAIM_PARAMETERS, SyntheticRun

from clearfilters.reporting.claims import write_claims
from clearfilters.reporting.figures import write_figure
from clearfilters.reporting.figures.attacks import attack_examples, cross_matrix
from clearfilters.reporting.records import load
from clearfilters.reporting.table import Table
from clearfilters.reporting.tables import build_table

ROLES = ("std", "lsg", "csg")


@pytest.fixture
def attacked(run: SyntheticRun) -> SyntheticRun:
    """STD, LSG and CSG with two seeds each, and nothing but their detection."""
    for role in ROLES:
        run.add(f"resnet20-{role}", role, label=role.upper(), analyses=("detection",))
    return run


def rows(table: Table) -> dict[str, Any]:
    return {row.key: row for row in table.rows}


def claims(run: SyntheticRun, folder: Path) -> dict[str, dict[str, str]]:
    write_claims(run.index, CLAIM_PARAMETERS, folder / "claims.csv")
    with (folder / "claims.csv").open(newline="", encoding="utf-8") as stream:
        return {line["id"]: line for line in csv.DictReader(stream)}


def test_table4_by_hand(attacked: SyntheticRun) -> None:
    table = build_table("lsg_table4", attacked.index)
    assert [row.heads for row in table.rows] == [
        (role.upper(), "pgd-lsg", "30", "2") for role in ROLES
    ]
    cell = rows(table)["LSG / pgd-lsg"].cells["auc_500"]
    # 0.80 + 0.02 at n = 500, and 0.002 more for seed 1.
    assert cell.mean == pytest.approx(82.1)
    assert cell.std == pytest.approx(statistics.stdev([82.0, 82.2]))
    assert cell.published.value == 85.01
    # Two repetitions 0.01 apart.
    assert cell.remark == f"[± {100 * statistics.stdev([0.0, 0.01]):.2f}]"
    assert rows(table)["STD / pgd-lsg"].cells["auc_100"].published.value == 72.86
    assert rows(table)["CSG / pgd-lsg"].cells["auc_100"].published is None


def test_own_twins_at_the_largest_measured_size(attacked: SyntheticRun) -> None:
    table4, csg = (build_table(name, attacked.index) for name in ("lsg_table4", "csg_detection"))
    for table, row, auc, size in (
        (table4, "LSG / pgd-lsg", 0.80 + 0.04, 1000),
        (csg, "CSG / fgsm", 0.85 + 0.06, 2000),
        (csg, "CSG / cw", 0.85 + 0.02, 500),
    ):
        cell = rows(table)[row].cells["auc_own_twins"]
        assert cell.mean == pytest.approx(100 * (auc + 0.001 - OWN_TWINS))
        assert cell.remark == f"[n = {size}]"
        assert sum(column.key == "auc_own_twins" for column in table.columns) == 1
        assert "near a boundary" in " ".join(table.notes)


def test_the_mixture_has_a_row_where_it_is_tested_on_all(attacked: SyntheticRun) -> None:
    found = rows(build_table("csg_detection", attacked.index))
    for role in ROLES:
        mixed = found[f"{role.upper()} / all attacks"]
        assert mixed.heads == (role.upper(), "all attacks", "30", "2")
        assert mixed.cells["auc_mixed"].mean == pytest.approx(100 * MIXED)
        assert set(mixed.cells) == {"auc_mixed"}
    # Trained on all, tested on one.
    assert found["CSG / fgsm"].cells["auc_mixed"].mean == pytest.approx(100 * (AUC["csg"] + 0.001))


def test_success_and_clean_accuracy_stand_beside(attacked: SyntheticRun) -> None:
    for name in ("lsg_table4", "csg_detection"):
        table = build_table(name, attacked.index)
        for row in table.rows:
            if row.heads[1] == "all attacks":
                continue
            assert row.cells["clean_accuracy"].mean == 0.92
            assert row.cells["success_rate"].ours(2) == "0.95 ± 0.00 [0.934 to 0.962]"
            assert row.cells["test_positives"].ours(0) == "900 ± 0 of 1000"
            assert row.cells["auc_pixels"].mean == pytest.approx(61)
        notes = " ".join(table.notes)
        assert "does not know the detector" in notes
        assert "not taken for a robust one" in notes


def test_csg_table_says_what_was_not_measured(attacked: SyntheticRun) -> None:
    table = build_table("csg_detection", attacked.index)
    attacks = [row.heads[1] for row in table.rows]
    assert attacks == ["fgsm", "cw", "all attacks"] * len(ROLES)
    assert [c.key for c in table.columns[:3]] == ["auc_500", "auc_1000", "auc_2000"]
    weak = rows(table)["CSG / cw"].cells
    assert weak["auc_500"].mean is not None and weak["auc_2000"].mean is None
    notes = " ".join(table.notes)
    assert "CSG, seed 0, cw, n = 2000 (2000 training images per class needed, 500" in notes
    assert "No published column" in notes
    assert not any(cell.published for row in table.rows for cell in row.cells.values())
    assert "eps 0.031" in notes and "eps 0.3" not in notes.replace("eps 0.031", "")


def test_published_rows_remain_when_nothing_ran(run: SyntheticRun) -> None:
    run.add("only", "std", analyses=("classification",))
    table = build_table("lsg_table4", run.index)
    assert [row.heads[0] for row in table.rows] == ["STD (not run here)", "LSG (not run here)"]
    assert rows(table)["LSG"].cells["auc_1000"].published.value == 86.93
    assert build_table("csg_detection", run.index).rows == []


def test_other_sizes_than_the_papers_have_columns_of_their_own(run: SyntheticRun) -> None:
    values = detection_values("std", 0)
    for detector, size in zip(values["detectors"]["pgd-lsg"], (10, 30, 100), strict=True):
        detector["size"] = size
    run.add("a", "std", change={"detection": values}, analyses=("detection",))
    cells = rows(build_table("lsg_table4", run.index))["a / pgd-lsg"].cells
    assert cells["auc_10"].mean == pytest.approx(70) and cells["auc_10"].published is None
    assert cells["auc_1000"].mean is None and cells["auc_1000"].published.value == 83.64


def test_claims_hold(attacked: SyntheticRun, tmp_path: Path) -> None:
    found = claims(attacked, tmp_path)
    line = found["lsg_table4_auc:resnet20-lsg:pgd-lsg"]
    assert line["verdict"] == "reproduced"
    assert float(line["left_mean"]) == pytest.approx(100 * (AUC["lsg"] - AUC["std"]))
    assert line["left_seeds"] == "2"
    assert "n = 100: 80.10 against 70.10 (seeds 0, 1)" in line["note"]
    assert "attack success 0.950 against 0.950" in line["note"]
    assert "clean accuracy 0.920 against 0.920" in line["note"]
    assert "over n = 100, 500, 1000 of the AUC" in line["comparison"]
    assert "not measured" not in line["note"]
    # Sizes that a side lacks are named.
    line = found["csg_detection_auc:resnet20-csg:cw"]
    assert line["verdict"] == "reproduced" and "over n = 500 of" in line["comparison"]
    assert "not measured on both sides: n = 1000, 2000" in line["note"]


def test_means_are_over_the_seeds_that_both_sides_have(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("std", "std", seeds=(0,), analyses=("detection",))
    run.add("lsg", "lsg", seeds=(0, 1), analyses=("detection",))
    line = claims(run, tmp_path)["lsg_table4_auc:lsg:pgd-lsg"]
    # Seed 1 of LSG is 0.2 higher.
    assert "n = 100: 80.00 against 70.00 (seed 0)" in line["note"]
    assert (line["left_mean"], line["left_seeds"]) == ("10", "1")


def test_an_attack_that_a_side_lacks_is_not_run(run: SyntheticRun, tmp_path: Path) -> None:
    values = detection_values("std", 0)
    for detector in values["detectors"]["fgsm"]:
        detector.update(auc=None, auc_own_twins=None)
    run.add("std", "std", change={"detection": values}, analyses=("detection",))
    run.add("csg", "csg", analyses=("detection",))
    found = claims(run, tmp_path)
    line = found["csg_detection_auc:csg:fgsm"]
    assert line["verdict"] == "not run" and line["left_mean"] == ""
    assert line["note"].startswith("at no n were both csg and std measured")
    assert "attack success 0.950 against 0.950" in line["note"]
    assert found["csg_detection_auc:csg:cw"]["verdict"] == "reproduced"
    assert "csg_detection_auc" not in found


def test_one_lower_size_of_one_seed_fails_the_claim(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("std", "std")
    values = detection_values("lsg", 0)
    values["detectors"]["pgd-lsg"][1]["auc"] = [0.5, 0.5]
    run.add("lsg", "lsg", change={"detection": values})
    found = claims(run, tmp_path)
    assert found["lsg_table4_auc:lsg:pgd-lsg"]["verdict"] == "not reproduced"
    assert found["csg_detection_auc"]["verdict"] == "not run"


def test_without_std_the_claim_is_not_run(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("lsg", "lsg")
    run.add("std", "std", analyses=("classification",))
    assert claims(run, tmp_path)["lsg_table4_auc:lsg:pgd-lsg"]["verdict"] == "not run"


def test_cross_matrix(attacked: SyntheticRun) -> None:
    records = load(attacked.index, ("detection",))
    lsg = records.experiments("lsg")[0]
    matrix = cross_matrix(records, lsg, ["pgd-lsg", "fgsm", "cw"])
    expected = np.full((4, 3), AUC["lsg"] + 0.001)
    expected[1, 2] = np.nan  # trained on fgsm, tested on cw
    np.testing.assert_allclose(matrix, expected)


def test_examples_show_every_model_and_attack(attacked: SyntheticRun) -> None:
    figure = attack_examples(load(attacked.index, ("detection",))).figure
    assert len(figure.axes) == 3 * len(ROLES) * 3
    # The third attack succeeded on no test image.
    assert sum(bool(axis.images) for axis in figure.axes) == 3 * len(ROLES) * 2
    assert [axis.get_title() for axis in figure.axes[:3]] == ["pgd-lsg", "fgsm", "cw"]


def test_figures_are_drawn(attacked: SyntheticRun, tmp_path: Path) -> None:
    for name in ("attack_examples", "detection_importance", "detection_cross"):
        assert write_figure(name, attacked.index, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size < 200_000
