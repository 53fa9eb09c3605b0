"""Machines from a table: one row a machine, or several rows of one ``asset`` that add bearings and sensors.

========================  ==========================================================================================
``asset``                 what the machine is called in records and alerts; the one column that is needed
``name``                  what people call it
``power_kw``              rated power
``support``               ``rigid`` or ``flexible``; with the power it gives the class of ISO 10816-3
``iso_class``             the class, where it is another: ``iso10816-3:2:rigid``, ``iso10816-1:II``
``rpm``                   nameplate speed of the shaft
``min_rpm``, ``max_rpm``  range in which it runs
``line_hz``               frequency of the mains, for electrical faults
``teeth``                 tooth counts of the gears on the shaft: ``23;47``
``blades``                blades or vanes on the shaft
``place``                 where the bearing and the sensor of this row sit: ``DE``, ``NDE``
``bearing``               a designation (``6205-2RS``), or its geometry in mm and degrees (``9;7.94;39.04;0``), or its
                          orders (``3.585;5.415;2.357;0.398``); the latter two also after a designation and ``=``
``bearing_maker``         whose bearing it is
``bearing_source``        where geometry or orders come from; needed where they are given
``sensor``                what the sensor is called in records
``direction``             ``horizontal``, ``vertical``, ``axial`` or ``radial`` (where it is not said)
========================  ==========================================================================================

What stands in a row holds for the asset, the place or the sensor it names, and need not be repeated; what is repeated
must be the same. ``machines.csv`` beside this module is an example.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from andon.datasets.assets import cells
from andon.datasets.assets.sheet import KEY, Row, read_rows
from andon.models.types.errors import AssetError
from andon.models.types.vibration import Bearing, Direction, Machine, Sensor
from andon.models.vibration.zones import machine_class_name, machine_class_of

_T = TypeVar("_T")

NUMBERS = ("power_kw", "rpm", "min_rpm", "max_rpm", "line_hz")
BELONGS_TO = {"bearing_maker": "bearing", "bearing_source": "bearing", "direction": "sensor"}
"""Columns that say something of a bearing or a sensor, and what they say it of."""
SHOWN = {"bearing": ("bearing", "bearing_maker", "bearing_source"), "sensor": ("sensor", "place", "direction")}
"""What an error shows of two bearings or sensors that are not the same; of other columns their own cell."""


@dataclass(frozen=True, slots=True)
class MachineSheet:
    """What a table says: its machines in the order of the table, and everything that is wrong with it, by line.

    Where there are ``problems``, ``machines`` lacks what they are about and is not to be used.
    """

    machines: tuple[Machine, ...]
    problems: tuple[AssetError, ...]


def read_machines(path: Path) -> MachineSheet:
    """Read a table of machines, and find all that is wrong with it at once.

    Raises
    ------
    AssetError
        It is not such a table at all.
    """
    reading = _Reading()
    rows = read_rows(path)
    for row in rows:
        _check_row(row, reading)
    by_asset: dict[str, list[Row]] = {}
    for row in rows:
        if KEY in row.cells:
            by_asset.setdefault(row.cells[KEY], []).append(row)
    machines = tuple(_machine(asset, rows_of_it, reading) for asset, rows_of_it in by_asset.items())
    return MachineSheet(machines, reading.problems())


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads cells, and collects what is wrong instead of stopping at it."""

    found: list[tuple[int, AssetError]] = field(default_factory=list)

    def problems(self) -> tuple[AssetError, ...]:
        """What is wrong, by line."""
        return tuple(error for _, error in sorted(self.found, key=itemgetter(0)))

    def add(self, row: Row, column: str, error: AssetError) -> None:
        """Note what is wrong with a cell: ``error`` is about its text and learns where it is."""
        params = {name: value for name, value in error.params.items() if name != "subject"}
        self.found.append((row.line, AssetError(error.code, f"{row.where(column)}: {error.subject}", **params)))

    def cell(self, row: Row, column: str, parse: Callable[[str], _T]) -> _T | None:
        """Read a cell; None where it is empty or wrong."""
        if (text := row.cells.get(column)) is None:
            return None
        try:
            return parse(text)
        except AssetError as error:
            self.add(row, column, error)
            return None

    def agreed(self, column: str, said: Iterable[tuple[Row, str, _T | None]]) -> dict[str, _T]:
        """Collect what rows say of each subject; what a later row says must be what an earlier one said."""
        first: dict[str, tuple[Row, _T]] = {}
        for row, subject, value in said:
            if value is None:
                continue
            before, known = first.setdefault(subject, (row, value))
            if known != value:
                conflict = AssetError(
                    "asset.conflict", _shown(row, column), earlier=_shown(before, column), line=before.line
                )
                self.add(row, column, conflict)
        return {subject: value for subject, (_, value) in first.items()}


