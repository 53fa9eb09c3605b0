"""Records in ``.tdms`` files of LabVIEW."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nptdms import TdmsChannel, TdmsFile

from andon.datasets.vibration.containers import Channel, Channels
from andon.datasets.vibration.hints import RecordHints
from andon.models.types.errors import RecordError
from andon.models.types.vibration import Samples

DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError),
    struct.error,
)
"""What npTDMS raises of a damaged file: it looks up and unpacks whatever is there."""


@contextmanager
def open_tdms(path: Path) -> Iterator[Channels]:
    """Open a TDMS file; its channels are called ``group/channel``.

    The rate comes from ``wf_increment``, the time from ``wf_start_time``, the unit from ``unit_string``; the channel is the
    sensor, the group the asset.

    Raises
    ------
    RecordError
        If it ends before its last segment does.
    """
    # The library leaves a file open whose beginning it cannot read; this one is closed whatever happens.
    with path.open("rb") as stream, TdmsFile.open(stream) as file:
        if file.file_status.incomplete_final_segment:
            raise RecordError("record.cut_off", str(path))
        channels = (channel for group in file.groups() for channel in group.channels())
        yield {
            f"{channel.group_name}/{channel.name}": Channel(partial(_chunks, channel), _said(channel))
            for channel in channels
            if channel.dtype.kind in "iuf"
        }


def _chunks(channel: TdmsChannel) -> Iterator[Samples]:
    # The chunks are those in which the file was written: slices would read a chunk again for each of them.
    for chunk in channel.data_chunks():
        yield np.asarray(chunk[:], dtype=np.float64)


def _said(channel: TdmsChannel) -> RecordHints:
    properties: Mapping[str, Any] = channel.properties
    increment = properties.get("wf_increment")
    unit = properties.get("unit_string")
    return RecordHints(
        rate_hz=1 / float(increment) if increment else None,
        unit=str(unit) if unit else None,
        asset=channel.group_name,
        sensor=channel.name,
        time=_time(properties.get("wf_start_time")),
    )


def _time(value: np.datetime64 | datetime | None) -> datetime | None:
    if isinstance(value, np.datetime64):
        return datetime.fromtimestamp(float(value.astype("datetime64[us]").astype(np.int64)) / 1e6, UTC)
    return value
