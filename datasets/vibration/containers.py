"""What the readers of all formats have in common: a file holds channels, and a channel gives its samples in chunks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from andon.datasets.vibration.hints import NOTHING, RecordHints
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Samples

CHUNK_SAMPLES = 2**18
"""Samples that a reader takes at once: 2 MiB of float64, so that a block in memory and its source stay small beside a file,
while the cost of a call (tens of microseconds) stays small beside its reading (milliseconds)."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of a file.

    Parameters
    ----------
    chunks
        Reads its samples from the first to the last, in chunks of any length, as float64.
    said
        What the file says of it.
    ticks_per_s
        For a clock: how many of its units make a second. None for a channel that holds a signal.
    """

    chunks: Callable[[], Iterator[Samples]]
    said: RecordHints = NOTHING
    ticks_per_s: float | None = None


Channels = Mapping[str, Channel]
"""The numeric channels of a file by name, in its order."""


class Sliceable(Protocol):
    """An array in memory or in a file, of one or two dimensions, that is read by slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extent."""

    def __getitem__(self, index: Any, /) -> Any:
        """Read a part of it."""


def sliced(array: Sliceable, at: int = 0) -> Iterator[Samples]:
    """Read an array in chunks: all of ``[n]``, or the channel ``at`` of ``[n, channels]`` or ``[channels, n]``.

    The longer axis is time; where both are equal, the first is.
    """
    for start in range(0, max(array.shape), CHUNK_SAMPLES):
        yield np.asarray(array[_part(array.shape, slice(start, start + CHUNK_SAMPLES), at)], dtype=np.float64).ravel()


def split_channels(name: str, array: Sliceable) -> Mapping[str, Callable[[], Iterator[Samples]]]:
    """Name the channels of an array and how to read each: ``name`` where it has one, else ``name:1``, ``name:2`` ..."""
    count = 1 if len(array.shape) == 1 else min(array.shape)
    if count == 1:
        return {name: lambda: sliced(array)}
    return {f"{name}:{at + 1}": _reader(array, at) for at in range(count)}


@contextmanager
def damage_reported(path: Path, raised: tuple[type[Exception], ...]) -> Iterator[None]:
    """Report as damaged a file that the library that reads it cannot.

    Parameters
    ----------
    raised
        What that library raises of a damaged file beside ``OSError``.

    Raises
    ------
    RecordError
        If the file cannot be read, or something in it makes no sense.
    """
    try:
        yield
    except OSError as error:
        code = "record.unreadable" if error.errno else "record.damaged"
        raise RecordError(code, str(path), reason=_one_line(error)) from error
    except raised as error:
        raise RecordError("record.damaged", str(path), reason=_one_line(error)) from error


@contextmanager
def reckoned(path: Path) -> Iterator[None]:
    """Report a record whose times are beyond all that can be reckoned with.

    Raises
    ------
    RecordError
        If a time is before the year 1 or after 9999, or the record is as long.
    """
    try:
        yield
    except OverflowError as error:
        raise RecordError("record.beyond", str(path), reason=_one_line(error)) from error


def listed(names: Sequence[str]) -> str:
    """List names for a message: the first ten."""
    return ", ".join([*names[:10], *(["..."] if len(names) > 10 else [])])


def _part(shape: tuple[int, ...], time: slice, at: int) -> slice | tuple[slice | int, ...]:
    if len(shape) == 1:
        return time
    return (time, at) if shape[0] >= shape[1] else (at, time)


def _reader(array: Sliceable, at: int) -> Callable[[], Iterator[Samples]]:
    return lambda: sliced(array, at)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
