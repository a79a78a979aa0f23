"""Pictures side by side, each with a line above it."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

# Pixels: longer side of a picture at most, height of the line above.
PICTURE_SIDE = 320
LINE = 18


def shrunk(picture: Image.Image) -> Image.Image:
    """A picture of `PICTURE_SIDE` pixels at most."""
    factor = min(PICTURE_SIDE / max(picture.size), 1.0)
    width, height = (max(round(side * factor), 1) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def side_by_side(panels: Sequence[Image.Image], lines: Sequence[str]) -> Image.Image:
    """Panels of one size in a row, each below its line."""
    width, height = panels[0].size
    sheet = Image.new("RGB", (width * len(panels), height + LINE), "white")
    drawn = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(LINE - 6)
    for number, (panel, line) in enumerate(zip(panels, lines, strict=True)):
        left = number * width
        sheet.paste(panel, (left, LINE))
        drawn.text((left + 2, 2), line, "black", font)
    return sheet
