"""MATLAB files, v5 and v7.3 (HDF5), read into one form.

- struct: dict; struct array: list of dicts (a 1x1 one is a struct)
- cell: list; both kinds of list run column by column, as MATLAB counts
- char: str; a char matrix: list of its rows
- number: float, int or bool; vector: 1-d array; other numeric and logical arrays in MATLAB's
  orientation and class (a double that v5 packs as uint8 is a double again); empty: shape (0,)

Other classes (function handles, objects, sparse and complex arrays) are refused.
"""

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from clearfilters.errors import ClearfiltersError

# NumPy's name of each MATLAB class of numbers.
NUMERIC = {
    "double": "float64", "single": "float32", "logical": "bool",
    "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
}  # fmt: skip
EMPTY: dict[str, Any] = {"char": "", "cell": [], "struct": [], "canonical empty": np.empty(0)}


class UnsupportedError(Exception):
    """The file holds something that is not read."""


def read_mat(path: Path, fields: Collection[str] | None = None) -> dict[str, Any]:
    """All variables of a MATLAB file, by name; the form is described above.

    Args:
        path: the file.
        fields: of the variables that are structs, read these fields only (v7.3 is slow where
            structs are deep); None for all.

    Raises:
        ClearfiltersError: if the file is missing, damaged, no MATLAB file, or holds a class that
            is not read.
    """
    if not path.is_file():
        raise ClearfiltersError(f"{path}: no such file; docs/data.md says what belongs there")
    try:
        return _read_hdf5(path, fields) if h5py.is_hdf5(path) else _read_v5(path, fields)
    except Exception as error:  # a damaged file may raise anything
        raise ClearfiltersError(
            f"{path}: cannot be read as MATLAB v5 or v7.3 ({type(error).__name__}: {error}); "
            "expected the published file; fetch it again"
        ) from None


def _number(array: npt.NDArray[Any]) -> Any:
    """A scalar, a vector or a matrix from a MATLAB matrix."""
    if array.size == 1:
        return array.item()
    return array.squeeze() if array.size else np.empty(0, array.dtype)


def _text(rows: list[str]) -> str | list[str]:
    """A string from a char matrix's only row, or all its rows."""
    return rows if len(rows) > 1 else "".join(rows)


def _kept(names: Collection[str], fields: Collection[str] | None) -> list[str]:
    return [name for name in names if fields is None or name in fields]


def _read_v5(path: Path, fields: Collection[str] | None) -> dict[str, Any]:
    with warnings.catch_warnings():
        # scipy would drop imaginary parts.
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        content = loadmat(path, mat_dtype=True, appendmat=False)
    return {
        name: _from_v5(value, fields)
        for name, value in content.items()
        if not name.startswith("__")
    }


def _from_v5(value: Any, fields: Collection[str] | None = None) -> Any:
    # scipy gives a function handle as a subclass of ndarray.
    if type(value) is not np.ndarray:
        raise UnsupportedError(f"it holds a {type(value).__name__}")
    if value.dtype.names:
        structs = [
            {name: _from_v5(element[name]) for name in _kept(value.dtype.names, fields)}
            for element in value.ravel(order="F")
        ]
        return structs[0] if len(structs) == 1 else structs
    if value.dtype == object:
        return [_from_v5(element) for element in value.ravel(order="F")]
    if value.dtype.kind == "U":
        return _text(value.ravel().tolist())
    if value.dtype.kind not in "biuf":
        raise UnsupportedError(f"it holds an array of {value.dtype}")
    return _number(value)


def _read_hdf5(path: Path, fields: Collection[str] | None) -> dict[str, Any]:
    with h5py.File(path, "r") as file:
        # Names with # are MATLAB's own: what the references point to.
        names = [name for name in file if not name.startswith("#")]
        return {name: _from_hdf5(file, file[name], fields) for name in names}


def _class(node: h5py.Group | h5py.Dataset) -> str:
    found = node.attrs.get("MATLAB_class", b"")
    return found.decode() if isinstance(found, bytes) else str(found)


def _from_hdf5(
    file: h5py.File, node: h5py.Group | h5py.Dataset, fields: Collection[str] | None = None
) -> Any:
    kind = _class(node)
    if isinstance(node, h5py.Group):
        if kind != "struct":
            raise UnsupportedError(f"{node.name} is a group of class `{kind}`, expected a struct")
        return _struct_from_hdf5(file, node, fields)
    if node.attrs.get("MATLAB_empty", 0):  # its data are its size
        return EMPTY[kind] if kind in EMPTY else np.empty(0, NUMERIC[kind])
    # HDF5 holds the transpose, whose rows are MATLAB's columns.
    array = np.asarray(node[()])
    if kind == "cell":
        return [_from_hdf5(file, file[reference]) for reference in array.ravel()]
    if kind == "char":
        return _text(["".join(map(chr, row)) for row in array.T])
    if kind in NUMERIC and array.dtype.kind in "iuf":
        return _number(array.T.astype(NUMERIC[kind]))
    raise UnsupportedError(f"{node.name} is of class `{kind}` and type {array.dtype}")


def _struct_from_hdf5(
    file: h5py.File, group: h5py.Group, fields: Collection[str] | None
) -> dict[str, Any] | list[dict[str, Any]]:
    # The fields of a struct are values; those of a struct array refer to values, and have no class.
    nodes = {name: group[name] for name in _kept(group, fields)}
    if all(_class(node) for node in nodes.values()):
        return {name: _from_hdf5(file, node) for name, node in nodes.items()}
    columns = [node[()].ravel() for node in nodes.values()]
    return [
        {
            name: _from_hdf5(file, file[reference])
            for name, reference in zip(nodes, row, strict=True)
        }
        for row in zip(*columns, strict=True)
    ]
