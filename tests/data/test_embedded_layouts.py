"""Rendered birds and animals through the readers of CUB and ILSVRC Animal-Part."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearfilters.data.animals.bird import BIRD_SPECIES, LANDMARKS
from clearfilters.data.animals.layout import scene_rng
from clearfilters.data.animals.scene import render_scene
from clearfilters.data.prepare import prepare
from clearfilters.data.store import ANNOTATION_FILES, Split, StoreMeta, read_meta, read_split
from clearfilters.errors import ClearfiltersError
from clearfilters.params.datasets import AnimalsCubParams
from clearfilters.params.reading import parse_dataset

SIZE = 32
NEGATIVES = "ilsvrc_animal_part/neg"
SINGLE = {"name": "single", "negatives": NEGATIVES, "positive_share": 0.75}
MULTI = {"name": "multi", "min_images": 10, "max_images": None}
RENDERED: dict[str, Any] = {
    "note": "a note",
    "seed": 3,
    "jpeg_quality": 95,
    "negatives": 4,
    "image_size": SIZE,
    "min_area": 50.0,
    "style": {
        "image_size": 48,
        "object_scale": [0.6, 1.0],
        "clutter": 2,
        "second_share": 0.0,
        "border_share": 0.0,
        "occluder_share": 0.0,
        "visible_share": 0.9,
        "exposure": [0.9, 1.1],
        "blur": 0.2,
        "noise": 0.0,
    },
}
CUB = {**RENDERED, "format": "animals-cub", "images_per_species": 4, "background": None}
ILSVRC = {
    **RENDERED,
    "format": "animals-ilsvrc",
    "images_per_class": 6,
    "train_share": 0.7,
    "categories": {"dog": "n02084071"},
    "task": SINGLE,
}


def prepared(content: dict[str, Any], store: Path) -> tuple[StoreMeta, dict[str, Split]]:
    prepare(parse_dataset(content), store / "no raw data", store, download=True)
    return read_meta(store), {
        split: read_split(store, split, annotations=ANNOTATION_FILES) for split in ("train", "test")
    }


def test_species_and_landmarks(tmp_path: Path) -> None:
    meta, splits = prepared(CUB, tmp_path)
    assert [name.split(".")[1] for name in meta.classes] == list(BIRD_SPECIES)
    assert meta.counts == {"train": 10, "test": 10}
    assert meta.source == "rendered birds in the layout of CUB-200-2011" and meta.verified
    # Every second image is for training; the landmarks move with the box of the bird's mask.
    data = parse_dataset(CUB)
    assert isinstance(data, AnimalsCubParams)
    style = data.style
    for position, (species, index) in enumerate((s, i) for s in range(5) for i in (1, 3)):
        assert splits["test"].labels[position] == species
        name = list(BIRD_SPECIES)[species]
        scene = render_scene("bird", style, scene_rng(3, "cub", species, index), species=name)
        rows, columns = np.nonzero(scene.objects[0].mask)
        table = splits["test"].landmarks
        assert table is not None
        found = table[table["image"] == position].set_index("landmark")
        assert list(found.index) == list(LANDMARKS)
        for landmark, (x, y, visible) in scene.objects[0].landmarks.items():
            at_x = (x - columns.min()) / (columns.max() + 1 - columns.min()) * SIZE
            at_y = (y - rows.min()) / (rows.max() + 1 - rows.min()) * SIZE
            if found.loc[landmark, "visible"]:
                assert visible
                assert abs(found.loc[landmark, "x"] - at_x) < 0.2
                assert abs(found.loc[landmark, "y"] - at_y) < 0.2
            else:
                assert not visible or not (0 <= at_x <= SIZE and 0 <= at_y <= SIZE)


def test_bird_or_background(tmp_path: Path) -> None:
    background = {"folder": NEGATIVES, "copies": 3, "train_share": 0.5}
    meta, splits = prepared({**CUB, "background": background}, tmp_path / "a")
    assert meta.classes == ["background", "bird"]
    for split in splits.values():
        assert split.labels.tolist() == [1] * 10 + [0] * 6
        np.testing.assert_array_equal(split.images[10], split.images[11])
    assert "ilsvrc_animal_part/neg" in meta.raw_sha256
    again, _ = prepared({**CUB, "background": background}, tmp_path / "b")
    assert again == meta


def test_one_category_or_background(tmp_path: Path) -> None:
    meta, splits = prepared(ILSVRC, tmp_path)
    assert meta.classes == ["background", "dog"]
    # Four negatives: three and one, twelve positives; four of six dogs for training.
    assert [int((split.labels == 0).sum()) for split in splits.values()] == [3, 1]
    assert [int((split.labels == 1).sum()) for split in splits.values()] == [8, 4]
    assert meta.source == "rendered animals in the layout of ILSVRC 2013 DET Animal-Part"
    for split in splits.values():
        assert split.landmarks is not None
        assert set(split.landmarks["landmark"]) == {"head", "front legs"}
        assert split.landmarks["visible"].mean() > 0.5


def test_several_categories(tmp_path: Path) -> None:
    categories = {"sheep": "n02411705", "dog": "n02084071"}
    meta, splits = prepared({**ILSVRC, "categories": categories, "task": MULTI}, tmp_path / "a")
    assert meta.classes == ["sheep", "dog"] and meta.counts == {"train": 16, "test": 8}
    # The dogs are those of the single category.
    _, single = prepared(ILSVRC, tmp_path / "b")
    np.testing.assert_array_equal(
        splits["test"].images[splits["test"].labels == 1],
        single["test"].images[single["test"].labels == 1],
    )


def test_a_category_that_is_not_rendered(tmp_path: Path) -> None:
    fox = {**ILSVRC, "categories": {"fox": "n02118333"}}
    with pytest.raises(ClearfiltersError, match=r"`fox` is n02118333.*n02084071 \(dog\)"):
        prepared(fox, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        {**CUB, "background": {"folder": "elsewhere", "copies": 1, "train_share": 0.5}},
        {**ILSVRC, "task": {**SINGLE, "negatives": "elsewhere"}},
    ],
)
def test_background_elsewhere(content: dict[str, Any]) -> None:
    with pytest.raises(ClearfiltersError, match="is rendered to `ilsvrc_animal_part/neg`"):
        parse_dataset(content)
