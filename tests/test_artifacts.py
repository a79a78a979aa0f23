"""Files are written whole or not at all, and refused when made from other parameters."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearfilters.artifacts import (
    atomic_path,
    file_sha256,
    parameters_hash,
    read_json,
    read_measurement,
    write_json,
)
from clearfilters.errors import ClearfiltersError


def test_atomic_path_writes_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "array.npy"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".npy"
        assert temporary.parent == target.parent
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_atomic_path_leaves_nothing_on_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_atomic_path_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_hash_is_the_sha256_of_the_canonical_json() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.5,null],"b":"x"}').hexdigest()
    assert parameters_hash({"b": "x", "a": [1, 2.5, None]}) == expected


@given(st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_hash_ignores_the_order_of_keys_only(parameters: dict[str, float]) -> None:
    reversed_order = dict(reversed(parameters.items()))
    assert parameters_hash(parameters) == parameters_hash(reversed_order)
    changed = {**parameters, "one more": 1}
    if changed != parameters:
        assert parameters_hash(changed) != parameters_hash(parameters)


def test_file_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": value})
    assert list(tmp_path.iterdir()) == []


def test_json_round_trip(tmp_path: Path) -> None:
    content = {"a": [1, 2.5], "b": None, "ü": "λ"}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


def test_unreadable_json(tmp_path: Path) -> None:
    with pytest.raises(ClearfiltersError, match=r"missing\.json: no such file"):
        read_json(tmp_path / "missing.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"a": [1, ')
    with pytest.raises(ClearfiltersError, match=r"broken\.json: not valid JSON"):
        read_json(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ClearfiltersError, match=r"broken\.json: not valid JSON"):
        read_json(broken)


def test_measurement_of_other_parameters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "seed0.json"
    measured, current = parameters_hash({"threshold": 0.5}), parameters_hash({"threshold": 0.6})
    write_json(path, {"values": {"mis": 1.0}, "provenance": {"parameters_hash": measured}})
    assert read_measurement(path, measured).values == {"mis": 1.0}
    assert read_measurement(path, measured[:12]).provenance["parameters_hash"] == measured
    with pytest.raises(ClearfiltersError) as caught:
        read_measurement(path, current)
    message = str(caught.value)
    assert str(path) in message
    assert measured[:12] in message and current[:12] in message


@pytest.mark.parametrize("content", [[], {}, {"values": {}}, {"values": {}, "provenance": {}}, 3])
def test_a_file_that_is_no_measurement(tmp_path: Path, content: object) -> None:
    path = tmp_path / "seed0.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ClearfiltersError, match=r"seed0\.json: not a measurement"):
        read_measurement(path, "")
