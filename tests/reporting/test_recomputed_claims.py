"""Each line of the committed claims.csv, computed again from the committed metrics.

Nothing of the package is used: what a comparison and a verdict is stands here a second time, and
what a quantity is in recorded_numbers.py.
"""

import csv
import operator
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise, product
from statistics import fmean, stdev
from typing import Any

import pytest
import yaml
from recorded_numbers import (
    NO_NETWORK,
    ROOT,
    RUNS,
    Sample,
    any_parameters,
    experiments,
    labelled,
    measured,
    params,
    partner,
    ran,
    rank_correlation,
    sample,
    smallest_auc_difference,
)
from scipy.stats import ttest_1samp, ttest_ind

FOLDER = ROOT / "src/clearfilters/reporting/claims"
RECORDS: dict[str, dict[str, Any]] = {
    claim["id"]: claim
    for path in sorted(FOLDER.glob("*.yaml"))
    for claim in yaml.safe_load(path.read_text(encoding="utf-8"))["claims"]
}
Line = dict[str, str]


@cache
def lines(run: str) -> list[Line]:
    path = ROOT / "results" / run / "claims.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# What a verdict is.

HOLDS: dict[str, Callable[[float, float, float], bool]] = {
    "below": lambda a, b, m: a < b,
    "above": lambda a, b, m: a > b,
    "at_most": lambda a, b, m: a <= b,
    "at_least": lambda a, b, m: a >= b,
    "above_by_more_than": lambda a, b, m: a > b + m,
    "above_by_at_most": lambda a, b, m: a <= b + m,
    "below_by_at_most_points": lambda a, b, m: a >= b - m / 100,
    "at_most_times": lambda a, b, m: a <= m * b,
    "apart_by_at_most": lambda a, b, m: abs(a - b) <= m,
}
SHIFTED = {"above_by_more_than": 1.0, "above_by_at_most": 1.0, "below_by_at_most_points": -0.01}
Sides = tuple[Sample, Sample | float]


def six(number: float) -> float:
    return float(f"{number:.6g}")


def mean(side: Sample | float) -> float:
    return fmean(side.values()) if isinstance(side, dict) else side


def holds(sides: Sides, comparison: str, margin: float) -> bool:
    left, right = sides
    compare = HOLDS[comparison]
    pairs = [(mean(left), mean(right))]
    if not isinstance(right, dict):
        pairs += [(value, right) for value in left.values()]
    elif shared := left.keys() & right.keys():
        pairs += [(left[seed], right[seed]) for seed in shared]
    else:
        pairs += list(product(left.values(), right.values()))
    return all(compare(six(a), six(b), margin) for a, b in pairs)


def margin_of(run: str, condition: dict[str, Any]) -> float:
    return float(params(run)["claims"][condition["margin"]]) if "margin" in condition else 0.0


def bound_of(run: str, condition: dict[str, Any], subject: str) -> float | None:
    bound = condition.get("bound")
    if bound in params(run)["claims"]:
        return float(params(run)["claims"][bound])
    if isinstance(bound, str):
        return next(iter(sample(run, subject, bound).values()))
    return None if bound is None else float(bound)


def met(run: str, condition: dict[str, Any], subject: str, other: str | None) -> bool | None:
    """Whether a condition of the subject and its partner holds; None where a number is missing."""
    sides = asked_of(run, condition, subject, other)
    if sides is None:
        return None
    return holds(sides, condition["comparison"], margin_of(run, condition))


def asked_of(run: str, condition: dict[str, Any], subject: str, other: str | None) -> Sides | None:
    """Both sides of a condition; None where a number is missing."""
    left = sample(run, subject, condition["quantity"])
    right: Sample | float | None = bound_of(run, condition, subject)
    if right is None:
        side = condition.get("right", {"of": "partner"})
        owner = other if side.get("of") == "partner" else subject
        right = {} if owner is None else sample(
            run, owner, condition["quantity"], side.get("state", "trained")
        )  # fmt: skip
    return None if not left or right == {} else (left, right)


# What stands on both sides of a line.


