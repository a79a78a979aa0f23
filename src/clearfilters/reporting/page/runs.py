"""results/index.html: a row for every run that has a page, from what its page says of itself."""

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from clearfilters.artifacts import atomic_path
from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.page import STYLE, SUMMARY
from clearfilters.reporting.page.verdicts import VERDICTS, Count
from clearfilters.webpage import render

TEMPLATE = "runs.html.j2"


@dataclass(frozen=True)
class Run:
    """What results/index.html says of a run; `said` and what follows are of the page's summary."""

    name: str
    said: list[str]
    data: list[str]
    networks: list[str]
    models: int
    devices: list[str]
    headlines: list[list[str]]
    verdicts: list[Count]


def write_runs_page(results: Path, out: Path) -> None:
    """Write the page over all runs.

    Args:
        results: the folder whose <run>/report.html are listed, by name.
        out: the HTML file, in that folder.

    Raises:
        ClearfiltersError: if there is no such folder, or a page has no summary, as one of an
            earlier version, or a damaged one.
    """
    if not results.is_dir():
        raise ClearfiltersError(f"{results}: no such folder; name the one that holds the runs")
    runs = [_read(page) for page in sorted(results.glob("*/report.html"))]
    html = render(__package__, TEMPLATE, style=STYLE, runs=runs)
    with atomic_path(out) as temporary:
        temporary.write_text(html, encoding="utf-8")


class _Summary(HTMLParser):
    """Finds the content of the <meta> that holds a page's summary."""

    content: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag."""
        attributes = dict(attrs)
        if tag == "meta" and attributes.get("name") == SUMMARY:
            self.content = attributes.get("content")


def _read(page: Path) -> Run:
    parser = _Summary()
    # It stands before the style and the body, which holds the pictures.
    parser.feed(page.read_text(encoding="utf-8", errors="replace").partition("<style>")[0])
    try:
        return _run(page.parent.name, parser.content or "")
    except (ValueError, LookupError, TypeError):
        raise ClearfiltersError(
            f"{page}: no <meta name={SUMMARY!r}> with a summary as this version writes it; make it "
            "again with `make tables`, with its preset, or delete it"
        ) from None


def _run(name: str, summary: str) -> Run:
    found: dict[str, Any] = json.loads(summary)
    given = found.pop("verdicts")
    verdicts = [
        Count(verdict, style, given[verdict])
        for verdict, (style, _) in VERDICTS.items()
        if verdict in given
    ]
    return Run(name, **found, verdicts=verdicts)
