"""params.yaml: what is refused, what a preset replaces, and what each slice depends on."""

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from clearfilters.artifacts import parameters_hash
from clearfilters.errors import ClearfiltersError
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.measurements import (
    ANALYSES,
    ATTACK_ANALYSES,
    FEATURE_ANALYSES,
    GATE_ANALYSES,
    OBJECT_ANALYSES,
    TRADEOFF_ANALYSES,
)
from clearfilters.params.run import Params
from clearfilters.params.slices import (
    TrainingSlice,
    analyses_of,
    attacks_of,
    features_slice,
    measurement_slice,
    training_slice,
)
from clearfilters.params.training import TrainingParams

ROOT = Path(__file__).parents[1]
Content = dict[str, Any]


def _set(content: Content, key: str, value: Any) -> None:
    """Set a dotted key."""
    *folders, last = key.split(".")
    for folder in folders:
        content = content[folder]
    content[last] = value


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


def test_the_default_parameters_are_valid(default_params: Content) -> None:
    assert isinstance(load_params(default_params), Params)


MULTISTEP = {"name": "multistep", "warmup_epochs": 0, "milestones": [100], "gamma": 0.1}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        # misspelt
        ("training.epoch", 15),
        ("run.seed", [0]),
        ("experiments.resnet20-lsg.gate.objective.lamda", 0.1),
        ("experiments.resnet20-std.gates", None),
        ("analysis.phi.tolerence", 0.1),
        ("traning", {}),
        # wrong type
        ("training.epochs", "15"),
        ("training.epochs", 1.5),
        ("training.flip", "no"),
        ("training.lr", None),
        ("run.experiments", "resnet20-std"),
        # impossible
        ("run.localized", ["animals-std", "animals-std"]),
        ("attacks.seeds", [0, 0]),
        ("attacks.seeds", []),
        ("training.lr", -0.1),
        ("training.lr", math.inf),
        ("run.tradeoff.a", []),
        ("run.tradeoff.lambdas", [0.1, 0.1]),
        ("experiments.resnet20-joint.seeds", []),
        ("training.momentum", 1.0),
        ("training.batch_size", 0),
        ("training.precision", "float16"),
        ("features.noise_seed", -1),
        ("run.name", "../elsewhere"),
        ("datasets.digits.test_fraction", 1.0),
        ("experiments.resnet20-lsg.gate.objective.s_density", 1.5),
        ("experiments.resnet20-lsg.role", "lgs"),
        ("analysis.gate_statistics.threshold", 0.0),
        ("claims.sparse_density", 2.0),
    ],
)
def test_an_error_names_the_key(default_params: Content, key: str, value: Any) -> None:
    _set(default_params, key, value)
    with pytest.raises(ClearfiltersError) as caught:
        load_params(default_params)
    message = str(caught.value)
    assert key.rsplit(".", 1)[-1] in message
    assert "params.yaml" in message
    assert repr(value) in message


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        # Blocks of several types: no name of a type in the key.
        ("datasets.digits.test_frac", 0.1, "datasets.digits.test_frac: "),
        ("experiments.resnet20-lsg.gate.objective.lamda", 1.0, "gate.objective.lamda: "),
        ("attacks.white_box.fgsm.epss", 0.1, "attacks.white_box.fgsm.epss: "),
        ("attacks.white_box.fgsm.eps", 7.0, "attacks.white_box.fgsm.eps: "),
        # What a whole block is refused for.
        ("run.seeds", [0, 0], "run: .*seeds \\[0, 0\\] "),
        ("training.schedule.warmup_epochs", 20, "training: .*schedule.warmup_epochs 20 "),
        ("training.schedule.name", "multistep", "training.schedule: .*needs milestones"),
        ("training.schedule.milestones", [5, 3], "milestones \\[5, 3\\] must rise"),
        ("training.schedule", MULTISTEP, "training: .*milestones \\[100\\] must lie below"),
        ("experiments.resnet20-lsg.gate.path.gate_phases", [], "gate.path.gate_phases: "),
        ("analysis.clustering.seed", 2**32, "analysis.clustering.seed: "),
    ],
)
def test_the_key_as_the_file_has_it(
    default_params: Content, key: str, value: Any, named: str
) -> None:
    _set(default_params, key, value)
    with pytest.raises(ClearfiltersError, match=named) as caught:
        load_params(default_params)
    assert len(str(caught.value)) < 300


