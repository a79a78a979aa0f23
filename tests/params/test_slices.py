"""Experiments into jobs, and what each slice depends on."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from dotted import set_key

from clearfilters.artifacts import parameters_hash
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.methods import GateParams
from clearfilters.params.slices import (
    TrainingSlice,
    analyses_of,
    features_slice,
    measurement_slice,
    training_slice,
)
from clearfilters.params.training import TrainingParams

Content = dict[str, Any]

# Read off the registry's groups by hand.
FEATURE_ANALYSES = (
    "classification", "phi", "mis", "mis_floor", "gate_statistics", "leakage", "correlation",
    "masking", "similarity", "clustering",
)  # fmt: skip
GATE_ANALYSES = ("gate_statistics", "leakage", "masking", "similarity", "clustering")
ATTACK_ANALYSES = ("detection", "one_pixel", "local_search")
# Their heads are not linear, and the rendered ILSVRC images have landmarks only.
PART_ANALYSES = ("part_location",)
EXPLAINER_ANALYSES = ("explanation", "part_contributions")
OBJECT_ANALYSES = ("classification", "phi", "mis", "mis_floor", "leakage", "localization")
TRADEOFF_ANALYSES = ("classification", "phi", "leakage")
ANALYSES = (*FEATURE_ANALYSES, "localization", *ATTACK_ANALYSES)


def _hashes(content: Content, slice_of: Callable[..., Content], *rest: str) -> dict[Any, str]:
    params = load_params(content)
    return {
        (job.experiment, job.seed): parameters_hash(slice_of(params, job, *rest))
        for job in jobs(params)
        if not rest or rest[0] in analyses_of(params, job)
    }


def _changed(before: dict[Any, str], after: dict[Any, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {key[0] for key in before if before[key] != after[key]}


def test_jobs_are_experiments_times_seeds_and_the_grid(default_params: Content) -> None:
    default_params["run"]["seeds"] = [0, 1, 2]
    default_params["run"]["experiments"] = ["resnet20-std", "alexnet-std"]
    default_params["experiments"]["alexnet-std"]["seeds"] = [7]
    default_params["attacks"]["experiments"] = []
    default_params["run"]["localized"] = []
    default_params["run"]["tradeoff"] |= {"lambdas": [0.1, 1.0], "a": [0.02], "seeds": [0]}
    default_params["run"]["tradeoff"]["training"] = {"epochs": 4}
    found = jobs(load_params(default_params))
    assert [(job.experiment, job.seed) for job in found] == [
        ("resnet20-std", 0),
        ("resnet20-std", 1),
        ("resnet20-std", 2),
        ("alexnet-std", 7),
        ("tradeoff/lambda0.1-a0.02", 0),
        ("tradeoff/lambda1-a0.02", 0),
    ]
    assert [job.training.epochs for job in found[-2:]] == [4, 4]
    objectives = [
        job.method.objective.model_dump(by_alias=True)
        for job in found[-2:]
        if isinstance(job.method, GateParams)
    ]
    assert [(objective["lambda"], objective["a"]) for objective in objectives] == [
        (0.1, 0.02),
        (1.0, 0.02),
    ]


def test_an_override_changes_only_its_keys(default_params: Content) -> None:
    override = {"lr": 0.5, "schedule": {"warmup_epochs": 2}}
    default_params["experiments"]["resnet20-std"]["training"] = override
    params = load_params(default_params)
    job = next(job for job in jobs(params) if job.experiment == "resnet20-std")
    expected = copy.deepcopy(default_params["training"])
    expected["lr"] = 0.5
    expected["schedule"]["warmup_epochs"] = 2
    assert job.training == TrainingParams.model_validate(expected)


def test_an_experiment_may_have_a_border_of_its_own(default_params: Content) -> None:
    default_params["training"]["crop_border"] = "reflect"
    default_params["experiments"]["resnet20-std"]["training"] = {"crop_border": "black"}
    borders = {
        job.experiment: job.training.crop_border for job in jobs(load_params(default_params))
    }
    assert borders.pop("resnet20-std") == "black"
    assert set(borders.values()) == {"reflect"}


def test_a_learning_rate_changes_the_slices_of_its_experiment_only(default_params: Content) -> None:
    changed = copy.deepcopy(default_params)
    changed["experiments"]["alexnet-std"]["training"] = {"lr": 0.03}
    for slice_of in (training_slice, features_slice):
        before, after = _hashes(default_params, slice_of), _hashes(changed, slice_of)
        assert _changed(before, after) == {"alexnet-std"}


def test_the_tightening_threshold_changes_only_what_uses_it(default_params: Content) -> None:
    changed = copy.deepcopy(default_params)
    changed["analysis"]["gate_statistics"]["threshold"] = 0.6
    assert _hashes(default_params, training_slice) == _hashes(changed, training_slice)
    assert _hashes(default_params, features_slice) == _hashes(changed, features_slice)
    users = {
        analysis
        for analysis in ANALYSES
        if _hashes(default_params, measurement_slice, analysis)
        != _hashes(changed, measurement_slice, analysis)
    }
    assert users == {"gate_statistics"}


def test_phi_shapes_the_measurements_that_use_its_gate(default_params: Content) -> None:
    changed = copy.deepcopy(default_params)
    changed["analysis"]["phi"]["max_iterations"] = 7
    users = {
        analysis
        for analysis in ANALYSES
        if _hashes(default_params, measurement_slice, analysis)
        != _hashes(changed, measurement_slice, analysis)
    }
    assert users == {"phi", *GATE_ANALYSES}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("raw.root", "/elsewhere"),
        ("raw.download", False),
        ("run.name", "other"),
        ("claims.sparse_density", 0.3),
        ("datasets.cifar10.verify", False),  # not this run's data set
        ("experiments.resnet20-std.label", "ResNet20, ungated"),
    ],
)
def test_what_shapes_no_result_is_in_no_slice(
    default_params: Content, key: str, value: Any
) -> None:
    changed = copy.deepcopy(default_params)
    set_key(changed, key, value)
    assert _hashes(default_params, features_slice) == _hashes(changed, features_slice)
    for analysis in ANALYSES:
        assert _hashes(default_params, measurement_slice, analysis) == _hashes(
            changed, measurement_slice, analysis
        )


def test_a_data_set_shapes_the_slices_of_what_is_trained_on_it(default_params: Content) -> None:
    changed = copy.deepcopy(default_params)
    changed["datasets"]["digits"]["split_seed"] = 1
    before, after = _hashes(default_params, training_slice), _hashes(changed, training_slice)
    on_others = {key[0] for key in before if key[0].startswith(("animals-", "rendered-"))}
    assert len(on_others) == 9
    assert _changed(before, after) == {key[0] for key in before} - on_others


def test_no_two_jobs_share_a_training_slice(default_params: Content) -> None:
    default_params["run"]["tradeoff"] = None
    hashes = _hashes(default_params, training_slice)
    assert len(set(hashes.values())) == len(hashes)


def test_the_tradeoff_takes_fewer_measurements(default_params: Content) -> None:
    default_params["run"]["mis_floors"] = None
    params = load_params(default_params)
    for job in jobs(params):
        if job.role == "tradeoff":
            assert analyses_of(params, job) == TRADEOFF_ANALYSES
        elif job.dataset == "animals":
            assert analyses_of(params, job) == OBJECT_ANALYSES
        elif job.model.top is not None:
            pictured = job.experiment in default_params["run"]["pictured"]
            pictures = ("part_pictures",) if pictured else ()
            own: tuple[str, ...] = ()
            if job.performer is not None:
                own = (*EXPLAINER_ANALYSES, *(["explainer_pictures"] if pictured else []))
            assert analyses_of(params, job) == (*PART_ANALYSES, *pictures, *own)
        elif job.experiment in default_params["attacks"]["experiments"] and job.seed == 0:
            assert analyses_of(params, job) == (*FEATURE_ANALYSES, *ATTACK_ANALYSES)
        else:
            assert analyses_of(params, job) == FEATURE_ANALYSES


def test_a_run_may_leave_out_floors_and_its_other_measurements_stay_current(
    default_params: Content,
) -> None:
    """A run that is older than the floor and whose weights are lost is shown all the same."""
    default_params["run"]["mis_floors"] = None
    before = load_params(default_params)
    default_params["run"]["mis_floors"] = ["resnet20-std"]
    after = load_params(default_params)
    for job in jobs(after):
        lost = set(analyses_of(before, job)) - set(analyses_of(after, job))
        own = (
            job.experiment == "resnet20-std" or job.role == "tradeoff" or job.model.top is not None
        )
        assert lost == (set() if own else {"mis_floor"})
        for analysis in analyses_of(after, job):
            assert measurement_slice(before, job, analysis) == measurement_slice(
                after, job, analysis
            )


# Of make_slice() and of make_slice(method=gate_block()), before later keys.
OLD_HASHES = (
    "de93e04087712d5e13fb731042e609808e0479424994ece4981c659acd6c7aa0",
    "9b8e56effdca596d8a4f8e7f068899a9bd36493078e518badb9a7f9ef8bfd214",
)


def test_later_keys_leave_the_hashes_of_older_trainings_alone(
    make_slice: Callable[..., TrainingSlice], gate_block: Callable[..., Content]
) -> None:
    """Checkpoints are known by these hashes: a new one would have every network trained again."""
    slices = make_slice(), make_slice(method=gate_block())
    for slice_, expected in zip(slices, OLD_HASHES, strict=True):
        content = slice_.model_dump(by_alias=True)
        assert parameters_hash(content) == expected
        assert TrainingSlice.model_validate(content) == slice_  # the keys may be absent
        assert parameters_hash(json.loads(slice_.model_dump_json(by_alias=True))) == expected


def test_another_border_is_another_training(make_slice: Callable[..., TrainingSlice]) -> None:
    reflected = make_slice(crop_border="reflect").model_dump(by_alias=True)
    assert reflected["training"]["crop_border"] == "reflect"
    assert parameters_hash(reflected) not in OLD_HASHES
    assert TrainingSlice.model_validate(reflected).training.crop_border == "reflect"


def test_fine_tuning_reaches_the_slice(default_params: Content) -> None:
    name = default_params["run"]["experiments"][0]
    before = _hashes(default_params, training_slice)
    block = {"weights": None, "trained_blocks": 2, "gate_path_lr": 0.001, "views": 4}
    set_key(default_params, f"experiments.{name}.finetune", block)
    params = load_params(default_params)
    assert training_slice(params, jobs(params)[0])["finetune"] == block
    assert _changed(before, _hashes(default_params, training_slice)) == {name}
