"""Read a record of vibration in any format, whole or in blocks.

What the caller says of it wins over its sidecar, which wins over what the file says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import numpy as np

from andon.datasets.vibration.clocks import rate_from_clock, with_clocks
from andon.datasets.vibration.containers import Channel, Channels, damage_reported, listed, reckoned
from andon.datasets.vibration.hints import (
    NOTHING,
    RecordHints,
    first_said,
    in_utc,
    orders_checked,
    rate_checked,
    rpm_checked,
    unit_named,
)
from andon.datasets.vibration.sidecars import Sidecar, read_sidecar
from andon.models.command.extras import naming_extra
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Samples, Signal

_Open = Callable[[Path], AbstractContextManager[Channels]]

# Readers are imported when a file of their format is: each brings a library of its own, and most calls need one.
_READERS: Mapping[str, tuple[str, str]] = {
    ".csv": ("csv_files", "open_csv"),
    ".tsv": ("csv_files", "open_csv"),
    ".npy": ("arrays", "open_npy"),
    ".npz": ("arrays", "open_npz"),
    ".wav": ("wav_files", "open_wav"),
    ".mat": ("mat_files", "open_mat"),
    ".tdms": ("tdms_files", "open_tdms"),
    ".parquet": ("parquet_files", "open_parquet"),
}

SUFFIXES = frozenset(_READERS)


def read_record(path: Path, hints: RecordHints = NOTHING) -> Signal:
    """Read a record whole.

    Parameters
    ----------
    hints
        What the caller says of it.

    Returns
    -------
    Signal
        Its samples as they are, not-a-number and infinity included.

    Raises
    ------
    RecordError
        If the file cannot be read, is damaged, cut off or empty, holds several signals of which none is chosen, or nobody
        says its rate or its unit.
    MissingExtraError
        If the library of its format is not installed.
    """
    with _opened(path, hints) as record:
        return record.signal(record.whole(), first=0)


def read_blocks(path: Path, hints: RecordHints, seconds: float) -> Iterator[Signal]:
    """Read a record in blocks, so that memory holds about one of them however long the record is.

    What NumPy's ``.npz`` and MATLAB's format 5 pack into one piece is unpacked whole, up to a limit. A rate that follows from
    the times of the samples takes a first pass over them.

    Parameters
    ----------
    hints
        What the caller says of it.
    seconds
        Length of a block, rounded to samples; the last one is shorter.

    Raises
    ------
    RecordError, MissingExtraError
        As ``read_record``, while the blocks are drawn.
    """
    with _opened(path, hints) as record:
        first = 0
        for samples in _blocks(record.channel.chunks(), max(1, round(seconds * record.rate_hz))):
            yield record.signal(samples, first)
            first += len(samples)
        record.check_length(first)


def is_record(path: Path) -> bool:
    """Whether the suffix is that of a record."""
    return path.suffix.lower() in SUFFIXES


@dataclass(frozen=True, slots=True)
class _Record:
    path: Path
    channel: Channel
    rate_hz: float
    said: RecordHints
    scale: float

    def whole(self) -> Samples:
        samples = np.concatenate([np.empty(0), *self.channel.chunks()])
        self.check_length(len(samples))
        return samples

    def check_length(self, count: int) -> None:
        if not count:
            raise RecordError("record.empty", str(self.path))

    def signal(self, samples: Samples, first: int) -> Signal:
        said, subject = self.said, str(self.path)
        start = said.time and in_utc(said.time) + timedelta(seconds=first / self.rate_hz)
        return Signal(
            samples=samples * self.scale,
            rate_hz=self.rate_hz,
            unit=unit_named(said.unit, subject),
            sensor=said.sensor or "",
            asset=said.asset or "",
            time=start,
            rpm=rpm_checked(said.rpm, subject),
            orders=orders_checked(said.orders, subject),
        )


@contextmanager
def _opened(path: Path, hints: RecordHints) -> Iterator[_Record]:
    reader = _reader(path)
    sidecar = read_sidecar(path)
    with damage_reported(path, reader.damage), reckoned(path):
        if not path.stat().st_size:
            raise RecordError("record.empty", str(path))
        with reader.open(path) as channels:
            yield _record(path, with_clocks(channels), hints, sidecar)


@dataclass(frozen=True, slots=True)
class _Reader:
    """How a format is opened, and what its library raises of a damaged file."""

    open: _Open
    damage: tuple[type[Exception], ...]


def _reader(path: Path) -> _Reader:
    if not path.exists():
        raise RecordError("record.missing", str(path))
    if not is_record(path):
        raise RecordError("record.unknown_format", str(path), known=" ".join(sorted(SUFFIXES)))
    name, opens = _READERS[path.suffix.lower()]
    with naming_extra(str(path)):
        module = import_module(f"andon.datasets.vibration.{name}")
    return _Reader(getattr(module, opens), module.DAMAGE)


def _record(path: Path, channels: Channels, hints: RecordHints, sidecar: Sidecar) -> _Record:
    subject = str(path)
    channel = channels[_chosen(channels, first_said(hints, sidecar.hints).column, subject)]
    clocks = [clock for clock in channels.values() if clock.ticks_per_s is not None and clock is not channel]
    said = first_said(hints, sidecar.hints, channel.said, *(clock.said for clock in clocks))
    # The unit is looked at first: a long file is not read twice only to find that it is missing.
    unit_named(said.unit, subject)
    rate = said.rate_hz if said.rate_hz is not None or not clocks else _clock_rate(clocks[0], subject)
    return _Record(path, channel, rate_checked(rate, subject), said, sidecar.scale)


def _clock_rate(clock: Channel, subject: str) -> float | None:
    return rate_from_clock(clock.chunks(), clock.ticks_per_s or 1.0, subject)


def _chosen(channels: Channels, column: str | None, subject: str) -> str:
    signals = [name for name, channel in channels.items() if channel.ticks_per_s is None]
    if column is not None and column not in channels:
        raise RecordError("record.unknown_column", subject, found=column, known=listed(signals))
    if column is not None:
        return column
    if not signals:
        raise RecordError("record.no_channel", subject)
    if len(signals) > 1:
        raise RecordError("record.several_columns", subject, found=listed(signals))
    return signals[0]


def _blocks(chunks: Iterable[Samples], count: int) -> Iterator[Samples]:
    """Cut a stream of chunks into blocks of ``count`` samples."""
    held: list[Samples] = []
    waiting = 0
    for chunk in chunks:
        held.append(chunk)
        waiting += len(chunk)
        if waiting >= count:
            joined = np.concatenate(held)
            whole = len(joined) - len(joined) % count
            yield from (joined[start : start + count] for start in range(0, whole, count))
            held, waiting = [joined[whole:]], len(joined) - whole
    if waiting:
        yield np.concatenate(held)
