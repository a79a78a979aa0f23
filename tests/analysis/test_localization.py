"""Localization: measures by hand, plain loops on random maps, and the recorded measurement."""

import base64
import json
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from clearfilters.analysis.activation_overlap import upsample
from clearfilters.analysis.localization import (
    activation_iou,
    all_filters,
    average_box,
    class_activation_maps,
    first_of_each_class,
    mask_iou,
    measure,
    one_filter,
    random_maps,
    top_values_iou,
)
from clearfilters.artifacts import parameters_hash
from clearfilters.data.store import Split, read_meta, write_store
from clearfilters.errors import ClearfiltersError
from clearfilters.models.classifier import build_classifier
from clearfilters.params.measurements import LocalizationParams
from clearfilters.training.checkpoint import build_method, build_network, save_checkpoint
from clearfilters.training.localization import feature_maps
from clearfilters.training.network_measurement import record_network_measurement

CPU = torch.device("cpu")
PARAMETERS = {
    "lsg": {"top_share": 0.2, "hit_iou": 0.15},
    "csg": {"top_share": 0.3, "hit_iou": 0.3},
    "gradmap": {
        "filters": 3,
        "blur_sigma": 2.0,
        "threshold": 1.0,
        "hit_iou": 0.2,
        "images_per_class": 2,
    },
    "random_maps": 4,
    "random_seed": 0,
    "examples": 2,
    "batch_size": 4,
}


def test_one_filter_by_hand():
    # Two images of class 0, two of class 1; three filters, the last is silent.
    iou = np.array([[0.4, 0.1, 0], [0.2, 0.1, 0], [0.5, 0.3, 0], [0.1, 0.2, 0]])
    found = one_filter(iou, np.array([0, 0, 1, 1]), 3, 0.15)
    # Filter 0: AP 1 on class 0 and 0.5 on class 1. Filter 1: 0 on class 0, 1 on class 1.
    assert found["filters_per_class"] == [1, 1, 0]
    assert found["silent_filters"] == 1 and found["filters"] == 3
    assert found["ap"] == {"per_class": [1, 1, None], "total": pytest.approx(2 / 3)}
    assert found["iou"]["per_class"] == [pytest.approx(0.3), pytest.approx(0.25), None]
    assert found["iou"]["total"] == pytest.approx((0.3 + 0.25) / 3)


def test_the_threshold_of_ap_is_exceeded_and_ties_go_to_the_larger_iou():
    labels = np.array([0, 1])
    assert one_filter(np.array([[0.15], [0.1]]), labels, 2, 0.15)["ap"]["total"] == 0
    # Both classes are hit always; the second with the larger IoU.
    found = one_filter(np.array([[0.3], [0.5]]), labels, 2, 0.15)
    assert found["filters_per_class"] == [0, 1] and found["iou"]["total"] == 0.5
    # Hit never, but not silent.
    assert one_filter(np.array([[0.01], [0.1]]), labels, 2, 0.15)["filters_per_class"] == [0, 1]


def test_filters_that_a_class_does_not_look_at_are_left_out():
    nan = np.nan
    iou = np.array([[0.2, nan, nan], [0.4, nan, nan], [0.1, 0.3, nan]])
    found = one_filter(iou, np.array([0, 0, 1]), 2, 0.25)
    assert found["filters"] == 2 and found["filters_per_class"] == [1, 1]
    assert found["iou"]["per_class"] == [pytest.approx(0.3), pytest.approx(0.3)]
    assert found["ap"]["per_class"] == [0.5, 1]


def test_one_filter_against_loops():
    rng = np.random.default_rng(0)
    iou, labels = rng.random((40, 7)), rng.integers(0, 4, 40)
    groups, totals = {c: [] for c in range(4)}, []
    for k in range(7):
        scores = []
        for c in range(4):
            values = [iou[i, k] for i in range(40) if labels[i] == c]
            scores.append((np.mean([v > 0.5 for v in values]), np.mean(values)))
        best = max(range(4), key=lambda c: scores[c])
        groups[best].append(scores[best])
        totals.append(scores[best])
    found = one_filter(iou, labels, 4, 0.5)
    for column, name in enumerate(("ap", "iou")):
        assert found[name]["total"] == pytest.approx(np.mean([t[column] for t in totals]))
        for c in range(4):
            expected = np.mean([g[column] for g in groups[c]]) if groups[c] else None
            assert found[name]["per_class"][c] == (expected and pytest.approx(expected))


def test_all_filters_by_hand():
    found = all_filters(np.array([0.1, 0.3, 0.5]), np.array([0, 0, 2]), 3, 0.2)
    assert found["iou"] == {"per_class": [pytest.approx(0.2), None, 0.5], "total": 0.3}
    assert found["ap"] == {"per_class": [0.5, None, 1], "total": pytest.approx(2 / 3)}


