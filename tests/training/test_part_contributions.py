"""What is measured of explainers on annotated objects, against loops over what they compute."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from explainer_networks import annotated_store, explainer_slice, random_explainer, save
from torch import nn

from clearfilters.data.store import Split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.measurements import ExplainerPicturesParams, PartContributionsParams
from clearfilters.params.slices import TrainingSlice
from clearfilters.pictures import decoded
from clearfilters.training.contributions import contributions, explainer_cam, performer_cam
from clearfilters.training.explainer_pictures import measure_explainer_pictures
from clearfilters.training.frozen import stand_above
from clearfilters.training.part_contributions import measure_part_contributions
from clearfilters.training.trained_network import TrainedNetwork, open_network

Slices = Callable[..., TrainingSlice]
# Random filters follow the bright square, too; so high that some do not.
LEAST_R2 = 0.6
JUDGED = {"landmarks": {}, "test_only": [], "strongest": 100, "minimum_images": 2}
PARAMS = PartContributionsParams(**JUDGED, least_r2=LEAST_R2, other_limits=[1.0])
PICTURES = ExplainerPicturesParams(
    **JUDGED, least_r2=LEAST_R2, images=3, picture_size=20, jpeg_quality=95
)


def explainer(
    folder: Path, part_slice: Slices, classes: list[str]
) -> tuple[TrainedNetwork, dict[str, Split]]:
    """A random explainer and its data."""
    categories = [name for name in classes if name != "background"]
    top = {"interpretable": False, "masks": False}
    parameters = explainer_slice(part_slice(*categories, top=top, hidden=(7, 6)))
    splits = annotated_store(folder / "store", parameters, classes)
    save(folder / "net", random_explainer(parameters, classes), parameters, folder / "store")
    slice_ = parameters.model_dump(by_alias=True)
    device = torch.device("cpu")
    return open_network(folder / "net", folder / "store", slice_, device=device), splits


def objects(splits: dict[str, Split], split: str, label: int) -> np.ndarray:
    """The rows of a category's annotated objects."""
    rows = splits[split].landmarks["image"].unique()
    return rows[splits[split].labels[rows] == label]


def naive_parts(network: TrainedNetwork, splits: dict[str, Split], label: int) -> list[str | None]:
    """For each filter the landmark with the largest R², by loops; the tail never moves."""
    peaks, heads = [], []
    part = stand_above(network.method, TrainingSlice.model_validate(network.meta["parameters"]))
    found: list[torch.Tensor] = []
    hook = network.method.encoder.conv_interp2.register_forward_hook(
        lambda _layer, _inputs, output: found.append(output[0])
    )
    for name, split in splits.items():
        table = split.landmarks[split.landmarks["landmark"] == "head"].set_index("image")
        for row in objects(splits, name, label):
            pixels = torch.from_numpy(split.images[row]).permute(2, 0, 1)[None] / 255
            network.method(part.run(pixels))
            peaks.append([divmod(int(maps.argmax()), maps.shape[1]) for maps in found.pop()])
            heads.append((table.loc[row, "y"], table.loc[row, "x"]))
    hook.remove()
    places, where = np.array(peaks, float), np.array(heads)
    part_of: list[str | None] = []
    for f in range(places.shape[1]):
        r2 = []
        for axis in (0, 1):
            along = places[:, f, axis]
            r2.append(0 if np.ptp(along) == 0 else np.corrcoef(along, where[:, axis])[0, 1] ** 2)
        part_of.append("head" if np.mean(r2) >= LEAST_R2 else None)
    return part_of


