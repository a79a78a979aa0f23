"""Black-box attacks in the report: the table by hand, what was not run, claims both ways."""

import csv
from pathlib import Path

import pytest
from synthetic_black_box import attack_values
from synthetic_run import CLAIM_PARAMETERS, SyntheticRun

from clearfilters.analysis.proportion import wilson_interval
from clearfilters.reporting.claims import write_claims
from clearfilters.reporting.table import Row
from clearfilters.reporting.tables import build_table, write_table

BOTH = ("one_pixel", "local_search")
PIXEL = "Single Pixel Attack / Attack Success Rate"
SEARCH = "Local Search Attack / Attack Success Rate"


@pytest.fixture
def attacked(run: SyntheticRun) -> SyntheticRun:
    """STD, LSG and CSG with two seeds each, and nothing but the black-box attacks."""
    for role in ("std", "lsg", "csg"):
        run.add(f"resnet20-{role}", role, label=role.upper(), analyses=BOTH)
    return run


def rows(run: SyntheticRun) -> dict[str, Row]:
    return {row.key: row for row in build_table("lsg_table5", run.index).rows}


def claims(run: SyntheticRun, folder: Path) -> dict[str, dict[str, str]]:
    write_claims(run.index, CLAIM_PARAMETERS, folder / "claims.csv")
    with (folder / "claims.csv").open(newline="", encoding="utf-8") as stream:
        return {line["id"]: line for line in csv.DictReader(stream)}


def test_the_table_by_hand(attacked: SyntheticRun) -> None:
    found = rows(attacked)
    # Successes of 50: 7 and 8 for STD, 1 and 2 for LSG.
    std, lsg = found[f"{PIXEL} / STD"].cells, found[f"{PIXEL} / LSG"].cells
    assert std["rate"].mean == pytest.approx(15) and lsg["rate"].mean == pytest.approx(3)
    assert std["rate"].std == pytest.approx(2**0.5)
    # As wide as that of one seed's 50 images: the seeds attack mostly the same ones.
    bounds = [wilson_interval(7, 50), wilson_interval(8, 50)]
    low, high = (50 * sum(side) for side in zip(*bounds, strict=True))
    assert (std["low"].mean, std["high"].mean) == (pytest.approx(low), pytest.approx(high))
    assert std["low"].seeds == 2
    assert std["attacked"].ours(None) == "50 ± 0"
    assert std["query_budget"].mean == 40400 and std["queries_mean"].mean == 36000.5
    assert std["queries_mean_success"].mean == 800
    accuracy = found["No Attack / Accuracy / LSG"].cells
    assert accuracy["rate"].mean == pytest.approx(91.1) and set(accuracy) == {"rate"}


def test_published_values_stand_beside(attacked: SyntheticRun) -> None:
    found = rows(attacked)
    expected = {"STD": (88.03, 14.0, 15.0), "LSG": (88.85, 2.0, 2.0), "CSG": (88.85, 2.0, 2.0)}
    for label, values in expected.items():
        for metric, value in zip(("No Attack / Accuracy", PIXEL, SEARCH), values, strict=True):
            published = found[f"{metric} / {label}"].cells["rate"].published
            assert published is not None and published.value == value
    assert not any("not run here" in "".join(row.heads) for row in found.values())


def test_attacks_stand_in_the_order_of_the_paper(attacked: SyntheticRun, tmp_path: Path) -> None:
    write_table("lsg_table5", attacked.index, tmp_path / "t.csv", tmp_path / "t.md")
    lines = [line for line in (tmp_path / "t.md").read_text().splitlines() if line[:2] == "| "]
    assert [tuple(line.split(" | ")[i] for i in (0, 2)) for line in lines[2:]] == [
        (f"| {attack}", label)
        for attack in ("No Attack", "Single Pixel Attack", "Local Search Attack")
        for label in ("STD", "LSG", "CSG")
    ]
    assert "15.00 ± 1.41 (paper 14.00)" in lines[5]
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        units = {line["column"]: line["unit"] for line in csv.DictReader(stream)}
    assert (units["rate"], units["attacked"], units["queries_mean"]) == (
        "percent",
        "images",
        "queries",
    )


def test_what_was_not_run_is_shown_as_such(run: SyntheticRun) -> None:
    run.add("resnet20-std", "std", label="STD", analyses=("one_pixel",))
    run.add("resnet20-lsg", "lsg", label="LSG", analyses=("classification",))
    found = rows(run)
    assert f"{SEARCH} / STD" not in found
    assert found[f"{SEARCH} / STD CNN"].heads[2] == "STD CNN, LSG (not run here)"
    assert found[f"{PIXEL} / LSG CNN"].cells["rate"].mean is None
    assert found[f"{PIXEL} / LSG CNN"].cells["rate"].published.value == 2.0


def test_a_run_without_attacks(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("resnet20-std", "std", analyses=("classification",))
    table = build_table("lsg_table5", run.index)
    assert "Not run" in table.notes[0]
    judged = claims(run, tmp_path)
    for name in ("lsg_black_box_one_pixel", "csg_black_box_local_search"):
        assert judged[name]["verdict"] == "not run"


def test_claims_both_ways(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("std", "std", analyses=BOTH)
    run.add("lsg", "lsg", analyses=BOTH)
    worse = attack_values("worse than std", 0, 0.9)
    run.add("csg", "csg", analyses=BOTH, change={"one_pixel": worse})
    judged = claims(run, tmp_path)
    line = judged["lsg_black_box_one_pixel:lsg"]
    assert line["verdict"] == "reproduced"
    assert (line["left_mean"], line["right_mean"]) == ("3", "15")
    # 1 and 2 of 50 against 7 and 8.
    bounds = [wilson_interval(1, 50), wilson_interval(2, 50)]
    low, high = (50 * sum(side) for side in zip(*bounds, strict=True))
    expected = "intervals overlap: within what these images tell "
    expected += f"(95 %: {low:.1f} to {high:.1f} against"
    assert line["note"].startswith(expected)
    assert "accuracy 91.10 against 90.10 percent" in line["note"]
    line = judged["csg_black_box_one_pixel:csg"]
    assert line["verdict"] == "not reproduced"
    assert line["note"].startswith("intervals do not overlap (95 %: ")
    assert judged["csg_black_box_local_search:csg"]["verdict"] == "reproduced"
