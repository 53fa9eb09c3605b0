"""What a box finds in signals and tells of machines reaches another store whole and once, and leaves what people there decided."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from tests.datasets.store.boxes import BOX, PLENTY, assert_holds, keep, rows
from tests.datasets.store.machines import PUMP, at, later, raised, sense, signal, tell
from tests.datasets.store.records import START, inspection
from tests.datasets.store.test_replication import (
    LIMITS,
    NO_FILES,
    changed,
    of_kind,
    over_the_wire,
    rehashed,
    send,
    shows,
)

from andon.datasets.condition.silence import look_for_silence
from andon.datasets.store.alerts import Action, Alerts, Word
from andon.datasets.store.assets import Assets
from andon.datasets.store.condition_chain import OwnChain
from andon.datasets.store.conditions import Conditions
from andon.datasets.store.ledger import find_changed_document
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.outbox import unacknowledged
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.replica import Replica
from andon.datasets.store.replication import Batch, EntryLine, FileChoice, ImageChoice, Outgoing, WaveformChoice
from andon.datasets.store.retention import KeepingRules, prune
from andon.datasets.store.schema import alert_events, alerts, assets, indicators, ledger, sensors, signals
from andon.models.alerts.case import Alert, AlertEvent, AlertPolicy, CaseState
from andon.models.types.errors import AndonError, ConflictError, DataError
from andon.models.types.vibration import Severity

TABLES = (ledger, signals, indicators, sensors, assets, alerts, alert_events)
WORD = Word("anna", at(20), "on my way")
REMINDER, ESCALATED, CLEARED = AlertEvent.REMINDER, AlertEvent.ESCALATED, AlertEvent.CLEARED


@dataclass
class Ears:
    """A teller that remembers what was noted, and what was told once that was committed."""

    added: list[Alert] = field(default_factory=list)
    told: list[Alert] = field(default_factory=list)

    def add(self, connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
        self.added += alerts

    def kept(self, alerts: Sequence[Alert]) -> None:
        self.told += alerts


def counts(store: Store) -> dict[str, int]:
    return {table.name: len(rows(store, table)) for table in TABLES}


def batch_of(box: Store, after: int = 0) -> Batch:
    found = Outgoing(box, NO_FILES, LIMITS).after(after)
    assert found
    return over_the_wire(found.batch)


def state_of(store: Store, alert: Alert) -> str:
    return str(Alerts(store.database).get(alert.case.id)["state"])


def test_everything_arrives_as_it_was_kept(box: Store, service: Store) -> None:
    first, ears = raised(4), Ears()
    keep(box, [1])
    sense(box, [2, 3], severity="warning")
    tell(box, first)
    sense(box, [5], asset="")
    tell(box, later(first, CLEARED, 6))
    send(box, service, teller=ears)
    assert_holds(service, BOX, 6)
    for table, without in (
        (ledger, ()),
        (indicators, ()),
        (sensors, ()),
        (signals, ("request_key", "request_digest")),
        (alerts, ("origin", "changed")),
        (alert_events, ("id",)),
        (assets, ("rules",)),
    ):
        assert rows(service, table, *without) == rows(box, table, *without), table.name
    assert [each["origin"] for each in rows(service, alerts)] == [BOX]
    assert all(service.blobs.get(each["waveform"]) for each in rows(service, signals))
    assert ears.told == ears.added == [first, later(first, CLEARED, 6)]


def test_what_comes_again_changes_nothing_and_tells_nobody(box: Store, service: Store) -> None:
    sense(box, range(3))
    tell(box, raised(4))
    ears = Ears()
    replica, batch = Replica(service, ears), batch_of(box)
    replica.take(BOX, msgspec.structs.replace(batch, entries=batch.entries[:2]))
    first = replica.take(BOX, batch)
    before = counts(service)
    assert (replica.take(BOX, batch).head, counts(service)) == (first.head, before)
    assert (len(ears.told), before["signals"], before["alerts"], before["alert_events"]) == (1, 3, 1, 1)


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (WaveformChoice.ALL, [True] * 4),
        (WaveformChoice.ABNORMAL, [False, True, True, True]),
        (WaveformChoice.NONE, [False] * 4),
    ],
)
def test_waveforms_go_as_chosen(box: Store, service: Store, choice: WaveformChoice, kept: list[bool]) -> None:
    sense(box, [0])
    sense(box, [1], severity="watch")
    sense(box, [2], health={"anomalous": True})
    sense(box, [3], alerts=[{}])
    send(box, service, FileChoice(ImageChoice.NONE, choice))
    assert [each["waveform_kept"] for each in rows(service, signals)] == kept
    for each in rows(service, signals):
        assert service.blobs.has(each["waveform"]) == each["waveform_kept"]


def test_waveforms_that_are_still_to_be_sent_go_only_where_the_disk_is_nearly_full(box: Store) -> None:
    sense(box, range(4))
    with box.database.writing() as connection:  # one of before there were entries
        connection.execute(signals.insert(), {**rows(box, signals)[0], "id": raised(9).case.id, "request_key": None, "ledger_seq": None})  # fmt: skip
    late, rules = START + timedelta(days=400), KeepingRules()
    prune(box.database, box.blobs, BOX, rules, late, PLENTY, sent=2)
    assert [each["waveform_kept"] for each in rows(box, signals)] == [False, False, True, True, False]
    prune(box.database, box.blobs, BOX, rules, late, 0, sent=2)
    assert not any(each["waveform_kept"] for each in rows(box, signals))


def test_a_sensor_was_last_heard_when_it_was_last_heard(box: Store, service: Store) -> None:
    """The box comes last with what was earlier."""
    sense(service, [100])
    sense(box, [1, 2])
    send(box, service)
    (found,) = rows(service, sensors)
    assert (found["first_seen"], found["last_seen"]) == (at(1), at(100))


# What people decide.


@pytest.mark.parametrize(
    ("action", "event", "state", "is_told"),
    [
        (Action.ACKNOWLEDGE, REMINDER, "acknowledged", False),
        (Action.ACKNOWLEDGE, ESCALATED, "open", True),
        (Action.ACKNOWLEDGE, CLEARED, "resolved", True),
        (Action.RESOLVE, REMINDER, "resolved", False),
        (Action.RESOLVE, CLEARED, "resolved", False),
        (Action.RESOLVE, ESCALATED, "open", True),
    ],
)
def test_what_people_decided_on_a_boxs_case_holds(
    box: Store, service: Store, action: Action, event: AlertEvent, state: str, is_told: bool
) -> None:
    first, ears = raised(4), Ears()
    tell(box, first)
    send(box, service, teller=ears)
    Alerts(service.database).decide(first.case.id, action, WORD)
    tell(box, later(first, event, 30, last_seen=at(15)))
    send(box, service, teller=ears)
    assert state_of(service, first) == state
    assert [each.event for each in ears.told] == [AlertEvent.RAISED, *([event] if is_told else [])]
    happened = [each["event"] for each in Alerts(service.database).get(first.case.id)["events"]]
    was_reopened = action is Action.RESOLVE and event is ESCALATED
    assert happened == ["raised", f"{action}d", *(["reopened"] if was_reopened else []), event]
    assert_holds(service, BOX, 2)


def test_a_case_that_was_resolved_too_early_is_opened_again_and_asked_for(box: Store, service: Store) -> None:
    first, ears = raised(4), Ears()
    tell(box, first)
    send(box, service, teller=ears)
    people = Alerts(service.database)
    people.decide(first.case.id, Action.RESOLVE, WORD)
    tell(box, later(first, REMINDER, 30, last_seen=at(25)))
    send(box, service, teller=ears)
    assert [each.event for each in ears.told] == [AlertEvent.RAISED, REMINDER]
    assert [each["event"] for each in people.get(first.case.id)["events"]][-2:] == ["reopened", "reminder"]
    with service.database.reading() as connection:
        assert [each.case.id for each in unacknowledged(connection)] == [first.case.id]
    people.decide(first.case.id, Action.ACKNOWLEDGE, WORD)
    people.decide(first.case.id, Action.RESOLVE, WORD)
    people.decide(first.case.id, Action.REOPEN, WORD)
    assert state_of(service, first) == "open"


def test_a_case_of_the_services_own_on_the_same_machine_stays_its_own(box: Store, service: Store) -> None:
    theirs, own = raised(4, severity=Severity.DANGER), raised(10)
    tell(box, theirs)
    tell(service, own)
    send(box, service)
    people, machines = Alerts(service.database), Assets(service.database)
    assert (machines.get(PUMP).alert, machines.get(PUMP).severity) == (theirs.case.id, "danger")
    people.decide(theirs.case.id, Action.ACKNOWLEDGE, WORD)
    assert (state_of(service, theirs), state_of(service, own)) == ("acknowledged", "open")
    people.decide(own.case.id, Action.RESOLVE, WORD)
    assert (state_of(service, theirs), state_of(service, own)) == ("acknowledged", "resolved")
    people.decide(theirs.case.id, Action.RESOLVE, WORD)
    people.decide(own.case.id, Action.REOPEN, WORD)
    people.decide(theirs.case.id, Action.REOPEN, WORD)
    assert (state_of(service, theirs), state_of(service, own)) == ("open", "open")
    with Conditions(service.database).deciding(PUMP) as decision:
        case = decision.rules().case
        assert case is not None
        assert (case.id, case.state) == (own.case.id, CaseState.OPEN)
    tell(box, later(theirs, CLEARED, 30))
    send(box, service)
    assert (state_of(service, theirs), state_of(service, own)) == ("resolved", "open")


def test_nobody_speaks_of_anothers_case(box: Store, service: Store, tmp_path: Path) -> None:
    theirs, own = raised(4), raised(10)
    tell(box, theirs)
    tell(service, own)
    send(box, service)
    for number, case in enumerate((theirs, own)):
        with open_store(tmp_path / f"other {number}", StoreOptions("line-2")).database as other:
            liar = Store(other, box.blobs, "line-2", box.room)
            tell(liar, later(case, CLEARED, 30))
            with pytest.raises(ConflictError, match=r"upload\.other_case"):
                send(liar, service)
    moved = replace(theirs.case, asset="P-9")
    tell(box, replace(later(theirs, CLEARED, 30), case=moved))
    with pytest.raises(ConflictError, match=r"upload\.other_case"):
        send(box, service)
    assert (state_of(service, theirs), state_of(service, own)) == ("open", "open")


def test_a_case_stays_with_its_machine_within_a_batch(box: Store, service: Store) -> None:
    first = raised(4)
    tell(box, first, replace(later(first, CLEARED, 30), case=replace(first.case, asset="P-9")))
    with pytest.raises(ConflictError, match=r"upload\.other_case"):
        send(box, service)
    assert counts(service)["alerts"] == 0


# What must be refused, each by its name.


def says(change: Callable[[dict[str, Any]], object]) -> Callable[[EntryLine], EntryLine]:
    def change_record(said: dict[str, Any]) -> None:
        change(said["record"])

    return lambda line: rehashed(line, change_record)


SIGNALS_REFUSED: Sequence[tuple[Callable[[EntryLine], EntryLine], str]] = (
    (lambda line: changed(line, body=line.body.replace("25600", "25601")), "ledger.changed"),
    (lambda line: changed(line, document=None), "upload.document"),
    (lambda line: changed(line, image=True), "upload.image_absent"),
    (shows(b'{"id": "x", "fault": "none", "severity": "normal"}'), "upload.record"),
    (says(lambda said: said.update(severity="fine")), "upload.record"),
    (says(lambda said: said.update(severity="danger")), "upload.record"),
    (says(lambda said: said.update(unit="bar")), "upload.record"),
    (says(lambda said: said.update(asset="")), "upload.record"),
    (says(lambda said: said.update(sensor="\x00")), "upload.record"),
    (says(lambda said: said.update(waveform="../../etc/passwd")), "upload.record"),
    (says(lambda said: said.update(time="2026-03-01T06:00:00")), "upload.record"),
    (says(lambda said: said.update(time="0001-01-01T00:00:00+14:00")), "upload.record"),
    (says(lambda said: said["indicators"].update(rms=None)), "upload.record"),
    (says(lambda said: said.pop("document")), "upload.record"),
    (of_kind("signal", {}), "upload.record"),
)
ALERTS_REFUSED: Sequence[tuple[Callable[[EntryLine], EntryLine], str]] = (
    (lambda line: changed(line, document=None), "upload.document"),
    (lambda line: changed(line, image=True), "upload.record"),
    (shows(b'{"id": "x"}'), "upload.record"),
    (says(lambda said: said.update(asset="P-9")), "upload.record"),
    (says(lambda said: said.update(alert=signal(9, "").id)), "upload.record"),
    (says(lambda said: said.update(event="cleared")), "upload.record"),
    (says(lambda said: said["case"].update(state="resolved")), "upload.record"),
    (says(lambda said: said["case"].update(findings=[])), "upload.record"),
    (says(lambda said: said["case"].update(opened="2026-03-01T06:00:00")), "upload.record"),
    (says(lambda said: said["case"]["findings"][0].update(since="2026-03-01T06:00:00")), "upload.record"),
    (says(lambda said: said["observation"].update(kind="smell")), "upload.record"),
    (of_kind("alert", {}), "upload.record"),
)


@pytest.mark.parametrize("about", ["signal", "alert"])
def test_what_does_not_fit_is_refused_and_changes_nothing(box: Store, service: Store, about: str) -> None:
    sense(box, [1])
    if about == "alert":
        tell(box, raised(4))
    else:
        sense(box, [2])
    replica, batch = Replica(service), batch_of(box)
    *good, last = batch.entries
    before = counts(service)
    for number, (change, code) in enumerate(ALERTS_REFUSED if about == "alert" else SIGNALS_REFUSED):
        with pytest.raises(AndonError) as refused:
            replica.take(BOX, msgspec.structs.replace(batch, entries=[*good, change(last)]))
        assert (refused.value.code, counts(service)) == (code, before), number
    replica.take(BOX, batch)
    assert_holds(service, BOX, 2)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 1 << 16), byte=st.integers(0, 255))
def test_no_changed_byte_is_taken_for_what_the_box_said(wire: bytes, there: Store, place: int, byte: int) -> None:
    changed_wire = bytearray(wire)
    changed_wire[place % len(wire)] = byte
    try:
        batch = msgspec.json.decode(bytes(changed_wire), type=Batch)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if batch != msgspec.json.decode(wire, type=Batch):
        with pytest.raises(AndonError):
            Replica(there).take(BOX, batch)
    assert not rows(there, ledger)


@pytest.fixture
def wire(box: Store) -> bytes:
    """A batch with a signal and an alert as it is sent."""
    sense(box, [1])
    tell(box, raised(4))
    return msgspec.json.encode(batch_of(box))


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "there", StoreOptions("service"))
    yield opened
    opened.database.close()


def test_a_damaged_answer_of_the_box_stops_it_there(box: Store) -> None:
    sense(box, [1])
    with box.database.writing() as connection:
        connection.execute(signals.update().values(document=b"{"))
    with pytest.raises(DataError, match=r"upload\.damaged"):
        Outgoing(box, FileChoice(waveforms=WaveformChoice.ABNORMAL), LIMITS).after(0)


# What is shown is what was chained.


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (signals, {"document": b"{}"}),
        (signals, {"severity": "danger"}),
        (signals, {"ledger_hash": "0" * 64}),
        (signals, {"waveform": "0" * 64}),
        (alert_events, {"document": b"{}"}),
        (alert_events, {"event": "cleared"}),
        (alert_events, {"ledger_seq": 7}),
    ],
)
def test_what_is_shown_otherwise_is_found(service: Store, table: Any, values: dict[str, Any]) -> None:
    sense(service, [1])
    tell(service, raised(4))
    assert find_changed_document(service.database, service.origin) is None
    with service.database.writing() as connection:
        connection.execute(table.update().values(values))
    broken = find_changed_document(service.database, service.origin)
    assert broken is not None
    assert (broken.seq, broken.code) == (1 if table is signals else 2, "ledger.document")


def test_what_is_kept_has_an_entry_or_is_not_kept(service: Store) -> None:
    """In one transaction: where one fails, neither is there."""
    (first,) = sense(service, [1])
    with pytest.raises(ConflictError):
        sense(service, [1])
    assert (first.ledger_hash, len(rows(service, ledger))) == (rows(service, ledger)[0]["hash"], 1)


@pytest.mark.parametrize(
    "said",
    [{"sensor": "a\x00b"}, {"asset": "x" * 1025}, {"sensor": "two\nlines"}, {"indicators": {"rms": float("nan")}}],
)
def test_what_could_not_be_taken_in_elsewhere_is_not_kept(service: Store, said: dict[str, Any]) -> None:
    """It would hold up all that follows it."""
    conditions, record = Conditions(service.database, chain=OwnChain("service")), replace(signal(1, "0" * 64), **said)
    with pytest.raises(AndonError), conditions.deciding("P-1") as decision:
        decision.keep_signal(record)
    assert counts(service)["ledger"] == counts(service)["signals"] == 0


def test_the_service_takes_no_boxs_sensor_for_silent(box: Store, service: Store) -> None:
    """The box does, and says so."""
    sense(box, range(5))
    send(box, service)
    assert look_for_silence(Conditions(service.database), AlertPolicy(silence_s=1.0), at(10_000)) == []


# Several at once.


def test_nobody_waits_for_another_for_ever(box: Store, service: Store) -> None:
    """A box's chain, the service's own signals and its inspections speak of the same machines and parts, in any order."""
    machines, n_rounds = ("M-1", "M-2", "M-3"), 12
    for turn in range(n_rounds):
        for number, asset in enumerate(machines):
            sense(box, [100 + 10 * turn + number], asset=asset)
            keep(box, [100 + 10 * turn + number])
    conditions = Conditions(service.database, chain=OwnChain(service.origin))
    going = threading.Event()

    def assess(asset: str) -> int:
        going.wait()
        number = 0
        while number < n_rounds:
            with conditions.deciding(asset) as decision:
                decision.keep_rules(decision.rules())
                decision.keep_signal(signal(5000 + 100 * machines.index(asset) + number, "0" * 64, asset=asset))
            number += 1
        return number

    def inspect() -> int:
        going.wait()
        recorder = Recorder(service.database, service.origin)
        futures = [recorder.record(inspection(9000 + turn, serial=f"A{100 + turn}")) for turn in range(100)]
        n_kept = len([future.result() for future in futures])
        recorder.close()
        return n_kept

    def replicate() -> int:
        going.wait()
        return send(box, service, NO_FILES, replace(LIMITS, entries=5))[-1].head.seq

    with ThreadPoolExecutor(5) as threads:
        work = [
            *(threads.submit(assess, asset) for asset in machines),
            threads.submit(inspect),
            threads.submit(replicate),
        ]
        going.set()
        assert [each.result(60) for each in work] == [n_rounds] * 3 + [100, 6 * n_rounds]
    assert_holds(service, BOX, 6 * n_rounds)
    assert_holds(service, service.origin, 3 * n_rounds + 100)
