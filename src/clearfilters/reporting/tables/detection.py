"""The tables of adversarial detection: LSG table 4 and CSG's form of it."""

from collections.abc import Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from clearfilters.reporting.notes import TIMES, orientation, provenance_note
from clearfilters.reporting.published import Published, published
from clearfilters.reporting.published_networks import published_network
from clearfilters.reporting.records import METHODS, Experiment, Records, Sample
from clearfilters.reporting.table import Cell, Column, Row, Table, cell, reads

ANALYSIS = "detection"
UNIT = "AUC, percent"
BASELINES = (("last_layer", "Last convolution"), ("logits", "Logits"), ("pixels", "Pixels"))
FACTS = (
    Column("clean_accuracy", "Accuracy without attack", "fraction"),
    Column("success_rate", "Attack success", "fraction"),
    Column("test_positives", "Adversarial test samples", "images", 0),
    Column("train_positives", "Adversarial training samples", "images", 0),
    Column("linf", "L∞ of the change", "pixel range"),
    Column("l2", "L2 of the change", "pixel range"),
)
MIXED = "all attacks"
HEADS = ("Training", "Attack", "Epochs", "Seeds")
NOTES = (
    "AUC of a random forest that tells adversarial from clean images by the pooled activations of "
    "every convolution; n clean training images per class, with the adversarial twins of those "
    "where the attack succeeded; tested on images of the test split. Mean over repetitions, in "
    "brackets their sample standard deviation (mean over seeds); where n is the whole pool, "
    "repetitions differ in the forest only.",
    "Own twins: the same detectors at the largest n that was measured, tested on the successful "
    "samples and the clean twins of these alone. Attacks succeed more readily on images near a "
    "boundary between classes, so that against all clean images a detector also profits from "
    "telling such images apart.",
    "The attacker does not know the detector: one who did could evade it, so these numbers say "
    "nothing of an adaptive attack.",
    "Attack success: share of correctly classified test images, in brackets its 95 % Wilson "
    "interval (bounds averaged over seeds). It stands beside the accuracy without attack on the "
    "same images, so that a weak network is not taken for a robust one: what it misclassifies "
    "anyway cannot be attacked. Samples: the successful ones, over all attacked images; failed "
    "attacks are counted and left out.",
)
TOGETHER = (
    "Trained on all attacks: on the successful samples of every attack on the network, in either "
    "table of detectors; tested on the row's attack."
)


@reads("detection")
def lsg_table4(records: Records) -> Table:
    """LSG table 4: detectors of strong targeted PGD samples."""
    values = published("LSG", "table4")
    experiments = records.experiments(*METHODS, analysis=ANALYSIS)
    rows, shown = [], set()
    for e in experiments:
        for attack in attacks_of(records, e, "lsg_table4"):
            method = _table4_method(records, e, attack)
            theirs = {int(n): value for (row, n), value in values.items() if row == method}
            shown.add(method)
            rows.append(_row(records, e, "lsg_table4", attack, theirs))
    for method in dict.fromkeys(row for row, _ in values):
        if method not in shown:
            cells = {
                f"auc_{n}": Cell(published=v) for (row, n), v in values.items() if row == method
            }
            rows.append(Row(method, (f"{method} (not run here)", "", "", "0"), cells))
    notes = (
        *_notes(records, experiments, "lsg_table4"),
        TOGETHER,
        "Published values: CIFAR-10 with ResNet20, PGD with ε = 0.3 and 40 iterations; the mean "
        "over five repetitions.",
        *orientation(experiments),
    )
    title = "LSG table 4: detection of adversarial samples"
    sizes = {*sizes_of(records, experiments, "lsg_table4"), *(int(n) for _, n in values)}
    columns = _columns(records, experiments, sorted(sizes))
    return Table("lsg_table4", title, HEADS, columns, rows, notes)


