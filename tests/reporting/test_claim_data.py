"""The files of claims: valid, what runs each is true, mistakes are named; and what noise is."""

import warnings
from functools import cache
from typing import Any, get_args

import pytest
import yaml
from recorded_numbers import ROOT, analysis_of
from scipy.stats import ttest_1samp, ttest_ind
from snakemake.utils import update_config

from clearfilters.errors import ClearfiltersError
from clearfilters.reporting.claims.cases import GATHER
from clearfilters.reporting.claims.comparisons import COMPARISONS
from clearfilters.reporting.claims.noise import (
    BEYOND,
    NO_SPREAD,
    ONE_SEED,
    WITHIN,
    deciding,
    difference_of,
)
from clearfilters.reporting.claims.schema import (
    CLAIM_FILES,
    Cases,
    Claim,
    Paper,
    check_ids,
    papers,
    read_paper,
)
from clearfilters.reporting.claims.verdict import Evidence
from clearfilters.workflow import Plan

FOLDER = ROOT / "src/clearfilters/reporting/claims"
CLAIMS = {claim.id: claim for paper in papers() for claim in paper.claims}


@cache
def plan(*presets: str) -> Plan:
    config: dict[str, Any] = {}
    for path in ("params.yaml", *(f"workflow/presets/{name}.yaml" for name in presets)):
        update_config(config, yaml.safe_load((ROOT / path).read_text(encoding="utf-8")))
    return Plan(config)


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_every_file_is_read_and_every_id_is_unique() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} == set(CLAIM_FILES)
    contents = [yaml.safe_load(text(name)) for name in CLAIM_FILES]
    assert [paper.paper for paper in papers()] == [content["paper"] for content in contents]
    ids = [claim["id"] for content in contents for claim in content["claims"]]
    assert ids == list(CLAIMS) and len(set(ids)) == len(ids)
    assert set(get_args(Cases)) == GATHER.keys()


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_what_would_run_a_claim_would_run_it(claim: Claim) -> None:
    found = plan(*claim.to_run.presets)
    experiments, wanted = found.params.experiments, claim.to_run.experiments
    assert set(wanted) <= set(found.params.run.experiments)
    roles = {experiments[name].role for name in wanted}
    assert roles & set(claim.subjects)
    assert claim.partner is None or claim.partner in roles
    analysis = analysis_of(claim.quantity)
    recorded = found.index(analysis)["experiments"]
    subjects = [name for name in wanted if experiments[name].role in claim.subjects]
    for name in subjects:
        assert all(analysis in seed for seed in recorded[name]["seeds"].values()), name
    for network in claim.networks:
        models = [experiments[name].model or experiments[experiments[name].performer or ""].model
                  for name in subjects]  # fmt: skip
        assert any(model is not None and model.name.startswith(network) for model in models)


def changed(key: str, value: Any) -> str:
    """icnn.yaml with another value for a key of its first claim."""
    content = yaml.safe_load(text("icnn.yaml"))
    content["claims"][0][key] = value
    return yaml.safe_dump(content)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("quantity", "instabilty", ["claims.0.quantity", "instabilty", "cells_apart"]),
        ("comparison", "lower", ["claims.0.comparison", "lower", "at_most_times"]),
        ("comparison", "at_most_times", ["at_most_times needs a margin"]),
        ("margin", "part_accuracy_margin", ["below has no margin"]),
        ("margin", "accuracy", ["claims.0.margin", "accuracy", "leakage_margin"]),
        ("bound", "sparse", ["claims.0.bound", "sparse_density"]),
        ("subjects", ["interpretible"], ["interpretible", "no such role", "masks-only"]),
        ("subjects", [], ["claims.0.subjects"]),
        ("partner", None, ["instability is compared with a partner's"]),
        ("matched_by", "luck", ["luck", "number_of_filters"]),
        ("only", ["dogs"], ["dogs", "one_category"]),
        ("baselines", ["chance"], ["chance", "constant unit"]),
        ("right", {"state": "asleep"}, ["claims.0.right.state", "untrained"]),
        ("rule", "≤ {part_margin:g}", ["rule: nothing is called {part_margin}"]),
        ("note", "{eta} {partner[p]} {q}", ["note: nothing is called {q}"]),
        ("to_run", {"presets": ["parts"], "experiments": []}, ["claims.0.to_run.experiments"]),
        ("verdict", "reproduced", ["claims.0.verdict"]),
        ("cases", "best_setting", ["baselines has no effect with cases: best_setting"]),
    ],
)
def test_a_mistake_is_named(key: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ClearfiltersError) as error:
        read_paper(changed(key, value), "icnn.yaml")
    for word in ("claims/icnn.yaml (icnn_location_one)", *words):
        assert word in str(error.value)


