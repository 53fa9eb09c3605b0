"""Tables as MLflow's scoring protocol writes them: JSON in one of four forms, or CSV.

Only the columns that a model knows are taken; others are passed over, as the protocol has it.
"""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from andon.serving.engine.errors import RequestError, TooLargeError

MAX_ROWS = 16384
"""Rows a request: a second and a half of work for a health model."""
MAX_VALUES = 1 << 20
"""Values and lists a body. One of two bytes, `[]` and its comma, takes sixty in memory."""
MARKS = b",[{\n\r"
SPLIT = frozenset({"columns", "data", "index"})
MISSING = ["", *["#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"]]
MISSING += ["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
"""What stands in CSV where there is no value, as pandas reads it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length by name; those that are not there are not in it."""

    columns: Mapping[str, Sequence[Any]]
    count: int


ReadTable = Callable[[bytes, Sequence[str]], Table]
"""Reads the columns of some names from a body."""


def read_json_table(body: bytes, names: Sequence[str]) -> Table:
    """Read JSON with exactly one of ``dataframe_split``, ``dataframe_records``, ``inputs`` and ``instances``.

    Other members are passed over; ``params`` is one of them, since no model here takes any. NaN is read as a number that
    is none: that is how pandas writes a missing value.

    Raises
    ------
    RequestError
        It is no such JSON, or its columns are not of equal length.
    TooLargeError
        It has more rows, or more values, than are taken.
    """
    _check_values(body)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("scoring.json", "body", reason=str(error)) from error
    found = [name for name in _FORMS if name in document] if isinstance(document, dict) else []
    if len(found) != 1:
        raise RequestError("scoring.form", "body", found=", ".join(found) or "-", expected=", ".join(_FORMS))
    return _checked(_FORMS[found[0]](document[found[0]], names))


def read_csv_table(body: bytes, names: Sequence[str]) -> Table:
    """Read CSV with the names of its columns on the first line; every value is text, or None where there is none.

    Raises
    ------
    RequestError
        It is no CSV in UTF-8, has a column twice, or rows of unequal length.
    TooLargeError
        It has more rows, or more values, than are taken.
    """
    _check_values(body)
    try:
        header = next(csv.reader(TextIOWrapper(BytesIO(body), "utf-8-sig", newline="")), [])
        _check_once(header, names)
        return _checked(_read_csv(body, [name for name in names if name in header]))
    except (csv.Error, pa.ArrowException, LookupError, ValueError) as error:
        raise RequestError("scoring.csv", "body", reason=str(error)) from error


def _read_csv(body: bytes, names: Sequence[str]) -> Table:
    """Read columns as text. None but these is converted: half a million empty ones would take gigabytes."""
    if not names:  # which would mean all of them
        return Table({}, 0)
    read = arrow_csv.read_csv(
        pa.py_buffer(body),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(body) + 1),
        arrow_csv.ParseOptions(newlines_in_values=True),
        arrow_csv.ConvertOptions(
            include_columns=names,
            column_types={name: pa.string() for name in names},
            null_values=MISSING,
            strings_can_be_null=True,
        ),
    )
    return Table({name: read.column(name).to_pylist() for name in names}, read.num_rows)


def _of_split(value: Any, names: Sequence[str]) -> Table:
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= SPLIT:
        raise RequestError("scoring.split", "dataframe_split", found=_kind(value))
    columns, rows = value["columns"], value["data"]
    if not _is_list_of(columns, str) or not _is_list_of(rows, list):
        raise RequestError("scoring.split", "dataframe_split", found=_kind(value))
    _check_once(columns, names)
    if any(len(row) != len(columns) for row in rows):
        raise RequestError("scoring.lengths", "dataframe_split")
    places = {name: columns.index(name) for name in names if name in columns}
    return Table({name: [row[place] for row in rows] for name, place in places.items()}, len(rows))


def _of_records(value: Any, names: Sequence[str]) -> Table:
    if not _is_list_of(value, dict):
        raise RequestError("scoring.records", "dataframe_records", found=_kind(value))
    present = [name for name in names if any(name in row for row in value)]
    return Table({name: [row.get(name) for row in value] for name in present}, len(value))


def _of_inputs(value: Any, names: Sequence[str]) -> Table:
    """Read columns by name, rows by name, or the values of the only column that there is."""
    if isinstance(value, dict):
        return _of_columns(value, names)
    if _is_list_of(value, dict) and value:
        return _of_records(value, names)
    if isinstance(value, list) and len(names) == 1:
        return Table({names[0]: value}, len(value))
    raise RequestError("scoring.inputs", "inputs", found=_kind(value), expected=", ".join(names))


def _of_columns(value: Mapping[str, Any], names: Sequence[str]) -> Table:
    """Read columns; a single row may be written without lists."""
    columns = {name: value[name] for name in names if name in value}
    if not any(isinstance(each, list) for each in columns.values()):
        columns = {name: [each] for name, each in columns.items()}
    if not all(isinstance(each, list) for each in columns.values()):
        raise RequestError("scoring.lengths", "inputs")
    lengths = {len(each) for each in columns.values()}
    if len(lengths) > 1:
        raise RequestError("scoring.lengths", "inputs")
    return Table(columns, max(lengths, default=0))


_FORMS: Mapping[str, Callable[[Any, Sequence[str]], Table]] = {
    "dataframe_split": _of_split,
    "dataframe_records": _of_records,
    "inputs": _of_inputs,
    "instances": _of_inputs,
}


def _check_values(body: bytes) -> None:
    found = sum(body.count(mark) for mark in MARKS)
    if found > MAX_VALUES:
        raise TooLargeError("scoring.values", "body", found=found, limit=MAX_VALUES)


def _checked(table: Table) -> Table:
    if table.count > MAX_ROWS:
        raise TooLargeError("scoring.rows", "body", found=table.count, limit=MAX_ROWS)
    return table


def _check_once(found: Sequence[str], names: Sequence[str]) -> None:
    for name in names:
        if found.count(name) > 1:
            raise RequestError("scoring.twice", name)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _kind(value: Any) -> str:
    """What a value is: the members of an object, a list, or the value itself."""
    if isinstance(value, dict):
        return ", ".join(value) or "{}"
    return "[...]" if isinstance(value, list) else json.dumps(value)
