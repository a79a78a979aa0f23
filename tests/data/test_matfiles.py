"""MATLAB files: v5 by scipy's writer, v7.3 laid out as MATLAB does it, and what is refused."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mat_files import USERBLOCK, V73, structs, write_v73
from scipy.io import savemat

from clearfilters.data.matfiles import read_mat
from clearfilters.errors import ClearfiltersError


def cell(*values: Any) -> np.ndarray[Any, Any]:
    """A 1xN cell for scipy."""
    array = np.empty((1, len(values)), object)
    array[0] = values
    return array


MATRIX = np.array([[1.5, 2.0, 3.0], [4.0, 5.0, 6.0]])
MASK = np.array([[True, False], [True, True], [False, False]])
ELEMENTS = [
    {"centre": np.array([[74.0], [147.5]]), "box": {"xmin": "52"}, "note": ""},
    {"centre": np.empty((0, 0)), "box": {"xmin": "1"}, "note": "x y"},
    {"centre": np.array([[1.0, 2.0], [3.0, 4.0]]), "box": {"xmin": "7"}, "note": "z"},
]
CONTENT_V73: dict[str, Any] = {
    "scalar": 300.0,
    "whole": np.array([[86.0, 46.0]]),
    "small": np.array([[200, 100]], np.uint8),
    "flag": np.array([[True]]),
    "matrix": MATRIX,
    "mask": MASK,
    "names": ["head", "front legs", np.array([[1.0, 2.0]])],
    "no_names": [],
    "samples": ELEMENTS,
    "nested": {"one": {"text": "abc"}, "mask": MASK},
}
CONTENT_V5 = {
    **CONTENT_V73,
    "names": cell("head", "front legs", np.array([[1.0, 2.0]])),
    "no_names": np.empty((0, 0), object),
    "samples": structs(*ELEMENTS),
}
EXPECTED: dict[str, Any] = {
    "scalar": 300.0,
    "whole": np.array([86.0, 46.0]),
    "small": np.array([200, 100], np.uint8),
    "flag": True,
    "matrix": MATRIX,
    "mask": MASK,
    "names": ["head", "front legs", np.array([1.0, 2.0])],
    "no_names": [],
    "samples": [
        {"centre": np.array([74.0, 147.5]), "box": {"xmin": "52"}, "note": ""},
        {"centre": np.empty(0), "box": {"xmin": "1"}, "note": "x y"},
        {"centre": np.array([[1.0, 2.0], [3.0, 4.0]]), "box": {"xmin": "7"}, "note": "z"},
    ],
    "nested": {"one": {"text": "abc"}, "mask": MASK},
}


def assert_same(found: Any, expected: Any) -> None:
    """Equal values of equal types all the way down."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


def test_both_versions_read_the_same(tmp_path: Path) -> None:
    savemat(tmp_path / "v5.mat", CONTENT_V5)
    write_v73(tmp_path / "v73.mat", CONTENT_V73)
    assert_same(read_mat(tmp_path / "v5.mat"), EXPECTED)
    assert_same(read_mat(tmp_path / "v73.mat"), EXPECTED)


def test_chosen_fields(tmp_path: Path) -> None:
    savemat(tmp_path / "v5.mat", {"samples": CONTENT_V5["samples"]})
    write_v73(tmp_path / "v73.mat", {"samples": ELEMENTS})
    chosen = [{"note": element["note"]} for element in EXPECTED["samples"]]
    for name in ("v5.mat", "v73.mat"):
        assert_same(read_mat(tmp_path / name, fields=("note",)), {"samples": chosen})


def test_a_char_matrix_is_its_rows(tmp_path: Path) -> None:
    savemat(tmp_path / "v5.mat", {"rows": np.array(["ab", "cd"])})
    writer = V73(tmp_path / "v73.mat")
    codes = np.array([[ord("a"), ord("c")], [ord("b"), ord("d")]], np.uint16)
    writer.file.create_dataset("rows", data=codes).attrs["MATLAB_class"] = np.bytes_("char")
    writer.close()
    for name in ("v5.mat", "v73.mat"):
        assert_same(read_mat(tmp_path / name), {"rows": ["ab", "cd"]})


def refusal(path: Path) -> str:
    with pytest.raises(ClearfiltersError) as caught:
        read_mat(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.mat")
    assert "no such file" in refusal(tmp_path)
    for content in (b"", b"some text, much longer than a header " * 9, b"\xff\xd8\xff\xe0" * 99):
        path = tmp_path / "foreign.mat"
        path.write_bytes(content)
        assert "fetch it again" in refusal(path)


def test_a_foreign_hdf5_file(tmp_path: Path) -> None:
    path = tmp_path / "foreign.mat"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    assert "class ``" in refusal(path)
    with h5py.File(path, "w") as file:
        file.create_group("x")
    assert "expected a struct" in refusal(path)


@pytest.mark.parametrize("version", ["v5", "v73"])
@pytest.mark.parametrize("kept", [0.1, 0.4, 0.9, 0.99])
def test_truncated_files(tmp_path: Path, version: str, kept: float) -> None:
    path = tmp_path / "truncated.mat"
    if version == "v5":
        savemat(path, CONTENT_V5, do_compression=True)
    else:
        write_v73(path, CONTENT_V73)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert "fetch it again" in refusal(path)


def test_an_unreadable_v73_file(tmp_path: Path) -> None:
    """MATLAB's header with no HDF5 behind it, and an HDF5 whose tables are overwritten."""
    path = tmp_path / "damaged.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x00" * 4000)
    assert "fetch it again" in refusal(path)
    write_v73(path, CONTENT_V73)
    content = bytearray(path.read_bytes())
    content[USERBLOCK + 96 : USERBLOCK + 2000] = b"\x55" * (2000 - 96)
    path.write_bytes(content)
    assert "fetch it again" in refusal(path)


def test_classes_that_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "v73.mat"
    writer = V73(path)
    writer.file.create_dataset("f", data=np.zeros(1)).attrs["MATLAB_class"] = np.bytes_(
        "function_handle"
    )
    writer.close()
    assert "function_handle" in refusal(path)
    savemat(tmp_path / "v5.mat", {"z": np.array([[1 + 2j]])})
    assert "complex" in refusal(tmp_path / "v5.mat")


def test_a_cell_that_refers_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "v73.mat"
    writer = V73(path)
    node = writer.file.create_dataset("loop", (1, 1), h5py.ref_dtype)
    node[...] = np.array([[node.ref]], h5py.ref_dtype)
    node.attrs["MATLAB_class"] = np.bytes_("cell")
    writer.close()
    assert "RecursionError" in refusal(path)
