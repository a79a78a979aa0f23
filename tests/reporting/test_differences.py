"""What is said of two files that differ."""

from pathlib import Path

import pytest

from clearfilters.reporting.differences import SHOWN, file_differences

TABLE = "table,row,column,mean,std,seeds,published,unit\n"
CLAIMS = "id,verdict,left_mean\n"
FIGURE = "panel,series,x,y,lower,upper,value\n"
COLUMNS = (
    "columns: committed panel, series, x, y, lower, upper, value, "
    "regenerated id, verdict, left_mean"
)
FORM = "the order or the form of the lines differs"


@pytest.mark.parametrize(
    ("name", "kept", "made", "expected"),
    [
        ("a.csv", TABLE + "t,r,c,1,,1,,x\n", TABLE + "t,r,c,1,,1,,x\n", []),
        (
            "a.csv",
            TABLE + "t,r,c,1,,1,,x\nt,r,d,1,,1,,x\n",
            TABLE + "t,r,c,1,,1,,x\nt,r,d,2,0.5,1,,x\n",
            [
                "t, r, d: mean: committed 1, regenerated 2",
                "t, r, d: std: committed nothing, regenerated 0.5",
            ],
        ),
        (
            "a.csv",
            TABLE + "t,r,c,1,,1,,x\n",
            TABLE + "t,s,c,1,,1,,\n",
            [
                "t, s, c: not committed; regenerated: mean 1, seeds 1",
                "t, r, c: committed mean 1, seeds 1, unit x; not regenerated",
            ],
        ),
        (
            "claims.csv",
            CLAIMS + "a,reproduced,1\n",
            CLAIMS + "a,not reproduced,1\n",
            ["a: verdict: committed reproduced, regenerated not reproduced"],
        ),
        # An entry of a matrix: the first at its x is the same row in both.
        (
            "a.csv",
            FIGURE + "p,gate,0,cat,,,1\np,gate,0,dog,,,0\n",
            FIGURE + "p,gate,0,cat,,,1\np,gate,0,dog,,,0.5\n",
            ["p, gate, 0, dog: value: committed 0, regenerated 0.5"],
        ),
        ("a.csv", FIGURE, CLAIMS, [COLUMNS]),
        ("a.csv", CLAIMS + "a,b,1\nb,b,1\n", CLAIMS + "b,b,1\na,b,1\n", [FORM]),
        ("a.csv", CLAIMS + "a,b,1,9\n", CLAIMS + "a,b,1\n", [FORM]),
        ("a.csv", "", CLAIMS, ["columns: committed nothing, regenerated id, verdict, left_mean"]),
        ("a.md", "# A\n| 1 |\n", "# A\n| 2 |\n", ["committed: | 1 |", "regenerated: | 2 |"]),
        ("a.md", "# A\n", "# A\n- a note\n", ["regenerated: - a note"]),
    ],
)
def test_differences(name: str, kept: str, made: str, expected: list[str], tmp_path: Path) -> None:
    for folder, text in (("kept", kept), ("made", made)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    assert file_differences(tmp_path / "kept" / name, tmp_path / "made" / name) == expected


def test_many_differences_are_counted(tmp_path: Path) -> None:
    for name in ("kept", "made"):
        lines = [f"{number},b,{name}\n" for number in range(SHOWN + 5)]
        (tmp_path / f"{name}.csv").write_text(CLAIMS + "".join(lines))
    found = file_differences(tmp_path / "kept.csv", tmp_path / "made.csv")
    assert len(found) == SHOWN + 1 and found[-1] == "... and 5 more"


def test_bytes_that_are_no_text_are_a_difference(tmp_path: Path) -> None:
    (tmp_path / "kept.csv").write_bytes(CLAIMS.encode() + b"a,\xff,1\n")
    (tmp_path / "made.csv").write_text(CLAIMS + "a,reproduced,1\n")
    found = file_differences(tmp_path / "kept.csv", tmp_path / "made.csv")
    assert found == ["a: verdict: committed \ufffd, regenerated reproduced"]