def test_activation_iou_against_a_loop_over_pairs():
    rng = np.random.default_rng(1)
    maps = np.maximum(rng.normal(size=(6, 5, 4, 4)), 0).astype(np.float32)
    maps[:, 1] *= rng.random((6, 1, 1)) > 0.8  # active on few images: threshold 0
    maps[:, 2] = 0  # dead
    masks = rng.random((6, 12, 12)) > 0.5
    strict, strict_share = activation_iou(maps, masks, 0.2, 2)
    inclusive, inclusive_share = activation_iou(maps, masks, 0.2, 2, inclusive=True)
    selected = {"strict": [], "inclusive": []}
    for k in range(5):
        threshold = np.float32(np.quantile(maps[:, k].ravel(), 0.8))
        for n in range(6):
            enlarged = upsample(maps[n, k], 12, 12)
            selected["strict"].append((enlarged > threshold).mean())
            selected["inclusive"].append((enlarged >= threshold).mean())
            for found, chosen in (
                (strict, enlarged > threshold),
                (inclusive, enlarged >= threshold),
            ):
                expected = (chosen & masks[n]).sum() / (chosen | masks[n]).sum()
                assert found[n, k] == pytest.approx(expected)
    assert strict_share == pytest.approx(np.mean(selected["strict"]))
    assert inclusive_share == pytest.approx(np.mean(selected["inclusive"]))
    assert (strict[:, 2] == 0).all()
    np.testing.assert_allclose(inclusive[:, 2], masks.mean(axis=(1, 2)))  # the whole image


def test_cam_against_loops():
    rng = np.random.default_rng(2)
    maps, weight = rng.random((4, 5, 3, 3)).astype(np.float32), rng.normal(size=(2, 5))
    labels = np.array([1, 0, 0, 1])
    masks = rng.random((4, 30, 30)) > 0.7
    cams = class_activation_maps(maps, weight, labels)
    found = top_values_iou(cams, masks, 0.2)
    for n in range(4):
        cam = sum(weight[labels[n], k] * maps[n, k] for k in range(5))
        np.testing.assert_allclose(cams[n], cam, rtol=1e-5, atol=1e-6)
        # The 180 largest of 900 values.
        order = np.argsort(upsample(cam.astype(np.float32), 30, 30).ravel())
        chosen = np.zeros(900, dtype=bool)
        chosen[order[-180:]] = True
        chosen = chosen.reshape(30, 30)
        expected = (chosen & masks[n]).sum() / (chosen | masks[n]).sum()
        assert found[n] == pytest.approx(expected, abs=0.01)


def test_a_cam_without_values_selects_nothing():
    assert top_values_iou(np.zeros((1, 2, 2), np.float32), np.ones((1, 4, 4), bool), 0.2) == [0]


def test_mask_iou_by_hand():
    left = np.array([[True, True], [False, False]])
    masks = np.array([[[1, 0], [1, 0]], [[0, 0], [1, 1]], [[1, 1], [0, 0]]], dtype=bool)
    np.testing.assert_allclose(mask_iou(left, masks), [1 / 3, 0, 1])


def test_the_average_box():
    masks = np.zeros((2, 8, 10), dtype=bool)
    masks[0, 1:3, 0:10] = True  # 2 rows, 10 columns
    masks[1, 2, 4] = masks[1, 7, 5] = True  # spans 6 rows, 2 columns
    box = np.zeros((8, 10), dtype=bool)
    box[2:6, 2:8] = True  # 4 rows, 6 columns, in the centre
    np.testing.assert_array_equal(average_box(masks), box)


def test_first_images_of_each_class():
    labels = np.array([2, 0, 2, 0, 0, 2])
    assert first_of_each_class(labels, 1).tolist() == [0, 1]
    assert first_of_each_class(labels, 2).tolist() == [0, 1, 2, 3]
    assert first_of_each_class(labels, None).tolist() == list(range(6))


