"""Networks with a new top and fully connected layers: which filters decided, and where they fired.

How much a filter decides is measured by ablation: the drop of the predicted class's logit when the
filter's map is set to zero, which is what the head gets of a filter that does not fire. It is exact
for each filter by itself. The drops of all filters need not add up to the logit, since the head is
not linear.

Where a filter fired is the unit of the top convolution that the largest cell of its map, as the
head gets it, was pooled from. The mask can leave out the largest unit of the convolution's own map,
so that this place may differ from the one that location instability is measured by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn import functional as F

from clearfilters.errors import ClearfiltersError
from clearfilters.models.blocks import BlockNetwork
from clearfilters.models.classifier import Classifier
from clearfilters.models.receptive_fields import top_field
from clearfilters.pictures import lit
from clearfilters.predict.answers import Answer, answer_of, class_logits
from clearfilters.predict.sheets import PICTURE_SIDE, shrunk, side_by_side
from clearfilters.predict.views import View

# Networks with one filter less that pass the head at once; only memory depends on it.
BATCH = 64
# The region drawn: discs of two strides, as figures 5 of the report have them, around the units
# that are at least half as active as the largest (specification interpretable_cnn.md, 4.3).
REGION_STRIDES = 2.0
REGION_SHARE = 0.5
MARK = 6  # pixels, half of the mark


@dataclass(frozen=True)
class FiringFilter:
    """One filter's part in the answer.

    Attributes:
        index: k, in [0, K).
        drop: of the predicted class's logit when its map is set to zero.
        place: x and y in pixels of the picture; None for a filter that did not fire.
        region: x and y of all units that are active enough to be drawn.
    """

    index: int
    drop: float
    place: tuple[float, float] | None
    region: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture.

    Attributes:
        answer: the predicted class.
        silent: its logit when no filter fires.
        filters: those whose drop is largest, first.
        radius: of a disc of the region in pixels of the picture, along x and y.
    """

    answer: Answer
    silent: float
    filters: tuple[FiringFilter, ...]
    radius: tuple[float, float]


@torch.no_grad()
def predict_image(
    view: View, network: Classifier, meta: Mapping[str, Any], *, filters: int
) -> Prediction:
    """Class, confidence and deciding filters of one picture, with the places where they fired.

    Args:
        view: of the picture.
        network: with a new top, in eval mode, on the CPU.
        meta: of the checkpoint.
        filters: how many filters to list, at least 1; no more than K are.

    Raises:
        ClearfiltersError: if the network has no new top.
    """
    if meta["parameters"]["model"].get("top") is None:
        raise ClearfiltersError(
            "model.head: this network has fully connected layers above its own blocks, and where "
            "filters fire is known of networks with a new top only; train it with model.top, or "
            "with the linear head (leave model.head out)"
        )
    maps, units = pooled_maps(network, view.network_input())
    answer = answer_of(network.logits(maps[None]), meta)
    silent = class_logits(network.logits(torch.zeros_like(maps)[None]))[0, answer.index]
    drops = logit_drops(network, maps, answer.index)
    field = top_field(cast(BlockNetwork, network.backbone).blocks, meta["image_size"])
    centres = field.start + field.stride * units.flip(-1).double()  # x before y
    found = []
    for index in drops.argsort(descending=True, stable=True)[:filters].tolist():
        own = maps[index]
        places = [
            view.place(*centre)
            for centre in centres[index][(own >= REGION_SHARE * own.max()) & (own > 0)].tolist()
        ]
        row, column = divmod(int(own.argmax()), own.shape[1])
        fired = bool(own.max() > 0)
        place = view.place(*centres[index, row, column].tolist()) if fired else None
        found.append(FiringFilter(index, float(drops[index]), place, tuple(places)))
    radius = REGION_STRIDES * field.stride
    across, down = view.scale
    return Prediction(answer, float(silent), tuple(found), (radius * across, radius * down))


def pooled_maps(network: Classifier, image: Tensor) -> tuple[Tensor, Tensor]:
    """What the head gets of an image, and where it comes from.

    Args:
        network: with a new top.
        image: (1, 3, H, W), in [0, 1].

    Returns:
        The maps A (K, m, m) after pooling and mask, and row and column of the unit of the top
        convolution that each of their cells was pooled from (K, m, m, 2), the first of equals.
    """
    top = cast(nn.Sequential, cast(BlockNetwork, network.backbone).blocks[-1])
    pool = cast(nn.MaxPool2d, top.get_submodule("pool"))
    taken: list[Tensor] = []
    hook = pool.register_forward_pre_hook(lambda _layer, given: taken.append(given[0]))
    try:
        maps = network.feature_maps(image)[0]
    finally:
        hook.remove()
    _, unit = F.max_pool2d(taken[0], pool.kernel_size, pool.stride, return_indices=True)
    side = taken[0].shape[3]
    return maps, torch.stack([unit[0] // side, unit[0] % side], dim=-1)


def logit_drops(network: Classifier, maps: Tensor, index: int) -> Tensor:
    """How much a class's logit falls when one filter's map is set to zero, for each filter (K,).

    Args:
        network: whose head it is.
        maps: what the head gets (K, m, m).
        index: of the class.
    """
    whole = class_logits(network.logits(maps[None]))[0, index]
    without = []
    for chosen in torch.arange(len(maps)).split(BATCH):
        batch = maps.repeat(len(chosen), 1, 1, 1)
        batch[torch.arange(len(chosen)), chosen] = 0
        without.append(class_logits(network.logits(batch))[:, index])
    return whole - torch.cat(without)


def describe(prediction: Prediction) -> str:
    """The prediction as text for a person to read."""
    lines = [
        str(prediction.answer),
        f"  filters that decided (logit {prediction.answer.logit:.2f}, "
        f"{prediction.silent:.2f} if none fired), by what it loses without each:",
    ]
    for item in prediction.filters:
        lines.append(f"    filter {item.index:4d}  {item.drop:+8.3f}  {_place(item)}")
    return "\n".join(lines)


def _place(item: FiringFilter) -> str:
    if item.place is None:
        return "did not fire"
    return "at x {:.0f}, y {:.0f}".format(*item.place)


def draw(view: View, prediction: Prediction) -> Image.Image:
    """The picture once for each filter, side by side: its region lit, a cross where it fired."""
    small = shrunk(view.picture)
    factor = min(PICTURE_SIDE / max(view.picture.size), 1.0)
    panels = [_panel(small, item, prediction.radius, factor) for item in prediction.filters]
    lines = [f"filter {item.index}  {item.drop:+.2f}" for item in prediction.filters]
    return side_by_side(panels, lines)


def _panel(
    small: Image.Image, item: FiringFilter, radius: tuple[float, float], factor: float
) -> Image.Image:
    """The picture, scaled by a factor, with a filter's region and place."""
    region = Image.new("L", small.size, 0)
    discs = ImageDraw.Draw(region)
    across, down = (factor * r for r in radius)
    for x, y in item.region:
        x, y = factor * x, factor * y
        discs.ellipse((x - across, y - down, x + across, y + down), fill=255)
    panel = lit(small, region)
    if item.place is not None:
        x, y = (factor * value for value in item.place)
        cross = ImageDraw.Draw(panel)
        for colour, line_width in (("black", 3), ("white", 1)):
            cross.line((x - MARK, y, x + MARK, y), colour, line_width)
            cross.line((x, y - MARK, x, y + MARK), colour, line_width)
    return panel
