"""LSG table 3 and CSG section 5.1: how well filters find objects, beside what needs no network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from clearfilters.reporting.notes import TIMES, provenance_note
from clearfilters.reporting.published import Published, published
from clearfilters.reporting.records import METHODS, Experiment, Records
from clearfilters.reporting.table import Cell, Column, Row, Table, cell, reads

Values = dict[str, Any]
TOTAL = "total"
# As in the paper.
DIGITS = 3
# Of the paper's table 3.
PAPER_CLASSES = ("bird", "cat", "dog", "cow", "horse", "sheep")
PAPER_NETWORK = "resnet152"
BASELINES = {
    "whole_image": "whole image",
    "centred_box": "centred box of the average size",
    "random_map": "random map",
}
HEADS = ("Localized with", "Metric", "Training")
HOW_COUNTED = (
    "IoU of the segmentation with the object's mask; APn: share of images with IoU above n. One "
    "filter: filter k counts for the class with its largest APn (of equal ones, the larger IoU); a "
    "class column is the mean over the filters that count for it (a dash: there are none), the "
    "total over all filters that are looked at: for ActivMap all, for GradMap those that some "
    "class looks at. CAM: means over images."
)
HOW_BASELINES = (
    "Baselines need no network. Beside one filter they are measured as a filter is, so their total "
    "is that of their best class; random maps as many random filters."
)
HOW_GRADMAP_BASELINES = (
    "Beside GradMap a baseline stands for all filters that the network looks at, each on the same "
    "classes: a filter that one class alone looks at has no better class to count for."
)


@dataclass(frozen=True)
class Block:
    """The rows of one way to localize.

    Attributes:
        key: in the CSV and in published.csv.
        found: the part of a measurement's values with `iou` and `ap`.
        baselines: the part with the same of each baseline; None where they stand in another block.
        rule: the part with `hit_iou`, the n of APn.
        of_training: whether the baselines depend on the trained network, not on its maps' size
            alone.
    """

    key: str
    found: Callable[[Values], Values]
    baselines: Callable[[Values], Values] | None
    rule: Callable[[Values], Values]
    of_training: bool = False


def _of_paper(paper: str, one_filter: str) -> tuple[Block, Block, Block]:
    def rule(values: Values) -> Values:
        return dict(values[paper])

    def one(values: Values) -> Values:
        return dict(values[paper]["one_filter_baselines"])

    def every(values: Values) -> Values:
        return dict(values[paper]["all_filters_baselines"])

    return (
        Block(one_filter, lambda v: dict(v[paper]["activmap"]), one, rule),
        Block(f"{one_filter}, ≥", lambda v: dict(v[paper]["activmap_inclusive"]), None, rule),
        Block("all filters (CAM)", lambda v: dict(v[paper]["cam"]), every, rule),
    )


LSG_BLOCKS = _of_paper("lsg", "one filter")
GRADMAP = Block(
    "one filter (GradMap)",
    lambda values: dict(values["gradmap"]["result"]),
    lambda values: dict(values["gradmap"]["baselines"]),
    lambda values: dict(values["gradmap"]),
    of_training=True,
)
CSG_BLOCKS = (GRADMAP, *_of_paper("csg", "one filter (ActivMap)"))


@reads("localization")
def lsg_table3(records: Records) -> Table:
    """LSG table 3: ActivMap of one filter and CAM of all, q = 20 %, AP15."""
    experiments = records.experiments(*METHODS, analysis="localization")
    values = published("LSG", "table3")
    beside = _paper_rows(experiments)
    rows = list(_rows(records, experiments, LSG_BLOCKS, values, beside))
    for paper_row in dict.fromkeys(row for row, _ in values):
        where, metric, method = paper_row.split(" / ")
        if method not in beside.values():
            cells = {c: Cell(published=values[paper_row, c]) for c in (*PAPER_CLASSES, TOTAL)}
            rows.append(Row(paper_row, (where, metric, f"{method} (not run here)"), cells))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        *_masks(records, experiments),
        "Published values: PASCAL VOC 2010 (six classes) with ResNet152, 150 epochs.",
        *_orientation(experiments),
        HOW_COUNTED,
        *_rule_note(records, experiments, "lsg"),
        *_share_note(records, experiments, "lsg"),
        HOW_BASELINES,
        *_filter_notes(records, experiments, LSG_BLOCKS[:1]),
    )
    title = "LSG table 3: localization with resized feature maps"
    columns = _columns(records, experiments, with_paper=True)
    return Table("lsg_table3", title, HEADS, columns, rows, notes)


@reads("localization")
def csg_localization(records: Records) -> Table:
    """CSG section 5.1: GradMap, ActivMap and CAM, q = 30 %, AP20 and AP30."""
    experiments = records.experiments(*METHODS, analysis="localization")
    rows = list(_rows(records, experiments, CSG_BLOCKS, {}, {}))
    notes = (
        provenance_note(records, experiments),
        TIMES,
        *_masks(records, experiments),
        "No published column: CSG's table is not at hand. AP20, AP30 and the number of GradMap's "
        "filters are known from the authors' released code alone.",
        HOW_COUNTED,
        *_rule_note(records, experiments, "csg"),
        *_share_note(records, experiments, "csg"),
        *_gradmap_note(records, experiments),
        HOW_BASELINES,
        HOW_GRADMAP_BASELINES,
        *_filter_notes(records, experiments, CSG_BLOCKS[:2]),
    )
    title = "CSG section 5.1: localization with GradMap, ActivMap and CAM"
    columns = _columns(records, experiments, with_paper=False)
    return Table("csg_localization", title, HEADS, columns, rows, notes)


def _rows(
    records: Records,
    experiments: Sequence[Experiment],
    blocks: Sequence[Block],
    values: dict[tuple[str, str], Published],
    beside: dict[str, str],
) -> Iterator[Row]:
    for block in blocks:
        for metric in ("iou", "ap"):
            for e in experiments:
                name = _metric(_first(records, e), block, metric)
                paper_row = f"{block.key} / {name} / {beside.get(e.name)}"
                theirs = {column: v for (row, column), v in values.items() if row == paper_row}
                cells = {
                    column: cell(
                        records.sample(e, "localization", _number(block.found, metric, number)),
                        theirs.get(column),
                    )
                    for column, number in _numbered_columns(records, e)
                }
                cells |= {c: Cell(published=v) for c, v in theirs.items() if c not in cells}
                yield Row(f"{block.key} / {name} / {e.label}", (block.key, name, e.label), cells)
            yield from _baseline_rows(records, experiments, block, metric)


def _baseline_rows(
    records: Records, experiments: Sequence[Experiment], block: Block, metric: str
) -> Iterator[Row]:
    """One row per baseline and group of experiments that have it in common."""
    if block.baselines is None:
        return
    groups = _baseline_groups(experiments, block)
    for group, e in groups.items():
        name = _metric(_first(records, e), block, metric)
        for key, label in BASELINES.items():
            shown = label if len(groups) == 1 else f"{label} ({group})"
            cells = {}
            for column, number in _numbered_columns(records, e):
                pick = _number(_baseline(block.baselines, key), metric, number)
                cells[column] = (
                    cell(records.sample(e, "localization", pick))
                    if block.of_training
                    else Cell(pick(_first(records, e)))
                )
            heads = (block.key, name, f"baseline: {shown}")
            yield Row(f"{block.key} / {name} / {shown}", heads, cells)


def _baseline_groups(experiments: Sequence[Experiment], block: Block) -> dict[str, Experiment]:
    """Name -> the first experiment of each group whose baselines are the same.

    A group has its data and network in common: random maps have the size of the network's. Where a
    baseline depends on the training, each experiment is a group.
    """
    if block.of_training:
        return {e.label: e for e in experiments}
    groups: dict[tuple[str, str], Experiment] = {}
    for e in experiments:
        groups.setdefault(e.setting, e)
    names = [f"{e.network} on {e.dataset}" for e in groups.values()]
    return {
        # Two data sets may have one format.
        name if names.count(name) == 1 else f"{name}, as {e.label}": e
        for name, e in zip(names, groups.values(), strict=True)
    }


def _baseline(baselines: Callable[[Values], Values], key: str) -> Callable[[Values], Values]:
    return lambda values: dict(baselines(values)[key])


def _number(
    found: Callable[[Values], Values], metric: str, number: int | None
) -> Callable[[Values], float | None]:
    return lambda values: _pick(found(values), metric, number)


def _pick(found: Values, metric: str, number: int | None) -> float | None:
    """A class's number, or the total if `number` is None."""
    value = found[metric]["total"] if number is None else found[metric]["per_class"][number]
    return None if value is None else float(value)


