"""The optional table ``units.csv``: which physical unit each image shows.

Its header is ``image,unit``; image paths are relative to the data folder. Without the table each file counts as a unit of
its own.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from andon.models.types.errors import DataError

NAME = "units.csv"
HEADER = ["image", "unit"]


def read_units(root: Path) -> dict[str, str] | None:
    """Read the unit of each image, by its path relative to ``root``; None where there is no table.

    Raises
    ------
    DataError
        If the table is not UTF-8 text, its header or a row has another form, or it gives an image two units.
    """
    path = root / NAME
    if not path.is_file():
        return None
    header, *rows = _rows(path) or [[]]
    if header != HEADER:
        raise DataError("data.units_header", str(path), found=",".join(header))
    return _units(path, rows)


def unit_of(name: str, units: Mapping[str, str] | None, root: Path) -> str:
    """Return the unit of the image ``name``: itself where there is no table.

    Raises
    ------
    DataError
        If there is a table that does not list the image.
    """
    if units is None:
        return name
    if name not in units:
        raise DataError("data.units_unlisted", str(root / NAME), found=name)
    return units[name]


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError("data.units_text", str(path), found=str(error)) from error


def _units(path: Path, rows: Iterable[list[str]]) -> dict[str, str]:
    units: dict[str, str] = {}
    for row in rows:
        if len(row) != len(HEADER) or not all(row):
            raise DataError("data.units_row", str(path), found=",".join(row))
        image = row[0].replace("\\", "/")
        if units.setdefault(image, row[1]) != row[1]:
            raise DataError("data.units_conflict", str(path), image=image, found=f"{units[image]}, {row[1]}")
    return units
