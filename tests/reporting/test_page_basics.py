"""What every page keeps, without a browser: alone, small, named, readable in both schemes."""

import re
from itertools import product
from pathlib import Path

import pytest
from contrast import contrast, schemes
from pages import Page
from synthetic_run import SyntheticRun

from clearfilters.reporting.page.runs import write_runs_page

ROOT = Path(__file__).parents[2]
LIMIT = 5_000_000  # bytes
CONTRAST = 4.5
# What text stands in where it has no background of its own, and on what.
TEXTS, BACKS = ("text", "soft", "link"), ("back", "card")


@pytest.fixture(scope="module", params=["run", "all runs"])
def text(request: pytest.FixtureRequest, full_page: tuple[SyntheticRun, Path]) -> str:
    """The page of a run with everything, and the page over all runs."""
    page = full_page[1]
    if request.param == "all runs":
        results = page.parents[1]
        page = results / "index.html"
        write_runs_page(results, page)
    return page.read_text(encoding="utf-8")


def test_it_asks_for_nothing(text: str) -> None:
    page = Page(text)
    for link in page.links:
        assert link.startswith(("data:image/png;base64,", "#")) or re.fullmatch(
            r"(\.\./)?[\w%./-]+\.html", link
        ), link
    assert not {name for name, _ in page.tags} & {"script", "link", "iframe", "object", "base"}
    assert not re.search(r"https?://|url\(|@import", text)


def test_it_is_small(text: str) -> None:
    assert len(text.encode()) < LIMIT


def test_pages_in_git_are_small() -> None:
    pages = list(ROOT.glob("results/**/*.html"))
    assert pages
    for page in pages:
        assert page.stat().st_size < LIMIT, page


def test_every_picture_says_what_it_shows(text: str) -> None:
    page = Page(text)
    alts = [image["alt"] for image in page.all("img")]
    assert all(len(alt) > 40 for alt in alts), alts
    assert len(set(alts)) == len(alts)
    assert all(image["width"] and image["height"] for image in page.all("img"))


def test_tables_have_headers_and_can_be_scrolled_by_keyboard(text: str) -> None:
    page = Page(text)
    assert page.all("th")
    assert {header.get("scope") for header in page.all("th")} == {"col", "row"}
    scrolled = [div for div in page.all("div") if div.get("class") == "scroll"]
    assert len(scrolled) == len(page.all("table"))
    assert all(div["tabindex"] == "0" and div["role"] == "region" for div in scrolled)
    assert all(div["aria-label"] for div in scrolled)


def test_it_can_be_walked_without_a_mouse(text: str) -> None:
    page = Page(text)
    names = [name for name, _ in page.tags]
    assert page.all("html")[0]["lang"] == "en"
    assert [names.count(landmark) for landmark in ("header", "main", "footer", "h1")] == [1] * 4
    assert page.all("a")[0] == {"class": "skip", "href": "#main"}
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert ":focus-visible { outline: 3px solid" in text


def test_it_is_made_for_phones(text: str) -> None:
    viewports = [m["content"] for m in Page(text).all("meta") if m.get("name") == "viewport"]
    assert viewports == ["width=device-width, initial-scale=1"]


def test_contrast_by_hand() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


def test_text_stands_out_in_both_schemes(text: str) -> None:
    light, dark = schemes(text)
    assert light.keys() == dark.keys()
    own = [(name[: -len("-back")], name) for name in light if name.endswith("-back")]
    assert len(own) == 4
    for colors in (light, dark):
        for fore, back in (*product(TEXTS, BACKS), *own):
            assert contrast(colors[fore], colors[back]) >= CONTRAST, (fore, back, colors)


def test_no_colour_is_outside_the_schemes(text: str) -> None:
    style = text[text.index("<style>") : text.index("</style>")]
    rules = re.sub(r":root \{.*?\}", "", style, flags=re.S)
    used = set(re.findall(r"(?<![\w-])(?:color|background): ([^;}]+)", rules))
    # Pictures are drawn for a white ground, and keep it.
    assert {color for color in used if not color.startswith("var(--")} == {"#fff"}