def _metric(values: Values, block: Block, metric: str) -> str:
    return "Avg-IoU" if metric == "iou" else f"AP{100 * block.rule(values)['hit_iou']:g}"


def _first(records: Records, e: Experiment) -> Values:
    """The values of the lowest seed: what they say of data and rules holds for all."""
    return records.first(e, "localization") or {}


def _classes(records: Records, e: Experiment) -> list[str]:
    return [str(name) for name in _first(records, e)["classes"]]


def _numbered_columns(records: Records, e: Experiment) -> list[tuple[str, int | None]]:
    classes: list[tuple[str, int | None]] = [
        (name, number) for number, name in enumerate(_classes(records, e))
    ]
    return [*classes, (TOTAL, None)]


def _columns(
    records: Records, experiments: Sequence[Experiment], *, with_paper: bool
) -> list[Column]:
    """The classes in the paper's order, then the others, then the total."""
    present = {name for e in experiments for name in _classes(records, e)}
    ordered = [name for name in PAPER_CLASSES if with_paper or name in present]
    ordered += sorted(present - set(ordered))
    columns = [
        Column(name, name if name in present else f"{name} (not in this run)", "fraction", DIGITS)
        for name in ordered
    ]
    return [*columns, Column(TOTAL, TOTAL, "fraction", DIGITS)]


