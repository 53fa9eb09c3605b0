"""Where things stand: sites with their lines, cells, stations and cameras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from andon.datasets.store.database import Database
from andon.datasets.store.schema import cameras, cells, customers, lines, sites, stations
from andon.datasets.store.upserts import insert_latest, insert_missing


@dataclass(frozen=True, slots=True)
class Place:
    """Where a station stands, as far as it is known: each within the one before it."""

    customer: str | None = None
    site: str | None = None
    line: str | None = None
    cell: str | None = None


class Places:
    """Keeps where things stand. Names are unique in a plant: a name that comes again is the same place."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_station(self, name: str, place: Place) -> None:
        """Say where a station stands; what is said replaces what was known of the places that are named."""
        with self._database.writing() as connection:
            if place.customer:
                insert_missing(connection, customers, {place.customer: {"name": place.customer}})
            _put(connection, sites, place.site, "customer", place.customer)
            _put(connection, lines, place.line, "site", place.site)
            _put(connection, cells, place.cell, "line", place.line)
            _put(connection, stations, name, "cell", place.cell)

    def put_camera(self, name: str, station: str, settings: Mapping[str, Any]) -> None:
        """Say which camera a station has, and its settings."""
        with self._database.writing() as connection:
            insert_missing(connection, stations, {station: {"name": station}})
            row = {"name": name, "station": station, "settings": msgspec.json.encode(settings)}
            insert_latest(connection, cameras, {name: row}, "station", "settings")

    def stations(self) -> Sequence[dict[str, Any]]:
        """List all stations by name, with where they stand and their cameras."""
        found = (
            select(stations.c.name, stations.c.cell, cells.c.line, lines.c.site, sites.c.customer)
            .outerjoin(cells, stations.c.cell == cells.c.name)
            .outerjoin(lines, cells.c.line == lines.c.name)
            .outerjoin(sites, lines.c.site == sites.c.name)
            .order_by(stations.c.name)
        )
        with self._database.reading() as connection:
            rows = [dict(each._mapping) for each in connection.execute(found)]
            mounted = connection.execute(select(cameras).order_by(cameras.c.name)).all()
        return [{**row, "cameras": [_camera(each) for each in mounted if each.station == row["name"]]} for row in rows]


def _put(connection: Connection, table: Table, name: str | None, outer: str, within: str | None) -> None:
    if name:
        insert_latest(connection, table, {name: {"name": name, outer: within}}, outer)


def _camera(row: Any) -> dict[str, Any]:
    return {"name": row.name, "settings": msgspec.json.decode(row.settings)}
