"""Machines that a box watches: signals and alerts as it keeps them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.datasets.store.records import START

from andon.datasets.store.condition_chain import OwnChain
from andon.datasets.store.conditions import UNTOLD, Conditions, SignalRecord, Teller
from andon.datasets.store.opening import Store
from andon.models.alerts.case import Alert, AlertEvent, AlertKind, Case, CaseState, Finding, Observation
from andon.models.types.identifiers import first_id
from andon.models.types.vibration import Evidence, Fault, Severity

PUMP = "泵 7"
SECOND = timedelta(seconds=1)


def at(number: float, start: datetime = START) -> datetime:
    return start + number * SECOND


def signal(
    number: int, waveform: str, *, asset: str = PUMP, severity: str = "normal", start: datetime = START, **shown: Any
) -> SignalRecord:
    """The one that came ``number`` seconds after the first."""
    received = at(number, start)
    identifier = first_id(received)[:-4] + f"{number % 0xFFFF:04x}"
    document = {"id": identifier, "fault": "none", "severity": severity, "health": None, "alerts": [], **shown}
    return SignalRecord(
        id=identifier,
        time=received - SECOND,
        received=received,
        asset=asset,
        sensor="drive end",
        rate_hz=25_600.0,
        unit="m/s2",
        rpm=1791.3,
        duration_s=2.0,
        fault="none",
        severity=severity,
        zone="B",
        running=True,
        waveform=waveform,
        indicators={"velocity_rms_mm_s": 1.5 + number / 7, "kurtosis": 3.0},
        request_key=f"{number}",
        request_digest=b"digest",
        document=json.dumps(document).encode(),
    )


def raised(number: int, *, asset: str = PUMP, severity: Severity = Severity.WARNING, start: datetime = START) -> Alert:
    """An alert with which a case is opened."""
    now = at(number, start)
    finding = Finding(AlertKind.FAULT, "drive end", Fault.OUTER_RACE, severity, now - 5 * SECOND, p_value=1e-9)
    observation = Observation(
        asset, "drive end", now, True, True, AlertKind.FAULT, Fault.OUTER_RACE, severity,
        score=7.5, threshold=4.0, contributions={"kurtosis": 0.75}, evidence=(Evidence(107.36, 3.58, 1, 21.5),),
    )  # fmt: skip
    case = Case(first_id(now), asset, (finding,), opened=now, raised=now, notified=now, last_seen=now, n=3)
    return Alert(AlertEvent.RAISED, now, case, observation)


def later(alert: Alert, event: AlertEvent, number: int, **changes: Any) -> Alert:
    """What the box says next of the same case."""
    state = CaseState.RESOLVED if event is AlertEvent.CLEARED else CaseState.OPEN
    return Alert(event, at(number), replace(alert.case, state=state, notified=at(number), **changes))


def sense(box: Store, numbers: Sequence[int], **said: Any) -> list[SignalRecord]:
    """Keep signals at the box, each with a waveform."""
    conditions = Conditions(box.database, chain=OwnChain(box.origin))
    kept = []
    for number in numbers:
        record = signal(number, box.blobs.put(b"wave %d" % number), **said)
        with conditions.deciding(record.asset) as decision:
            kept.append(decision.keep_signal(record))
    return kept


def tell(store: Store, *alerts: Alert, teller: Teller = UNTOLD) -> None:
    """Keep alerts as the rules of a place give them."""
    conditions = Conditions(store.database, teller, OwnChain(store.origin))
    for alert in alerts:
        with conditions.deciding(alert.case.asset) as decision:
            decision.keep_rules(replace(decision.rules(), case=alert.case))
            decision.keep_alerts([alert], alert.time)
