"""The page of a run: whole, true, escaped."""

import csv
from pathlib import Path

import pytest
from pages import Page, page_of
from synthetic_run import SyntheticRun

from clearfilters.registry import FIGURES, TABLES
from clearfilters.reporting.page import write_page


@pytest.fixture(scope="module")
def full(full_page: tuple[SyntheticRun, Path]) -> tuple[SyntheticRun, str]:
    """The page of the full synthetic run, as text."""
    run, path = full_page
    return run, path.read_text(encoding="utf-8")


def section(text: str, name: str) -> Page:
    """One of the page's sections."""
    start = text.index(f'<section id="{name}"')
    return Page(text[start : text.index("</section>", start) + len("</section>")])


def test_every_table_figure_and_claim_is_there(full: tuple[SyntheticRun, str]) -> None:
    run, text = full
    page = Page(text)
    with (run.folder / "claims.csv").open(encoding="utf-8") as stream:
        claims = [f"claim-{line['id']}" for line in csv.DictReader(stream)]
    expected = [*(f"table-{t}" for t in TABLES), *(f"figure-{f}" for f in FIGURES), *claims]
    assert set(expected) <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert text.count("data:image/png;base64,") == len(FIGURES)


def test_it_opens_with_three_sentences_from_the_records(full: tuple[SyntheticRun, str]) -> None:
    words = section(full[1], "opening").words
    assert "58 networks were trained in 32 experiments" in words
    assert "ordinary" in words
    assert "with class-specific gates" in words
    assert (
        "The data is CIFAR-10, not verified against the published checksums: 50,000 training and "
        "10,000 test images in 1 data set, 32 pixels a side."
    ) in words
    assert "The scale: resnet20" in words
    assert "cpu, AMD EPYC, 2 threads" in words


def test_it_opens_with_our_numbers_beside_the_published_ones(
    full: tuple[SyntheticRun, str],
) -> None:
    words = section(full[1], "opening").words
    # Accuracy of LSG, of STD, and the density of LSG's gate: SCALARS of seeds 0 and 1, table 1.
    for ours, published in (("0.911 ± 0.001", "0.906"), ("0.901 ± 0.001", "0.905")):
        assert ours in words
        assert published in words
    assert "0.151 ± 0.001" in words
    assert "0.174" in words
    assert "LSG table 1, ResNet20" in words


def test_data_sets_are_named_with_what_is_not_verified(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("classification",))
    run.add_data("one")
    run.add_data("two", source="rendered birds", verified=True, image_size=64)
    words = section(page_of(run).read_text("utf-8"), "opening").words
    assert (
        "The data are CIFAR-10 and rendered birds (not verified against the published checksums: "
        "CIFAR-10): 100,000 training and 20,000 test images in 2 data sets, 32 to 64 pixels a side."
    ) in words
    assert "1 network was trained in 1 experiment (1 ordinary)" in words
    assert "resnet20, 30 epochs, 1 seed an experiment" in words


def test_our_findings_come_first_and_say_how_often_they_hold(
    full: tuple[SyntheticRun, str],
) -> None:
    run, text = full
    assert text.index('id="findings"') < text.index('id="claims"') < text.index('id="figures"')
    words = section(text, "findings").words
    with (run.folder / "claims.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    leaks = [line for line in lines if line["id"].startswith("ours_leakage_free:")]
    failed = sum(line["verdict"] == "not reproduced" for line in leaks)
    assert 0 < failed < len(leaks)
    assert f"holds: {len(leaks) - failed}, does not hold: {failed}" in words
    assert "LSG even slightly outperforms" not in words


def test_verdicts_stand_by_paper(full: tuple[SyntheticRun, str]) -> None:
    page = section(full[1], "claims")
    assert len(page.all("table")) == 4
    assert "Interpretable Convolutional Neural Networks (CVPR 2018)" in page.words
    assert "A claim compares a number" in page.words
    assert "not read the label off the open channels" not in page.words


def test_what_an_experiment_ran_with_is_said(full: tuple[SyntheticRun, str]) -> None:
    words = Page(full[1]).words
    for fact in (
        "ResNet20 negatives",
        "JPEG copy, not verified",
        "torch 2.15.0",
        "0.9010 ± 0.0014",
        "0.9046",
        "6.8657†",
        "epochs differ: 15 against 30",
    ):
        assert fact in words, fact


def test_every_figure_and_table_names_the_command_that_makes_it(
    full: tuple[SyntheticRun, str],
) -> None:
    text = full[1]
    words = Page(text).words
    for id_ in FIGURES:
        assert f"figures/{id_}.png --cores all --force --allowed-rules figure" in words
    filled = sum("--allowed-rules table" in line for line in words.splitlines())
    assert filled == text.count('<details id="table-')


def test_commands_name_the_files_laid_over_params_yaml(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("classification",))
    out = run.folder / "report.html"
    presets = ["workflow/presets/one.yaml", "workflow/presets/two.yaml"]
    write_page(run.folder, run.index, ["lsg_table1"], [], out, presets)
    words = Page(out.read_text("utf-8")).words
    both = " ".join(presets)
    assert f'make tables PRESET="{both}"' in words
    assert f"snakemake all --cores all --configfile {both}" in words
    assert f"lsg_table1.csv --cores all --force --allowed-rules table --configfile {both}" in words


def test_what_was_not_run_is_one_line_that_says_what_runs_it(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("masking",))
    text = page_of(run).read_text("utf-8")
    page = Page(text)
    assert "lacks masking of lsg" in page.words
    assert "data:image" not in text
    assert "<table" not in section(text, "tables").words
    assert section(text, "tables").all("table") == []
    assert (
        "not run; filled by localization of experiments named in run.localized with linear head "
        "and masks."
    ) in page.words


def test_galleries_are_linked(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("classification",))
    out = page_of(run)
    assert "filters/" not in out.read_text("utf-8")
    write_page(run.folder, run.index, [], [], out, galleries=["dog & cat"])
    page = Page(out.read_text("utf-8"))
    assert "filters/dog%20%26%20cat.html" in page.links
    assert "dog & cat" in page.words


def test_all_that_stands_beside_a_verdict_is_shown(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("classification",))
    out = page_of(run)
    path = run.folder / "claims.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    given = {
        "verdict": "reproduced, and without training too",
        "left": "LSG",
        "left_mean": "0.25",
        "right": "bound",
        "right_mean": "0.5",
        "as_well_without_training": "untrained 0.082",
        "difference": "-0.25",
        "ci_low": "-0.3",
        "ci_high": "-0.2",
        "noise": "within noise",
    }
    lines = [{**lines[0], **given}, {**lines[1], "to_run": "an experiment of role lsg"}]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(lines[0] | lines[1]), restval="")
        writer.writeheader()
        writer.writerows(lines)
    write_page(run.folder, run.index, [], [], out)
    words = section(out.read_text("utf-8"), "claims").words
    assert "1 reproduced, and without training too" in words
    assert "LSG: 0.25; bound: 0.5; difference -0.25 (95 % interval -0.3 to -0.2)" in words
    for remark in (
        "within noise",
        "As well without training: untrained 0.082",
        "To run it: an experiment of role lsg",
    ):
        assert remark in words


def test_a_page_without_claims(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,))
    out = run.folder / "report.html"
    write_page(run.folder, run.index, ["csg_mis"], [], out)
    assert "there is no claims.csv" in out.read_text(encoding="utf-8")


def test_labels_are_escaped(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), label='<script>alert("x")</script> & co')
    text = page_of(run).read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert '<script>alert("x")</script> & co' in Page(text).words
