"""MATLAB files written by Python: v7.3 as MATLAB lays it out, and struct arrays for scipy's v5."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

USERBLOCK = 512


class V73:
    """Writes values as MATLAB's `save -v7.3` lays them out.

    dict: struct; a list of dicts: struct array; a list of anything else: cell; str: char.
    """

    def __init__(self, path: Path) -> None:
        self.file = h5py.File(path, "w", userblock_size=USERBLOCK)
        self.refs = self.file.create_group("#refs#")

    def referred(self, value: Any) -> h5py.Reference:
        name = f"r{len(self.refs)}"
        self.write(self.refs, name, value)
        return self.refs[name].ref

    def references(self, parent: h5py.Group, name: str, values: list[Any]) -> h5py.Dataset:
        """A 1xN MATLAB array of references is N x 1 in HDF5."""
        referred = np.array([[self.referred(value)] for value in values], h5py.ref_dtype)
        return parent.create_dataset(name, data=referred, dtype=h5py.ref_dtype)

    def write(self, parent: h5py.Group, name: str, value: Any) -> None:
        if isinstance(value, dict):
            node: Any = parent.create_group(name)
            node.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, content in value.items():
                self.write(node, field, content)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            node = parent.create_group(name)
            node.attrs["MATLAB_class"] = np.bytes_("struct")
            for field in value[0]:
                self.references(node, field, [element[field] for element in value])
        elif isinstance(value, list) and value:
            self.references(parent, name, value).attrs["MATLAB_class"] = np.bytes_("cell")
        elif isinstance(value, str) and value:
            codes = np.array([[ord(letter)] for letter in value], np.uint16)
            node = parent.create_dataset(name, data=codes)
            node.attrs["MATLAB_class"] = np.bytes_("char")
            node.attrs["MATLAB_int_decode"] = np.int32(2)
        else:
            self.array(parent, name, value)

    def array(self, parent: h5py.Group, name: str, value: Any) -> None:
        """A number, a logical or anything empty; of the empty, HDF5 holds the size."""
        kinds = {"f": "double", "b": "logical", "u": "uint8", "U": "char"}
        array = np.atleast_2d(value)
        kind = "cell" if isinstance(value, list) else kinds[array.dtype.kind]
        if np.size(value) == 0 or kind == "char":
            node = parent.create_dataset(name, data=np.array([0, 0], np.uint64))
            node.attrs["MATLAB_empty"] = np.uint8(1)
        else:
            stored = array.astype(np.uint8) if kind == "logical" else array
            node = parent.create_dataset(name, data=stored.T)
        node.attrs["MATLAB_class"] = np.bytes_(kind)

    def close(self) -> None:
        """Close the file and write MATLAB's header into the user block."""
        path = self.file.filename
        self.file.close()
        with open(path, "r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_v73(path: Path, content: dict[str, Any]) -> None:
    writer = V73(path)
    for name, value in content.items():
        writer.write(writer.file, name, value)
    writer.close()


def structs(*values: dict[str, Any]) -> np.ndarray[Any, Any]:
    """A 1xN struct array for scipy."""
    array = np.empty((1, len(values)), [(name, object) for name in values[0]])
    for index, value in enumerate(values):
        array[0, index] = tuple(value.values())
    return array
