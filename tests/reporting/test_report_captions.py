"""Captions for Snakemake's report, read as it reads them: by docutils."""

from html import unescape
from pathlib import Path

from docutils.core import publish_parts
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clearfilters.reporting.drawing import CAPTION_KEY
from clearfilters.reporting.report_captions import figure_caption, table_caption
from clearfilters.reporting.table import Column, Table, write_markdown

# All that reStructuredText would take for markup, or for an error.
TEXT = "a `b` of *c*, d_ and e\\f | g: 3 < 4 & R² ± Φ"


def shown(caption: str) -> str:
    """The text of a caption, warnings being errors."""
    options = {"halt_level": 2, "report_level": 5}
    body = publish_parts(caption, writer="html", settings_overrides=options)["body"]
    return unescape(body.replace("<p>", "").replace("</p>", ""))


def test_a_figures_caption_is_shown_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    assert figure_caption(path) == ""
    texts = PngInfo()
    texts.add_itxt(CAPTION_KEY, TEXT)
    Image.new("L", (1, 1)).save(path, pnginfo=texts)
    assert shown(figure_caption(path)).strip() == TEXT


def test_a_tables_title_and_notes_are_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "table.md"
    assert table_caption(path) == ""
    table = Table("id", "Title *", ("Head",), [Column("k", "Key", "")], [], ["First: x_y.", TEXT])
    write_markdown(table, path)
    assert [line for line in shown(table_caption(path)).splitlines() if line] == [
        "Title *",
        "First: x_y.",
        TEXT,
    ]
