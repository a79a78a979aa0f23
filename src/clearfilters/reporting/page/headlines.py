"""Which numbers a page opens with: ours, and beside them the published ones.

A line of HEADLINES is a number of one role. Of each family one setting is shown: that of the
experiment with the most seeds, then epochs, of the first of its roles that the run has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clearfilters.reporting.part_quantities import by_side
from clearfilters.reporting.published import Published, published
from clearfilters.reporting.records import Experiment, Records, Summary, summarize

Values = Mapping[str, Any]
LSG_DATA = {"voc-parts": "PASCAL VOC 2010 / ResNet152", "animals": "PASCAL VOC 2010 / ResNet152"}
LSG_CIFAR = "CIFAR-10 / ResNet20"
# Of the papers' networks the one nearest to all of ours that stands in every table.
PART_NETWORK = "VGG-16"
ICNN_TABLES = {"voc-icnn": "table4", "cub": "table5", "animals-cub": "table5"}


@dataclass(frozen=True)
class Place:
    """Where a paper publishes a number; `network` is the paper's."""

    paper: str
    table: str
    row: str
    column: str
    network: str

    @property
    def value(self) -> Published | None:
        """What stands there, if it may be compared with."""
        found = published(self.paper, self.table).get((self.row, self.column))
        return found if found is not None and found.value is not None and found.comparable else None

    @property
    def words(self) -> str:
        """`LSG table 1, ResNet20`."""
        return f"{self.paper} {self.table.replace('table', 'table ')}, {self.network}"


@dataclass(frozen=True)
class Headline:
    """A number that a page opens with.

    Attributes:
        quantity: in words.
        role: of the experiments that have it.
        analysis: the measurement that has it.
        find: finds it among the measurement's values; None where it is missing.
        place: data set (its format) and category (empty where there are several) -> where the paper
            publishes it.
        digits: decimals shown.
    """

    quantity: str
    role: str
    analysis: str
    find: Callable[[Values], float | None]
    place: Callable[[str, str], Place]
    digits: int


@dataclass(frozen=True)
class HeadlineRow:
    """A line of the table that a page opens with, as text; `theirs` and `where` may be empty."""

    quantity: str
    network: str
    ours: str
    seeds: str
    theirs: str
    where: str


def _lsg(role: str, column: str) -> Callable[[str, str], Place]:
    def place(dataset: str, category: str) -> Place:
        setting = LSG_DATA.get(dataset, LSG_CIFAR)
        network = setting.split(" / ")[1]
        return Place("LSG", "table1", f"{setting} / {role.upper()}", column, network)

    return place


def _located(role: str) -> Callable[[str, str], Place]:
    row = f"one filter / Avg-IoU / {role.upper()}"
    return lambda dataset, category: Place("LSG", "table3", row, "total", "ResNet152")


def _icnn(role: str) -> Callable[[str, str], Place]:
    def place(dataset: str, category: str) -> Place:
        table = ICNN_TABLES.get(dataset, "table3")
        column = "average" if table == "table5" else category
        return Place("ICNN", table, f"{PART_NETWORK} / {role}", column, PART_NETWORK)

    return place


def _explainer(table: str, role: str) -> Callable[[str, str], Place]:
    row = f"{PART_NETWORK} / {role}"
    return lambda dataset, category: Place("EXPLAINER", table, row, category, PART_NETWORK)


def _value(key: str) -> Callable[[Values], float | None]:
    return lambda values: values[key]


def _of_category(key: str) -> Callable[[Values], float | None]:
    """A number of the trained filters of a network of one category."""

    def find(values: Values) -> float | None:
        found = list(values["categories"].values())
        return None if len(found) != 1 else found[0]["trained"][key]

    return find


def _instability_by_side(values: Values) -> float | None:
    return by_side(_of_category("instability")(values))


INSTABILITY = "Location instability, by the side"
# Families of roles that stand beside each other; of each, the numbers.
HEADLINES: tuple[tuple[Headline, ...], ...] = (
    tuple(
        Headline(quantity, role, analysis, _value(key), _lsg(role, column), 3)
        for quantity, analysis, key, column, roles in (
            ("Test accuracy", "classification", "accuracy", "accuracy", ("lsg", "std")),
            ("Density of the gate", "phi", "trained_density", "l1_density", ("lsg",)),
            ("Ambiguity Φ, nats", "phi", "phi_test", "phi", ("lsg", "std")),
        )
        for role in roles
    ),
    tuple(
        Headline(
            "Avg-IoU of one filter",
            role,
            "localization",
            lambda values: values["lsg"]["activmap"]["iou"]["total"],
            _located(role),
            3,
        )
        for role in ("lsg", "std")
    ),
    tuple(
        Headline(INSTABILITY, role, "part_location", _instability_by_side, _icnn(role), 3)
        for role in ("interpretable", "ordinary")
    ),
    (
        Headline(
            "Share p explained by parts",
            "explainer",
            "explanation",
            _value("p"),
            _explainer("table7", "explainer"),
            2,
        ),
        Headline(
            "Location instability, by the diagonal",
            "explainer",
            "part_location",
            _of_category("instability"),
            _explainer("table2", "explainer"),
            3,
        ),
    ),
)


def headline_rows(records: Records) -> list[HeadlineRow]:
    """The lines for which the run has a number."""
    return [
        row
        for family in HEADLINES
        for headline in family
        if (row := _row(records, family, headline)) is not None
    ]


def _row(records: Records, family: tuple[Headline, ...], headline: Headline) -> HeadlineRow | None:
    anchor = _anchor(records, family)
    if anchor is None:
        return None
    same = headline.role == anchor.role
    e = anchor if same else records.partner(anchor, headline.role, headline.analysis)
    summary = None if e is None else summarize(records.sample(e, headline.analysis, headline.find))
    if e is None or summary is None:
        return None
    place = headline.place(e.dataset, _category(records, e))
    value = place.value
    return HeadlineRow(
        headline.quantity,
        e.label,
        _ours(summary, headline.digits),
        f"{summary.seeds} seed{'s' if summary.seeds > 1 else ''}",
        "" if value is None else f"{value.value:.{headline.digits}f}",
        "" if value is None else place.words,
    )


def _anchor(records: Records, family: tuple[Headline, ...]) -> Experiment | None:
    for headline in family:
        found = [
            e
            for e in records.experiments(headline.role, analysis=headline.analysis)
            if records.sample(e, headline.analysis, headline.find)
        ]
        if found:
            return max(found, key=lambda e: (len(e.seeds), e.epochs))
    return None


def _category(records: Records, e: Experiment) -> str:
    """Of a network of one category; empty for others."""
    for analysis in ("part_location", "part_interpretability"):
        values = records.first(e, analysis)
        if values is not None and len(values["categories"]) == 1:
            return str(next(iter(values["categories"])))
    return ""


def _ours(summary: Summary, digits: int) -> str:
    text = f"{summary.mean:.{digits}f}"
    return text if summary.std is None else f"{text} ± {summary.std:.{digits}f}"
