"""Records in tables of text, ``.csv`` and ``.tsv``, read a few megabytes at a time.

Delimiter comma, semicolon or tab; decimal comma with the latter two; with or without a header; lines that begin with ``#``
are comments; a column of ISO 8601 times is a clock. An empty cell is a missing sample, which is not a number.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from andon.datasets.vibration.containers import Channel, Channels
from andon.datasets.vibration.csv_layout import (
    COMMENT,
    Kind,
    Layout,
    is_number,
    is_time,
    read_layout,
    split_row,
)
from andon.datasets.vibration.hints import RecordHints, in_utc
from andon.datasets.vibration.timestamps import seconds_since
from andon.models.types.errors import RecordError
from andon.models.types.moments import unix_us
from andon.models.types.vibration import Samples

DAMAGE = (ArithmeticError, MemoryError, ValueError, pa.ArrowException)
"""What Arrow and the conversion of times raise of a damaged file."""

CHUNK_BYTES = 2**20
"""Text read at once: about as many samples as the other readers take. An eighth of it reads half as fast, four
times as much no faster (measured on one column of 44 MB)."""
_COMMENT = COMMENT.encode()


@contextmanager
def open_csv(path: Path) -> Iterator[Channels]:
    """Open a table of text.

    Raises
    ------
    RecordError
        If it is not text or has no row of data; while it is read, if a cell is not a number or a row has too many or too
        few cells. The message names the line.
    """
    layout = read_layout(path)
    yield {
        name: _channel(_Column(path, layout, at))
        for at, (name, kind) in enumerate(zip(layout.names, layout.kinds, strict=True))
        if kind is not Kind.TEXT
    }


@dataclass(frozen=True, slots=True)
class _Column:
    path: Path
    layout: Layout
    at: int

    def numbers(self) -> Iterator[Samples]:
        for values in self._parsed(pa.float64()):
            yield np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)

    def seconds(self, start: datetime) -> Iterator[Samples]:
        # Arrow wants to know beforehand whether the times name a zone.
        times = pa.timestamp("ns", "UTC" if start.tzinfo else None)
        start_us = unix_us(in_utc(start))
        for values in self._parsed(times):
            yield seconds_since(start_us, values)

    def _parsed(self, kind: Any) -> Iterator[Any]:
        with self.path.open("rb") as file:
            file.seek(self.layout.offset)
            line = self.layout.line
            while text := file.read(CHUNK_BYTES) + file.readline():
                if content := _without_comments(text):
                    yield self._parse(content, text, kind, line)
                line += text.count(b"\n")

    def _parse(self, content: bytes, text: bytes, kind: Any, line: int) -> Any:
        names = [str(at) for at in range(len(self.layout.names))]
        wanted = names[self.at]
        try:
            table = csv.read_csv(
                BytesIO(content),
                csv.ReadOptions(use_threads=False, column_names=names, block_size=len(content) + 1),
                csv.ParseOptions(delimiter=self.layout.delimiter),
                csv.ConvertOptions(
                    column_types={wanted: kind},
                    include_columns=[wanted],
                    null_values=[""],
                    decimal_point=self.layout.decimal,
                ),
            )
        except pa.ArrowInvalid as error:
            self._complain(text, line)
            raise RecordError("record.damaged", str(self.path), reason=" ".join(str(error).split())) from error
        return table.column(0).combine_chunks()

    def _complain(self, text: bytes, first: int) -> None:
        """Name the first line that cannot be read; the parser counts neither comments nor what it read before."""
        fits = is_time if self.layout.starts[self.at] else partial(is_number, decimal=self.layout.decimal)
        for line, raw in enumerate(text.split(b"\n"), start=first):
            row = split_row(raw.decode(errors="replace").strip("\r"), self.layout.delimiter)
            if raw.startswith(_COMMENT) or not any(row):
                continue
            if len(row) != len(self.layout.names):
                raise RecordError(
                    "record.row", str(self.path), line=line, found=len(row), expected=len(self.layout.names)
                )
            if not fits(row[self.at]):
                raise RecordError("record.cell", str(self.path), line=line, found=row[self.at][:40])


def _channel(column: _Column) -> Channel:
    start = column.layout.starts[column.at]
    if start is None:
        return Channel(column.numbers)
    return Channel(partial(column.seconds, start), RecordHints(time=start), 1.0)


def _without_comments(text: bytes) -> bytes:
    if _COMMENT in text:
        text = b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(_COMMENT))
    return b"" if text.isspace() else text
