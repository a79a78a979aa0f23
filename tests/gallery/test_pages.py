"""The pages: what a reader gets without a script, without a network, and at any width."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from posixpath import join, normpath

import pytest
from browser import CHROMIUM, Browser, browser
from contrast import contrast, schemes

from clearfilters.gallery.cards import Card, Shelf, Shown
from clearfilters.gallery.pages import STYLE_SHEET, About, pages_of
from clearfilters.gallery.region import Region

ABOUT = About(
    "small", "cat-net", "cat & net", 0, "animals", "rendered here", 40, 2.5, 0.5, small=False
)
REGION = Region("M10 10l20 0 0 20z", 0.02, "upper left")


def card(index: int, weight: float, **changes: object) -> Card:
    shown = tuple(Shown(row, "cat", 3.0 - row, REGION) for row in range(index % 3))
    made = Card(index, weight, ("head",), (0.1 * index, "cat"), 5.0 - index, (0.2, "head"), shown)
    return replace(made, **changes)


def shelves() -> list[Shelf]:
    upper = [card(2, 0.9, spread=None), card(4, 0.5, r2=None), card(1, -0.1, groups=())]
    lower = [card(k, 1 / (k + 1), groups=None, r2=None) for k in range(3)]
    return [
        Shelf("upper layer", 64, 8, 1.5, "parts", upper),
        Shelf("lower layer", 3, 8, 1.5, None, lower),
    ]


def made() -> dict[str, str]:
    return pages_of(ABOUT, shelves(), {row: f"p{row}" for row in range(3)})


def filters(page: str) -> list[int]:
    """In the order shown."""
    return [int(number) for number in re.findall(r'<article id="filter-(\d+)"', page)]


def test_each_layer_has_a_page_in_each_order_of_what_is_known_of_it() -> None:
    folder = "cat-net/upper-layer-by-"
    assert {path: filters(page) for path, page in made().items()} == {
        "cat-net.html": [2, 4, 1],
        f"{folder}information.html": [4, 2, 1],
        f"{folder}spread.html": [4, 1, 2],
        f"{folder}r2.html": [2, 1, 4],
        "cat-net/lower-layer-by-weight.html": [0, 1, 2],
        "cat-net/lower-layer-by-information.html": [2, 1, 0],
        "cat-net/lower-layer-by-spread.html": [2, 1, 0],
    }


def test_pages_lead_to_each_other_and_nowhere_else() -> None:
    pages = made()
    for path, page in pages.items():
        assert "<script" not in page and "@import" not in page
        assert not re.findall(r'(?:src|srcset|action|data)="', page) and "url(" not in page
        links = re.findall(r'href="([^"]*)"', page)
        targets = {normpath(join("filters", path, "..", link)) for link in links if link[0] != "#"}
        orders = {other for other in pages if ("lower" in other) == ("lower" in path)}
        assert targets <= {
            "report.html",
            f"filters/cat-net/{STYLE_SHEET}",
            *(f"filters/{other}" for other in pages),
        }
        assert {f"filters/{other}" for other in orders} <= targets
        within = {link[1:] for link in links if link[0] == "#"}
        assert within <= set(re.findall(r'id="([^"]*)"', page))
        # Where one is stands out in each row of links.
        assert page.count('aria-current="page"') == 2


def test_every_picture_says_what_it_shows() -> None:
    page = made()["cat-net.html"]
    pictures = re.findall(r"<svg ([^>]*)>", page)
    assert len(pictures) == 2 + 1 + 1
    for attributes in pictures:
        assert 'role="img"' in attributes
        label = re.search(r'aria-label="([^"]*)"', attributes)
        assert label and re.fullmatch(
            r"cat: activation \d, looks at 2% of the image, most at the upper left", label[1]
        )
    assert "Fires on no test image" in made()["cat-net/lower-layer-by-weight.html"]
    assert "cat &amp; net" in page


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_can_be_read_in_both_schemes(scheme: int) -> None:
    colours = schemes(made()["cat-net.html"])[scheme]
    pairs = [("here-text", "here"), ("text", "chip")]
    pairs += [(text, back) for text in ("text", "soft", "link") for back in ("back", "card")]
    for text, back in pairs:
        assert contrast(colours[text], colours[back]) >= 4.5, (text, back)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is started once."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH")
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_no_page_scrolls_sideways(tab: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    page = tmp_path / "page.html"
    page.write_text(made()["cat-net.html"].replace("cat &amp; net", "longlabel" * 9))
    tab.open(page, width, scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    ground = schemes(page.read_text())[scheme == "dark"]["back"]
    found = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert found == f"rgb({', '.join(str(int(ground[i : i + 2], 16)) for i in (1, 3, 5))})"


def test_the_first_key_leads_past_the_links(tab: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(made()["cat-net.html"])
    tab.open(page, 360, "light")
    tab.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.press("Enter")
    assert tab.evaluate("location.hash") == "#filters"