@reads("detection")
def csg_detection(records: Records) -> Table:
    """CSG section 5.2: detectors of FGSM, PGD and CW samples, and of all attacks mixed."""
    experiments = records.experiments(*METHODS, analysis=ANALYSIS)
    rows = []
    for e in experiments:
        attacks = attacks_of(records, e, "csg_detection")
        rows += [_row(records, e, "csg_detection", attack, {}) for attack in attacks]
        if attacks:
            rows.append(_mixed_row(records, e))
    notes = (
        *_notes(records, experiments, "csg_detection"),
        f"{TOGETHER} In the rows `{MIXED}`: tested on all.",
        "Targeted at a random other class is primary; CSG's appendix I says both that and "
        "untargeted.",
        "No published column: CSG's tables are not at hand.",
    )
    title = "CSG section 5.2: detection of adversarial samples, by attack"
    sizes = sizes_of(records, experiments, "csg_detection")
    columns = _columns(records, experiments, sizes)
    return Table("csg_detection", title, HEADS, columns, rows, notes)


def settings(records: Records, e: Experiment) -> dict[str, Any]:
    """The parameters of an experiment's detection: `white_box` and `detection` among them."""
    measurement = next(iter(records.measurements(e, ANALYSIS).values()))
    parameters: dict[str, Any] = measurement.provenance["parameters"]
    return parameters


def attacks_of(records: Records, e: Experiment, table: str) -> list[str]:
    """The attacks of a table, in the order of params.yaml."""
    tables = settings(records, e)["detection"]["tables"]
    return list(tables[table]["attacks"]) if table in tables else []


def sizes_of(records: Records, experiments: Iterable[Experiment], table: str) -> list[int]:
    """The sizes n of a table, ascending, over all experiments."""
    found: set[int] = set()
    for e in experiments:
        tables = settings(records, e)["detection"]["tables"]
        found.update(tables[table]["sizes"] if table in tables else ())
    return sorted(found)


def auc(values: Mapping[str, Any], attack: str, size: int, key: str = "auc") -> list[float] | None:
    """The AUC in [0, 1] of each repetition at a size; None if it was not measured.

    Args:
        values: of a measurement.
        attack: its name.
        size: n.
        key: `auc`, or `auc_own_twins` for the test on the twins of the successful samples alone.
    """
    for detector in values["detectors"].get(attack, ()):
        if detector["size"] == size:
            found: list[float] | None = detector[key]
            return found
    return None


def auc_percent(records: Records, e: Experiment, attack: str, size: int) -> Sample:
    """AUC in percent, mean over repetitions, by seed; seeds without a detector are left out."""

    def percent(values: dict[str, Any]) -> float | None:
        return _percent(auc(values, attack, size))

    return records.sample(e, ANALYSIS, percent)


def _percent(found: list[float] | None) -> float | None:
    return None if found is None else 100 * fmean(found)


def _columns(records: Records, experiments: list[Experiment], sizes: Iterable[int]) -> list[Column]:
    shared = sorted(
        {
            m.values["shared_size"]
            for e in experiments
            for m in records.measurements(e, ANALYSIS).values()
        }
    )
    suffix = f", n = {', '.join(map(str, shared))}" if shared else ""
    return [
        *(Column(f"auc_{n}", f"n = {n}", UNIT, 2) for n in sizes),
        Column("auc_own_twins", "Own twins, largest n", UNIT, 2),
        *FACTS,
        *(Column(f"auc_{key}", f"{name}{suffix}", UNIT, 2) for key, name in BASELINES),
        Column("auc_mixed", f"Trained on all attacks{suffix}", UNIT, 2),
    ]


def _row(
    records: Records, e: Experiment, table: str, attack: str, theirs: Mapping[int, Published]
) -> Row:
    def fact(key: str, split: str = "test") -> Sample:
        return records.sample(e, ANALYSIS, lambda v: v["attacks"][attack][split][key])

    own = {
        size
        for m in records.measurements(e, ANALYSIS).values()
        for size in (detector["size"] for detector in m.values["detectors"][attack])
    }
    cells = {f"auc_{n}": _auc_cell(records, e, attack, n, theirs.get(n)) for n in {*own, *theirs}}
    counted = records.sample(e, ANALYSIS, lambda v: v["attacks"][attack]["test"]["attacked"])
    pooled = records.sample(e, ANALYSIS, lambda v: v["attacks"][attack]["train"]["attacked"])
    cells |= {
        "clean_accuracy": cell(fact("clean_accuracy")),
        "success_rate": cell(fact("success_rate"), None, _interval(records, e, attack)),
        "test_positives": cell(fact("succeeded"), None, _of(counted)),
        "train_positives": cell(fact("succeeded", "train"), None, _of(pooled)),
        "linf": cell(fact("linf")),
        "l2": cell(fact("l2")),
        "auc_own_twins": _own_twins_cell(records, e, table, attack),
    }
    # A mixture of one attack is that attack.
    if len(settings(records, e)["white_box"]) > 1:
        mixed = records.sample(e, ANALYSIS, lambda v: _percent(v["mixed"][attack]))
        cells["auc_mixed"] = cell(mixed)
    for key, _ in BASELINES:
        cells[f"auc_{key}"] = cell(_baseline(records, e, attack, key))
    return Row(f"{e.label} / {attack}", _heads(records, e, attack), cells)


