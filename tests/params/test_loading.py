"""params.yaml: what is refused, and what a preset replaces."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotted import set_key
from snakemake.utils import update_config

from clearfilters.errors import ClearfiltersError
from clearfilters.params.jobs import jobs
from clearfilters.params.loading import load_params
from clearfilters.params.methods import GateParams
from clearfilters.params.run import Params
from clearfilters.params.slices import (
    attacks_of,
    measurement_slice,
)

ROOT = Path(__file__).parents[2]
Content = dict[str, Any]


def test_the_default_parameters_are_valid(default_params: Content) -> None:
    assert isinstance(load_params(default_params), Params)


MULTISTEP = {"name": "multistep", "warmup_epochs": 0, "milestones": [100], "gamma": 0.1}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        # misspelt
        ("training.epoch", 15),
        ("run.seed", [0]),
        ("experiments.resnet20-lsg.method.objective.lamda", 0.1),
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
        ("run.mis_floors", ["animals-std", "animals-std"]),
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
        ("experiments.resnet20-lsg.method.objective.s_density", 1.5),
        ("experiments.resnet20-lsg.role", "LSG"),
        ("analysis.gate_statistics.threshold", 0.0),
        ("claims.sparse_density", 2.0),
    ],
)
def test_an_error_names_the_key(default_params: Content, key: str, value: Any) -> None:
    set_key(default_params, key, value)
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
        ("experiments.resnet20-lsg.method.objective.lamda", 1.0, "method.objective.lamda: "),
        ("attacks.white_box.fgsm.epss", 0.1, "attacks.white_box.fgsm.epss: "),
        ("attacks.white_box.fgsm.eps", 7.0, "attacks.white_box.fgsm.eps: "),
        # What a whole block is refused for.
        ("run.seeds", [0, 0], "run: .*seeds \\[0, 0\\] "),
        ("training.schedule.warmup_epochs", 20, "training: .*schedule.warmup_epochs 20 "),
        ("training.schedule.name", "multistep", "training.schedule: .*needs milestones"),
        ("training.schedule.milestones", [5, 3], "milestones \\[5, 3\\] must rise"),
        ("training.schedule", MULTISTEP, "training: .*milestones \\[100\\] must lie below"),
        ("experiments.resnet20-lsg.method.path.gate_phases", [], "method.path.gate_phases: "),
        ("analysis.clustering.seed", 2**32, "analysis.clustering.seed: "),
    ],
)
def test_the_key_as_the_file_has_it(
    default_params: Content, key: str, value: Any, named: str
) -> None:
    set_key(default_params, key, value)
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
    default_params["experiments"]["resnet20-lsg"]["method"]["path"] = path
    with pytest.raises(ClearfiltersError, match="gate_phases"):
        load_params(default_params)


def test_the_old_key_of_a_gate_names_the_new_one(default_params: Content) -> None:
    experiment = default_params["experiments"]["resnet20-lsg"]
    method = experiment.pop("method")
    for old in (method, None):
        experiment["gate"] = old
        with pytest.raises(ClearfiltersError, match=r"resnet20-lsg: .*`gate` is now `method`"):
            load_params(default_params)


@pytest.mark.parametrize("method", [None, "std", {}, {"name": "gates"}, {"objective": {}}])
def test_a_method_is_one_of_the_registry(default_params: Content, method: Any) -> None:
    default_params["experiments"]["resnet20-std"]["method"] = method
    with pytest.raises(ClearfiltersError, match=r"resnet20-std\.method: .*one of std, gate"):
        load_params(default_params)


def test_two_experiments_cannot_share_a_label(default_params: Content) -> None:
    set_key(default_params, "experiments.resnet20-csg.label", "ResNet20 STD")
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
    set_key(default_params, f"experiments.{experiment}.role", role)
    with pytest.raises(ClearfiltersError, match=f"{experiment}: .*role {role} does not fit"):
        load_params(default_params)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resnet20-lsg.method.update", None),
        ("resnet20-lsg.method.fixed", {"monopolized": 3, "shared": 2}),
        ("resnet20-fixed.method.update", {"init": 0.5, "optimizer": "plain", "lr": 1.0}),
        ("resnet20-fixed.method.fixed", None),
    ],
)
def test_a_gate_is_either_updated_or_fixed(default_params: Content, key: str, value: Any) -> None:
    set_key(default_params, f"experiments.{key}", value)
    experiment = key.split(".")[0]
    with pytest.raises(ClearfiltersError, match=f"{experiment}.method: .*`update`.* or `fixed`"):
        load_params(default_params)


def test_the_tradeoff_overrides_single_keys_of_its_base(default_params: Content) -> None:
    schedule = {"name": "multistep", "milestones": [2]}
    set_key(default_params, "experiments.resnet20-lsg.training", {"schedule": schedule})
    set_key(default_params, "run.tradeoff.training", {"schedule": {"gamma": 0.3}})
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
        ("run.mis_floors", ["animals-sdt"]),
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
    set_key(default_params, key, value)
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
    default_params["attacks"]["detection"]["shared_size"] = 10
    with pytest.raises(ClearfiltersError, match="shared_size is 10, but `cw` attacks 9"):
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
    default_params["attacks"]["detection"]["tables"]["csg_detection"]["sizes"] = [10, 30]
    with pytest.raises(ClearfiltersError, match=r"size is 10, but `cw` attacks 9 .*cw\.train_per"):
        load_params(default_params)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet99", "run.pictured: no experiment `resnet99`"),
        ("resnet20-std", "run.pictured: `resnet20-std` has no model.top"),
    ],
)
def test_pictures_of_what_has_no_part_filters(
    default_params: Content, name: str, message: str
) -> None:
    default_params["run"]["pictured"] = [name]
    with pytest.raises(ClearfiltersError, match=message):
        load_params(default_params)


def test_a_gallery_of_what_there_is_not_is_refused(default_params: Content) -> None:
    default_params["run"]["galleries"] = ["resnet20-lsg", "resnet99"]
    with pytest.raises(ClearfiltersError, match=r"run\.galleries: no experiment `resnet99`"):
        load_params(default_params)
    default_params["run"]["galleries"] = ["resnet20-lsg", "resnet20-lsg"]
    with pytest.raises(ClearfiltersError, match=r"galleries .* must name each entry once"):
        load_params(default_params)
    del default_params["run"]["galleries"]
    assert load_params(default_params).run.galleries == []


def test_maps_that_change_cannot_be_standardised(default_params: Content) -> None:
    experiment = default_params["experiments"]["rendered-cat-interpretable"]
    experiment["finetune"]["trained_blocks"] = 2
    with pytest.raises(ClearfiltersError, match=r"set finetune.trained_blocks: 1"):
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
def test_each_preset_is_valid(
    default_params: Content, preset: Path, preset_files: Callable[[Path], list[Path]]
) -> None:
    for file in preset_files(preset):
        overlay = yaml.safe_load(file.read_text())
        update_config(default_params, overlay)
    params = load_params(default_params)
    if "experiments" in overlay.get("run", {}):
        names = {job.experiment for job in jobs(params) if job.role != "tradeoff"}
        assert names == set(overlay["run"]["experiments"])


@pytest.mark.parametrize(("text", "value"), [("1e-1", 0.1), ("1E-1", 0.1), ("5.e-3", 0.005)])
def test_a_number_without_a_point_is_a_number(
    default_params: Content, text: str, value: float
) -> None:
    # To YAML 1.1 it is text, wherever the schema has a number: top level, override, union.
    set_key(default_params, "training.lr", text)
    set_key(default_params, "experiments.resnet20-lsg.training", {"lr": text})
    set_key(default_params, "experiments.resnet20-lsg.method.objective.a", text)
    set_key(default_params, "attacks.local_search.r", text)
    params = load_params(default_params)
    assert params.training.lr == params.attacks.local_search.r == value
    method = params.experiments["resnet20-lsg"].method
    assert isinstance(method, GateParams) and method.objective.model_dump()["a"] == value
    job = next(job for job in jobs(params) if job.experiment == "resnet20-lsg")
    assert job.training.lr == value


@pytest.mark.parametrize("text", ["0.1", "1e-1x", "e-1", ""])
def test_other_text_is_no_number(default_params: Content, text: str) -> None:
    set_key(default_params, "training.lr", text)
    with pytest.raises(ClearfiltersError, match=r"params\.yaml: training\.lr: .*valid number"):
        load_params(default_params)


def test_no_experiment_has_the_name_of_the_grid(default_params: Content) -> None:
    experiments = default_params["experiments"]
    experiments["tradeoff"] = {**experiments["resnet20-std"], "label": "another"}
    default_params["run"]["experiments"].append("tradeoff")
    with pytest.raises(ClearfiltersError, match=r"run\.experiments: `tradeoff`"):
        load_params(default_params)