def test_every_error_is_named_at_once(default_params: Content) -> None:
    default_params["training"]["epochs"] = 0
    default_params["claims"]["sparce_density"] = 0.2
    with pytest.raises(ClearfiltersError) as caught:
        load_params(default_params)
    assert "training.epochs" in str(caught.value)
    assert "claims.sparce_density" in str(caught.value)


def test_a_missing_key_is_named(default_params: Content) -> None:
    del default_params["training"]["schedule"]["gamma"]
    with pytest.raises(ClearfiltersError, match=r"training\.schedule\.gamma"):
        load_params(default_params)


def test_gate_phases_lie_below_the_period(default_params: Content) -> None:
    path = {"scheme": "alternating", "period": 3, "gate_phases": [3], "warmup_epochs": 0}
    default_params["experiments"]["resnet20-lsg"]["gate"]["path"] = path
    with pytest.raises(ClearfiltersError, match="gate_phases"):
        load_params(default_params)


def test_two_experiments_cannot_share_a_label(default_params: Content) -> None:
    _set(default_params, "experiments.resnet20-csg.label", "ResNet20 STD")
    with pytest.raises(ClearfiltersError, match=r"resnet20-csg\.label: `ResNet20 STD`"):
        load_params(default_params)


@pytest.mark.parametrize(
    ("experiment", "role"),
    [
        ("resnet20-std", "lsg"),
        ("resnet20-lsg", "std"),
        ("resnet20-lsg", "csg"),
        ("resnet20-csg", "dense"),
        ("resnet20-lsg", "joint"),
        ("resnet20-lsg", "fixed"),
        ("resnet20-csg", "negatives"),
        ("resnet20-lsg", "tradeoff"),
    ],
)
def test_a_role_fits_the_gate(default_params: Content, experiment: str, role: str) -> None:
    _set(default_params, f"experiments.{experiment}.role", role)
    with pytest.raises(ClearfiltersError, match=f"{experiment}: .*role {role} does not fit"):
        load_params(default_params)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resnet20-lsg.gate.update", None),
        ("resnet20-lsg.gate.fixed", {"monopolized": 3, "shared": 2}),
        ("resnet20-fixed.gate.update", {"init": 0.5, "optimizer": "plain", "lr": 1.0}),
        ("resnet20-fixed.gate.fixed", None),
    ],
)
def test_a_gate_is_either_updated_or_fixed(default_params: Content, key: str, value: Any) -> None:
    _set(default_params, f"experiments.{key}", value)
    experiment = key.split(".")[0]
    with pytest.raises(ClearfiltersError, match=f"{experiment}.gate: .*`update`.* or `fixed`"):
        load_params(default_params)


def test_the_tradeoff_overrides_single_keys_of_its_base(default_params: Content) -> None:
    schedule = {"name": "multistep", "milestones": [2]}
    _set(default_params, "experiments.resnet20-lsg.training", {"schedule": schedule})
    _set(default_params, "run.tradeoff.training", {"schedule": {"gamma": 0.3}})
    found = next(job for job in jobs(load_params(default_params)) if job.role == "tradeoff")
    assert found.training.schedule.milestones == [2] and found.training.schedule.gamma == 0.3