def test_a_claim_without_what_would_run_it_is_refused() -> None:
    content = yaml.safe_load(text("icnn.yaml"))
    del content["claims"][2]["to_run"]
    with pytest.raises(ClearfiltersError, match=r"icnn_parts_one\): claims.2.to_run"):
        read_paper(yaml.safe_dump(content), "icnn.yaml")
    with pytest.raises(ClearfiltersError, match="not valid YAML"):
        read_paper("claims: [", "icnn.yaml")


def test_one_id_twice_is_refused() -> None:
    first = papers()[0]
    again = Paper(paper="ours", claims=[first.claims[3]])
    with pytest.raises(ClearfiltersError, match="`lsg_table1_density` stands both under LSG and"):
        check_ids([first, again])


def evidence(
    left: list[float], right: list[float] | float, comparison: str, margin: float = 0.0
) -> Evidence:
    ours = dict(enumerate(left))
    theirs = right if isinstance(right, float) else dict(enumerate(right))
    return Evidence("left", ours, "right", theirs, comparison, margin)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([0.91, 0.93, 0.92], [0.88, 0.90]),
        ([0.91, 0.94], [0.93, 0.91, 0.90, 0.92]),
        ([0.1, 0.2], [0.4, 0.4]),
        ([0.91, 0.93, 0.92], 0.9),
        ([0.1, 0.3], 0.25),
    ],
)
def test_the_interval_is_that_of_the_tests_of_scipy(left: list[float], right: Any) -> None:
    found = difference_of(evidence(left, right, "above"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(right, float):
            known = ttest_1samp([x - right for x in left], 0.0)
        else:
            known = ttest_ind(left, right, equal_var=False)
    expected = known.confidence_interval()
    assert (found.low, found.high) == (
        pytest.approx(expected.low),
        pytest.approx(expected.high),
    )
    assert (found.noise == BEYOND) == (known.pvalue < 0.05)


def test_one_seed_tells_nothing_of_noise() -> None:
    for left, right in (([0.9], [0.8, 0.7]), ([0.9, 0.8], [0.7]), ([0.9], 0.5)):
        found = difference_of(evidence(left, right, "above"))
        assert (found.low, found.high, found.noise) == (None, None, ONE_SEED)


@pytest.mark.parametrize("right", [[0.1, 0.1], 0.2])
def test_without_spread_there_is_no_interval(right: Any) -> None:
    found = difference_of(evidence([0.1, 0.1], right, "below"))
    assert (found.low, found.high, found.noise) == (None, None, NO_SPREAD)
    assert found.mean == pytest.approx(-0.1 if right == 0.2 else 0)


def test_what_decides_is_what_fails_or_else_the_least_certain() -> None:
    sure, near = evidence([0.7, 0.71], 0.5, "above"), evidence([0.6, 0.9], 0.5, "above")
    fails, too = evidence([0.4, 0.41], 0.5, "above"), evidence([0.4, 0.9], 0.5, "above")
    once, flat = evidence([0.7], 0.5, "above"), evidence([0.7, 0.7], 0.5, "above")
    for conditions, expected in (
        ([sure, near, fails, too], fails),
        ([too, fails], too),
        ([sure, flat, once, near], near),
        ([sure, flat, once], once),
        ([sure, flat], flat),
    ):
        assert deciding(conditions) is expected
    assert deciding([sure, evidence([0.8, 0.81], 0.5, "above")]) is sure


@pytest.mark.parametrize(
    ("comparison", "right", "margin", "noise"),
    [
        # The left is 0.90 to 0.92, 0.91 ± 0.025.
        ("below_by_at_most_points", 0.915, 0.0, WITHIN),
        ("below_by_at_most_points", 0.915, 5.0, BEYOND),
        ("below_by_at_most_points", 0.97, 5.0, WITHIN),
        ("above_by_more_than", 0.5, 0.4, WITHIN),
        ("above_by_more_than", 0.5, 0.3, BEYOND),
        ("above_by_at_most", 0.9, 0.05, BEYOND),
        ("at_most_times", 1.8, 0.5, WITHIN),
        ("at_most_times", 1.8, 0.6, BEYOND),
        ("apart_by_at_most", 0.915, 0.05, BEYOND),
        ("apart_by_at_most", 0.96, 0.05, WITHIN),
        ("apart_by_at_most", 0.86, 0.05, WITHIN),
        ("apart_by_at_most", 0.70, 0.05, BEYOND),
    ],
)
def test_noise_is_about_where_the_verdict_would_change(
    comparison: str, right: float, margin: float, noise: str
) -> None:
    for theirs in (right, [right, right, right]):
        found = difference_of(evidence([0.90, 0.91, 0.92], theirs, comparison, margin))
        assert found.noise == noise
        assert found.mean == pytest.approx(0.91 - right)
    assert COMPARISONS[comparison].has_margin
