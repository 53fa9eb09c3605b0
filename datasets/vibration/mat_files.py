"""Records in ``.mat`` files of MATLAB: format 5 (read whole) and 7.3 (HDF5, read in slices).

Fields of a struct are addressed with a dot: ``bearing.gs``.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from andon.datasets.vibration.arrays import Variables, check_size
from andon.datasets.vibration.containers import Channels
from andon.datasets.vibration.mat_tags import check_tags

DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MatReadError, MemoryError, NameError, RuntimeError),
    *(TypeError, ValueError, struct.error, zlib.error),
)
"""What SciPy and h5py raise of a damaged file; SciPy's reader of format 5 does so wherever it stumbles, of an unset variable too."""


@contextmanager
def open_mat(path: Path) -> Iterator[Channels]:
    """Open a ``.mat`` file; variables named like ``fs``, ``sampling_rate`` or ``rpm`` say what the signal is."""
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            yield _channels(_from_hdf5(file))
    else:
        yield _channels(_from_format_5(path))


def _from_format_5(path: Path) -> Variables:
    check_size(path.stat().st_size, path)
    contents = path.read_bytes()
    check_tags(contents)
    # SciPy documents open files too, which its stubs leave out; what is read is then what was checked.
    listed = whosmat(BytesIO(contents))  # type: ignore[arg-type]
    # A number takes eight bytes at most, whatever its class; what structs hold is not listed and counts as the file does.
    check_size(sum(8 * prod(shape) for _, shape, _ in listed), path)
    variables = Variables()
    for name, value in _flattened(loadmat(BytesIO(contents), simplify_cells=True)):  # type: ignore[arg-type]
        if isinstance(value, str):
            variables.texts[name] = value
        elif isinstance(value, (int, float, np.ndarray, np.number)):
            array = np.atleast_1d(np.asarray(value))
            variables.add(name, array, array.dtype)
    return variables


def _flattened(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif not name.startswith("__"):
            yield f"{prefix}{name}", value


def _from_hdf5(file: h5py.File) -> Variables:
    variables = Variables()

    # Links out of the file are not followed by the visit; data kept outside of it are refused here.
    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        name = path.replace("/", ".")
        if not isinstance(item, h5py.Dataset) or name.startswith("#") or item.external or item.is_virtual:
            return
        if item.attrs.get("MATLAB_class") == b"char":
            variables.texts[name] = "".join(chr(code) for code in np.asarray(item).ravel())
        elif not item.attrs.get("MATLAB_empty"):
            variables.add(name, item, item.dtype)

    file.visititems(visit)
    return variables


def _channels(variables: Variables) -> Channels:
    _read_mfpt_struct(variables)
    return variables.channels()


def _read_mfpt_struct(variables: Variables) -> None:
    """Take the shaft's speed from ``rate`` in Hz where a struct holds ``gs``, ``sr`` and ``rate``, as those of MFPT do."""
    for name in [name for name in variables.signals if name.rsplit(".", 1)[-1] == "gs"]:
        prefix = name.removesuffix("gs")
        if f"{prefix}sr" in variables.numbers and f"{prefix}rate" in variables.numbers:
            variables.numbers[f"{prefix}rpm"] = 60 * variables.numbers.pop(f"{prefix}rate")
