"""Signals with what was found in them, what the rules remember of each machine, and its alerts: one transaction for each signal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, select

from andon.datasets.store.database import Database
from andon.datasets.store.ledger import with_hash
from andon.datasets.store.schema import alert_events, alerts, assets, feedback, health, indicators, sensors, signals
from andon.datasets.store.upserts import insert_latest, insert_missing
from andon.models.alerts.card import alert_document
from andon.models.alerts.case import Alert, AssetState, Case
from andon.models.health.state import HealthState, dump_state, load_state
from andon.models.ledger.chain import Entry
from andon.models.types.identifiers import new_id

RHYTHM_GAPS = 3
"""Gaps between signals that make a rhythm: fewer are what somebody sends by hand."""


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """A signal that is to be kept.

    Parameters
    ----------
    waveform
        SHA-256 of its samples' file, which is kept already.
    running
        Whether the machine ran; None where nobody can tell.
    indicators
        What was measured, by name.
    document
        The answer as JSON, without ``ledger_hash``.
    ledger_hash
        Of its entry in the ledger; None until it is kept, or where it is kept without one.
    """

    id: str
    time: datetime
    received: datetime
    asset: str
    sensor: str
    rate_hz: float
    unit: str
    rpm: float | None
    duration_s: float
    fault: str
    severity: str
    zone: str | None
    running: bool | None
    waveform: str
    indicators: Mapping[str, float]
    request_key: str | None
    request_digest: bytes | None
    document: bytes
    ledger_hash: str | None = None

    @property
    def answer(self) -> bytes:
        """The document with ``ledger_hash`` as its last member, where it has one."""
        return with_hash(self.document, self.ledger_hash)

    def ledger_record(self) -> dict[str, Any]:
        """What the ledger says of it; the entry's own time is when it was received."""
        return {
            "signal": self.id,
            "time": self.time.isoformat(),
            "asset": self.asset or None,
            "sensor": self.sensor,
            "rate_hz": self.rate_hz,
            "unit": self.unit,
            "rpm": self.rpm,
            "duration_s": self.duration_s,
            "fault": self.fault,
            "severity": self.severity,
            "zone": self.zone,
            "running": self.running,
            "waveform": self.waveform,
            "indicators": dict(self.indicators),
            "document": sha256(self.document).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Feedback:
    """What people found where an alert pointed: whether it was true, and which part it was."""

    is_true: bool
    part_found: str = ""
    comment: str = ""


class Teller(Protocol):
    """Tells people of alerts."""

    def add(self, connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
        """Note what is to be told, in the transaction that keeps the alerts: they are told if and only if they are kept."""

    def kept(self, alerts: Sequence[Alert]) -> None:
        """Tell them; called once that transaction is committed, where it kept any."""


class Untold:
    """Tells nobody: alerts are looked up."""

    def add(self, connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
        """Note nothing."""

    def kept(self, alerts: Sequence[Alert]) -> None:
        """Tell nothing."""


UNTOLD = Untold()


class Chain(Protocol):
    """Notes in a chain of the ledger what is kept, in the transaction that keeps it."""

    def add_signal(self, connection: Connection, record: SignalRecord) -> Entry | None:
        """Note a signal. Returns its entry; None where nothing is noted."""

    def add_alert(self, connection: Connection, alert: Alert, document: bytes, now: datetime) -> Entry | None:
        """Note what people are to be told. Returns its entry; None where nothing is noted."""


class Unchained:
    """Notes nothing: for those who keep what people say, or take in what stands in another's chain."""

    def add_signal(self, connection: Connection, record: SignalRecord) -> Entry | None:
        """Note nothing."""

    def add_alert(self, connection: Connection, alert: Alert, document: bytes, now: datetime) -> Entry | None:
        """Note nothing."""


UNCHAINED = Unchained()


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A case as it is kept.

    Parameters
    ----------
    document
        Shows it.
    origin
        The box whose rules hold it; None where those here do.
    """

    case: Case
    document: dict[str, Any]
    origin: str | None


class Decision:
    """An open transaction on one machine: what is remembered of it, and what is to be kept.

    ``alerts`` are those that were kept in it so far.
    """

    def __init__(self, connection: Connection, asset: str, teller: Teller, chain: Chain = UNCHAINED) -> None:
        self._connection = connection
        self._asset = asset
        self._teller = teller
        self._chain = chain
        self.alerts: list[Alert] = []

    def rules(self) -> AssetState:
        """What the alert rules remember of the machine, locked until the transaction ends."""
        found = select(assets.c.rules).where(assets.c.name == self._asset).with_for_update()
        stored = self._connection.scalar(found)
        return AssetState(self._asset) if stored is None else msgspec.json.decode(stored, type=AssetState)

    def health(self, bundle_digest: str, sensor: str) -> tuple[HealthState, ...]:
        """What a bundle remembers of a sensor: one state, or none where it never saw it."""
        return _health(self._connection, bundle_digest, sensor)

    def case(self, case: str) -> KeptCase:
        """A case that is there."""
        found = select(alerts.c.case, alerts.c.document, alerts.c.origin).where(alerts.c.id == case)
        row = self._connection.execute(found).one()
        return KeptCase(msgspec.json.decode(row.case, type=Case), msgspec.json.decode(row.document), row.origin)

    def keep_rules(self, state: AssetState) -> None:
        """Keep what the rules remember."""
        self._connection.execute(
            assets.update().where(assets.c.name == self._asset).values(rules=msgspec.json.encode(state))
        )

    def keep_health(self, bundle_digest: str, state: HealthState, now: datetime) -> None:
        """Keep what a bundle remembers of a sensor; what no bundle has used for long is forgotten one day."""
        row = {
            "bundle_digest": bundle_digest,
            "sensor": state.asset,
            "changed": now,
            "state": msgspec.json.encode(dump_state(state)),
        }
        insert_latest(self._connection, health, {state.asset: row}, "changed", "state")

    def keep_signal(self, record: SignalRecord) -> SignalRecord:
        """Keep a signal and its indicators; return it as it is kept: with the hash of its entry, where it has one."""
        entry = self._chain.add_signal(self._connection, record)
        self._connection.execute(signals.insert(), {**signal_row(record, entry), "waveform_kept": True})
        if record.asset:
            insert_latest(self._connection, sensors, {record.sensor: sensor_row(record)}, "last_seen")
        if rows := indicator_rows(record):
            self._connection.execute(indicators.insert(), rows)
        return replace(record, ledger_hash=entry.hash) if entry else record

    def keep_alerts(self, given: Sequence[Alert], now: datetime) -> None:
        """Keep alerts that the rules gave; people are told of them once the transaction is committed."""
        for alert in given:
            shown = alert_document(alert)
            document = msgspec.json.encode(shown)
            self.keep_case(alert.case, shown, now)
            entry = self._chain.add_alert(self._connection, alert, document, now)
            self._connection.execute(alert_events.insert(), told_row(alert, document, entry))
        self._teller.add(self._connection, given, now)
        self.alerts += given

    def keep_case(self, case: Case, document: Mapping[str, Any], now: datetime) -> None:
        """Keep a case as it stands, with the document that shows it; whose rules hold it stays as it is."""
        insert_latest(self._connection, alerts, {case.id: case_row(case, document, now)}, *CHANGING)

    def note(self, case: str, event: str, time: datetime, actor: str = "", comment: str = "") -> None:
        """Note what became of a case, and who did it where a person did."""
        row = {**event_row(case, event, time), "actor": actor, "comment": comment}
        self._connection.execute(alert_events.insert(), row)

    def keep_feedback(self, case: str, given: Feedback, time: datetime, actor: str) -> None:
        """Keep what people found."""
        row = {"id": new_id(), "alert": case, "time": time, "is_true": given.is_true, "part_found": given.part_found}
        self._connection.execute(feedback.insert(), {**row, "comment": given.comment, "actor": actor})


CHANGING = ("state", "kind", "fault", "severity", "changed", "case", "document")
"""The columns of a case that change."""


def case_row(case: Case, document: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A case as a row of the table."""
    return {
        "id": case.id,
        "asset": case.asset,
        "state": case.state.value,
        "kind": case.kind.value,
        "fault": case.fault.value,
        "severity": case.severity.value,
        "opened": case.opened,
        "changed": now,
        "case": msgspec.json.encode(case),
        "document": msgspec.json.encode(document),
    }


def event_row(case: str, event: str, time: datetime) -> dict[str, Any]:
    """What became of a case as a row of the table."""
    row = {"id": new_id(), "alert": case, "time": time, "event": event, "actor": "", "comment": ""}
    return {**row, **_places(None), "document": b"{}"}


def told_row(alert: Alert, document: bytes, entry: Entry | None) -> dict[str, Any]:
    """What people were to be told, as a row of the same table."""
    row = event_row(alert.case.id, alert.event.value, alert.time)
    return {**row, **_places(entry), "document": document}


def signal_row(record: SignalRecord, entry: Entry | None) -> dict[str, Any]:
    """A signal as a row of the table, but for whether its waveform is kept."""
    values = {name: getattr(record, name) for name in SignalRecord.__slots__ if name != "indicators"}
    return {**values, "asset": record.asset or None, **_places(entry)}


def sensor_row(record: SignalRecord) -> dict[str, Any]:
    """The sensor of a signal as a row of its table."""
    now = record.received
    return {"asset": record.asset, "name": record.sensor, "first_seen": now, "last_seen": now}


def indicator_rows(record: SignalRecord) -> list[dict[str, Any]]:
    """What was measured in a signal as rows of the table."""
    where = {"signal": record.id, "asset": record.asset, "sensor": record.sensor, "time": record.time}
    return [{**where, "name": name, "value": value} for name, value in record.indicators.items()]


def _places(entry: Entry | None) -> dict[str, Any]:
    """The columns of a row that say which entry speaks of it."""
    if entry is None:
        return {"origin": None, "ledger_seq": None, "ledger_hash": None}
    return {"origin": entry.origin, "ledger_seq": entry.seq, "ledger_hash": entry.hash}


class Conditions:
    """What is kept of machines. Safe to use from several threads and processes at once.

    Parameters
    ----------
    teller
        Tells people of the alerts that are kept.
    chain
        Notes what is kept.
    """

    def __init__(self, database: Database, teller: Teller = UNTOLD, chain: Chain = UNCHAINED) -> None:
        self._database = database
        self._teller = teller
        self._chain = chain

    @contextmanager
    def deciding(self, asset: str) -> Iterator[Decision]:
        """Decide on a machine, alone: others that would decide on it wait."""
        with self._database.writing() as connection:
            insert_missing(connection, assets, {asset: {"name": asset}} if asset else {})
            decision = Decision(connection, asset, self._teller, self._chain)
            yield decision
        if decision.alerts:
            self._teller.kept(decision.alerts)

    def rhythms(self, unheard_since: datetime) -> dict[str, dict[str, timedelta]]:
        """Say how long the gaps between signals of sensors are, by machine and sensor.

        Returns
        -------
        Of the sensors from which nothing came since a moment the longest of their last gaps. Those with fewer signals have no
        rhythm yet, and are not in it.
        """
        quiet = select(sensors.c.asset, sensors.c.name).where(sensors.c.last_seen < unheard_since)
        found: dict[str, dict[str, timedelta]] = {}
        with self._database.reading() as connection:
            for asset, sensor in connection.execute(quiet).all():
                gaps = _recent_gaps(connection, asset, sensor)
                if len(gaps) == RHYTHM_GAPS:
                    found.setdefault(asset, {})[sensor] = max(gaps)
        return found

    def health(self, bundle_digest: str, sensor: str) -> tuple[HealthState, ...]:
        """What a bundle remembers of a sensor, as it stands now."""
        with self._database.reading() as connection:
            return _health(connection, bundle_digest, sensor)


def _recent_gaps(connection: Connection, asset: str, sensor: str) -> list[timedelta]:
    mine = (signals.c.asset == asset) & (signals.c.sensor == sensor)
    last = select(signals.c.received).where(mine).order_by(signals.c.time.desc()).limit(RHYTHM_GAPS + 1)
    times = sorted(connection.scalars(last))
    return [later - earlier for earlier, later in pairwise(times)]


def _health(connection: Connection, bundle_digest: str, sensor: str) -> tuple[HealthState, ...]:
    mine = (health.c.bundle_digest == bundle_digest) & (health.c.sensor == sensor)
    stored = connection.scalar(select(health.c.state).where(mine))
    return () if stored is None else (load_state(msgspec.json.decode(stored)),)
