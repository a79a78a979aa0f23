"""What is said of each filter, and the orders that filters are shown in."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clearfilters.gallery.recorded import Recorded
from clearfilters.gallery.region import Region, region_of
from clearfilters.gallery.viewing import LayerView, View
from clearfilters.params.gallery import GalleryOfExperiment
from clearfilters.params.measurements import MisParams

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shown:
    """A filter in an image.

    Attributes:
        row: of the image in the test split.
        category: the image's class.
        peak: the filter's largest activation there.
        region: where it looks.
    """

    row: int
    category: str
    peak: float
    region: Region


@dataclass(frozen=True)
class Card:
    """What is said of a filter.

    Attributes:
        index: k, in [0, K).
        weight: mean of what it adds to the answered class's logit.
        groups: its classes by the gate, or its parts; None where neither is known.
        information: mutual information in nats, and the class that it is with.
        spread: of its places, in cells; None where it fires on fewer than two objects.
        r2: the largest R² of its place against a landmark, and which landmark; None where it is
            not known.
        shown: the images that activate it most, strongest first.
    """

    index: int
    weight: float
    groups: tuple[str, ...] | None
    information: tuple[float, str]
    spread: float | None
    r2: tuple[float, str] | None
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Shelf:
    """A layer's cards.

    Attributes:
        layer: its name.
        filters: how many it has.
        side: of its maps in cells.
        total: what all of its filters add to the answered class's logit, on average.
        grouped_by: what `groups` of the cards are, in words; None without.
        cards: of the filters that decide most, largest weight first.
    """

    layer: str
    filters: int
    side: int
    total: float
    grouped_by: str | None
    cards: list[Card]


@dataclass(frozen=True)
class Order:
    """An order of a shelf's cards.

    Attributes:
        slug: for the page's name.
        name: for a reader.
        unit: of its number; empty without.
        value: of a card; None comes last.
        rising: whether the smallest comes first.
    """

    slug: str
    name: str
    unit: str
    value: Callable[[Card], float | None]
    rising: bool = False

    def applies(self, shelf: Shelf) -> bool:
        """Whether any card has the number."""
        return any(self.value(card) is not None for card in shelf.cards)

    def sorted(self, cards: list[Card]) -> list[Card]:
        """The cards in this order; equal ones stay as they are."""

        def key(card: Card) -> tuple[bool, float]:
            value = self.value(card)
            return value is None, 0.0 if value is None else value if self.rising else -value

        return sorted(cards, key=key)


ORDERS = (
    Order("weight", "deciding weight", "logits", lambda card: card.weight),
    Order("information", "mutual information", "nats", lambda card: card.information[0]),
    Order("spread", "location spread", "cells", lambda card: card.spread, rising=True),
    Order("r2", "R² with a landmark", "", lambda card: None if card.r2 is None else card.r2[0]),
)


def shelves(
    seen: View, recorded: Recorded, labels: Labels, classes: list[str], params: GalleryOfExperiment
) -> list[Shelf]:
    """The layers of a network.

    Args:
        seen: what its filters do.
        recorded: of the first layer.
        labels: of the rows of the test split.
        classes: names.
        params: the parameters.
    """
    found = []
    for number, layer in enumerate(seen.layers):
        known = recorded if number == 0 else Recorded()
        cards = _cards(layer, known, labels, seen.rows, classes, params)
        geometry, total = layer.geometry, float(layer.weights.sum())
        found.append(
            Shelf(layer.name, len(layer.weights), geometry.side, total, known.grouped_by, cards)
        )
    return found


def deciding(weights: npt.NDArray[np.floating], count: int) -> list[int]:
    """The filters with the largest weights, largest first; of equal ones the first."""
    return np.argsort(-weights, kind="stable")[:count].tolist()


def _cards(
    layer: LayerView,
    recorded: Recorded,
    labels: Labels,
    rows: Labels,
    classes: list[str],
    params: GalleryOfExperiment,
) -> list[Card]:
    """Of the filters that decide most."""
    chosen = deciding(layer.weights, params.filters)
    if recorded.information is None:
        information = _information(layer.pooled[:, chosen], labels[rows], classes, params.mis)
    else:
        information = [recorded.information[k] for k in chosen]
    groups = recorded.groups(classes, params.threshold)
    return [
        Card(
            k,
            float(layer.weights[k]),
            None if groups is None else groups[k],
            known,
            None if np.isnan(layer.spread[k]) else float(layer.spread[k]),
            None if recorded.r2 is None else recorded.r2[k],
            _shown(layer, k, labels, classes, params.region_share),
        )
        for k, known in zip(chosen, information, strict=True)
    ]


def _information(
    pooled: npt.NDArray[np.float32], labels: Labels, classes: list[str], params: MisParams
) -> list[tuple[float, str]]:
    """Of each filter the mutual information with the class that it is largest with."""
    # Where it is recorded, scikit-learn need not be imported.
    from clearfilters.analysis.mutual_information import mutual_information_matrix

    found = mutual_information_matrix(
        pooled, labels, len(classes), neighbors=params.n_neighbors, seed=params.random_state
    )
    best = found.argmax(axis=1)
    if len(classes) == 2:  # both tell the same
        classes = ["", ""]
    return [(float(row[c]), classes[c]) for row, c in zip(found, best, strict=True)]


def _shown(
    layer: LayerView, filter_: int, labels: Labels, classes: list[str], region_share: float
) -> tuple[Shown, ...]:
    """A filter's strongest images, of those that activate it at all."""
    return tuple(
        Shown(
            int(row),
            classes[labels[row]],
            float(peak),
            region_of(cells, layer.geometry, region_share),
        )
        for peak, row, cells in layer.strongest.of(filter_)
    )
