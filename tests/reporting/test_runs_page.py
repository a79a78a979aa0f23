"""results/index.html: every run that has a page, as its page says."""

from pathlib import Path

import pytest
from pages import Page, page_of
from synthetic_run import SyntheticRun

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.page.runs import write_runs_page


def test_a_row_for_each_run_with_its_numbers_verdicts_and_a_link(tmp_path: Path) -> None:
    for name, role in (("one run", "std"), ("other", "lsg")):
        run = SyntheticRun(tmp_path / name)
        run.add(f"ResNet20 {role}", role, seeds=(0, 1), analyses=("classification", "phi"))
        run.add_data("data", source="cifar <10>")
        page_of(run)
    (tmp_path / "unfinished" / "metrics").mkdir(parents=True)
    write_runs_page(tmp_path, tmp_path / "index.html")
    page = Page((tmp_path / "index.html").read_text("utf-8"))
    assert "one%20run/report.html" in page.links
    assert "other/report.html" in page.links
    assert "unfinished" not in page.words
    # SCALARS of the two roles, mean over seeds 0 and 1; LSG table 1.
    assert "Test accuracy, ResNet20 std: 0.901 ± 0.001 [0.905]" in page.words
    assert "Density of the gate, ResNet20 lsg: 0.151 ± 0.001 [0.174]" in page.words
    assert "2 networks were trained in 1 experiment" in page.words
    assert "cifar <10>" in page.words
    assert "cpu, AMD EPYC, 2 threads" in page.words
    assert page.words.count("not run") == 2


def test_no_run_yet(tmp_path: Path) -> None:
    write_runs_page(tmp_path, tmp_path / "index.html")
    assert "No run has a page yet" in (tmp_path / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><style></style>",
        b'<meta name="clearfilters-summary" content="{}"><style></style>',
        b'<meta name="clearfilters-summary" content="\xff"><style></style>',
    ],
)
def test_a_page_without_a_summary_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "report.html").write_bytes(content)
    with pytest.raises(ClearfiltersError, match=r"old/report\.html.*make tables"):
        write_runs_page(tmp_path, tmp_path / "index.html")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match="nope: no such folder"):
        write_runs_page(tmp_path / "nope", tmp_path / "index.html")
