"""A figure: a few images of each class, plain and with masks, parts and landmarks drawn in."""

import colorsys
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from clearfilters.data.animals.scene import CLASSES, Scene
from clearfilters.data.animals.voc_layout import voc_scene
from clearfilters.params.datasets import StyleParams

GAP = 4
LABEL_WIDTH = 44
# Hue of each part in degrees; left and right are told apart by brightness.
HUES = {
    "head": 0,
    "eye": 200,
    "ear": 30,
    "horn": 60,
    "nose": 250,
    "muzzle": 330,
    "beak": 330,
    "neck": 275,
    "torso": 130,
    "wing": 85,
    "tail": 180,
    "leg": 215,
    "fleg": 215,
    "fuleg": 215,
    "flleg": 235,
    "foot": 300,
    "fpa": 300,
    "fho": 300,
    "bleg": 45,
    "buleg": 45,
    "blleg": 60,
    "bpa": 20,
    "bho": 20,
}


def _part_colour(part: str) -> tuple[int, ...]:
    sided = part not in HUES
    hue = HUES[part[1:] if sided else part] / 360
    rgb = colorsys.hsv_to_rgb(hue, 0.75, 0.8 if sided and part[0] == "l" else 1.0)
    return tuple(round(255 * value) for value in rgb)


def _annotated(scene: Scene) -> Image.Image:
    """The image darkened, its parts coloured, objects outlined in white, landmarks as dots."""
    canvas = scene.image * 0.4
    for animal in scene.objects:
        # Small parts last, since the head encloses eyes, nose and muzzle.
        for part, mask in sorted(animal.parts.items(), key=lambda item: -int(item[1].sum())):
            canvas[mask] = 0.45 * scene.image[mask] + 0.55 * np.array(_part_colour(part))
        inside = np.pad(animal.mask, 1)
        core = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
        canvas[animal.mask & ~core] = 255
    picture = Image.fromarray(canvas.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for animal in scene.objects:
        for x, y, visible in animal.landmarks.values():
            if visible:
                draw.ellipse((x - 2, y - 2, x + 1, y + 1), fill="white", outline="black")
    return picture


def sheet_scenes(*, seed: int, style: StyleParams, columns: int) -> dict[str, list[Scene]]:
    """The first scenes of each class in the VOC layout.

    Args:
        seed: the data's seed.
        style: the data's style.
        columns: images per class, at least 1.
    """
    return {
        name: [voc_scene(name, column, seed, style) for column in range(columns)]
        for name in CLASSES
    }


def contact_sheet(scenes: Mapping[str, Sequence[Scene]], size: int) -> Image.Image:
    """Scenes of each class: a row per class, annotated below plain.

    Args:
        scenes: what `sheet_scenes` gives.
        size: of an image at most, in pixels.
    """
    step = size + GAP
    columns = max(map(len, scenes.values()))
    sheet = Image.new("RGB", (LABEL_WIDTH + columns * step, 2 * len(scenes) * step), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for row, (name, in_row) in enumerate(scenes.items()):
        draw.text((2, (2 * row + 1) * step), name, fill="black", font=font, anchor="lm")
        for column, scene in enumerate(in_row):
            x = LABEL_WIDTH + column * step
            sheet.paste(Image.fromarray(scene.image), (x, 2 * row * step))
            sheet.paste(_annotated(scene), (x, (2 * row + 1) * step))
    return sheet