def _shown(row: Row, column: str) -> str:
    return ", ".join(row.cells[each] for each in SHOWN.get(column, (column,)) if each in row.cells)


def _check_row(row: Row, reading: _Reading) -> None:
    """Refuse cells without a column, without a machine, or without the bearing or sensor that they are about."""
    if row.surplus:
        reading.add(row, "-", AssetError("asset.row_long", ", ".join(row.surplus)))
    if KEY not in row.cells:
        reading.add(row, KEY, AssetError("asset.cell_no_asset", "-"))
    for column, owner in BELONGS_TO.items():
        if column in row.cells and owner not in row.cells:
            reading.add(row, column, AssetError("asset.cell_alone", row.cells[column], owner=owner))


def _machine(asset: str, rows: Sequence[Row], reading: _Reading) -> Machine:
    said = {column: _said(column, rows, parse, reading) for column, parse in _parsers(rows[0].decimal).items()}
    for error in (*_speed_errors(said), *_class_errors(said)):
        reading.add(rows[0], KEY, error)
    stands, given = said.pop("support"), said.pop("iso_class")
    return Machine(
        asset=asset,
        machine_class=given or machine_class_of(said["power_kw"], str(stands or "")),
        bearings=tuple(_bearings(rows, reading).values()),
        sensors=tuple(_sensors(rows, reading).values()),
        **{column: value for column, value in said.items() if value is not None},
    )


def _parsers(decimal: str) -> Mapping[str, Callable[[str], Any]]:
    """How each column is read that says something of the machine itself."""
    numbers = dict.fromkeys(NUMBERS, partial(cells.positive, decimal=decimal))
    return {
        "name": str,
        "support": cells.support,
        "iso_class": cells.machine_class,
        "teeth": cells.teeth,
        "blades": cells.whole,
        **numbers,
    }


def _said(column: str, rows: Sequence[Row], parse: Callable[[str], _T], reading: _Reading) -> _T | None:
    return reading.agreed(column, ((row, column, reading.cell(row, column, parse)) for row in rows)).get(column)


def _bearings(rows: Sequence[Row], reading: _Reading) -> Mapping[str, Bearing]:
    """One bearing a place."""
    return reading.agreed("bearing", ((row, row.cells.get("place", ""), _bearing(row, reading)) for row in rows))


def _bearing(row: Row, reading: _Reading) -> Bearing | None:
    maker, source = (row.cells.get(column, "") for column in ("bearing_maker", "bearing_source"))
    found = reading.cell(row, "bearing", partial(cells.bearing, maker=maker, source=source))
    return found and replace(found, place=row.cells.get("place", ""))


def _sensors(rows: Sequence[Row], reading: _Reading) -> Mapping[str, Sensor]:
    """One sensor a name."""
    return reading.agreed("sensor", ((row, row.cells.get("sensor", ""), _sensor(row, reading)) for row in rows))


def _sensor(row: Row, reading: _Reading) -> Sensor | None:
    faces = reading.cell(row, "direction", cells.direction) or Direction.RADIAL
    return reading.cell(row, "sensor", lambda name: Sensor(name, row.cells.get("place", ""), faces))


def _speed_errors(said: Mapping[str, Any]) -> Iterator[AssetError]:
    """Refuse a range that ends before it begins, or leaves the nameplate's speed out."""
    speeds = [(column, said[column]) for column in ("min_rpm", "rpm", "max_rpm") if said[column] is not None]
    for (low, slow), (high, fast) in pairwise(speeds):
        if slow > fast:
            yield AssetError("asset.speeds", f"{low} {slow:g}, {high} {fast:g}", low=low, high=high)


def _class_errors(said: Mapping[str, Any]) -> Iterator[AssetError]:
    """Refuse a class for machines that stand in another way."""
    stands, given = said["support"], said["iso_class"]
    if stands and given and given.support not in ("", stands):
        yield AssetError("asset.class_support", machine_class_name(given), support=stands)
