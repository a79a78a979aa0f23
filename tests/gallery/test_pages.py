"""The pages: what a reader gets without a script, without a network, and at any width."""

import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from pathlib import Path
from posixpath import join, normpath

import pytest

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


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance of #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", made()["cat-net.html"], re.S)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", blocks[scheme == "dark"]))
    pairs = [("here-text", "here"), ("text", "chip")]
    pairs += [(text, back) for text in ("text", "soft", "link") for back in ("back", "card")]
    for text, back in pairs:
        low, high = sorted((luminance(colours[text]), luminance(colours[back])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, back)


@pytest.mark.parametrize("width", [360, 1400])
def test_no_page_scrolls_sideways(tmp_path: Path, width: int) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium (Debian: apt install chromium)")
    page = made()["cat-net.html"].replace("cat &amp; net", "longlabel" * 9)
    # In a frame, which may be narrower than a window.
    (tmp_path / "frame.html").write_text(
        f'<title></title><iframe style="border:0;width:{width}px" srcdoc="{escape(page)}"></iframe>'
        "<script>onload = () => { document.title = "
        "frames[0].document.documentElement.scrollWidth }</script>"
    )
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--hide-scrollbars",
            "--window-size=1600,900", "--dump-dom", (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None and int(title[1]) == width
