"""What another box says of machines, as rows: its signals, and the cases that its rules hold.

Machines are locked before anything else is written, in the order of their names: whoever decides on a machine holds that one alone, and takes
nothing else that is held here.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from andon.datasets.store.arrivals import Arrival, Told
from andon.datasets.store.conditions import (
    CHANGING,
    Teller,
    case_row,
    event_row,
    indicator_rows,
    sensor_row,
    signal_row,
    told_row,
)
from andon.datasets.store.schema import alert_events, alerts, assets, indicators, sensors, signals
from andon.datasets.store.upserts import insert_latest, insert_missing, insert_spans
from andon.models.alerts.case import Alert, Case
from andon.models.alerts.elsewhere import weigh
from andon.models.ledger.chain import Entry
from andon.models.types.errors import ConflictError

REOPENED = "reopened"


def lock_assets(connection: Connection, new: Sequence[Arrival]) -> None:
    """Insert the machines that are spoken of, unless they are there, and keep others from deciding on them until the transaction ends."""
    names = {each.asset for each in new if each.asset}
    insert_missing(connection, assets, {name: {"name": name} for name in names})
    if names:
        mine = select(assets.c.name).where(assets.c.name.in_(names)).order_by(assets.c.name)
        connection.execute(mine.with_for_update()).all()


def insert_signals(connection: Connection, new: Sequence[Arrival]) -> None:
    """Insert signals with their sensors and what was measured."""
    sensed = [(each.signal, each) for each in new if each.signal]
    if not sensed:
        return
    rows = [{**signal_row(record, each.entry), "waveform_kept": each.file_kept} for record, each in sensed]
    connection.execute(signals.insert(), rows)
    if measured := [row for record, _ in sensed for row in indicator_rows(record)]:
        connection.execute(indicators.insert(), measured)
    heard = [record for record, _ in sensed if record.asset]
    insert_spans(connection, sensors, {(each.asset, each.sensor, each.received): sensor_row(each) for each in heard})


def insert_told(
    connection: Connection, origin: str, new: Sequence[Arrival], teller: Teller, now: datetime
) -> Sequence[Alert]:
    """Insert what was told of cases, and note what people here are to be told of it; return that.

    Raises
    ------
    ConflictError
        A case is not one of this box's.
    """
    arrived = [(each.told, each.entry) for each in new if each.told]
    if not arrived:
        return ()
    cases = _Cases(origin, now, _kept(connection, origin, [told.alert.case.id for told, _ in arrived]))
    for told, entry in arrived:
        cases.take(told, entry)
    insert_latest(connection, alerts, cases.rows, *CHANGING)
    connection.execute(alert_events.insert(), cases.events)
    teller.add(connection, cases.told, now)
    return cases.told


class _Cases:
    """Cases of a box as they stand here, while what it told of them is taken in.

    Parameters
    ----------
    kept
        By identifier, those that are here.
    """

    def __init__(self, origin: str, now: datetime, kept: Mapping[str, Case]) -> None:
        self._origin = origin
        self._now = now
        self._kept = dict(kept)
        self.rows: dict[Hashable, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.told: list[Alert] = []

    def take(self, told: Told, entry: Entry) -> None:
        """Take in one thing that was told. Raises ``ConflictError`` where its case is of another machine."""
        alert = told.alert
        kept = self._kept.get(alert.case.id)
        if kept and kept.asset != alert.case.asset:
            raise _other_case(kept.id, self._origin)
        weighed = weigh(kept, alert)
        case = self._kept[alert.case.id] = weighed.case
        shown = {**msgspec.json.decode(told.document), "state": case.state.value}
        self.rows[case.id] = {**case_row(case, shown, self._now), "origin": self._origin}
        if weighed.is_reopened:
            self.events.append(event_row(case.id, REOPENED, alert.time))
        self.events.append(told_row(alert, told.document, entry))
        if weighed.is_told:
            self.told.append(replace(alert, case=case))


def _kept(connection: Connection, origin: str, named: Sequence[str]) -> dict[str, Case]:
    """Read the cases that are here, and check that this box holds them."""
    found = select(alerts.c.id, alerts.c.origin, alerts.c.case).where(alerts.c.id.in_(named))
    kept = {}
    for each in connection.execute(found):
        if each.origin != origin:
            raise _other_case(each.id, origin)
        kept[each.id] = msgspec.json.decode(each.case, type=Case)
    return kept


def _other_case(case: str, origin: str) -> ConflictError:
    return ConflictError("upload.other_case", case, origin=origin)
