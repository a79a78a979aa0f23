"""The figure of the embedded animals, drawn anew from the run's parameters."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clearfilters.artifacts import atomic_path
from clearfilters.data.animals.contact_sheet import contact_sheet, sheet_scenes
from clearfilters.data.animals.scene import Scene
from clearfilters.params.slices import ContactSheetSlice
from clearfilters.reporting.drawing import CAPTION_KEY, RESOLUTION, WIDTH
from clearfilters.reporting.numbers import Line, numbers_path, write_numbers

# A palette and the width of the other figures keep a sheet of noisy photographs below 1 MB.
PALETTE = 256
CAPTION = (
    "The first images of each class of the embedded animals in the layout of Pascal VOC, as they "
    "are rendered, and below each the same with every object's outline (white), parts (coloured) "
    "and visible landmarks (dots)."
)


def write_contact_sheet(parameters: ContactSheetSlice, out: Path) -> None:
    """Write the sheet as a PNG that carries its caption, with its numbers as CSV beside it.

    They are each coloured part's pixels, and each landmark's place in its image, in pixels.

    Raises:
        ClearfiltersError: if a number of the style is out of range.
    """
    style = parameters.style
    scenes = sheet_scenes(seed=parameters.seed, style=style, columns=parameters.columns)
    write_numbers(list(_lines(scenes)), numbers_path(out))
    sheet = contact_sheet(scenes, style.image_size)
    width = round(WIDTH * RESOLUTION)
    if sheet.width > width:
        size = (width, round(sheet.height * width / sheet.width))
        sheet = sheet.resize(size, Image.Resampling.LANCZOS)
    caption = PngInfo()
    caption.add_itxt(CAPTION_KEY, CAPTION)
    with atomic_path(out) as temporary:
        sheet.quantize(PALETTE).save(temporary, format="png", pnginfo=caption)


def _lines(scenes: Mapping[str, list[Scene]]) -> Iterator[Line]:
    for name, in_row in scenes.items():
        for place, scene in enumerate(in_row, start=1):
            panel = f"{name}, image {place}"
            for number, animal in enumerate(scene.objects, start=1):
                for part, mask in animal.parts.items():
                    series = f"{animal.name} {number}, pixels of {part}"
                    yield Line(panel, series, value=int(mask.sum()))
                for landmark, (x, y, visible) in animal.landmarks.items():
                    if visible:
                        yield Line(panel, f"{animal.name} {number}, {landmark}", x, y)
