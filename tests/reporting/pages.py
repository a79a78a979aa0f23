"""Pages of synthetic runs, and what a parser reads of them."""

from html.parser import HTMLParser
from pathlib import Path

from synthetic_run import CLAIM_PARAMETERS, SyntheticRun

from clearfilters.registry import FIGURES, TABLES
from clearfilters.reporting.claims import write_claims
from clearfilters.reporting.figures import write_figure
from clearfilters.reporting.page import write_page

VOID = {"meta", "img", "br", "link", "input", "hr"}
# Attributes by which a page may ask for a file.
LINKS = ("src", "href", "action", "data", "srcset", "poster", "background")


class Page(HTMLParser):
    """Collects a page's tags with their attributes, and its text; tags must be balanced.

    Attributes:
        tags: (name, attributes) of each, in order.
        words: what is shown.
    """

    def __init__(self, text: str) -> None:
        """Parse a page."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag with its attributes."""
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last one opened."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the visible text."""
        if self._open and self._open[-1] != "style":
            self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every tag of this name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        """Every id, in order."""
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    @property
    def links(self) -> list[str]:
        """Every address that the page names."""
        return [a[key] for _, a in self.tags for key in LINKS if key in a]


def page_of(run: SyntheticRun) -> Path:
    """Draw a synthetic run's figures, judge its claims, and write its page."""
    for figure in FIGURES:
        write_figure(figure, run.index, run.folder / "figures" / f"{figure}.png")
    write_claims(run.index, CLAIM_PARAMETERS, run.folder / "claims.csv")
    out = run.folder / "report.html"
    write_page(run.folder, run.index, list(TABLES), list(FIGURES), out)
    return out
