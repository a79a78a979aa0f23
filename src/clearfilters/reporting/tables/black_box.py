"""The table of the black-box attacks: LSG table 5, CSG table J.1."""

from collections.abc import Callable
from statistics import fmean

from clearfilters.reporting.notes import TIMES, orientation, provenance_note, seeds_text
from clearfilters.reporting.published import Published, published
from clearfilters.reporting.published_networks import published_network
from clearfilters.reporting.records import METHODS, Experiment, Records, Sample
from clearfilters.reporting.table import EMPTY, Cell, Column, Row, Table, cell, reads

# As the paper names them, in its order.
NO_ATTACK = "No Attack / Accuracy"
ATTACKS = {
    "one_pixel": "Single Pixel Attack / Attack Success Rate",
    "local_search": "Local Search Attack / Attack Success Rate",
}
# Role -> where its published values stand.
PUBLISHED = {
    "std": ("LSG", "table5", "STD CNN"),
    "lsg": ("LSG", "table5", "LSG CNN"),
    "csg": ("CSG", "tableJ.1", "CSG CNN"),
}
COLUMNS = (
    Column("rate", "Accuracy or success rate", "percent", 2),
    Column("low", "95 % interval from", "percent", 2),
    Column("high", "to", "percent", 2),
    Column("attacked", "Images attacked", "images", None),
    Column("query_budget", "Query budget per image", "queries", None),
    Column("queries_mean", "Mean queries", "queries", 1),
    Column("queries_median", "Median queries", "queries", 1),
    Column("queries_mean_success", "Mean queries of successes", "queries", 1),
)
# Those that are recorded under their key.
RECORDED = ("attacked", "query_budget", "queries_mean", "queries_median", "queries_mean_success")


@reads("one_pixel", "local_search")
def lsg_table5(records: Records) -> Table:
    """LSG table 5 and CSG table J.1: a row per attack and network, with what the attack took."""
    experiments = [
        e for e in records.experiments(*METHODS) if any(_attacked(records, e, a) for a in ATTACKS)
    ]
    rows = []
    for metric, cells_of in _metrics():
        shown = set()
        for e in experiments:
            source = _source(records, e)
            cells = cells_of(records, e, None if source is None else _value(source, metric))
            if cells:
                shown.add(source)
                heads = (*metric.split(" / "), e.label, seeds_text(e.seeds))
                rows.append(Row(f"{metric} / {e.label}", heads, cells))
        for source in PUBLISHED.values():
            if source not in shown:
                rows.append(_not_run(source, metric))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        "Success rate: share of attacked images that end misclassified, of test images that the "
        "network classifies correctly, balanced over classes. 95 % Wilson interval of one seed's "
        "images, its bounds averaged over seeds: they attack mostly the same images, so more seeds "
        "do not narrow it. Accuracy: all test images; read the success rates beside it, so that a "
        "weak network is not taken for a robust one, nor a strong one for a fragile one.",
        "Queries: images whose class probabilities the attacker is told.",
        "Published values: CIFAR-10; the papers give neither the number of attacked images nor the "
        "parameters of the attacks. CSG's table J.1 is LSG's table 5 with CSG in place of LSG.",
        *orientation(experiments),
    )
    heads = ("Attack", "Metric", "Training", "Seeds")
    title = "LSG table 5: black-box attacks"
    return Table("lsg_table5", title, heads, COLUMNS, rows, notes)


CellsOf = Callable[[Records, Experiment, Published | None], dict[str, Cell]]


def _metrics() -> list[tuple[str, CellsOf]]:
    """The rows of the paper, and how each is filled for a network."""

    def attack(analysis: str) -> CellsOf:
        return lambda records, e, theirs: _attack_cells(records, e, analysis, theirs)

    return [(NO_ATTACK, _accuracy_cells)] + [(ATTACKS[name], attack(name)) for name in ATTACKS]


def _accuracy_cells(records: Records, e: Experiment, theirs: Published | None) -> dict[str, Cell]:
    return {"rate": cell(clean_accuracy(records, e), theirs)}


def _attack_cells(
    records: Records, e: Experiment, analysis: str, theirs: Published | None
) -> dict[str, Cell]:
    if not _attacked(records, e, analysis):
        return {}
    low, high, seeds = mean_interval(records, e, analysis)
    return {
        "rate": cell(success_rate(records, e, analysis), theirs),
        "low": Cell(low, None, seeds),
        "high": Cell(high, None, seeds),
        **{key: cell(records.sample(e, analysis, key)) for key in RECORDED},
    }


def clean_accuracy(records: Records, e: Experiment) -> Sample:
    """Accuracy on all test images in percent, per seed; as either attack recorded it."""
    found: Sample = {}
    for analysis in ATTACKS:
        found |= records.sample(e, analysis, lambda values: 100 * values["accuracy"])
    return found


def success_rate(records: Records, e: Experiment, analysis: str) -> Sample:
    """Success rate of an attack in percent, per seed."""
    return records.sample(e, analysis, lambda values: 100 * values["success_rate"])


def mean_interval(records: Records, e: Experiment, analysis: str) -> tuple[float, float, int]:
    """95 % Wilson interval of a success rate in percent and the number of seeds.

    Bounds are averaged over seeds. Counts are not added up: the seeds attack mostly the same
    images, so that the sum would pass for more images than there are.
    """
    bounds = [m.values["interval"] for m in records.measurements(e, analysis).values()]
    low, high = (100 * fmean(side) for side in zip(*bounds, strict=True))
    return low, high, len(bounds)


def _attacked(records: Records, e: Experiment, analysis: str) -> bool:
    return bool(records.measurements(e, analysis))


def _source(records: Records, e: Experiment) -> tuple[str, str, str] | None:
    """Where the published values stand that belong beside an experiment."""
    if published_network(records, e) != "ResNet20":
        return None
    return PUBLISHED.get(e.role)


def _value(source: tuple[str, str, str], metric: str) -> Published:
    paper, table, column = source
    return published(paper, table)[metric, column]


def _not_run(source: tuple[str, str, str], metric: str) -> Row:
    paper, _, column = source
    heads = (*metric.split(" / "), f"{column}, {paper} (not run here)", EMPTY)
    return Row(f"{metric} / {column}", heads, {"rate": Cell(published=_value(source, metric))})