def _mixed_row(records: Records, e: Experiment) -> Row:
    """Detectors trained and tested on all attacks."""
    found = records.sample(e, ANALYSIS, lambda v: _percent(v["mixed"]["all"]))
    return Row(f"{e.label} / {MIXED}", _heads(records, e, MIXED), {"auc_mixed": cell(found)})


def _heads(records: Records, e: Experiment, attack: str) -> tuple[str, ...]:
    return (e.label, attack, str(e.epochs), str(len(records.measurements(e, ANALYSIS))))


def _own_twins_cell(records: Records, e: Experiment, table: str, attack: str) -> Cell:
    """At the largest size of the table that was measured."""
    for size in reversed(sizes_of(records, [e], table)):

        def percent(values: dict[str, Any], size: int = size) -> float | None:
            return _percent(auc(values, attack, size, "auc_own_twins"))

        if found := records.sample(e, ANALYSIS, percent):
            return cell(found, None, f"[n = {size}]")
    return Cell()


def _auc_cell(
    records: Records, e: Experiment, attack: str, size: int, theirs: Published | None
) -> Cell:
    def spread(values: dict[str, Any]) -> float | None:
        found = auc(values, attack, size)
        return None if found is None or len(found) < 2 else 100 * stdev(found)

    spreads = records.sample(e, ANALYSIS, spread)
    remark = f"[± {fmean(spreads.values()):.2f}]" if spreads else ""
    return cell(auc_percent(records, e, attack, size), theirs, remark)


def _baseline(records: Records, e: Experiment, attack: str, key: str) -> Sample:
    return records.sample(e, ANALYSIS, lambda v: _percent(v["baselines"][attack][key]))


def _interval(records: Records, e: Experiment, attack: str) -> str:
    bounds = [
        m.values["attacks"][attack]["test"]["interval"]
        for m in records.measurements(e, ANALYSIS).values()
    ]
    bounds = [pair for pair in bounds if pair is not None]
    if not bounds:
        return ""
    low, high = (fmean(side) for side in zip(*bounds, strict=True))
    return f"[{low:.3f} to {high:.3f}]"


def _of(counts: Sample) -> str:
    return f"of {fmean(counts.values()):.0f}"


def _table4_method(records: Records, e: Experiment, attack: str) -> str | None:
    """The published row that stands beside an experiment and attack."""
    parameters = settings(records, e)["white_box"][attack]
    if (parameters["method"], parameters["targeted"]) != ("pgd", True):
        return None
    comparable = e.role in ("std", "lsg") and published_network(records, e) == "ResNet20"
    return e.role.upper() if comparable else None


def _notes(records: Records, experiments: list[Experiment], table: str) -> list[str]:
    notes = [provenance_note(records, experiments), TIMES, *NOTES]
    attacks = {
        attack: settings(records, e)["white_box"][attack]
        for e in experiments
        for attack in attacks_of(records, e, table)
    }
    if attacks:
        described = (f"{name} ({_described(p)})" for name, p in attacks.items())
        notes.append(f"Attacks: {'; '.join(described)}.")
    trees = sorted({int(settings(records, e)["detection"]["trees"]) for e in experiments})
    if trees:
        notes.append(f"Trees of a forest: {', '.join(map(str, trees))}.")
    missing = [
        f"{e.label}, seed {seed}, {attack}, n = {detector['size']} ({detector['reason']})"
        for e in experiments
        for seed, m in records.measurements(e, ANALYSIS).items()
        for attack in attacks_of(records, e, table)
        for detector in m.values["detectors"][attack]
        if detector["auc"] is None
    ]
    if missing:
        notes.append(f"Not measured: {'; '.join(missing)}.")
    return notes


def _described(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in parameters.items())
