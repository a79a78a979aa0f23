"""What stands below the tables of part filters."""

from collections.abc import Collection, Sequence

from clearfilters.reporting.notes import TIMES, provenance_note
from clearfilters.reporting.part_published import PAPER_NETWORKS
from clearfilters.reporting.part_quantities import INTERPRETABILITY, LOCATION, TRAINED
from clearfilters.reporting.records import Experiment, Records
from clearfilters.reporting.table import Table

HOW_LOCATED = (
    "Location instability: standard deviation, over the strongest images of a filter, of the "
    "distance between its strongest place and a landmark; mean over landmarks and filters, lower "
    "is steadier. Ours is divided by the image's diagonal, as in the authors' code; CVPR'18's "
    "tables are divided by its side, so beside them stands ours times √2. A unit that always fires "
    "at one place is steadier than most networks: read the spread and R² beside it."
)
HOW_FOLLOWED = (
    "Spread: how far a filter's strongest place moves over images. R², head: squared correlation "
    "of its place with the head's (CUB: the forehead's), mean of rows and columns, 0 where it "
    "never moves; mean over filters and the best of them, each with its floor, for which the "
    "landmarks are shuffled among the images. Difference: mean distance of the places of two "
    "filters in one image. Dead: without a place in any image."
)
HOW_INTERPRETABLE = (
    "Part interpretability: share of the images with a part where the discs around a filter's "
    "strongest units cover it with an IoU above 0.2, for the part for which it is largest; mean "
    "over filters. The paper does not give the discs' radius."
)
STATES = (
    "Untrained: the same networks as initialised. Random unit: another place in every image; "
    "constant unit: always the centre; oracle: always the mean place of the landmark. Baselines "
    "depend on the size of the map alone."
)
AVERAGES = (
    "Average, and all columns behind it: mean over the categories that were measured, for the "
    "seeds that all of these have."
)
ACCURACIES = (
    "Accuracy of the test split: the share of labels with the right sign, for softmax of images "
    "with the right category first."
)
TARGETS = (
    "A filter of a network of several categories counts for one of them: in the paper's reading "
    "for that with the least deviation, in the authors' code for that whose objects activate it "
    "most."
)
LOSSES = (
    "Logistic: each category for itself; softmax: one category per image. ILSVRC with softmax is "
    "not in the paper."
)


def common(
    records: Records,
    experiments: Sequence[Experiment],
    networks: Collection[str] = tuple(PAPER_NETWORKS),
) -> list[str]:
    """What the table was made from, and what its paper's networks were."""
    other = sorted({e.network for e in experiments if e.model not in networks})
    found = [provenance_note(records, experiments), TIMES]
    if other:
        found.append(
            f"The paper's networks were fine-tuned from ImageNet's weights as a whole; ours "
            f"({', '.join(other)}) are others: the published values are here for orientation only."
        )
    return found


def counts(records: Records, experiments: Sequence[Experiment], analysis: str = LOCATION) -> str:
    """Objects of each category, and with each landmark or part."""
    about = "landmarks" if analysis == LOCATION else "parts"
    found: dict[str, None] = {}
    for e in experiments:
        for category, values in (records.first(e, analysis) or {})["categories"].items():
            each = ", ".join(f"{name} {number}" for name, number in values[about].items())
            found[f"{category} ({e.dataset}) {values['images']}: {each}"] = None
    return f"Objects, and those of them with each of the {about}: {'; '.join(found)}."


def best_parts(records: Records, experiments: Sequence[Experiment]) -> list[str]:
    """Which parts the filters go with best, and what stands in for masks of parts."""
    lines = []
    approximations: dict[str, None] = {}
    for e in experiments:
        values = records.first(e, INTERPRETABILITY) or {}
        if values["approximation"]:
            approximations[f"Approximation: {values['approximation']}."] = None
        for category, found in values["categories"].items():
            parts = found[TRAINED]["best_part"].items()
            lines.append(f"{e.label}, {category}: {', '.join(f'{k} {v}' for k, v in parts)}")
    return [
        *approximations,
        f"Filters by the part that they go with best (lowest seed): {'; '.join(lines)}.",
    ]


def filters_by_category(records: Records, experiments: Sequence[Experiment]) -> str:
    """How many filters each category activates most."""
    lines = []
    for e in experiments:
        found = (records.first(e, LOCATION) or {})["multi"][TRAINED]["filters_of"].items()
        lines.append(f"{e.label}: {', '.join(f'{name} {number}' for name, number in found)}")
    return f"Filters by the category that activates them most (lowest seed): {'; '.join(lines)}."


def not_run(table_id: str, title: str, heads: tuple[str, ...], filled_by: str) -> Table:
    """One line that says what would fill the table."""
    return Table(table_id, title, heads, (), (), (f"Not run: filled by {filled_by}.",))
