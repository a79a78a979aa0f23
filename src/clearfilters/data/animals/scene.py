"""Images of animals in cluttered surroundings, with the mask of each part that can be seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearfilters.data.animals.bird import BIRD_SPECIES, bird
from clearfilters.data.animals.canvas import Coverage, Mask, blend, cover, shading
from clearfilters.data.animals.coat import COAT_COLOURS, Coat, Pixels, make_coat
from clearfilters.data.animals.figure import PARTS_OF_HEAD, Figure, Side
from clearfilters.data.animals.quadruped import quadruped
from clearfilters.data.animals.shapes import Points, ellipse, heading, point, rotation
from clearfilters.data.animals.surroundings import (
    background,
    covered,
    image_shape,
    occluders,
    photograph,
)
from clearfilters.params.datasets import StyleParams

CLASSES = ("bird", "cat", "cow", "dog", "horse", "sheep")


@dataclass(frozen=True)
class AnimalObject:
    """An animal as far as it can be seen.

    Attributes:
        name: its class.
        mask: bool (H, W).
        parts: Pascal-Part name -> bool (H, W), none empty; `head` encloses eyes, nose and muzzle,
            otherwise no two overlap. Together they are the mask.
        landmarks: name -> (x, y, visible): pixels from the image's left and top edges, so that the
            centre of the first pixel is (0.5, 0.5), in tenths. Birds only. A visible one lies on
            its part.
    """

    name: str
    mask: Mask
    parts: dict[str, Mask]
    landmarks: dict[str, tuple[float, float, bool]]


@dataclass(frozen=True)
class Scene:
    """An image uint8 (H, W, 3) and its animals, the one it was made for first."""

    image: npt.NDArray[np.uint8]
    objects: list[AnimalObject]


@dataclass(frozen=True)
class _Layer:
    """A placed animal: its figure in pixels, its coat, and each piece's coverage."""

    name: str
    figure: Figure
    coat: Coat
    coverages: list[Coverage | None]
    labels: npt.NDArray[np.int16]


def _build(
    name: str, species: str | None, near: Side, rng: np.random.Generator
) -> tuple[Figure, tuple[str, ...]]:
    """The figure and the colours it may have."""
    if name != "bird":
        return quadruped(name, near, rng), COAT_COLOURS[name]
    chosen = species or str(rng.choice(list(BIRD_SPECIES)))
    return bird(chosen, near, rng), BIRD_SPECIES[chosen].colours


def _place(
    name: str,
    species: str | None,
    height: int,
    width: int,
    style: StyleParams,
    rng: np.random.Generator,
) -> _Layer:
    """Build an animal, turn it, size it and put it somewhere in the image."""
    mirrored = bool(rng.random() < 0.5)
    figure, colours = _build(name, species, "l" if mirrored else "r", rng)
    # Seen at an angle, an animal looks shorter.
    yaw = np.diag([rng.uniform(0.72, 1.0) * (-1 if mirrored else 1), 1.0])
    figure = figure.transformed(rotation(rng.normal(0, 7)) @ yaw, point(0, 0))
    low, high = figure.box()
    smallest, largest = style.object_scale
    side = min(height, width) * rng.uniform(smallest, largest)
    scale = side / float((high - low).max())
    extent = (high - low) * scale
    room = np.array([width, height]) - extent
    corner = rng.uniform(0.02, 0.98, 2) * room
    if rng.random() < style.border_share:
        axis, cut = rng.integers(2), rng.uniform(0.12, 0.35)
        beyond = -cut * extent[axis]
        corner[axis] = beyond if rng.random() < 0.5 else room[axis] - beyond
    figure = figure.transformed(np.eye(2) * scale, corner - low * scale)
    coat = make_coat(name, colours, scale, height, width, rng)
    coverages = [cover(piece.outlines, height, width) for piece in figure.pieces]
    labels = np.zeros((height, width), dtype=np.int16)
    for index, covers in enumerate(coverages, start=1):
        if covers is not None:
            labels[covers.rows, covers.columns][covers.mask] = index
    return _Layer(name, figure, coat, coverages, labels)