def test_an_override_of_an_experiment_is_validated(default_params: Content) -> None:
    override = {"learning_rate": 0.1, "flip": True}
    default_params["experiments"]["alexnet-std"]["training"] = override
    with pytest.raises(ClearfiltersError, match=r"alexnet-std\.training: learning_rate"):
        load_params(default_params)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run.experiments", ["resnet21-std"]),
        ("run.datasets", ["digit"]),
        ("experiments.resnet20-std.dataset", "cifar10"),  # defined, but not one of the run's
        ("run.localized", ["animals-sdt"]),
        ("run.localized", ["resnet20-std"]),  # no masks
        ("attacks.experiments", ["resnet20-sdt"]),
        ("attacks.experiments", ["resnet110-std"]),
        ("attacks.detection.tables.lsg_table4.attacks", ["gpd"]),
        ("attacks.detection.tables.lsg_table4.experiments", ["alexnet-std"]),
        ("run.tradeoff.base", "resnet20-sdt"),
        ("run.tradeoff.base", "resnet20-std"),
        ("run.tradeoff.base", "resnet20-csg"),
    ],
)
def test_a_name_that_is_not_defined(default_params: Content, key: str, value: Any) -> None:
    _set(default_params, key, value)
    named = value[0] if isinstance(value, list) else value
    with pytest.raises(ClearfiltersError) as caught:
        load_params(default_params)
    assert key.removesuffix(".attacks").removesuffix(".experiments") in str(caught.value)
    assert named in str(caught.value)


def test_a_table_of_detectors_may_be_of_some_models_only(default_params: Content) -> None:
    whole = load_params(default_params)
    tables = default_params["attacks"]["detection"]["tables"]
    tables["csg_detection"]["experiments"] = ["resnet20-std", "resnet20-csg"]
    params = load_params(default_params)
    of_lsg = next(job for job in jobs(params) if job.experiment == "resnet20-lsg")
    slice_ = measurement_slice(params, of_lsg, "detection")
    assert list(slice_["white_box"]) == attacks_of(params, "resnet20-lsg") == ["pgd-lsg"]
    assert list(slice_["detection"]["tables"]) == ["lsg_table4"]
    of_std = next(job for job in jobs(params) if job.experiment == "resnet20-std")
    assert measurement_slice(params, of_std, "detection") == measurement_slice(
        whole, of_std, "detection"
    )
    tables["lsg_table4"]["experiments"] = ["resnet20-std"]
    with pytest.raises(ClearfiltersError, match="`resnet20-lsg` is in no table"):
        load_params(default_params)


def test_models_that_are_not_trained_cannot_be_attacked(default_params: Content) -> None:
    default_params["attacks"]["seeds"] = [0, 17]
    with pytest.raises(ClearfiltersError, match="no `resnet20-std` with seed 17"):
        load_params(default_params)


def test_baselines_cannot_have_more_images_than_are_attacked(default_params: Content) -> None:
    default_params["attacks"]["detection"]["shared_size"] = 16
    with pytest.raises(ClearfiltersError, match="shared_size is 16, but `cw` attacks 15"):
        load_params(default_params)


@pytest.mark.parametrize("folder", ["/neg", "../neg", "neg/../../neg"])
def test_background_images_lie_below_the_raw_data(default_params: Content, folder: str) -> None:
    default_params["datasets"]["cub"] = {
        "format": "cub", "note": "", "image_size": 64, "min_area": 0.0,
        "background": {"folder": folder, "copies": 1, "train_share": 0.5},
    }  # fmt: skip
    with pytest.raises(ClearfiltersError, match=r"must lie below raw\.root"):
        load_params(default_params)


def test_an_attack_that_no_table_reads_is_not_made(default_params: Content) -> None:
    default_params["attacks"]["detection"]["tables"]["csg_detection"]["attacks"].remove("cw")
    params = load_params(default_params)
    assert "cw" in params.attacks.white_box
    assert "cw" not in attacks_of(params, "resnet20-std")


def test_a_detector_cannot_have_more_images_than_are_attacked(default_params: Content) -> None:
    default_params["attacks"]["detection"]["tables"]["csg_detection"]["sizes"] = [20, 30]
    with pytest.raises(ClearfiltersError, match=r"size is 20, but `cw` attacks 15 .*cw\.train_per"):
        load_params(default_params)