def side_of(run: str, claim: dict[str, Any], key: str, line: Line, subject: str | None) -> Sample:
    side, label = claim.get(key, {}), line[key]
    quantity, state = side.get("quantity", claim["quantity"]), side.get("state", "trained")
    if side.get("over"):
        ours, theirs = (
            sample(run, labelled(run, part), quantity) for part in label.split(" over ")
        )
        return {seed: ours[seed] / theirs[seed] for seed in ours.keys() & theirs.keys()}
    if side.get("label") or state == "best_without_network":
        assert subject is not None
        if state == "best_without_network":
            totals = {n: sample(run, subject, quantity, s) for n, s in NO_NETWORK.items()}
            assert label == max(totals, key=lambda n: next(iter(totals[n].values())))
        else:
            assert label == side["label"]
        return sample(run, subject, quantity, state)
    if side.get("name"):
        assert label.endswith(f", {side['name']}")
        label = label.removesuffix(f", {side['name']}")
    return sample(run, labelled(run, label), quantity, state)


def sides_of(run: str, claim: dict[str, Any], line: Line) -> tuple[str, Sides]:
    """The experiment that the numbers are of, and the numbers."""
    parts = line["id"].split(":")
    if claim.get("cases") == "each_attack":
        ours, std = (labelled(run, part) for part in line["left"].split(" - "))
        table = claim["quantity"].removeprefix("auc_difference_of_")
        assert ours == parts[1]
        return ours, (smallest_auc_difference(run, table, parts[2], ours, std), 0.0)
    if claim.get("cases") == "pairs_of_eta":
        one, other = map(float, parts[2].split("-"))
        bound = bound_of(run, claim, "")
        assert bound is not None
        return parts[1], (rank_correlation(run, one, other), bound)
    named = claim.get("left", {}).get("name")
    left_label = line["left"].removesuffix(f", {named}") if named else line["left"]
    subject = parts[1] if "cases" not in claim else labelled(run, left_label)
    left = side_of(run, claim, "left", line, subject)
    right: Sample | float | None = bound_of(run, claim, subject)
    if right is None:
        right = side_of(run, claim, "right", line, subject)
    else:
        assert line["right"] == "bound"
    if claim.get("seeds") == "shared" and isinstance(right, dict):
        both = left.keys() & right.keys()
        left = {seed: left[seed] for seed in both}
        right = {seed: right[seed] for seed in both}
    return subject, (left, right)


# What a line says.


def check(run: str, line: Line) -> None:
    """Every number and the verdict of a line."""
    claim = RECORDS[line["id"].split(":")[0]]
    if line["verdict"] == "not run":
        numbers = ("left_mean", "right_mean", "difference", "ci_low", "ci_high", "noise")
        assert not any(line[name] for name in numbers)
        preset = " laid over ".join(reversed(claim["to_run"]["presets"]))
        assert line["to_run"] == f"preset {preset}: {', '.join(claim['to_run']['experiments'])}"
        return
    assert line["to_run"] == ""
    subject, sides = sides_of(run, claim, line)
    for key, side in zip(("left", "right"), sides, strict=True):
        values = list(side.values()) if isinstance(side, dict) else []
        spread = f"{stdev(values):.6g}" if len(values) > 1 else ""
        same(line[f"{key}_mean"], mean(side))
        same(line[f"{key}_std"], float(spread) if spread else None)
        assert line[f"{key}_seeds"] == (str(len(values)) if values else "")
    check_noise(line, conditions_of(run, claim, subject, sides))
    assert line["verdict"] == verdict(run, claim, line, subject, sides)


def same(text: str, number: float | None) -> None:
    if number is None:
        assert text == ""
    else:
        assert float(text) == pytest.approx(number, rel=2e-5, abs=1e-12)


# Sides, a comparison and its margin.
Asked = tuple[Sides, str, float]
# What is not certain comes first.
NOISE = (
    "within noise",
    "one seed: noise unknown",
    "no spread over seeds: noise unknown",
    "beyond noise",
)


def conditions_of(run: str, claim: dict[str, Any], subject: str, sides: Sides) -> list[Asked]:
    """All that must hold, the claim's own first."""
    if claim.get("cases") == "steps_of_eta":
        points = points_of(run, claim, subject)
        steps = [(b, a) for a, b in pairwise(points)]
        return [(one, "above", 0.0) for one in (sides, *steps)]
    found = [(sides, claim["comparison"], margin_of(run, claim))]
    for condition in claim.get("also", []):
        other = partner(run, subject, claim["partner"]) if "partner" in claim else None
        asked = asked_of(run, condition, subject, other)
        assert asked is not None
        found.append((asked, condition["comparison"], margin_of(run, condition)))
    return found