@pytest.mark.parametrize("classes", [["background", "cat"], ["cat", "dog"]])
def test_contributions_by_loops(part_slice: Slices, tmp_path: Path, classes: list[str]) -> None:
    network, splits = explainer(tmp_path, part_slice, classes)
    found = measure_part_contributions(network, tmp_path / "store", PARAMS).values
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found["categories"]) == [name for name in classes if name != "background"]
    part = stand_above(network.method, TrainingSlice.model_validate(network.meta["parameters"]))
    for name, values in found["categories"].items():
        label = classes.index(name)
        logit = 0 if "background" in classes else label
        rows = objects(splits, "test", label)
        assert values["images"] == len(rows) == 4
        assert values["part_of_filter"] == naive_parts(network, splits, label)
        assert values["by_limit"][f"{LEAST_R2:g}"] == values["parts"]
        # Nothing moves quite as a landmark does.
        none = values["by_limit"]["1"]
        assert none["other"]["filters"] == len(values["part_of_filter"])
        assert sum(part["filters"] for part in none.values()) == none["other"]["filters"]
        pixels = torch.from_numpy(splits["test"].images[rows]).permute(0, 3, 1, 2) / 255
        inputs = part.run(pixels)
        of = contributions(network.method, inputs, logit)
        assert values["explainer_score"] == pytest.approx(float(of.scores.mean()), rel=1e-4)
        with torch.no_grad():
            maps = inputs
            for block in network.method.performer.backbone.blocks:
                maps = block(maps)
            scores = network.method.performer.fc(maps)[:, logit]
        assert values["score"] == pytest.approx(float(scores.mean()), rel=1e-4)
        assert list(values["parts"]) == ["head", "tail", "other"]
        sums = dict.fromkeys(values["parts"], 0.0)
        for f, of_filter in enumerate(values["part_of_filter"]):
            sums[of_filter or "other"] += float(of.filters[:, f].mean())
        total = sum(sums.values())
        for part_name, one in values["parts"].items():
            named = [of_filter or "other" for of_filter in values["part_of_filter"]]
            assert one["filters"] == named.count(part_name)
            assert one["contribution"] == pytest.approx(sums[part_name], rel=1e-4, abs=1e-5)
            if total > 0:
                assert one["share"] == pytest.approx(sums[part_name] / total, rel=1e-3, abs=1e-5)
            else:
                assert one["share"] is None
        together = total + values["ordinary"] + values["rest"]
        assert together == pytest.approx(values["explainer_score"], rel=1e-4)
    parts = [one["parts"]["head"]["filters"] for one in found["categories"].values()]
    assert 0 < max(parts) < 8


def test_pictures_show_what_is_measured(part_slice: Slices, tmp_path: Path) -> None:
    network, splits = explainer(tmp_path, part_slice, ["cat", "dog"])
    found = measure_explainer_pictures(network, tmp_path / "store", PICTURES).values
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    measured = measure_part_contributions(network, tmp_path / "store", PARAMS).values["categories"]
    assert found["map"] == {"side": 8, "stride": 4, "start": 2, "image_size": 32}
    assert [one["category"] for one in found["examples"]] == ["cat", "dog", "cat"]
    method = network.method
    part = stand_above(method, TrainingSlice.model_validate(network.meta["parameters"]))
    for number, one in enumerate(found["examples"]):
        label = number % 2
        row = objects(splits, "test", label)[number // 2]
        image = splits["test"].images[row]
        small = decoded(one["image"])
        assert small.shape == (20, 20, 3)
        assert abs(small.mean() - image.mean()) < 3
        inputs = part.run(torch.from_numpy(image).permute(2, 0, 1)[None] / 255)
        of = contributions(method, inputs, label)
        np.testing.assert_allclose(one["explainer_score"], of.scores[0], rtol=1e-4)
        for key, cam in (("performer", performer_cam), ("explainer", explainer_cam)):
            np.testing.assert_allclose(one[key], cam(method, inputs, label)[0], rtol=1e-3)
            assert np.min(one[key]) >= 0
        part_of = measured[one["category"]]["part_of_filter"]
        assert list(one["parts"]) == list(one["contributions"]) == ["head", "tail", "other"]
        for name in one["parts"]:
            own = [f for f, of_filter in enumerate(part_of) if (of_filter or "other") == name]
            np.testing.assert_allclose(one["parts"][name], of.maps[0, own].sum(dim=0), rtol=1e-3)
            expected = float(of.filters[0, own].sum())
            assert one["contributions"][name] == pytest.approx(expected, rel=1e-3, abs=1e-5)
        assert len(np.unique(one["parts"]["other"])) > 1


def test_a_negative_sum_has_no_shares(part_slice: Slices, tmp_path: Path) -> None:
    network, _ = explainer(tmp_path, part_slice, ["background", "cat"])
    last = network.method.network.fc.layers[6]
    for sign, layer in ((-1.0, last), (1.0, last)):
        nn.init.constant_(layer.weight, sign)
        found = measure_part_contributions(network, tmp_path / "store", PARAMS).values
        of_parts = found["categories"]["cat"]["parts"].values()
        total = sum(one["contribution"] for one in of_parts)
        assert all((one["share"] is None) == (total <= 0) for one in of_parts)


def test_a_category_without_annotated_test_objects(part_slice: Slices, tmp_path: Path) -> None:
    network, splits = explainer(tmp_path, part_slice, ["cat", "dog"])
    path = tmp_path / "store/test/landmarks.csv"
    table = splits["test"].landmarks
    table[table["image"] % 2 == 1].to_csv(path, index=False)
    found = measure_part_contributions(network, tmp_path / "store", PARAMS).values
    assert list(found["categories"]) == ["dog"]
    pictures = measure_explainer_pictures(network, tmp_path / "store", PICTURES).values
    assert {one["category"] for one in pictures["examples"]} == {"dog"}
    table.iloc[:0].to_csv(path, index=False)
    with pytest.raises(ClearfiltersError, match="cat, dog: no test object with a landmark"):
        measure_part_contributions(network, tmp_path / "store", PARAMS)