def _paper_rows(experiments: Sequence[Experiment]) -> dict[str, str]:
    """Name of an experiment -> LSG or STD, whose published values stand beside it.

    A run that has the paper's network shows them beside it alone.
    """
    own = any(e.model == PAPER_NETWORK for e in experiments)
    return {
        e.name: e.role.upper()
        for e in experiments
        if e.role in ("std", "lsg") and (not own or e.model == PAPER_NETWORK)
    }


def _orientation(experiments: Sequence[Experiment]) -> list[str]:
    other = sorted({f"{e.network} on {e.dataset}" for e in experiments if e.model != PAPER_NETWORK})
    if not other:
        return []
    return [
        f"This run differs from the paper's setting ({', '.join(other)}): the published values are "
        "here for orientation only."
    ]


def _masks(records: Records, experiments: Sequence[Experiment]) -> list[str]:
    found: dict[str, None] = {}
    for e in experiments:
        values = _first(records, e)
        counts = zip(values["classes"], values["images"], strict=True)
        images = ", ".join(f"{name} {count}" for name, count in counts)
        size = "x".join(map(str, values["image_size"]))
        skipped = values["skipped_images"]
        left_out = f"; {skipped} more with an empty mask left out" if skipped else ""
        masks = f" Masks: {values['masks']}." if values["masks"] else ""
        found[f"Test images of {e.dataset}, {size}: {images}{left_out}.{masks}"] = None
    return list(found)


def _rule_note(records: Records, experiments: Sequence[Experiment], paper: str) -> list[str]:
    shares = sorted({_first(records, e)[paper]["top_share"] for e in experiments})
    return [
        f"A filter's map is thresholded at the top {share:.0%} of its values over all test images, "
        f"not enlarged, strictly above; CAM at the top {share:.0%} of its own values. Rows with ≥ "
        "also take values equal to the threshold: a filter that is silent on most images then "
        "selects everything."
        for share in shares
    ]


def _share_note(records: Records, experiments: Sequence[Experiment], paper: str) -> list[str]:
    """How much of an image filters select: random maps less than the top share."""
    lines = []
    for e in experiments:
        seeds = [m.values[paper] for m in records.measurements(e, "localization").values()]
        own = fmean(found["activmap"]["selected_share"] for found in seeds)
        random = fmean(
            found["one_filter_baselines"]["random_map"]["selected_share"] for found in seeds
        )
        lines.append(f"{e.label}: {own:.1%}, random maps {random:.1%}")
    if not lines:
        return []
    return [
        f"Mean share of an image that one filter selects: {'; '.join(lines)}. Random maps exceed "
        "their threshold on less than the top share: it is taken before maps are enlarged, and "
        "enlarging flattens peaks that have no like neighbours."
    ]


def _gradmap_note(records: Records, experiments: Sequence[Experiment]) -> list[str]:
    found: dict[str, None] = {}
    for e in experiments:
        g = _first(records, e)["gradmap"]
        found[
            "GradMap: gradient of the pooled activation, its length over the colours divided by "
            f"the root mean square, blurred by {g['blur_sigma']:g} pixels, above "
            f"{g['threshold']:g}; for the {g['filters']} filters that the image's class activates "
            f"most (all, if there are fewer), on {sum(g['images'])} images."
        ] = None
    return list(found)


def _filter_notes(
    records: Records, experiments: Sequence[Experiment], blocks: Sequence[Block]
) -> list[str]:
    """Which classes no filter counts for, and how many filters are silent."""
    notes = []
    for block in blocks:
        lines = []
        for e in experiments:
            seeds = [
                block.found(m.values) for m in records.measurements(e, "localization").values()
            ]
            empty = [
                name
                for number, name in enumerate(_classes(records, e))
                if any(found["filters_per_class"][number] == 0 for found in seeds)
            ]
            silent = fmean(found["silent_filters"] for found in seeds)
            lines.append(f"{e.label}: {', '.join(empty) or 'none'}; {silent:g} filters silent")
        if lines:
            notes.append(
                f"Classes that no filter counts for (in some seed), {block.key}: "
                f"{'. '.join(lines)}."
            )
    return notes