def check_noise(line: Line, conditions: list[Asked]) -> None:
    """The difference is of what fails, else of the least certain; the note says so."""
    failing = [one for one in conditions if not holds(*one)]
    certainty = [NOISE.index(noise_of(*one)[0]) for one in conditions]
    decides = failing[0] if failing else conditions[certainty.index(min(certainty))]
    assert ("difference and noise: " in line["note"]) == (decides is not conditions[0])
    (left, right), *_ = decides
    same(line["difference"], mean(left) - mean(right))
    noise, low, high = noise_of(*decides)
    same(line["ci_low"], low)
    same(line["ci_high"], high)
    assert line["noise"] == noise


def noise_of(
    sides: Sides, comparison: str, margin: float
) -> tuple[str, float | None, float | None]:
    """What it is called, and the ends of the interval."""
    left, right = sides
    if len(left) < 2 or (isinstance(right, dict) and len(right) < 2):
        return "one seed: noise unknown", None, None
    theirs = list(right.values()) if isinstance(right, dict) else [right]
    if len({six(x) for x in left.values()}) == len({six(x) for x in theirs}) == 1:
        return "no spread over seeds: noise unknown", None, None
    ends = interval(left, right)
    sign = 1.0 if mean(left) >= mean(right) else -1.0
    shift = SHIFTED.get(comparison, sign if comparison == "apart_by_at_most" else 0.0) * margin
    factor = margin if comparison == "at_most_times" else 1.0
    limit: Sample | float
    if isinstance(right, dict):
        limit = {seed: factor * number + shift for seed, number in right.items()}
    else:
        limit = right + shift
    low, high = interval(left, limit)
    return ("within noise" if low <= 0 <= high else "beyond noise"), *ends


def interval(left: Sample, right: Sample | float) -> tuple[float, float]:
    """95 % of the difference, by the tests of SciPy."""
    ours = [six(value) for value in left.values()]
    theirs = [six(value) for value in right.values()] if isinstance(right, dict) else [right]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a side without spread
        if isinstance(right, dict):
            found = ttest_ind(ours, theirs, equal_var=False).confidence_interval()
        else:
            found = ttest_1samp([x - right for x in ours], 0.0).confidence_interval()
    return float(found.low), float(found.high)


def verdict(run: str, claim: dict[str, Any], line: Line, subject: str, sides: Sides) -> str:
    if "impossible" in claim:
        classes = measured(run, "classification", subject)[min(sides[0])]["values"]["classes"]
        if margin_of(run, claim) * mean(sides[1]) < 1 / len(classes):
            return "cannot hold here"
    held = holds(sides, claim["comparison"], margin_of(run, claim))
    if "setting" in claim.get("cases", ""):
        # Whatever is shown, some setting meets everything or none does.
        held = any(all_met(run, claim, line, e) for e in experiments(run, *claim["subjects"]))
        assert not held or all_met(run, claim, line, subject)
    elif claim.get("cases") == "steps_of_eta":
        held = rises(run, claim, line["id"].split(":")[1])
    elif claim.get("cases", "").startswith("least_weight"):
        lighter = [e for e in beside(run, claim, line) if weight(run, e) < weight(run, subject)]
        assert not any(met(run, claim, e, None) for e in lighter)
    else:
        held = held and all(met(run, one, subject, None) for one in claim.get("also", []))
    if "given" in claim:
        assert met_on_means(run, claim["given"], subject, partner(run, subject, claim["partner"]))
    as_well = dict(trivial(run, claim, subject, sides)) if held else {}
    asked = held and any(baseline_samples(run, claim, subject).values())
    text = ", ".join(f"{name} {number:g}" for name, number in as_well.items())
    assert line["as_well_without_training"] == (text or ("no" if asked else ""))
    if as_well.keys() - {"masks only"}:
        return "reproduced, and without training too"
    return "reproduced" if held else "not reproduced"


def all_met(run: str, claim: dict[str, Any], line: Line, experiment: str) -> bool:
    if not ran(run, experiment):
        return False
    other = partner(run, experiment, claim["partner"])
    if "beside" in claim["cases"] and other != line["id"].split(":")[1]:
        return False
    conditions = [claim, *claim.get("also", [])]
    return all(bool(met(run, condition, experiment, other)) for condition in conditions)


