"""The page: whole, self-contained, escaped."""

import csv
from html.parser import HTMLParser

import pytest
from synthetic_run import CLAIM_PARAMETERS, SyntheticRun, fill

from clearfilters.registry import FIGURES, TABLES
from clearfilters.reporting.claims import write_claims
from clearfilters.reporting.figures import write_figure
from clearfilters.reporting.page import write_page

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects ids, attributes and text, and checks that tags are balanced."""

    def __init__(self, text: str) -> None:
        """Parse a page."""
        super().__init__()
        self.ids: list[str] = []
        self.urls: list[str] = []
        self.tags: set[str] = set()
        self.viewport = ""
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's attributes."""
        self.tags.add(tag)
        if tag not in VOID:
            self._open.append(tag)
        attributes = dict(attrs)
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.urls += [v for k, v in attrs if k in ("src", "href", "action", "data") and v]
        if tag == "meta" and attributes.get("name") == "viewport":
            self.viewport = attributes["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one opened."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the visible text."""
        self.words += data


def make(run: SyntheticRun) -> str:
    for figure in FIGURES:
        write_figure(figure, run.index, run.folder / "figures" / f"{figure}.png")
    write_claims(run.index, CLAIM_PARAMETERS, run.folder / "claims.csv")
    out = run.folder / "report.html"
    write_page(run.folder, run.index, list(TABLES), list(FIGURES), out)
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticRun, str]:
    """The page of the full synthetic run, made once."""
    run = fill(SyntheticRun(tmp_path_factory.mktemp("page") / "results" / "cifar10"))
    return run, make(run)


def test_every_table_figure_and_claim_is_there(full: tuple[SyntheticRun, str]) -> None:
    run, text = full
    page = Page(text)
    with (run.folder / "claims.csv").open(encoding="utf-8") as stream:
        claims = [f"claim-{line['id']}" for line in csv.DictReader(stream)]
    expected = [*(f"table-{t}" for t in TABLES), *(f"figure-{f}" for f in FIGURES), *claims]
    assert set(expected) <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert text.count("data:image/png;base64,") == len(FIGURES)
    assert len(text) < 3_000_000


def test_it_needs_nothing_else(full: tuple[SyntheticRun, str]) -> None:
    page = Page(full[1])
    assert all(url.startswith(("data:image/png;base64,", "#")) for url in page.urls)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert "http://" not in full[1] and "https://" not in full[1] and "url(" not in full[1]


def test_it_is_made_for_phones_and_both_colour_schemes(full: tuple[SyntheticRun, str]) -> None:
    page = Page(full[1])
    assert "width=device-width" in page.viewport
    assert "prefers-color-scheme: dark" in full[1]
    assert full[1].count("<table>") == full[1].count('class="scroll"')


def test_it_says_what_ran(full: tuple[SyntheticRun, str]) -> None:
    words = Page(full[1]).words
    for fact in (
        "ResNet20 negatives",
        "JPEG copy, not verified",
        "cpu, AMD EPYC, 2 threads",
        "torch 2.15.0",
        "58 trained, 32 experiments",
        "0.9010 ± 0.0014",
        "0.9046",
        "6.8657†",
        "epochs differ: 15 against 30",
        "A claim compares a number",
        "workflow/presets/cifar10.yaml",
    ):
        assert fact in words, fact


def test_what_was_not_run_is_said(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("masking",))
    text = make(run)
    assert "lacks masking of lsg" in Page(text).words
    assert "data:image" not in text
    assert "not run" in text


def test_what_does_as_well_without_training_is_said(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), analyses=("classification",))
    assert "As well without training:" not in Page(make(run)).words
    path = run.folder / "claims.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        lines = list(reader)
    lines[0]["as_well_without_training"] = "untrained 0.082"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(lines)
    out = run.folder / "report.html"
    write_page(run.folder, run.index, [], [], out)
    assert "As well without training: untrained 0.082" in Page(out.read_text("utf-8")).words


def test_a_page_without_claims(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,))
    out = run.folder / "report.html"
    write_page(run.folder, run.index, ["csg_mis"], [], out)
    assert "there is no claims.csv" in out.read_text(encoding="utf-8")


def test_labels_are_escaped(run: SyntheticRun) -> None:
    run.add("only", "std", seeds=(0,), label='<script>alert("x")</script> & co')
    text = make(run)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert '<script>alert("x")</script> & co' in Page(text).words
