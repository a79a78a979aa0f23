"""The picture of an explanation: where both networks look, and where each part's filters fire."""

from PIL import Image

from clearfilters.analysis.upsampling import spread
from clearfilters.explain.explanation import Explanation
from clearfilters.predict.linear_heads import overlay
from clearfilters.predict.sheets import shrunk, side_by_side
from clearfilters.predict.views import View


def draw(view: View, found: Explanation) -> Image.Image:
    """What the network sees, Grad-CAM of performer and explainer, and a heat map of each part.

    Each map is in its own scale, from its least to its largest value.
    """
    picture = shrunk(view.shown())
    maps = [
        (f"performer {found.performer_score:+.2f}", found.cams["performer"]),
        (f"explainer {found.score:+.2f}", found.cams["explainer"]),
        *((f"{part.label} {part.contribution:+.2f}", part.cells) for part in found.parts),
    ]
    panels = [
        overlay(picture, spread(cells, found.geometry, picture.height, picture.width))
        for _, cells in maps
    ]
    return side_by_side([picture, *panels], [found.category, *(line for line, _ in maps)])
