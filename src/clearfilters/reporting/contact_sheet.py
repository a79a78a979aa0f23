"""The figure of the embedded animals, drawn anew from the run's parameters."""

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clearfilters.artifacts import atomic_path
from clearfilters.data.animals.contact_sheet import contact_sheet
from clearfilters.params.slices import ContactSheetSlice
from clearfilters.reporting.drawing import CAPTION_KEY, RESOLUTION, WIDTH

# A palette and the width of the other figures keep a sheet of noisy photographs below 1 MB.
PALETTE = 256
CAPTION = (
    "The first images of each class of the embedded animals in the layout of Pascal VOC, as they "
    "are rendered, and below each the same with every object's outline (white), parts (coloured) "
    "and visible landmarks (dots)."
)


def write_contact_sheet(parameters: ContactSheetSlice, out: Path) -> None:
    """Write the sheet as a PNG that carries its caption.

    Raises:
        ClearfiltersError: if a number of the style is out of range.
    """
    style = parameters.style
    sheet = contact_sheet(seed=parameters.seed, style=style, columns=parameters.columns)
    width = round(WIDTH * RESOLUTION)
    if sheet.width > width:
        size = (width, round(sheet.height * width / sheet.width))
        sheet = sheet.resize(size, Image.Resampling.LANCZOS)
    caption = PngInfo()
    caption.add_itxt(CAPTION_KEY, CAPTION)
    with atomic_path(out) as temporary:
        sheet.quantize(PALETTE).save(temporary, format="png", pnginfo=caption)
