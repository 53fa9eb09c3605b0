"""Records in ``.parquet`` files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import parquet

from andon.datasets.vibration.containers import CHUNK_SAMPLES, Channel, Channels
from andon.datasets.vibration.hints import RecordHints, in_utc
from andon.datasets.vibration.sidecars import Sidecar
from andon.datasets.vibration.timestamps import seconds_since
from andon.models.types.errors import RecordError
from andon.models.types.moments import unix_us
from andon.models.types.vibration import Samples, Signal

DAMAGE = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError, pa.ArrowException)
"""What Arrow and the conversion of times raise of a damaged file."""


@contextmanager
def open_parquet(path: Path) -> Iterator[Channels]:
    """Open a Parquet file: a column is a channel, one of timestamps a clock, a missing value is not a number.

    The schema's metadata may have the keys ``rate_hz``, ``rpm``, ``unit``, ``asset``, ``sensor`` and ``time``; a column's own
    metadata win over them. Columns whose name begins with two underscores are an index and left out.

    Raises
    ------
    RecordError
        If one of these keys has a value of another type.
    """
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        fields = [field for field in file.schema_arrow if not field.name.startswith("__")]
        channels = {field.name: _channel(file, field, path) for field in fields}
        yield {name: channel for name, channel in channels.items() if channel}


def parquet_bytes(signal: Signal) -> bytes:
    """Write a signal as a Parquet file that ``open_parquet`` reads back: float32, as sensors measure."""
    said = {
        "rate_hz": repr(signal.rate_hz),
        "rpm": None if signal.rpm is None else repr(signal.rpm),
        "unit": signal.unit.value,
        "asset": signal.asset,
        "sensor": signal.sensor,
        "time": None if signal.time is None else signal.time.isoformat(),
    }
    metadata = {name: value for name, value in said.items() if value}
    schema = pa.schema([pa.field("vibration", pa.float32())], metadata=metadata)
    buffer = BytesIO()
    parquet.write_table(pa.table({"vibration": signal.samples.astype(np.float32)}, schema), buffer, compression="zstd")
    return buffer.getvalue()


def _channel(file: parquet.ParquetFile, field: Any, path: Path) -> Channel | None:
    said = _said({**(file.schema_arrow.metadata or {}), **(field.metadata or {})}, path)
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type):
        return Channel(partial(_chunks, file, field.name), said)
    return _clock(file, field.name, said) if pa.types.is_timestamp(field.type) else None


def _said(metadata: Mapping[bytes, bytes], path: Path) -> RecordHints:
    texts = {key.decode(): value.decode(errors="replace") for key, value in metadata.items() if key in _KEYS}
    try:
        return msgspec.convert(texts, Sidecar, strict=False).hints
    except msgspec.ValidationError as error:
        raise RecordError("record.metadata", str(path), reason=str(error)) from error


_KEYS = frozenset({b"rate_hz", b"rpm", b"unit", b"asset", b"sensor", b"time"})


def _clock(file: parquet.ParquetFile, name: str, said: RecordHints) -> Channel | None:
    first = next(_columns(file, name), [None])[0]
    start = None if first is None else in_utc(pa.compute.cast(first, pa.timestamp("us")).as_py())
    if start is None:
        return None
    start_us = unix_us(start)
    return Channel(
        lambda: (seconds_since(start_us, column) for column in _columns(file, name)), replace(said, time=start), 1.0
    )


def _chunks(file: parquet.ParquetFile, name: str) -> Iterator[Samples]:
    for column in _columns(file, name):
        yield np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _columns(file: parquet.ParquetFile, name: str) -> Iterator[Any]:
    for batch in file.iter_batches(CHUNK_SAMPLES, columns=[name], use_threads=False):
        yield batch.column(0)
