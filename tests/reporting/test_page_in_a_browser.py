"""Pages as Chromium shows them: at the width of a phone and of a desk, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser, browser
from synthetic_run import SyntheticRun

from clearfilters.reporting.page.runs import write_runs_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")

WIDTHS = (360, 1400)
# With the ground of each, so that a page of one colour is found.
SCHEMES = {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}
UNFOLD = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
# Every text with its colour and the ground that it stands on; pictures are left out.
TEXTS = """
(() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const color = numbers(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
    }
    throw new Error('nothing behind the text');
  };
  const luminance = color => {
    const [r, g, b] = color.map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.tagName === 'STYLE') continue;
    const pair = [luminance(numbers(getComputedStyle(element).color).slice(0, 3)),
      luminance(ground(element))].sort((a, b) => a - b);
    found[(pair[1] + 0.05) / (pair[0] + 0.05)] = walker.currentNode.data.slice(0, 60);
  }
  return found;
})()
"""
FOCUS = """
(() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  return [one.tagName, one.className, style.outlineStyle, parseFloat(style.outlineWidth),
    box.right > 0 && box.bottom > 0];
})()
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that is started once."""
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module", params=["run", "all runs"])
def page(request: pytest.FixtureRequest, full_page: tuple[SyntheticRun, Path]) -> Path:
    """The page of a run with everything, and the page over all runs."""
    path = full_page[1]
    if request.param == "run":
        return path
    results = path.parents[1]
    write_runs_page(results, results / "index.html")
    return results / "index.html"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_is_legible_and_asks_for_nothing(
    tab: Browser, page: Path, width: int, scheme: str
) -> None:
    tab.open(page, width, scheme)
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == SCHEMES[scheme]
    for state in ("as it opens", "unfolded"):
        shown = tab.evaluate("document.documentElement.scrollWidth")
        assert shown <= width, f"{state}: scrolls sideways"
        tab.evaluate(UNFOLD)
    ratios = {float(ratio): text for ratio, text in tab.evaluate(TEXTS).items()}
    low = {ratio: text for ratio, text in ratios.items() if ratio < 4.5}
    assert ratios and not low
    asked = [url for url in tab.requests if not url.startswith("data:")]
    assert asked == [page.resolve().as_uri()]


def test_pictures_keep_a_white_ground_in_the_dark(
    tab: Browser, full_page: tuple[SyntheticRun, Path]
) -> None:
    tab.open(full_page[1], WIDTHS[0], "dark")
    found = tab.evaluate(
        "[...document.images].map(one => getComputedStyle(one).backgroundColor)"
        ".concat([...document.images].map(one => String(one.complete && one.naturalWidth > 0)))"
    )
    assert set(found) == {"rgb(255, 255, 255)", "true"}


def test_keys_alone_reach_everything_and_show_where_they_are(tab: Browser, page: Path) -> None:
    tab.open(page, WIDTHS[0], "light")
    seen = []
    for _ in range(12):
        tab.press("Tab")
        tag, name, style, thickness, visible = tab.evaluate(FOCUS)
        if tag == "BODY":
            break
        assert (style, thickness, visible) == ("solid", 3, True), (tag, name)
        seen.append((tag, name))
    assert seen[0] == ("A", "skip")
    assert ("DIV", "scroll") in seen
