"""Keep what sensors delivered with what is said of it; others are told once that is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from andon.datasets.condition.desk import Assessment, HealthJudge, SignalDesk
from andon.datasets.condition.records import describe
from andon.datasets.condition.rows import RowDesk
from andon.datasets.store.conditions import SignalRecord
from andon.datasets.store.opening import Store
from andon.datasets.store.signals import KeptSignals
from andon.hardware.edge.listeners import Listener, tell
from andon.hardware.messaging.documents import Indicators
from andon.models.health.settings import Source
from andon.models.types.identifiers import new_id
from andon.models.types.vibration import Machine, Signal, TimedRow

Judges = Mapping[str, HealthJudge]
"""By the asset, what judges its health."""


@dataclass(frozen=True, slots=True)
class _Sign:
    """By what a snapshot is known when it comes again: as a whole, and by its samples alone."""

    key: str
    samples: bytes


class SignalKeeper:
    """Keeps snapshots, each once. Used by one thread; there may be several of them.

    A source gives again what was kept and not acknowledged before a kill. A snapshot is known by its sensor, its time and its samples; the first
    of a sensor after a start by its samples alone, since devices that say no time give it another one.

    Parameters
    ----------
    judges
        Those of rows judge no signals.
    """

    def __init__(self, store: Store, desk: SignalDesk, judges: Judges, listeners: Sequence[Listener]) -> None:
        self._store = store
        self._desk = desk
        self._judges = _of_source(judges, Source.INDICATORS)
        self._listeners = listeners
        self._kept = KeptSignals(store.database)
        self._begun: set[tuple[str, str]] = set()

    def keep(self, signal: Signal) -> None:
        """Assess a snapshot and keep it with its samples.

        Raises
        ------
        ResourceError
            It cannot be kept.
        """
        sign = _sign(self._store.origin, signal)
        if self._was_kept(signal, sign):
            return
        judge = self._judges.get(signal.asset)
        waveform = self._store.blobs.put(_waveform(signal))
        record = self._desk.assess(signal, Machine(), judge, partial(_record, signal, judge, waveform, sign))
        if signal.asset:
            tell(self._listeners, indicators_of(record.document))

    def _was_kept(self, signal: Signal, sign: _Sign) -> bool:
        if self._kept.sent_under(sign.key, sign.samples) is not None:
            return True
        if (signal.asset, signal.sensor) in self._begun:
            return False
        last = self._kept.newest(signal.asset, signal.sensor)
        self._begun.add((signal.asset, signal.sensor))
        return last is not None and last.request_digest == sign.samples


def tell_again(store: Store, listeners: Sequence[Listener]) -> None:
    """Tell of the last snapshot of each sensor: a process before this one may have ended before it could."""
    for row in KeptSignals(store.database).newest_of_each():
        tell(listeners, indicators_of(row.document))


class RowKeeper:
    """Judges process values where a bundle does, and tells them. Used by one thread; there may be several of them."""

    def __init__(self, desk: RowDesk, judges: Judges, listeners: Sequence[Listener]) -> None:
        self._desk = desk
        self._judges = _of_source(judges, Source.COLUMNS)
        self._listeners = listeners

    def keep(self, row: TimedRow) -> None:
        """Judge a row and keep what follows. Raises ``ResourceError`` where that cannot be kept."""
        if judge := self._judges.get(row.asset):
            self._desk.assess(row, judge)
        said = Indicators(id=new_id(), asset=row.asset, sensor="", time=row.time, values=row.measures)
        tell(self._listeners, said)


def _of_source(judges: Judges, source: Source) -> Judges:
    return {asset: judge for asset, judge in judges.items() if judge.health.contract.source is source}


def indicators_of(document: bytes) -> Indicators:
    """What is told of a snapshot that was kept."""
    said = msgspec.json.decode(document, type=dict[str, Any])
    return Indicators(
        id=said["id"],
        asset=said["asset"],
        sensor=said["sensor_name"] or "",
        time=datetime.fromisoformat(said["time"]),
        values=said["indicators"],
    )


def _waveform(signal: Signal) -> bytes:
    # Arrow takes half a second to import, and boxes without sensors have none.
    from andon.datasets.vibration.parquet_files import parquet_bytes

    return parquet_bytes(signal)


def _sign(origin: str, signal: Signal) -> _Sign:
    samples = sha256(signal.samples.astype(np.float32).tobytes()).digest()
    said = (origin, signal.asset, signal.sensor, str(signal.time), signal.rate_hz)
    return _Sign(sha256(repr(said).encode() + samples).hexdigest(), samples)


def _record(
    signal: Signal, judge: HealthJudge | None, waveform: str, sign: _Sign, assessed: Assessment
) -> SignalRecord:
    record = describe(signal, judge, waveform, assessed)
    return replace(record, request_key=sign.key, request_digest=sign.samples)
