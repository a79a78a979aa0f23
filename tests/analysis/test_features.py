import json

import numpy as np
import pytest

from clearfilters.analysis.features import Gates, load_features, load_gates, require_gates
from clearfilters.errors import ClearfiltersError


@pytest.fixture
def folder(tmp_path, gated_features):
    f = gated_features
    np.savez(
        tmp_path / "train.npz", pooled=f.train_pooled, logits=f.train_logits, labels=f.train_labels
    )
    np.savez(
        tmp_path / "test.npz", pooled=f.test_pooled, logits=f.test_logits, labels=f.test_labels
    )
    np.savez(tmp_path / "noise.npz", pooled=f.noise_pooled)
    np.savez(
        tmp_path / "head.npz",
        weight=f.weight,
        bias=f.bias,
        last_conv=f.last_conv,
        gate=f.trained_gate,
    )
    (tmp_path / "meta.json").write_text(json.dumps({"classes": list(f.classes)}))
    return tmp_path


def test_features_come_back_as_written(folder, gated_features):
    loaded = load_features(folder)
    for name in gated_features.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(gated_features, name))
    assert loaded.train_pooled.dtype == np.float32
    assert loaded.train_labels.dtype == np.int64


def test_a_model_without_gate_has_none(folder, features):
    np.savez(
        folder / "head.npz",
        weight=features.weight,
        bias=features.bias,
        last_conv=features.last_conv,
    )
    assert load_features(folder).trained_gate is None


@pytest.mark.parametrize("name", ["train.npz", "test.npz", "noise.npz", "head.npz", "meta.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
def test_a_missing_or_damaged_file_is_named(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    with pytest.raises(ClearfiltersError, match=name):
        load_features(folder)


def test_a_flipped_byte_is_found(folder):
    content = bytearray((folder / "test.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "test.npz").write_bytes(bytes(content))
    with pytest.raises(ClearfiltersError, match=r"test\.npz"):
        load_features(folder)


def test_pickled_objects_are_refused(folder):
    np.savez(folder / "noise.npz", pooled=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ClearfiltersError, match=r"noise\.npz"):
        load_features(folder)


def test_text_is_refused(folder):
    np.savez(folder / "noise.npz", pooled=np.array(["a"]))
    with pytest.raises(ClearfiltersError, match="numbers expected"):
        load_features(folder)


def test_an_array_that_is_not_there_is_named(folder):
    np.savez(folder / "noise.npz", other=np.zeros(3))
    with pytest.raises(ClearfiltersError, match=r"noise.npz.*pooled"):
        load_features(folder)


@pytest.mark.parametrize(
    ("name", "key", "change", "message"),
    [
        ("train", "pooled", lambda x: x[:, 1:], "shape"),
        ("test", "logits", lambda x: x[:, 1:], "shape"),
        ("test", "labels", lambda x: x[1:], "shape"),
        ("test", "labels", lambda x: x + 1, "labels from 1 to 3"),
        ("test", "labels", lambda x: x - 1, "labels from -1 to 1"),
        ("noise", "pooled", lambda x: x[:0], "not empty"),
        ("noise", "pooled", lambda x: x[0, 0], "shape"),
        ("head", "bias", lambda x: x[1:], "shape"),
        ("head", "last_conv", lambda x: x[1:], "shape"),
        ("head", "gate", lambda x: x.T, "shape"),
        ("head", "gate", lambda x: x * 2, r"outside \[0, 1\]"),
        ("head", "gate", lambda x: x * np.nan, r"outside \[0, 1\]"),
        ("train", "pooled", lambda x: x * np.nan, "NaN"),
    ],
)
def test_arrays_that_do_not_fit_are_named(folder, name, key, change, message):
    path = folder / f"{name}.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays[key] = change(arrays[key])
    np.savez(path, **arrays)
    with pytest.raises(ClearfiltersError, match=message) as error:
        load_features(folder)
    assert path.name in str(error.value)


@pytest.mark.parametrize("meta", [{}, [], {"classes": "abc"}])
def test_meta_without_classes(folder, meta):
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(ClearfiltersError, match="classes"):
        load_features(folder)


def test_gates_prefer_the_trained_one(tmp_path, gates):
    np.savez(tmp_path / "both.npz", fitted=gates.fitted, trained=gates.trained)
    both = load_gates(tmp_path / "both.npz")
    assert both.source == "trained"
    np.testing.assert_array_equal(both.used, gates.trained)
    np.savez(tmp_path / "fitted.npz", fitted=gates.fitted)
    fitted = load_gates(tmp_path / "fitted.npz")
    assert fitted.source == "fitted" and fitted.trained is None
    np.testing.assert_array_equal(fitted.used, gates.fitted)


@pytest.mark.parametrize(
    "arrays",
    [
        {"trained": np.ones((2, 2))},
        {"fitted": np.ones(4)},
        {"fitted": np.full((2, 2), 1.5)},
        {"fitted": np.ones((2, 2)), "trained": np.ones((2, 3))},
    ],
)
def test_wrong_gates_are_errors(tmp_path, arrays):
    np.savez(tmp_path / "seed0.npz", **arrays)
    with pytest.raises(ClearfiltersError, match=r"seed0\.npz"):
        load_gates(tmp_path / "seed0.npz")


def test_missing_gates_are_errors(tmp_path):
    with pytest.raises(ClearfiltersError, match="no such file"):
        load_gates(tmp_path / "seed0.npz")
    with pytest.raises(ClearfiltersError, match="masking"):
        require_gates(None, "masking")
    assert isinstance(require_gates(Gates(np.ones((1, 1)), None), "masking"), Gates)
