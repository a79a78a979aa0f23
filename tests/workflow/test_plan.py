"""The files of a run, and which slice a parameter changes."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clearfilters.artifacts import parameters_hash
from clearfilters.attacks.adversarial_samples import sample_slice
from clearfilters.errors import ClearfiltersError
from clearfilters.registry import MEASUREMENTS
from clearfilters.workflow import TRADEOFF, Plan

Edit = Callable[[dict[str, Any]], None]
ATTACKS = ("pgd-lsg", "fgsm", "pgd", "cw", "fgsm-untargeted", "pgd-untargeted")
ADVERSARIAL = {f"adversarial {name}" for name in ATTACKS}

# Read off the registry's groups by hand.
FEATURE_ANALYSES = (
    "classification", "phi", "mis", "mis_floor", "gate_statistics", "leakage", "correlation",
    "masking", "similarity", "clustering",
)  # fmt: skip
GATE_ANALYSES = ("gate_statistics", "leakage", "masking", "similarity", "clustering")
ATTACK_ANALYSES = ("detection", "one_pixel", "local_search")
ANALYSES = tuple(MEASUREMENTS)


def slices(config: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """Every slice of a run, by step (or analysis), experiment and seed."""
    plan = Plan(config)
    found = {("data", name): plan.data_slice(name) for name in plan.datasets}
    found["claims",] = plan.claims_slice()
    found["contact_sheet",] = plan.contact_sheet_slice()
    for group in plan.groups.values():
        for job in group:
            key = (job.experiment, str(job.seed))
            found["train", *key] = plan.training_slice(*key)
            found["features", *key] = json.dumps(json.loads(plan.feature_slices(*key))["features"])
    for experiment in plan.params.attacks.experiments:
        for file in plan.metric_files("detection", experiment=experiment):
            key = (experiment, Path(file).stem.removeprefix("seed"))
            detection = json.loads(plan.measurement_slice("detection", *key))
            for attack in detection["white_box"]:
                found[f"adversarial {attack}", *key] = json.dumps(sample_slice(detection, attack))
    for file in plan.metric_files(*ANALYSES):
        analysis, *experiment_parts = Path(file).relative_to(f"{plan.results}/metrics").parent.parts
        experiment, seed = "/".join(experiment_parts), Path(file).stem.removeprefix("seed")
        found[analysis, experiment, seed] = plan.measurement_slice(analysis, experiment, seed)
    return found


def changed(config: dict[str, Any], edit: Edit) -> set[tuple[str, ...]]:
    """The slices that an edit of the parameters changes."""
    before = slices(config)
    edited = copy.deepcopy(config)
    edit(edited)
    after = slices(edited)
    assert before.keys() == after.keys()
    return {key for key in before if before[key] != after[key]}


def test_threshold_changes_only_the_gate_statistics(default_params: dict[str, Any]) -> None:
    def edit(params: dict[str, Any]) -> None:
        params["analysis"]["gate_statistics"]["threshold"] = 0.25

    found = changed(default_params, edit)
    assert {key[0] for key in found} == {"gate_statistics"}
    assert len(found) == 14


def test_learning_rate_of_an_experiment_changes_only_what_is_made_from_it(
    default_params: dict[str, Any],
) -> None:
    def edit(params: dict[str, Any]) -> None:
        params["experiments"]["resnet20-std"]["training"] = {"lr": 0.05}

    found = changed(default_params, edit)
    assert {key[1] for key in found} == {"resnet20-std"}
    own = {*FEATURE_ANALYSES, *ATTACK_ANALYSES}
    assert {key[0] for key in found} == {"train", "features", *ADVERSARIAL, *own}


def test_learning_rate_of_the_run_changes_all_that_do_not_override_it(
    default_params: dict[str, Any],
) -> None:
    def edit(params: dict[str, Any]) -> None:
        params["training"]["lr"] = 0.07

    trained = {key[1] for key in changed(default_params, edit) if key[0] == "train"}
    assert "resnet20-std" in trained
    assert "alexnet-std" not in trained


def test_the_floor_has_the_estimator_of_mis(default_params: dict[str, Any]) -> None:
    def edit(params: dict[str, Any]) -> None:
        params["analysis"]["mis"]["n_neighbors"] = 5

    assert {key[0] for key in changed(default_params, edit)} == {"mis", "mis_floor"}


def test_parameters_of_phi_change_the_analyses_that_read_its_gate(
    default_params: dict[str, Any],
) -> None:
    def edit(params: dict[str, Any]) -> None:
        params["analysis"]["phi"]["a"] = 0.5

    assert {key[0] for key in changed(default_params, edit)} == {"phi", *GATE_ANALYSES}


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda p: p["raw"].update(root="elsewhere", download=False), set()),
        (lambda p: p["experiments"]["resnet20-std"].update(label="other"), set()),
        (lambda p: p["datasets"]["cifar10"].update(note="unused"), set()),
        (lambda p: p["datasets"]["animals-cub"].update(negatives=50), {"data"}),
        (lambda p: p["contact_sheet"].update(columns=3), {"contact_sheet"}),
        (lambda p: p["claims"].update(accuracy_margin=9.0), {"claims"}),
        (lambda p: p["features"].update(noise_seed=7), {"features", *FEATURE_ANALYSES}),
        (lambda p: p["analysis"]["mis_floor"].update(shuffles=5), {"mis_floor"}),
        (lambda p: p["attacks"]["detection"].update(trees=9), {"detection"}),
        (lambda p: p["attacks"]["one_pixel"].update(seed=9), {"one_pixel"}),
        (lambda p: p["attacks"]["sampling"].update(seed=9), {*ADVERSARIAL, "detection"}),
        (
            lambda p: p["attacks"]["white_box"]["fgsm"].update(eps=0.2),
            {"adversarial fgsm", "detection"},
        ),
    ],
)
def test_other_parameters(default_params: dict[str, Any], edit: Edit, expected: set[str]) -> None:
    assert {key[0] for key in changed(default_params, edit)} == expected


def test_one_seed_more_changes_nothing_that_is_there(default_params: dict[str, Any]) -> None:
    before = slices(default_params)
    default_params["run"]["seeds"] = [0, 1, 2]
    after = slices(default_params)
    assert before.items() <= after.items()
    assert {key[-1] for key in after.keys() - before.keys()} == {"2"}


def test_files_of_a_run(default_params: dict[str, Any]) -> None:
    plan = Plan(default_params)
    assert plan.store_files("digits")[0] == "data/processed/quick/digits/meta.json"
    assert plan.store_of("resnet20-std") == plan.store_files("digits")
    std = plan.checkpoint_files("resnet20-std")
    assert len(std) == 6
    assert std[0] == "results/quick/checkpoints/resnet20-std/seed0/model.safetensors"
    assert set(std) < set(plan.checkpoint_files())
    assert "results/quick/metrics/phi/alexnet-std/seed0.json" in plan.metric_files("phi")


def test_no_features_of_a_network_without_the_linear_head(default_params: dict[str, Any]) -> None:
    """They hold its weights, and the training records them besides."""
    head = {"hidden": [8], "dropout": 0.5}
    default_params["experiments"]["resnet20-std"]["model"]["head"] = head
    plan = Plan(default_params)
    assert plan.features_of("resnet20-std", "0") == []
    assert plan.features_of("resnet20-lsg", "0") == ["results/quick/features/resnet20-lsg/seed0"]
    assert not any("resnet20-std" in experiments for _, _, experiments in plan.feature_jobs())
    assert plan.metric_files("phi", "mis", experiment="resnet20-std") == []


def test_only_the_models_that_are_attacked_have_such_measurements(
    default_params: dict[str, Any],
) -> None:
    default_params["attacks"].update(experiments=["resnet20-lsg"], seeds=[1])
    plan = Plan(default_params)
    assert plan.metric_files("detection", "one_pixel") == [
        "results/quick/metrics/detection/resnet20-lsg/seed1.json",
        "results/quick/metrics/one_pixel/resnet20-lsg/seed1.json",
    ]


def test_the_grid_is_one_group_with_one_folder(default_params: dict[str, Any]) -> None:
    plan = Plan(default_params)
    assert [*plan.groups] == [*default_params["run"]["experiments"], TRADEOFF]
    files = plan.checkpoint_files(TRADEOFF)
    assert len(files) == 4 * 3
    assert all(file.startswith("results/quick/checkpoints/tradeoff/") for file in files)


def test_a_run_without_a_grid_has_no_figure_of_it(default_params: dict[str, Any]) -> None:
    assert "lsg_tradeoff" in Plan(default_params).figures
    default_params["run"]["tradeoff"] = None
    plan = Plan(default_params)
    assert TRADEOFF not in plan.groups
    assert "lsg_tradeoff" not in plan.figures


def test_a_figure_needs_both_networks_on_the_same_data(default_params: dict[str, Any]) -> None:
    run = default_params["run"]
    run.update(experiments=["resnet20-std", "animals-std", "animals-lsg"], tradeoff=None)
    run["localized"] = ["animals-std"]
    default_params["analysis"]["correlation"]["filters_per_class"]["resnet8"] = 1
    default_params["attacks"]["experiments"] = []
    # Masking was measured of STD on digits and of LSG on animals.
    assert "lsg_figure5" not in Plan(default_params).figures
    run["experiments"].append("resnet20-lsg")
    assert "lsg_figure5" in Plan(default_params).figures


def test_index_names_the_analyses_asked_for(default_params: dict[str, Any]) -> None:
    plan = Plan(default_params)
    index = plan.index("mis", "phi")
    assert index["data"] == {}
    entry = index["experiments"]["resnet20-lsg"]
    assert (entry["label"], entry["role"]) == ("ResNet20 LSG", "lsg")
    assert [*entry["seeds"]] == ["0", "1"]
    assert {*entry["seeds"]["0"]} == {"mis", "phi"}
    assert {len(hash_) for hash_ in entry["seeds"]["0"].values()} == {16}
    # The trade-off is not measured by MIS, so an index of it alone does not list it.
    listed = plan.index("mis")["experiments"]
    assert not [name for name in listed if name.startswith(TRADEOFF)]


def test_data_sets_stand_in_the_index_with_their_hash(default_params: dict[str, Any]) -> None:
    plan = Plan(default_params)
    index = plan.index("data")
    assert index["experiments"] == {}
    assert [*index["data"]] == default_params["run"]["datasets"]
    whole = parameters_hash(json.loads(plan.data_slice("animals")))
    assert index["data"]["animals"] == whole[:16]
    assert plan.metric_files("data")[0] == "results/quick/metrics/data/digits.json"
    assert plan.metric_files("data", experiment="resnet20-std") == []


def test_files_that_a_store_always_has(default_params: dict[str, Any]) -> None:
    plan = Plan(default_params)

    def more(dataset: str) -> set[str]:
        return {Path(file).name for file in plan.store_files(dataset)[5:]}

    assert more("digits") == set()
    assert more("animals") == {"masks.npy", "parts.npz", "landmarks.csv"}
    boxes = {"image_of_row.npy", "mirrored.npy", "landmarks.csv"}
    assert more("animals-cub") == more("animals-ilsvrc") == boxes
    default_params["datasets"] |= {
        "voc": {
            "format": "voc-icnn",
            "note": "",
            "masks_note": "",
            "classes": ["cow", "dog"],
            "image_size": 16,
            "min_area": 2500.0,
            "train_share": 0.9,
            "task": {"name": "multi", "min_images": 9, "max_images": None},
        },
        "own": {
            "format": "imagefolder", "note": "", "folder": "own", "image_size": 16, "resize": 16,
        },
    }  # fmt: skip
    default_params["datasets"]["marked"] = {**default_params["datasets"]["own"], "landmarks": True}
    plan = Plan(default_params)
    assert more("voc") == {*boxes, "parts.npz"}
    assert more("own") == set() and more("marked") == {"landmarks.csv"}
    assert "data/processed/quick/animals-cub/test/landmarks.csv" in plan.store_files("animals-cub")


def test_a_contact_sheet_where_data_are_rendered(default_params: dict[str, Any]) -> None:
    sheet = [f"results/quick/figures/animals_contact_sheet.{kind}" for kind in ("png", "csv")]
    assert Plan(default_params).contact_sheet == sheet
    default_params["run"].update(localized=[], datasets=["digits", "animals-cub"])
    default_params["run"]["experiments"] = ["resnet20-std", "resnet20-lsg", "resnet20-csg"]
    assert Plan(default_params).contact_sheet == sheet
    default_params["run"]["datasets"] = ["digits"]
    plan = Plan(default_params)
    assert plan.contact_sheet == [] and plan.contact_sheet_slice() == "{}"


def test_an_index_goes_through_a_file_named_after_its_content(
    default_params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = default_params["run"]
    run["seeds"] = list(range(100))
    plan = Plan(default_params)
    file = plan.index_file(*ANALYSES)
    assert len(file) < 200 < 128 * 1024 < Path(file).stat().st_size
    assert json.loads(Path(file).read_text()) == plan.index(*ANALYSES)
    Path(file).unlink()
    assert plan.index_file(*ANALYSES) == file and Path(file).is_file()
    assert plan.index_file("mis") != file
    run["seeds"] = list(range(99))
    fewer = Plan(default_params).index_file(*ANALYSES)
    # Tables show the experiments in this order.
    run["experiments"].reverse()
    assert len({file, fewer, Plan(default_params).index_file(*ANALYSES)}) == 3


def test_a_misspelt_key_is_named(default_params: dict[str, Any]) -> None:
    default_params["run"]["sedes"] = [0]
    with pytest.raises(ClearfiltersError, match=r"run\.sedes"):
        Plan(default_params)
