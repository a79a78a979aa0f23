"""The record of what a store holds."""

from pathlib import Path

import pytest

from clearfilters.artifacts import file_sha256, parameters_hash, read_measurement
from clearfilters.data.record import record_data
from clearfilters.data.store import Split, read_split, write_store
from clearfilters.errors import ClearfiltersError
from clearfilters.params.reading import parse_dataset

DIGITS = {
    "format": "digits", "note": "", "test_fraction": 0.2, "split_seed": 0, "enlargement": 4,
}  # fmt: skip


def test_what_is_recorded(digits_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "data/digits.json"
    record_data(parse_dataset(DIGITS), digits_store, out)
    record = read_measurement(out, parameters_hash(DIGITS))
    assert record.values == {
        "source": "scikit-learn load_digits",
        "note": "",
        "verified": True,
        "classes": [str(digit) for digit in range(10)],
        "counts": {"train": 256, "test": 64},
        "image_size": 32,
        "annotations": [],
        "masks_note": "",
        "skipped": {},
    }
    assert record.provenance == {
        "parameters": DIGITS,
        "parameters_hash": parameters_hash(DIGITS),
        "inputs": {"meta.json": file_sha256(digits_store / "meta.json")},
    }


def test_what_was_left_out_and_the_raw_inputs(digits_store: Path, tmp_path: Path) -> None:
    split = read_split(digits_store, "test")
    masks = split.images[..., 0] > 100
    write_store(
        tmp_path / "store",
        {name: Split(split.images, split.labels, masks=masks) for name in ("train", "test")},
        dataset="digits",
        source="somewhere",
        note="",
        classes=[str(digit) for digit in range(10)],
        raw_sha256={"a/b": "123"},
        verified=False,
        parameters=DIGITS,
        skipped={"objects with an empty mask": 3},
        masks_note="drawn",
    )
    record_data(parse_dataset(DIGITS), tmp_path / "store", tmp_path / "a.json")
    record = read_measurement(tmp_path / "a.json", parameters_hash(DIGITS))
    assert record.values["skipped"] == {"objects with an empty mask": 3}
    assert record.values["masks_note"] == "drawn" and record.values["annotations"] == ["masks"]
    assert record.provenance["inputs"]["a/b"] == "123"


@pytest.mark.parametrize(
    "parameters",
    [
        {**DIGITS, "note": "other"},
        {**DIGITS, "split_seed": 1},
        {"format": "cifar10", "note": "", "verify": True},
    ],
)
def test_a_store_of_other_parameters(
    digits_store: Path, tmp_path: Path, parameters: dict[str, object]
) -> None:
    with pytest.raises(ClearfiltersError, match="prepared with parameters"):
        record_data(parse_dataset(parameters), digits_store, tmp_path / "a.json")
    with pytest.raises(ClearfiltersError, match="no such file"):
        record_data(parse_dataset(parameters), tmp_path / "absent", tmp_path / "a.json")
    assert not list(tmp_path.iterdir())
