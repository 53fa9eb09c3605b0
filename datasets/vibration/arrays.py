"""Records in ``.npy`` and ``.npz`` files of NumPy; pickled objects are refused."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from andon.datasets.vibration.containers import Channel, Channels, Sliceable, split_channels
from andon.datasets.vibration.hints import NOTHING, RecordHints
from andon.models.types.errors import RecordError

DAMAGE = (BadZipFile, EOFError, MemoryError, RuntimeError, SyntaxError, TokenError, ValueError, zlib.error)
"""What NumPy and the zip below it raise of a damaged file: headers are parsed as Python's literals."""

MAX_WHOLE_BYTES = 2**30
"""Most that is unpacked into memory at once. A variable of MATLAB's format 5 is below 2 GiB; half of that is 134 million
samples, 23 minutes at 96 kHz, and leaves room on a machine of 4 GiB."""

MIN_SAMPLES = 100
"""Vectors up to this length beside a signal are tables or settings: no diagnosis is possible with so few samples."""

_RATES = (
    "fs", "sr", "fshz", "ratehz", "samplingrate", "samplerate", "samplingratehz", "sampleratehz",
    "samplingfrequency", "samplefrequency", "rate",
)  # fmt: skip
_RPM = "rpm"


@dataclass(slots=True)
class Variables:
    """The named variables of a file, sorted by what they can be.

    Parameters
    ----------
    signals
        Numeric arrays of one or two dimensions that are long enough to be a signal.
    numbers, texts
        Single values, by name.
    """

    signals: dict[str, Sliceable] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, array: Sliceable, dtype: np.dtype[np.generic]) -> None:
        """Add a variable where its kind is one of the three."""
        if dtype.kind not in "iuf":
            return
        if np.prod(array.shape) == 1:
            self.numbers[name] = float(np.asarray(array[...]).ravel()[0])
        elif _is_signal(array.shape):
            self.signals[name] = array

    def channels(self) -> Channels:
        """Return the signals as channels; the single values say what they are."""
        said = self._said()
        return {
            name: Channel(chunks, said)
            for variable, array in self.signals.items()
            for name, chunks in split_channels(variable, array).items()
        }

    def _said(self) -> RecordHints:
        numbers = {_plain(name): value for name, value in self.numbers.items()}
        texts = {_plain(name): text for name, text in self.texts.items()}
        rate = next((numbers[name] for name in _RATES if name in numbers), None)
        # ``X097RPM`` in the records of Case Western Reserve University.
        speed = next((value for name, value in numbers.items() if name.endswith(_RPM)), None)
        unit = texts.get("unit", texts.get("units"))
        return RecordHints(rate_hz=rate, rpm=speed, unit=unit, asset=texts.get("asset"), sensor=texts.get("sensor"))


@contextmanager
def open_npy(path: Path) -> Iterator[Channels]:
    """Open an array ``[n]``, ``[n, channels]`` or ``[channels, n]``; its pages are read when they are used."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype.kind not in "iuf" or array.ndim not in (1, 2):
        raise RecordError("record.array", str(path), found=f"{array.dtype} {list(array.shape)}")
    yield {name: Channel(chunks, NOTHING) for name, chunks in split_channels("samples", array).items()}


@contextmanager
def open_npz(path: Path) -> Iterator[Channels]:
    """Open an archive of arrays; single values such as ``fs`` and ``rpm`` say what the others are."""
    with ZipFile(path) as members:
        check_size(sum(member.file_size for member in members.infolist()), path)
    with np.load(path, allow_pickle=False) as archive:
        yield variables_of({name: archive[name] for name in archive.files}).channels()


def variables_of(arrays: Mapping[str, NDArray[np.generic]]) -> Variables:
    """Sort arrays in memory."""
    variables = Variables()
    for name, array in arrays.items():
        if array.dtype.kind in "US" and array.size == 1:
            variables.texts[name] = str(array.ravel()[0])
        variables.add(name, array, array.dtype)
    return variables


def check_size(n_bytes: int, path: Path) -> None:
    """Refuse what would not fit.

    Raises
    ------
    RecordError
        If it is more than ``MAX_WHOLE_BYTES``.
    """
    if n_bytes > MAX_WHOLE_BYTES:
        raise RecordError("record.too_large", str(path), found=n_bytes >> 20, limit=MAX_WHOLE_BYTES >> 20)


def _is_signal(shape: tuple[int, ...]) -> bool:
    return len(shape) in (1, 2) and max(shape) > MIN_SAMPLES and min(shape) > 0


def _plain(name: str) -> str:
    """Reduce a variable's name to what identifies it: ``bearing.Sampling_Rate`` to ``samplingrate``."""
    return name.rsplit(".", 1)[-1].replace("_", "").replace(" ", "").lower()
