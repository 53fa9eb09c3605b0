"""The table of machines as text: encoding, delimiter, header and rows.

UTF-8 with or without a byte order mark, or GB 18030 (GBK); ``,`` or ``;`` or a tab between the cells, found in the
header; with the latter two, ``,`` is a decimal comma. Columns may stand in any order and most may be left out.
"""

import csv
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from andon.models.types.errors import AssetError

COLUMNS = (
    "asset",
    "name",
    "power_kw",
    "support",
    "iso_class",
    "rpm",
    "min_rpm",
    "max_rpm",
    "line_hz",
    "teeth",
    "blades",
    "place",
    "bearing",
    "bearing_maker",
    "bearing_source",
    "sensor",
    "direction",
)
KEY = "asset"
ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = "\t;"
"""Whichever of these stands in the header; a comma where neither does, as no column's name holds one."""
MAX_BYTES = 2**24
"""Some hundred thousand rows: what is larger is a record of a signal given by mistake."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it is, and its cells by column; those that are empty are left out.

    Parameters
    ----------
    path
        The file as the user named it.
    line
        Its line, from 1; the last one of a row that spans several.
    decimal
        ``,`` or ``.``.
    surplus
        Cells that have no column; those are not in ``cells``.
    """

    path: str
    line: int
    cells: Mapping[str, str]
    decimal: str
    surplus: tuple[str, ...] = ()

    def where(self, column: str) -> str:
        """Name a cell in an error."""
        return f"{self.path}:{self.line}: {column}"


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read the rows of a table of machines, without those that are empty.

    Raises
    ------
    AssetError
        It is not such a table: it cannot be read, is not text, its header is not one of machines, or it has no row.
    """
    text = _decoded(path)
    delimiter = _delimiter(text)
    header, *lines = _records(text, delimiter, str(path)) or [(1, [])]
    columns = _columns(header[1], str(path))
    if not lines:
        raise AssetError("asset.sheet_empty", str(path))
    decimal = "." if delimiter == "," else ","
    return tuple(_row(str(path), line, columns, cells, decimal) for line, cells in lines)


def _row(path: str, line: int, columns: Sequence[str], cells: Sequence[str], decimal: str) -> Row:
    filled = {column: cell for column, cell in zip(columns, cells, strict=False) if cell}
    return Row(path, line, filled, decimal, tuple(filter(None, cells[len(columns) :])))


def _decoded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            contents = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise AssetError("asset.sheet_unreadable", str(path), found=error.strerror or str(error)) from error
    if len(contents) <= MAX_BYTES and b"\0" not in contents:
        for encoding in ENCODINGS:
            try:
                return contents.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise AssetError("asset.sheet_text", str(path))


def _delimiter(text: str) -> str:
    header = next(filter(str.strip, StringIO(text)), "")
    return next((sign for sign in DELIMITERS if sign in header), ",")


def _records(text: str, delimiter: str, subject: str) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, with their lines and without the blanks around their cells."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        return [(reader.line_num, cells) for cells in _stripped(reader) if any(cells)]
    except csv.Error as error:
        raise AssetError("asset.sheet_quotes", f"{subject}:{reader.line_num}", found=str(error)) from error


def _stripped(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    for row in rows:
        yield [unicodedata.normalize("NFC", cell).strip() for cell in row]


def _columns(header: Sequence[str], subject: str) -> list[str]:
    columns = [name.lower() for name in header]
    for name in columns:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1, cutoff=0.0)[0]
            raise AssetError("asset.column_unknown", subject, found=name, near=near, known=", ".join(COLUMNS))
        if columns.count(name) > 1:
            raise AssetError("asset.column_twice", subject, found=name)
    if KEY not in columns:
        raise AssetError("asset.column_missing", subject, found=", ".join(header), known=", ".join(COLUMNS))
    return columns