def _paint(canvas: Pixels, layer: _Layer, light: Points) -> None:
    """Shadow and pieces of one animal, from back to front, in place."""
    height, width = canvas.shape[:2]
    low, high = layer.figure.box()
    middle, half = (low + high) / 2, (high - low) / 2
    shadow = ellipse(point(middle[0] - light[0] * half[0], high[1]), (half[0], half[1] * 0.12))
    covers = cover([shadow], height, width)
    if covers is not None:
        blend(canvas, covers, canvas[covers.rows, covers.columns] * np.float32(0.6))
    for piece, covers in zip(layer.figure.pieces, layer.coverages, strict=True):
        if covers is None:
            continue
        if piece.paint == "coat":
            tone = layer.coat.pattern[covers.rows, covers.columns]
        else:
            tone = layer.coat.colours[piece.paint]
        blend(canvas, covers, tone * np.float32(piece.shade) * shading(covers, light))


def _visible_object(layer: _Layer, free: Mask) -> AnimalObject:
    """What of the animal is seen where nothing stands in front (`free`)."""
    labels = np.where(free, layer.labels, 0)
    parts: dict[str, Mask] = {}
    for index in np.unique(labels[labels > 0]):
        part, mask = layer.figure.pieces[index - 1].part, labels == index
        parts[part] = parts[part] | mask if part in parts else mask
    head = [mask for part, mask in parts.items() if part == "head" or part in PARTS_OF_HEAD]
    if head:
        parts["head"] = np.logical_or.reduce(head)
    height, width = labels.shape
    landmarks = {}
    for name, landmark in layer.figure.landmarks.items():
        x, y = np.round(landmark.position, 1).tolist()
        inside = 0 <= x < width and 0 <= y < height and landmark.part in parts
        visible = inside and bool(parts[landmark.part][int(y), int(x)])
        landmarks[name] = (x, y, visible)
    return AnimalObject(layer.name, labels > 0, dict(sorted(parts.items())), landmarks)


def _seen_enough(layer: _Layer, free: Mask, style: StyleParams) -> bool:
    """Whether enough of what lies within the image is seen where nothing stands in front."""
    whole, seen = (layer.labels > 0).sum(), (layer.labels[free] > 0).sum()
    return bool(seen > 0 and seen >= style.visible_share * whole)


def render_scene(
    name: str,
    style: StyleParams,
    rng: np.random.Generator,
    *,
    species: str | None = None,
    company: bool = False,
) -> Scene:
    """One image of an animal of class `name`.

    Args:
        name: one of CLASSES.
        style: how varied and hard the images are.
        rng: where everything random comes from: the same state gives the same image.
        species: for birds, a key of BIRD_SPECIES; None for any.
        company: whether a second animal, of another class, may stand beside it. It is left out
            where it would hide too much, as grass is.
    """
    height, width = image_shape(style, rng)
    canvas = background(height, width, style, rng)
    in_front = occluders(height, width, style, rng)
    free = ~covered(in_front, height, width)
    layers = [_place(name, species, height, width, style, rng)]
    if not _seen_enough(layers[0], free, style):
        in_front, free = [], np.ones_like(free)
    front = 0
    if company and rng.random() < style.second_share:
        other = str(rng.choice([entry for entry in CLASSES if entry != name]))
        second = _place(other, None, height, width, style, rng)
        front = int(rng.integers(2))
        pair = [layers[0], second]
        behind = free & (pair[front].labels == 0)
        if _seen_enough(pair[front], free, style) and _seen_enough(pair[1 - front], behind, style):
            layers = pair
        else:
            front = 0
    light = heading(rng.uniform(-160, -20)) * rng.uniform(0.1, 0.3)
    for layer in layers[::-1] if front == 0 else layers:
        _paint(canvas, layer, light)
    for hidden, tone in in_front:
        blend(canvas, hidden, tone)
    objects = []
    for index, layer in enumerate(layers):
        in_sight = free if index == front else free & (layers[front].labels == 0)
        objects.append(_visible_object(layer, in_sight))
    return Scene(photograph(canvas, style, rng), objects)


def render_background(style: StyleParams, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """An image without animals, uint8 (H, W, 3)."""
    height, width = image_shape(style, rng)
    canvas = background(height, width, style, rng)
    for hidden, tone in occluders(height, width, style, rng):
        blend(canvas, hidden, tone)
    return photograph(canvas, style, rng)
