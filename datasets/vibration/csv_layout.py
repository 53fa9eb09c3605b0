"""How a table of text is laid out: encoding, delimiter, decimal sign, header, and what each column holds."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from itertools import accumulate
from pathlib import Path

from andon.models.types.errors import RecordError

HEAD_BYTES = 2**16
"""What is looked at to find the layout; a header of a thousand channels fits."""
HEAD_ROWS = 50
"""Rows that are looked at: enough that one damaged cell does not change what a column holds."""
DELIMITERS = "\t;,"
"""In the order of preference: a tab is never a decimal sign, a comma may be."""
ENCODINGS = ("utf-8-sig", "gb18030")
COMMENT = "#"
BOM = b"\xef\xbb\xbf"

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class Kind(Enum):
    """What a column holds."""

    NUMBERS = auto()
    TIMES = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the data of a table begin and how they are written.

    Parameters
    ----------
    offset
        Bytes before the first row of data.
    line
        Number of that row's line in the file, from 1.
    names, kinds
        Of each column.
    starts
        The first time in a column of times, as written; None for other columns.
    """

    offset: int
    line: int
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    starts: tuple[datetime | None, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    end: int
    text: str


def read_layout(path: Path) -> Layout:
    """Find the layout from the first lines of the file.

    Raises
    ------
    RecordError
        If it is not text in UTF-8 or GB 18030, has no row of data, or a line longer than ``HEAD_BYTES``.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES + 1)
    if len(head) > HEAD_BYTES and not (head := head[: head.rfind(b"\n") + 1]):
        raise RecordError("record.not_text", str(path))
    lines = _content_lines(head, str(path))
    if not lines:
        raise RecordError("record.empty", str(path))
    delimiter = _delimiter(lines)
    rows = [split_row(line.text, delimiter) for line in lines]
    kinds = _kinds(rows)
    has_header = _has_header(rows[0], kinds)
    data = rows[1:] if has_header else rows
    if not any(kind is not Kind.TEXT for kind in kinds) and len(rows) == 1:  # a header alone
        raise RecordError("record.empty", str(path))
    return Layout(
        offset=lines[0].end if has_header else len(BOM) * head.startswith(BOM),
        line=lines[0].number + 1 if has_header else 1,
        delimiter=delimiter,
        decimal=_decimal(data, delimiter),
        names=_distinct(rows[0] if has_header else [""] * len(rows[0])),
        kinds=kinds,
        starts=tuple(_time(cell) if kind is Kind.TIMES else None for cell, kind in zip(data[0], kinds, strict=False)),
    )


def split_row(line: str, delimiter: str) -> list[str]:
    """Split a line into its cells, without the blanks around them.

    >>> split_row('1.5; "2"', ";")
    ['1.5', '2']
    """
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number, or empty: a value that is missing."""
    other = {",": ".", ".": ","}[decimal]
    return not cell or (_NUMBER.fullmatch(cell) is not None and other not in cell)


def is_time(cell: str) -> bool:
    """Whether a cell is a date and time by ISO 8601."""
    return _time(cell) is not None


def _content_lines(head: bytes, subject: str) -> list[_Line]:
    encoding = _encoding(head, subject)
    raws = head.splitlines(keepends=True)
    ends = accumulate(len(raw) for raw in raws)
    lines = (
        _Line(at, end, raw.decode(encoding)) for at, (end, raw) in enumerate(zip(ends, raws, strict=True), start=1)
    )
    return [line for line in lines if line.text.strip() and not line.text.startswith(COMMENT)][:HEAD_ROWS]


def _encoding(head: bytes, subject: str) -> str:
    for encoding in ENCODINGS:
        try:
            if "\0" not in head.decode(encoding):
                return encoding
        except UnicodeDecodeError:
            continue
    raise RecordError("record.not_text", subject)


def _delimiter(lines: Sequence[_Line]) -> str:
    for delimiter in DELIMITERS:
        counts = Counter(len(split_row(line.text, delimiter)) for line in lines)
        (columns, rows), *_ = counts.most_common(1)
        # A damaged row or two does not hide the delimiter; it is reported with its line when it is read.
        if columns > 1 and rows > len(lines) / 2:
            return delimiter
    return ","


def _kinds(rows: Sequence[Sequence[str]]) -> tuple[Kind, ...]:
    body = rows[1:] or rows
    return tuple(_kind([row[at] for row in body if at < len(row)]) for at in range(len(rows[0])))


def _kind(cells: Sequence[str]) -> Kind:
    numbers = sum(bool(cell) and (is_number(cell, ".") or is_number(cell, ",")) for cell in cells)
    missing = sum(not cell for cell in cells)
    times = sum(is_time(cell) for cell in cells)
    if numbers and 2 * (numbers + missing) > len(cells):
        return Kind.NUMBERS
    return Kind.TIMES if 2 * times > len(cells) else Kind.TEXT


def _has_header(first: Sequence[str], kinds: Sequence[Kind]) -> bool:
    """Whether the first row does not fit what the rest of its columns holds."""
    return not all(_fits(cell, kind) for cell, kind in zip(first, kinds, strict=True))


def _fits(cell: str, kind: Kind) -> bool:
    if kind is Kind.NUMBERS:
        return is_number(cell, ".") or is_number(cell, ",")
    return is_time(cell) if kind is Kind.TIMES else True


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell for row in rows for cell in row if _NUMBER.fullmatch(cell)]
    commas, points = (sum(sign in cell for cell in cells) for sign in ",.")
    return "," if commas > points else "."


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Name the columns: those without a name by their number, those of one name with a number behind it."""
    numbered = [name or str(at) for at, name in enumerate(names, start=1)]
    seen: Counter[str] = Counter()
    result = []
    for name in numbered:
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    return tuple(result)


def _time(cell: str) -> datetime | None:
    # A date alone, or a number such as 20200308, is no time of a sample.
    if len(cell) <= len("2020-03-08") or not cell[:4].isdigit() or cell[4] != "-":
        return None
    try:
        return datetime.fromisoformat(cell)
    except ValueError:
        return None