def test_everything_at_once():
    """Filters that show the object exactly beat every baseline; noise does not."""
    rng = np.random.default_rng(3)
    labels = np.arange(20) % 2
    small = np.zeros((20, 4, 4), dtype=bool)
    for n in range(20):
        y, x = rng.integers(0, 3, 2)
        small[n, y : y + 2, x : x + 2] = True
    masks = small.repeat(4, axis=1).repeat(4, axis=2)
    maps = np.zeros((20, 2, 4, 4), dtype=np.float32)
    for n in range(20):
        maps[n, labels[n]] = 5 * small[n]  # filter k sees the objects of class k alone
    weight = np.eye(2, dtype=np.float32)
    gradmap = np.full((4, 2), np.nan)
    gradmap[[0, 2], 0], gradmap[[1, 3], 1] = 0.6, 0.1
    chosen = np.arange(4)
    params = LocalizationParams.model_validate(PARAMETERS)
    values = measure(maps, weight, masks, labels, gradmap, chosen, params, 1)
    for paper in ("lsg", "csg"):
        found = values[paper]
        assert found["activmap"]["filters_per_class"] == [1, 1]
        assert found["activmap"]["ap"]["total"] == found["cam"]["ap"]["total"] == 1
        for way, block in (("activmap", "one_filter"), ("cam", "all_filters")):
            for baseline in found[f"{block}_baselines"].values():
                assert found[way]["iou"]["total"] > baseline["iou"]["total"]
        # Silent on half of the images, so that ≥ selects all of them.
        assert found["activmap_inclusive"]["iou"]["total"] == pytest.approx(0.25)
        whole = found["all_filters_baselines"]["whole_image"]["iou"]
        assert whole == {"per_class": [0.25, 0.25], "total": 0.25}
    assert values["gradmap"]["result"]["ap"] == {"per_class": [1, 0], "total": 0.5}
    assert values["gradmap"]["images"] == [2, 2]
    assert values["images"] == [10, 10] and values["map_size"] == [4, 4]


def test_a_baseline_beside_one_filter_counts_for_its_best_class():
    masks = np.zeros((4, 4, 4), dtype=bool)
    masks[:2, :, :1] = masks[2:, :, :3] = True  # a quarter of class 0, three quarters of class 1
    labels = np.array([0, 0, 1, 1])
    maps = random_maps((4, 2, 2, 2), 0)
    params = LocalizationParams.model_validate(PARAMETERS)
    every = np.ones((4, 2))
    values = measure(maps, np.eye(2), masks, labels, every, np.arange(4), params, 1)
    one, all_ = (values["csg"][f"{way}_baselines"] for way in ("one_filter", "all_filters"))
    assert one["whole_image"]["iou"] == {"per_class": [0.25, 0.75], "total": 0.75}
    assert all_["whole_image"]["iou"] == {"per_class": [0.25, 0.75], "total": 0.5}
    assert one["whole_image"]["ap"]["per_class"] == [0, 1]
    assert one["random_map"]["filters"] == PARAMETERS["random_maps"]


def test_a_gradmap_baseline_has_no_more_choice_of_classes_than_the_network():
    masks = np.zeros((4, 10, 10), dtype=bool)
    masks[:2, :2] = masks[2:, :8] = True  # 0.2 of the image in class 0, 0.8 in class 1
    labels = np.array([0, 0, 1, 1])
    # Each of the first two filters is looked at by one class, the last by none; all of them
    # segment the whole image.
    looked_at = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]], dtype=bool)
    iou = np.where(looked_at, masks.mean(axis=(1, 2))[:, None], np.nan)
    params = LocalizationParams.model_validate(PARAMETERS)
    maps = random_maps((4, 3, 2, 2), 0)
    values = measure(maps, np.ones((2, 3)), masks, labels, iou, np.arange(4), params, 1)
    result, baselines = values["gradmap"]["result"], values["gradmap"]["baselines"]
    assert result["iou"]["total"] == baselines["whole_image"]["iou"]["total"] == 0.5
    assert result["ap"] == baselines["whole_image"]["ap"]
    assert baselines["whole_image"]["iou"]["per_class"] == [pytest.approx(0.2), pytest.approx(0.8)]
    assert baselines["random_map"]["filters_per_class"] == [1, 1]
    # Random filters are dealt to the network's in turn, each as far as that one is looked at.
    noise = random_maps((4, PARAMETERS["random_maps"], 2, 2), PARAMETERS["random_seed"])
    found, share = activation_iou(noise, masks, PARAMETERS["csg"]["top_share"], 1)
    expected = [found[:2, 0].mean(), found[2:, 1].mean()]
    assert baselines["random_map"]["iou"]["per_class"] == [pytest.approx(e) for e in expected]
    assert baselines["random_map"]["selected_share"] == share


def test_random_maps_select_less_than_the_top_share():
    masks, noise = np.ones((30, 32, 32), dtype=bool), random_maps((30, 8, 4, 4), 0)
    assert 0.03 < activation_iou(noise, masks, 0.2, 1)[1] < 0.15
    # Maps that are not enlarged select it exactly.
    assert activation_iou(noise, masks[:, :4, :4], 0.2, 1)[1] == pytest.approx(0.2, abs=0.01)


