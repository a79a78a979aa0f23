"""The pages of a gallery: a layer in an order each, linked to each other, without a script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearfilters.gallery.cards import ORDERS, Card, Order, Shelf
from clearfilters.gallery.region import SIDE
from clearfilters.webpage import render

TEMPLATE = "gallery.html.j2"
STYLE_SHEET = "pictures.css"


@dataclass(frozen=True)
class About:
    """What all pages say.

    Attributes:
        run: its name.
        experiment: its name.
        label: of the experiment, for a reader.
        seed: of the training.
        dataset: and what must be said of it.
        source: of the data.
        images: how many test images there are.
        logit: mean logit of the network's answers.
        region_share: of a map's largest value, from which it is lit.
        small: whether pictures are small because they may not be passed on.
    """

    run: str
    experiment: str
    label: str
    seed: int
    dataset: str
    source: str
    images: int
    logit: float
    region_share: float
    small: bool


def pages_of(about: About, shelves: Sequence[Shelf], names: Mapping[int, str]) -> dict[str, str]:
    """HTML by path, relative to the folder of the run's galleries.

    The first shelf in the first order is `<experiment>.html`; all others lie in a folder
    `<experiment>`, with the style sheet.

    Args:
        about: what all pages say.
        shelves: the layers.
        names: CSS class of each image's picture.
    """
    paths = {
        (n, order.slug): _path(about.experiment, shelf, order, is_first=n == 0)
        for n, shelf in enumerate(shelves)
        for order in ORDERS
        if order.applies(shelf)
    }
    found = {}
    for (n, slug), path in paths.items():
        shelf, up = shelves[n], "../" * path.count("/")
        order = next(order for order in ORDERS if order.slug == slug)
        found[path] = render(
            __package__,
            TEMPLATE,
            about=about,
            shelf=shelf,
            order=order,
            up=up,
            sheet=f"{up}{about.experiment}/{STYLE_SHEET}",
            layers=[
                {"name": other.layer, "url": up + paths[m, ORDERS[0].slug], "here": m == n}
                for m, other in enumerate(shelves)
            ],
            orders=[
                {"name": o.name, "url": up + paths[n, o.slug], "here": o is order}
                for o in ORDERS
                if (n, o.slug) in paths
            ],
            groups=_groups(shelf),
            cards=[_card(card, shelf, order, names) for card in order.sorted(shelf.cards)],
            side=SIDE,
        )
    return found


def _path(experiment: str, shelf: Shelf, order: Order, *, is_first: bool) -> str:
    if is_first and order is ORDERS[0]:
        return f"{experiment}.html"
    return f"{experiment}/{shelf.layer.replace(' ', '-')}-by-{order.slug}.html"


def _groups(shelf: Shelf) -> list[tuple[str, list[int]]]:
    """Each class or part and its filters, in the order in which they first come."""
    found: dict[str, list[int]] = {}
    for card in sorted(shelf.cards, key=lambda card: card.index):
        for name in card.groups or ():
            found.setdefault(name, []).append(card.index)
    return sorted(found.items())


def _card(card: Card, shelf: Shelf, order: Order, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "index": card.index,
        "groups": card.groups,
        "values": [
            _value(card, shelf, other, sorts=other is order)
            for other in ORDERS
            if other.applies(shelf)
        ],
        "shown": [
            {
                "picture": names[shown.row],
                "outline": shown.region.outline,
                "text": f"{shown.category}: activation {shown.peak:.3g}, looks at "
                f"{shown.region.share:.0%} of the image, most at the {shown.region.place}",
            }
            for shown in card.shown
        ],
    }


def _value(card: Card, shelf: Shelf, order: Order, *, sorts: bool) -> dict[str, Any]:
    """A number of a card, its bar's length of the longest, and what else is said of it."""
    value = order.value(card)
    largest = max(abs(order.value(other) or 0.0) for other in shelf.cards)
    of = {"information": card.information, "r2": card.r2}.get(order.slug)
    sign = "+" if order.slug == "weight" else ""
    return {
        "name": order.name,
        "text": "none" if value is None else f"{value:{sign}.2f} {order.unit}".rstrip(),
        "of": "" if of is None else of[1],
        "bar": 0 if value is None or largest == 0 else round(100 * max(value, 0.0) / largest),
        "sorts": sorts,
    }
