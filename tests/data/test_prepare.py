"""From raw files to the store, whatever the format."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from clearfilters.data.prepare import prepare
from clearfilters.data.store import ANNOTATION_FILES, read_meta, read_split
from clearfilters.params.reading import parse_dataset
from clearfilters.registry import DATASETS, load

ANIMALS = {
    "format": "animals",
    "note": "rendered",
    "masks_note": "drawn",
    "classes": ["bird", "cat", "cow", "dog", "horse", "sheep"],
    "image_size": 24,
    "train_share": 0.6,
    "split_seed": 0,
    "seed": 1,
    "style": {
        "image_size": 48,
        "object_scale": [0.6, 1.0],
        "clutter": 4,
        "second_share": 0.5,
        "border_share": 0.1,
        "occluder_share": 0.1,
        "visible_share": 0.5,
        "exposure": [0.7, 1.2],
        "blur": 0.5,
        "noise": 0.03,
    },
    "images_per_class": 5,
    "jpeg_quality": 90,
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_format_has_a_schema_and_a_reader(name: str) -> None:
    assert get_args(load(DATASETS[name].params).model_fields["format"].annotation) == (name,)
    assert callable(load(DATASETS[name].reader))


def test_the_animals_are_rendered_and_read_as_real_ones(tmp_path: Path) -> None:
    data = parse_dataset(ANIMALS)
    for name in ("a", "b"):
        prepare(data, tmp_path / f"raw {name}", tmp_path / name, download=False)
    meta = read_meta(tmp_path / "a")
    assert meta.classes == ANIMALS["classes"] and meta.verified
    # Some of the 30 images show a second animal.
    assert 30 < sum(meta.counts.values()) <= 60
    train = read_split(tmp_path / "a", "train", annotations=ANNOTATION_FILES)
    assert train.masks is not None and train.parts is not None and train.landmarks is not None
    assert train.masks.any(axis=(1, 2)).all() and set(train.labels) == set(range(6))
    birds = train.labels == 0
    assert not train.parts["FLIMB"][birds].any() and train.parts["TORSO"][~birds].any()
    # Parts lie in their object.
    assert not np.any([part & ~train.masks for part in train.parts.values()])
    assert train.landmarks["visible"].mean() > 0.5
    for file in ("meta.json", "train/images.npy", "test/parts.npz", "test/landmarks.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