def beside(run: str, claim: dict[str, Any], line: Line) -> list[str]:
    found = [e for e in experiments(run, *claim["subjects"]) if measured(run, "part_location", e)]
    return [e for e in found if partner(run, e, "ordinary") == line["id"].split(":")[1]]


def weight(run: str, experiment: str) -> float:
    return float(any_parameters(run, experiment)["method"]["weight"])


def rises(run: str, claim: dict[str, Any], explainer: str) -> bool:
    ascending = points_of(run, claim, explainer)
    return all(holds((b, a), "above", 0.0) for a, b in pairwise(ascending))


def points_of(run: str, claim: dict[str, Any], explainer: str) -> list[Sample]:
    """By ascending eta."""
    every = params(run)["experiments"]
    performer = every[explainer]["performer"]
    points = {
        float(any_parameters(run, e)["method"]["eta"]): sample(run, e, claim["quantity"])
        for e in experiments(run, "explainer", "explainer-eta")
        if every[e]["performer"] == performer and measured(run, "explanation", e)
    }
    return [points[eta] for eta in sorted(points)]


def met_on_means(run: str, given: dict[str, Any], subject: str, other: str | None) -> bool:
    assert other is not None and given["comparison"] == "below"
    ours, theirs = (mean(sample(run, e, given["quantity"])) for e in (subject, other))
    return operator.lt(six(ours), six(theirs))


def baseline_samples(run: str, claim: dict[str, Any], subject: str) -> dict[str, Sample]:
    found = {}
    for name in claim.get("baselines", []):
        if name == "masks only":
            masks = partner(run, subject, "masks-only")
            found[name] = {} if masks is None else sample(run, masks, claim["quantity"])
        else:
            state = NO_NETWORK.get(name, name.removesuffix(" unit"))
            found[name] = sample(run, subject, claim["quantity"], state)
    return found


def trivial(
    run: str, claim: dict[str, Any], subject: str, sides: Sides
) -> Iterator[tuple[str, float]]:
    for name, found in baseline_samples(run, claim, subject).items():
        if found and holds((found, sides[1]), claim["comparison"], margin_of(run, claim)):
            yield name, six(mean(found))


@pytest.mark.parametrize("name", RECORDS)
def test_each_claim_is_recomputed(name: str) -> None:
    for run in RUNS:
        about = [line for line in lines(run) if line["id"].split(":")[0] == name]
        assert about, f"{run}: no line"
        for line in about:
            check(run, line)


def test_every_line_is_of_a_claim() -> None:
    for run in RUNS:
        assert {line["id"].split(":")[0] for line in lines(run)} <= RECORDS.keys()


@pytest.mark.parametrize(
    ("run", "name", "column", "value"),
    [
        ("cifar10", "lsg_table1_accuracy:resnet20-lsg", "verdict", "reproduced"),
        ("cifar10", "lsg_table1_accuracy:resnet20-lsg", "left_mean", "0.8671"),
        ("cifar10", "lsg_table1_accuracy:resnet20-lsg", "ci_low", "-0.02"),
        ("cifar10", "lsg_table1_accuracy:resnet20-lsg", "right", "ResNet20 CSG"),
        ("cifar10", "lsg_table1_density:resnet20-lsg", "verdict", "not reproduced"),
        ("cifar10", "ours_sparse_accurate", "verdict", "not reproduced"),
        ("cifar10", "csg_detection_auc:resnet20-csg:fgsm", "left_mean", "0.5207"),
        ("voc", "lsg_table3_cam_iou:efficientnet-lsg", "noise", "one seed: noise unknown"),
        ("voc", "lsg_table3_one_filter_iou:efficientnet-lsg", "as_well_without_training", ""),
        ("parts", "icnn_location_one:dog-interpretable", "verdict", "reproduced"),
        ("parts", "ours_part_best_of_both:cat-ordinary", "verdict", "reproduced"),
        ("parts", "ours_explainer_p_order:dog-explainer:10-100", "left_mean", "0.5"),
        ("parts", "lsg_table1_phi", "verdict", "reproduced"),
        ("parts", "lsg_table1_phi", "to_run", ""),
    ],
)
def test_a_line_that_was_changed_is_noticed(run: str, name: str, column: str, value: str) -> None:
    line = next(line for line in lines(run) if line["id"] == name)
    check(run, line)
    with pytest.raises(AssertionError):
        check(run, {**line, column: value})