@pytest.fixture
def trained(make_slice, tmp_path):
    """A store of 16x16 images with masks, and the checkpoint of an untrained network."""
    rng = np.random.default_rng(0)

    slice_ = make_slice()

    def split(count, masks=True):
        objects = np.zeros((count, 16, 16), dtype=bool)
        objects[:, 3:12, 5:13] = True
        pixels = rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
        labels = np.arange(count) % 3
        return Split(pixels, labels, objects) if masks else Split(pixels, labels)

    def write(root, split_seed=0, **options):
        write_store(
            root,
            {"train": split(6, **options), "test": split(9, **options)},
            dataset="insects",
            source="random",
            note="",
            classes=["ant", "bee", "cow"],
            raw_sha256={},
            verified=True,
            parameters={**slice_.data.model_dump(), "split_seed": split_seed},
            masks_note="drawn by hand",
        )
        return root

    store = write(tmp_path / "store")
    torch.manual_seed(0)
    meta = read_meta(store)
    method = build_method(
        slice_, build_network(slice_, meta.classes, meta.mean, meta.std, meta.image_size)
    )
    checkpoint = tmp_path / "checkpoint"
    save_checkpoint(checkpoint, method, [], slice_, meta, CPU)
    return (
        checkpoint,
        store,
        {**slice_.model_dump(by_alias=True), "localization": PARAMETERS},
        write,
    )


def record(checkpoint, store, slice_, out):
    """Measure and write the JSON."""
    record_network_measurement(
        "localization", checkpoint, store, slice_, experiment="e", seed=0, out=out, device=CPU
    )


def test_the_recorded_measurement(trained, tmp_path):
    checkpoint, store, slice_, _ = trained
    out = tmp_path / "seed0.json"
    record(checkpoint, store, slice_, out)
    content = json.loads(out.read_text())
    values, provenance = content["values"], content["provenance"]
    assert provenance["parameters_hash"] == parameters_hash(slice_)
    assert provenance["analysis"] == "localization"
    assert set(provenance["inputs"]) >= {"checkpoint/model.safetensors", "store/test/masks.npy"}
    assert values["classes"] == ["ant", "bee", "cow"] and values["masks"] == "drawn by hand"
    assert values["filters"] == 16 and values["map_size"] == [4, 4]
    assert values["gradmap"]["images"] == [2, 2, 2]
    assert values["gradmap"]["result"]["filters"] <= 9  # 3 for each of 3 classes
    whole = values["lsg"]["all_filters_baselines"]["whole_image"]["iou"]["total"]
    assert whole == pytest.approx(9 * 8 / 256)
    assert values["lsg"]["one_filter_baselines"]["centred_box"]["ap"]["total"] == 1
    examples = values["examples"]
    assert [example["class"] for example in examples] == ["ant", "bee"]
    with Image.open(BytesIO(base64.b64decode(examples[0]["image"]))) as image:
        assert image.size == (16, 16) and image.mode == "RGB"
    with Image.open(BytesIO(base64.b64decode(examples[0]["mask"]))) as image:
        assert (np.asarray(image) > 0).sum() == 72
    with Image.open(BytesIO(base64.b64decode(examples[1]["cam"]))) as image:
        assert image.size == (16, 16) and np.asarray(image).max() == 255
    again = tmp_path / "again.json"
    record(checkpoint, store, slice_, again)
    assert json.loads(again.read_text())["values"] == values


def test_feature_maps_do_not_depend_on_the_batches(make_slice):
    torch.manual_seed(0)
    model = build_classifier("resnet20", num_classes=2, width=4, mean=[0.5] * 3, std=[0.2] * 3)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    whole = feature_maps(model.eval(), pixels, 5, CPU)
    np.testing.assert_allclose(whole, feature_maps(model, pixels, 2, CPU), rtol=1e-4, atol=1e-5)
    assert whole.shape == (5, 16, 2, 2) and whole.dtype == np.float32


def test_what_is_refused(trained, tmp_path):
    checkpoint, store, slice_, write = trained

    def refused(store=store, slice_=slice_):
        record(checkpoint, store, slice_, tmp_path / "out.json")

    with pytest.raises(ClearfiltersError, match="no object masks"):
        refused(store=write(tmp_path / "bare", masks=False))
    with pytest.raises(ClearfiltersError, match=r"others/meta\.json: prepared with parameters"):
        refused(store=write(tmp_path / "others", split_seed=1))
    with pytest.raises(ClearfiltersError, match="trained with parameters"):
        refused(slice_={**slice_, "seed": 5})
    assert not (tmp_path / "out.json").exists()


def test_an_image_with_an_empty_mask_is_left_out(trained, tmp_path):
    checkpoint, store, slice_, _ = trained
    masks = np.load(store / "test" / "masks.npy")
    masks[4] = False
    np.save(store / "test" / "masks.npy", masks)
    out = tmp_path / "seed0.json"
    record(checkpoint, store, slice_, out)
    values = json.loads(out.read_text())["values"]
    assert values["skipped_images"] == 1 and values["images"] == [3, 2, 3]
