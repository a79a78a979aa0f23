"""What stands beside tables and figures in the report that `snakemake --report` makes.

Captions are reStructuredText; the files below workflow/report put them in.
"""

import re
from pathlib import Path

from clearfilters.reporting.drawing import read_caption

# What reStructuredText takes for markup.
MARKUP = re.compile(r"([\\*_`|])")


def figure_caption(png: Path) -> str:
    """The caption that a figure carries; empty while it is not drawn."""
    return _escaped(read_caption(png)) if png.exists() else ""


def table_caption(markdown: Path) -> str:
    """A table's title, and a paragraph for each of its notes; empty while it is not made.

    Args:
        markdown: as `clearfilters.reporting.table.write_markdown` writes it.
    """
    if not markdown.exists():
        return ""
    lines = markdown.read_text(encoding="utf-8").splitlines()
    notes = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return "\n\n".join(_escaped(text) for text in (lines[0].removeprefix("# "), *notes))


def _escaped(text: str) -> str:
    return MARKUP.sub(r"\\\1", text)
