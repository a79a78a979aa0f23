"""Claims: the rule by hand, and verdicts in both directions."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_black_box import attack_values
from synthetic_detection import detection_values
from synthetic_localization import localization_values
from synthetic_run import CLAIM_PARAMETERS, CLASSES, SyntheticRun, fill, fixed_gate

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.claims import CLAIM_COLUMNS, write_claims
from clearfilters.reporting.claims.quantities import block_means, diagonal_rows, leakage_excess
from clearfilters.reporting.claims.verdict import VERDICTS, Evidence, holds

Claims = dict[str, dict[str, str]]


def written(run: SyntheticRun, folder: Path, **parameters: float) -> Claims:
    out = folder / "claims.csv"
    write_claims(run.index, {**CLAIM_PARAMETERS, **parameters}, out)
    with out.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == CLAIM_COLUMNS
        lines = list(reader)
    assert {line["verdict"] for line in lines} <= set(VERDICTS)
    claims = {line["id"]: line for line in lines}
    assert len(claims) == len(lines)
    return claims


def verdict(left: dict[int, float], right: Any) -> str:
    held = holds(Evidence("left", left, "right", right, "below"))
    return "reproduced" if held else "not reproduced"


def test_the_rule_by_hand() -> None:
    assert verdict({0: 1.0, 1: 2.0}, {0: 1.5, 1: 2.5}) == "reproduced"
    # Lower on the mean, but seed 1 disagrees.
    assert verdict({0: 0.0, 1: 2.0}, {0: 1.5, 1: 1.9}) == "not reproduced"
    # Seed by seed only: seed 1 of the left is above seed 0 of the right.
    assert verdict({0: 1.0, 1: 2.0}, {0: 1.5, 1: 2.5, 2: 9.0}) == "reproduced"
    # No seed shared: every pair must hold.
    assert verdict({0: 1.0, 1: 2.0}, {2: 1.5, 3: 2.5}) == "not reproduced"
    assert verdict({0: 1.0, 1: 2.0}, {2: 2.1, 3: 2.5}) == "reproduced"
    # Each seed holds where both ran, but not the means over all.
    assert verdict({0: 1.0, 1: 9.0}, {0: 1.5}) == "not reproduced"
    # A bound: every seed.
    assert verdict({0: 1.0, 1: 2.0}, 2.5) == "reproduced"
    assert verdict({0: 1.0, 1: 2.6}, 2.5) == "not reproduced"


def test_claims_hold_where_the_numbers_say_so(full_run: SyntheticRun, tmp_path: Path) -> None:
    claims = written(full_run, tmp_path)
    held = {key for key, line in claims.items() if line["verdict"] == "reproduced"}
    for name in ("accuracy", "outperforms", "cross_entropy", "density", "density_fitted", "phi"):
        assert f"lsg_table1_{name}:resnet20-lsg" in held
    for case in ("0", "0_5"):
        for name in ("fails", "others", "std", "lower"):
            assert f"lsg_figure5_{case}_{name}:resnet20-lsg" in held
    for similarity in ("lsg", "csg"):
        for name in ("true_positive", "false_negative", "difference"):
            assert f"lsg_figure6_{similarity}_{name}:resnet20-lsg" in held
    for network in ("resnet20-fixed", "alexnet-fixed"):
        for name in ("cic_lower", "cic_half", "cic_distinct"):
            assert f"lsg_table2_{name}:{network}" in held
        assert f"lsg_figure7_block_diagonal:{network}" in held
    assert {"csg_mis:resnet20-csg", "csg_interval:resnet20-csg"} <= held
    assert "lsg_figure10_match:resnet20-fixed" in held
    line = claims["lsg_table1_phi:resnet20-lsg"]
    assert (line["left"], line["right"]) == ("ResNet20 LSG", "ResNet20 STD")
    assert (line["left_mean"], line["right_mean"]) == ("0.201", "0.801")
    assert (line["left_seeds"], line["note"]) == ("2", "")


def test_claims_fail_where_the_numbers_say_so(run: SyntheticRun, tmp_path: Path) -> None:
    detection = detection_values("worse than std", 0)
    localization = localization_values("worse than std", 0, CLASSES)
    black_box = attack_values("worse than std", 0, 0.9)
    run.add("std", "std")
    run.add(
        "lsg",
        "lsg",
        change={
            "detection": detection,
            "localization": localization,
            "one_pixel": black_box,
            "local_search": black_box,
            "classification": {"accuracy": 0.89, "cross_entropy": 0.5},
            "phi": {"phi_test": 0.9, "trained_density": 0.6, "fitted_density": 0.6},
            "masking": {
                "cases": [
                    {"masked_classes": c, "recall_masked": 0.95, "recall_other": 0.3}
                    for c in ([0], [0, 5])
                ]
            },
            "similarity": {
                key: {
                    "true_positive": [[0.1, 0.9], [0.9, 0.1]],
                    "false_negative": [[0.9, 0.1], [0.1, 0.9]],
                    "dominance_true_positive": -0.5,
                    "dominance_false_negative": 0.5,
                }
                for key in ("lsg", "csg")
            },
        },
    )
    run.add(
        "fixed",
        "fixed",
        change={
            "correlation": {
                "cic_absolute": 0.2,
                "cic_absolute_distinct": 0.2,
                "thresholds": [0.0, 1.0],
                "share_above": [1.0, 1.0],
                "matrix": np.eye(64).tolist(),
            },
            "clustering": {"match": 0.1},
        },
    )
    change = {
        "mis": {"mis": 0.05},
        "phi": {"trained_density": 0.3},
        "detection": detection,
        "localization": localization,
        "one_pixel": black_box,
        "local_search": black_box,
    }
    run.add("csg", "csg", change=change)
    claims = written(run, tmp_path)
    for key, line in claims.items():
        expected = "not reproduced"
        # Nobody has changed STD's confusion; LSG and CSG keep their filters per class; and other
        # claims need experiments that are missing.
        if key.endswith("_std:lsg") or "statistics_monopolized" in key:
            expected = "reproduced"
        if ":" not in key or key.endswith((":alexnet", ":resnet101", ":resnet152")):
            continue
        assert line["verdict"] == expected, key


def test_what_did_not_run_is_listed(run: SyntheticRun, tmp_path: Path) -> None:
    claims = written(run, tmp_path)
    assert claims and all(line["verdict"] == "not run" for line in claims.values())
    assert "lsg_table2_cic_lower:alexnet" in claims and "lsg_table2_cic_lower:resnet" in claims


def test_a_single_seed_and_unequal_epochs_are_marked(
    full_run: SyntheticRun, tmp_path: Path
) -> None:
    claims = written(full_run, tmp_path)
    note = claims["lsg_figure4_origin:resnet20-lsg"]["note"]
    assert note == "1 seed; epochs differ: 30 against 15"
    assert claims["lsg_table2_cic_lower:resnet20-fixed"]["note"] == "epochs differ: 15 against 30"
    assert claims["lsg_table2_cic_lower:alexnet-fixed"]["note"] == ""


@pytest.mark.parametrize("fitted_to_std", [0.15, 0.3])
def test_a_density_that_no_gate_can_have_is_marked(
    run: SyntheticRun, tmp_path: Path, fitted_to_std: float
) -> None:
    run.add("std", "std", change={"phi": {"fitted_density": fitted_to_std}})
    run.add("lsg", "lsg", change={"phi": {"trained_density": 0.12, "fitted_density": 0.12}})
    claims = written(run, tmp_path)
    for key in ("density", "density_fitted"):
        line = claims[f"lsg_table1_{key}:lsg"]
        if fitted_to_std == 0.15:  # half of it is below 1/C
            asked = "cannot hold here: 0.075 is asked, and no gate is below 1/C = 0.1 "
            assert line["verdict"] == "cannot hold here" and line["note"].startswith(asked)
        else:
            assert (line["verdict"], line["note"]) == ("reproduced", "")


def test_margins_come_from_the_parameters(run: SyntheticRun, tmp_path: Path) -> None:
    run.add("std", "std")
    run.add("lsg", "lsg", change={"classification": {"accuracy": 0.893}})
    key = "lsg_table1_accuracy:lsg"
    assert written(run, tmp_path, sacrifice_margin=0.5)[key]["verdict"] == "not reproduced"
    assert written(run, tmp_path, sacrifice_margin=1.0)[key]["verdict"] == "reproduced"


def test_sparse_accurate_and_free_of_leakage(full_run: SyntheticRun, tmp_path: Path) -> None:
    line = written(full_run, tmp_path)["ours_sparse_accurate_leakage_free"]
    assert line["verdict"] == "reproduced"
    # 5 methods that learn a gate and 4 settings; only the negatives do not leak.
    assert line["note"].startswith("1 of 9 settings: ResNet20 negatives.")
    # Other-class images: 0.03 - 0.01 and 0.032 - 0.01.
    assert float(line["left_mean"]) == pytest.approx(0.021)


def test_no_setting_free_of_leakage(run: SyntheticRun, tmp_path: Path) -> None:
    fill(run)
    run.index = [entry for entry in run.index if entry.get("role") != "negatives"]
    claims = written(run, tmp_path)
    line = claims["ours_sparse_accurate_leakage_free"]
    assert line["verdict"] == "not reproduced" and "0 of 8 settings: none" in line["note"]
    assert claims["ours_sparse_accurate"]["verdict"] == "reproduced"
    assert claims["ours_negatives_leak_less"]["verdict"] == "not run"
    assert claims["ours_leakage_free:resnet20-lsg"]["verdict"] == "not reproduced"


def test_block_means_by_hand() -> None:
    gate = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 1, 1]], dtype=float)  # the last filter is shared
    matrix = np.full((5, 5), 0.1)
    matrix[0, 1] = matrix[1, 0] = 0.8
    matrix[2, 3] = matrix[3, 2] = 0.6
    matrix[4] = matrix[:, 4] = 0.9
    np.fill_diagonal(matrix, 1)
    assert list(block_means(matrix, gate)) == pytest.approx([0.7, 0.1])


def test_without_two_filters_of_a_class_there_is_nothing_to_compare(
    run: SyntheticRun, tmp_path: Path
) -> None:
    gate = fixed_gate(own=1)
    assert block_means(np.eye(64), gate) is None
    assert block_means(np.eye(3), np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])) is None
    run.add("std", "std")
    run.add("fixed", "fixed", change={"phi": {"trained_gate": gate.tolist()}})
    claims = written(run, tmp_path)
    assert claims["lsg_figure7_block_diagonal:resnet"]["verdict"] == "not run"
    assert claims["lsg_table2_cic_lower:fixed"]["verdict"] == "reproduced"


def test_diagonal_rows_leave_out_empty_classes() -> None:
    quantity = diagonal_rows("lsg", "true_positive")
    assert callable(quantity)
    rows = [[0.9, 0.1, 0.0], [None, None, None], [0.5, 0.0, 0.4]]
    assert quantity({"lsg": {"true_positive": rows}}) == 0.5
    assert quantity({"lsg": {"true_positive": [[None] * 3] * 3}}) is None


def test_leakage_excess_is_the_worse_of_both_probes() -> None:
    values = {
        "other_images": 0.05,
        "other_images_blind": 0.01,
        "noise_images": 0.4,
        "noise_images_blind": 0.1,
    }
    assert leakage_excess(values) == pytest.approx(0.3)


def test_wrong_parameters_are_refused(run: SyntheticRun, tmp_path: Path) -> None:
    out = tmp_path / "claims.csv"
    with pytest.raises(ClearfiltersError, match="sparse_densitty"):
        write_claims(run.index, {**CLAIM_PARAMETERS, "sparse_densitty": 0.2}, out)
    with pytest.raises(ClearfiltersError, match="leakage_margin"):
        less = {k: v for k, v in CLAIM_PARAMETERS.items() if k != "leakage_margin"}
        write_claims(run.index, less, out)
    with pytest.raises(ClearfiltersError, match="dominant_rows"):
        write_claims(run.index, {**CLAIM_PARAMETERS, "dominant_rows": 1.2}, out)
    assert not out.exists()


def test_a_difference_that_nobody_can_see_decides_nothing() -> None:
    assert verdict({0: 0.2}, {0: 0.2 + 1e-11}) == "not reproduced"
    assert verdict({0: 0.2}, {0: 0.20001}) == "reproduced"