def test_a_preset_replaces_the_experiments_and_merges_the_rest(default_params: Content) -> None:
    preset = {
        "run": {
            "name": "small",
            "experiments": ["resnet20-std"],
            "localized": [],
            "tradeoff": None,
        },
        "training": {"epochs": 2, "schedule": {"warmup_epochs": 0}},
        "attacks": {"experiments": []},
    }
    merged = copy.deepcopy(default_params)
    update_config(merged, preset)  # what `snakemake --configfile` does
    params = load_params(merged)
    assert [(job.experiment, job.seed) for job in jobs(params)] == [
        ("resnet20-std", 0),
        ("resnet20-std", 1),
    ]
    assert params.training.epochs == 2
    assert params.training.schedule.warmup_epochs == 0
    assert params.training.schedule.name == default_params["training"]["schedule"]["name"]
    assert params.training.lr == default_params["training"]["lr"]


@pytest.mark.parametrize("preset", sorted((ROOT / "workflow" / "presets").glob("*.yaml")), ids=str)
def test_each_preset_is_valid(default_params: Content, preset: Path) -> None:
    overlay = yaml.safe_load(preset.read_text())
    update_config(default_params, overlay)
    params = load_params(default_params)
    if "experiments" in overlay.get("run", {}):
        names = {job.experiment for job in jobs(params) if job.role != "tradeoff"}
        assert names == set(overlay["run"]["experiments"])


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
    objectives = [job.gate.objective.model_dump(by_alias=True) for job in found[-2:] if job.gate]
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
    _set(changed, key, value)
    assert _hashes(default_params, features_slice) == _hashes(changed, features_slice)
    for analysis in ANALYSES:
        assert _hashes(default_params, measurement_slice, analysis) == _hashes(
            changed, measurement_slice, analysis
        )


def test_a_data_set_shapes_the_slices_of_what_is_trained_on_it(default_params: Content) -> None:
    changed = copy.deepcopy(default_params)
    changed["datasets"]["digits"]["split_seed"] = 1
    before, after = _hashes(default_params, training_slice), _hashes(changed, training_slice)
    on_others = {key[0] for key in before if key[0].startswith("animals-")}
    assert len(on_others) == 3
    assert _changed(before, after) == {key[0] for key in before} - on_others


def test_no_two_jobs_share_a_training_slice(default_params: Content) -> None:
    default_params["run"]["tradeoff"] = None
    hashes = _hashes(default_params, training_slice)
    assert len(set(hashes.values())) == len(hashes)


def test_the_tradeoff_takes_fewer_measurements(default_params: Content) -> None:
    params = load_params(default_params)
    for job in jobs(params):
        if job.role == "tradeoff":
            assert analyses_of(params, job) == TRADEOFF_ANALYSES
        elif job.dataset == "animals":
            assert analyses_of(params, job) == OBJECT_ANALYSES
        elif job.experiment in default_params["attacks"]["experiments"] and job.seed == 0:
            assert analyses_of(params, job) == (*FEATURE_ANALYSES, *ATTACK_ANALYSES)
        else:
            assert analyses_of(params, job) == FEATURE_ANALYSES


# Of make_slice() and of make_slice(gate=gate_block()), before fine-tuning and borders.
OLD_HASHES = (
    "3c25cdef2e49a50f5c2da7846979cb2329db8283db716d51208a83439013f340",
    "6e0272e2186a3d07e22b6914239d3c63d0148b71f46f7baa65ff8c9d71757da0",
)


def test_later_keys_leave_the_hashes_of_older_trainings_alone(
    make_slice: Callable[..., TrainingSlice], gate_block: Callable[..., Content]
) -> None:
    """Checkpoints are known by these hashes: a new one would have every network trained again."""
    slices = make_slice(), make_slice(gate=gate_block())
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
    _set(default_params, f"experiments.{name}.finetune", block)
    params = load_params(default_params)
    assert training_slice(params, jobs(params)[0])["finetune"] == block
    assert _changed(before, _hashes(default_params, training_slice)) == {name}
