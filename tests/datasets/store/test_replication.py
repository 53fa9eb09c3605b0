"""What a box kept reaches another store whole and once; what does not fit is refused by name and changes nothing."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.datasets.store.boxes import (
    BOX,
    PLENTY,
    assert_holds,
    counts,
    keep,
    keep_all_kinds,
    rows,
)
from tests.datasets.store.records import BUNDLE, START, inspection

from andon.datasets.store.conditions import UNTOLD, Teller
from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.ledger import lock_head, row
from andon.datasets.store.line_entries import keep_answer, keep_unjudged
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.parts import Parts
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.replica import Replica, Taken
from andon.datasets.store.replication import (
    Batch,
    BatchLimits,
    EntryLine,
    FileChoice,
    ImageChoice,
    Outgoing,
    Parcel,
    WaveformChoice,
)
from andon.datasets.store.retention import KeepingRules, prune
from andon.datasets.store.schema import (
    bundles,
    dispositions,
    inspections,
    ledger,
    parts,
    recipes,
    stations,
    tallies,
)
from andon.models.codes.parsing import parse_code
from andon.models.ledger.chain import Head, append, digest_of, linked
from andon.models.ledger.errors import LedgerError
from andon.models.types.errors import AndonError, ConflictError, DataError

LIMITS = BatchLimits()
ALL = FileChoice()
NO_FILES = FileChoice(ImageChoice.NONE, WaveformChoice.NONE)


def send(
    box: Store,
    service: Store,
    choice: FileChoice = ALL,
    limits: BatchLimits = LIMITS,
    teller: Teller = UNTOLD,
) -> list[Taken]:
    """Send all that is missing, as an uploader does."""
    outgoing, replica, taken = Outgoing(box, choice, limits), Replica(service, teller), list[Taken]()
    while parcel := outgoing.after(replica.head(box.origin).seq):
        for digest in replica.missing(parcel.files.values()):
            replica.put_file(digest, box.blobs.get(digest))
        taken.append(replica.take(box.origin, over_the_wire(parcel.batch)))
    return taken


def over_the_wire(batch: Batch) -> Batch:
    return msgspec.json.decode(msgspec.json.encode(batch), type=Batch)


def parcel_of(box: Store, after: int = 0) -> Parcel:
    found = Outgoing(box, NO_FILES, LIMITS).after(after)
    assert found
    return found


def test_everything_arrives_as_it_was_kept(box: Store, service: Store) -> None:
    keep_all_kinds(box)
    taken = send(box, service)
    assert sum(len(each.inspections) for each in taken) == 3
    assert_holds(service, BOX, 7)
    for table in (ledger, dispositions, parts, stations, bundles, recipes, tallies):
        assert rows(service, table) == rows(box, table), table.name
    assert rows(service, inspections, "image_kept") == rows(box, inspections, "image_kept")


def test_what_is_no_inspection_goes_alone(box: Store, service: Store) -> None:
    """A station that cannot judge says so of each part; nothing else may come for hours."""
    identifier = keep(box, [1])[0]
    send(box, service)
    keep_answer(box.database, BOX, identifier, "OK", 1, START)
    for count in range(5):
        keep_unjudged(box.database, BOX, "S1", "A9", count, "CAMERA", START)
    assert [len(each.inspections) for each in send(box, service)] == [0]
    assert_holds(service, BOX, 7)
    assert rows(service, tallies) == rows(box, tallies)


def test_requests_keys_stay_with_the_box(box: Store, service: Store) -> None:
    """Two boxes may have been sent the same key."""
    keep(box, [1], key="k")
    send(box, service)
    assert [each["request_key"] for each in rows(service, inspections)] == [None]


@pytest.mark.parametrize(
    ("choice", "kept"),
    [(ImageChoice.ALL, [True] * 3), (ImageChoice.FAILED, [False, True, True]), (ImageChoice.NONE, [False] * 3)],
)
def test_pictures_go_as_chosen(box: Store, service: Store, choice: ImageChoice, kept: list[bool]) -> None:
    ids = [keep(box, [number], verdict=verdict)[0] for number, verdict in enumerate(("OK", "NG", "RETAKE"))]
    send(box, service, FileChoice(choice))
    assert [each["image_kept"] for each in rows(service, inspections)] == kept
    for number, identifier in enumerate(ids):
        if kept[number]:
            digest = KeptInspections(service.database).image_of(identifier)
            assert service.blobs.get(digest) == b"picture %d" % number


def test_a_picture_that_the_box_let_go_is_not_waited_for(box: Store, service: Store) -> None:
    keep(box, [1, 2])
    prune(box.database, box.blobs, BOX, KeepingRules(least_days=0, ok_days=0), START + timedelta(seconds=2), PLENTY)
    send(box, service)
    assert [each["image_kept"] for each in rows(service, inspections)] == [False, True]
    assert_holds(service, BOX, 3)


def test_what_comes_again_changes_nothing(box: Store, service: Store) -> None:
    keep_all_kinds(box)
    replica, batch = Replica(service), parcel_of(box).batch
    first = replica.take(BOX, batch)
    before = counts(service)
    again = replica.take(BOX, batch)
    assert (again.head, again.inspections, counts(service)) == (first.head, [], before)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=12))
def test_batches_that_overlap_in_any_way_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]]
) -> None:
    home = tmp_path_factory.mktemp("stores")
    box = open_store(home / "box", StoreOptions(BOX))
    there = open_store(home / "there", StoreOptions("service"))
    with box.database, there.database:
        keep(box, range(30))
        whole, replica = parcel_of(box).batch, Replica(there)
        for first, last in cuts:
            part = msgspec.structs.replace(whole, entries=whole.entries[first:last])
            at = replica.head(BOX).seq
            if first > at and part.entries:
                with pytest.raises(ConflictError, match=r"upload\.gap"):
                    replica.take(BOX, part)
            elif part.entries:
                assert replica.take(BOX, part).head.seq == max(at, last)
        replica.take(BOX, whole)
        assert_holds(there, BOX, 30)
        assert rows(there, tallies) == rows(box, tallies)


def test_several_boxes_keep_a_chain_each(box: Store, service: Store, tmp_path: Path) -> None:
    keep(box, range(5), station="S1")
    recorder = Recorder(service.database, service.origin)
    recorder.record(inspection(50, serial="A1")).result()
    recorder.close()
    other = open_store(tmp_path / "other", StoreOptions("line-2"))
    with other.database:
        keep(other, range(100, 103), station="S2")
        send(other, service)
    send(box, service)
    for origin, count in ((BOX, 5), ("line-2", 3), ("service", 1)):
        assert_holds(service, origin, count)
    assert len(KeptInspections(service.database).page(InspectionFilter(), None, 100).items) == 9


def test_a_part_was_first_seen_where_it_was_first_seen(box: Store, service: Store) -> None:
    """The box comes last with what was earliest, or with what lies between."""
    recorder = Recorder(service.database, service.origin)
    recorder.record(inspection(100, serial="A1")).result()
    recorder.close()
    keep(box, [1])
    send(box, service)
    life = Parts(service.database, service.origin).life(parse_code("A1"))
    assert (life.first_seen, life.last_seen) == (START + timedelta(seconds=1), START + timedelta(seconds=100))
    assert len(life.inspections) == 2


def test_batches_are_bounded(box: Store, service: Store) -> None:
    keep(box, range(20))
    assert [each.head.seq for each in send(box, service, limits=BatchLimits(entries=8))] == [8, 16, 20]
    outgoing = Outgoing(box, ALL, BatchLimits(n_bytes=1))
    assert [len(parcel.batch.entries) for parcel in [outgoing.after(3)] if parcel] == [1]
    outgoing = Outgoing(box, ALL, BatchLimits(files=3))
    assert [len(parcel.batch.entries) for parcel in [outgoing.after(0)] if parcel] == [3]


# What must be refused, each by its name.


def changed(line: EntryLine, **what: Any) -> EntryLine:
    return msgspec.structs.replace(line, **what)


def rehashed(line: EntryLine, change: Callable[[dict[str, Any]], None], origin: str = BOX) -> EntryLine:
    """The entry of an enemy: another body, in canonical form and with the hash that belongs to it."""
    said = json.loads(line.body)
    change(said)
    time = datetime.fromisoformat(said["time"])
    entry = append(Head(said["origin"], said["seq"] - 1, line.previous), said["kind"], said["record"], time)
    return changed(line, hash=entry.hash, body=entry.body.decode())


def sets(**what: Any) -> Callable[[EntryLine], EntryLine]:
    return lambda line: rehashed(line, lambda said: said["record"].update(what))


def of_kind(kind: str, record: dict[str, Any]) -> Callable[[EntryLine], EntryLine]:
    def change(line: EntryLine) -> EntryLine:
        other = rehashed(line, lambda said: said.update(kind=kind, record=record))
        return changed(other, document=None)

    return change


def shows(document: bytes) -> Callable[[EntryLine], EntryLine]:
    """The answer of an enemy, with the digest that belongs to it."""
    digest = sha256(document).hexdigest()
    return lambda line: changed(sets(document=digest)(line), document=document.decode())


NOBODY = "017f22e2-79b0-7000-98c4-dc0c0c07398f"
DECISION = {
    "id": NOBODY,
    "inspection": NOBODY,
    "time": "2026-03-01T06:00:00+00:00",
    "verdict": "OK",
    "label": "",
    "comment": "",
    "operator": "a",
}
KEPT_ID = inspection(3).id


def spaced(line: EntryLine) -> EntryLine:
    body = line.body.replace(":", ": ", 1)
    return changed(line, body=body, hash=linked(line.previous, digest_of(body.encode())))


REFUSED: Sequence[tuple[Callable[[EntryLine], EntryLine], str]] = (
    (lambda line: changed(line, body=line.body.replace("0.5", "0.6")), "ledger.changed"),
    (lambda line: changed(line, hash="0" * 64), "ledger.changed"),
    (lambda line: changed(line, previous="0" * 64), "ledger.unlinked"),
    (lambda line: changed(line, seq=line.seq + 1), "ledger.missing"),
    (lambda line: changed(line, seq=line.seq - 1), "ledger.repeated"),
    (lambda line: rehashed(line, lambda said: said.update(origin="line-2")), "ledger.mislabelled"),
    (spaced, "ledger.not_canonical"),
    (lambda line: changed(line, document="{}"), "upload.document"),
    (lambda line: changed(line, document=None), "upload.document"),
    (shows(b"{}"), "upload.record"),
    (shows(b'{"id": "%s", "verdict": "NG"}' % KEPT_ID.encode()), "upload.record"),
    (shows(b'{"id": "%s", "verdict": "OK"} ' % KEPT_ID.encode()), "upload.record"),
    (shows(b'{"id": "%s", "verdict": "OK", "ledger_hash": "x"}' % KEPT_ID.encode()), "upload.record"),
    (shows(b"[" * 5000), "upload.record"),
    (sets(inspection=NOBODY), "upload.record"),
    (sets(inspection=KEPT_ID.upper()), "upload.record"),
    (sets(verdict="FINE"), "upload.record"),
    (sets(station="S\x001"), "upload.record"),
    (sets(score="high"), "upload.record"),
    (sets(part=" A1"), "upload.record"),
    (sets(part="(01)09506000134353"), "code.check_digit"),
    (sets(image="../../etc/passwd"), "upload.record"),
    (sets(bundle_digest="c" * 64), "upload.no_bundle"),
    (lambda line: rehashed(line, lambda said: said.update(time="0001-01-01T00:00:00+14:00")), "upload.record"),
    (lambda line: changed(line, image=True), "upload.image_absent"),
    (of_kind("sound", {}), "upload.kind"),
    (of_kind("inspection", {}), "upload.record"),
    (of_kind("plc_answer", {"inspection": NOBODY}), "upload.no_inspection"),
    (of_kind("disposition", DECISION), "upload.no_inspection"),
    (of_kind("disposition", {**DECISION, "comment": "\x00"}), "upload.record"),
    (lambda line: changed(of_kind("unjudged", {})(line), document="x"), "upload.record"),
    (lambda line: changed(of_kind("unjudged", {})(line), image=True), "upload.record"),
)


def test_what_does_not_fit_is_refused_and_changes_nothing(box: Store, service: Store) -> None:
    keep(box, range(4))
    replica, batch = Replica(service), parcel_of(box).batch
    *good, last = batch.entries
    replica.take(BOX, msgspec.structs.replace(batch, entries=good[:1]))
    before = counts(service)
    for number, (change, code) in enumerate(REFUSED):
        with pytest.raises(AndonError) as refused:
            replica.take(BOX, msgspec.structs.replace(batch, entries=[*good, change(last)]))
        assert (refused.value.code, counts(service)) == (code, before), number
    replica.take(BOX, batch)
    assert_holds(service, BOX, 4)


def test_a_fork_is_refused_wherever_it_begins(box: Store, service: Store, tmp_path: Path) -> None:
    """Two boxes of one name, or one that was set back: neither overwrites the other."""
    keep(box, range(6))
    replica = Replica(service)
    replica.take(BOX, parcel_of(box).batch)
    before = counts(service)
    twin = open_store(tmp_path / "twin", StoreOptions(BOX))
    with twin.database:
        keep(twin, [0, 1, 2, 30, 40, 50, 60, 70])
        for after in (0, 2, 4, 6):
            with pytest.raises(ConflictError, match=r"upload\.fork"):
                replica.take(BOX, parcel_of(twin, after).batch)
        with pytest.raises(ConflictError, match=r"upload\.fork"):
            Outgoing(twin, ALL, LIMITS).check(replica.head(BOX))
    assert counts(service) == before


def test_a_box_that_was_set_back_says_so(box: Store, service: Store, tmp_path: Path) -> None:
    keep(box, range(6))
    send(box, service)
    outgoing = Outgoing(box, ALL, LIMITS)
    outgoing.check(Replica(service).head(BOX))
    older = open_store(tmp_path / "older", StoreOptions(BOX))
    with older.database:
        keep(older, range(3))
        with pytest.raises(ConflictError, match=r"upload\.behind"):
            Outgoing(older, ALL, LIMITS).check(Replica(service).head(BOX))


def test_nobody_decides_on_what_another_box_found(box: Store, service: Store, tmp_path: Path) -> None:
    identifier = keep(box, [1])[0]
    send(box, service)
    other = open_store(tmp_path / "other", StoreOptions("line-2"))
    with other.database:
        with other.database.writing() as connection:
            record = {**DECISION, "inspection": identifier}
            connection.execute(
                ledger.insert(), row(append(lock_head(connection, "line-2"), "disposition", record, START))
            )
        with pytest.raises(ConflictError, match=r"upload\.no_inspection"):
            send(other, service)
    assert counts(service)["dispositions"] == 0


def test_an_inspection_that_is_there_already_is_not_written_over(box: Store, service: Store, tmp_path: Path) -> None:
    keep(box, [1])
    send(box, service)
    other = open_store(tmp_path / "other", StoreOptions("line-2"))
    with other.database:
        keep(other, [1], verdict="NG")
        with pytest.raises(ConflictError):
            send(other, service)
    assert [each["verdict"] for each in rows(service, inspections)] == ["OK"]
    assert counts(service)["ledger"] == 1


def test_a_picture_is_what_its_digest_says(service: Store) -> None:
    with pytest.raises(DataError, match=r"upload\.image_digest"):
        Replica(service).put_file("0" * 64, b"x")
    assert Replica(service).missing(["0" * 64]) == ["0" * 64]


def test_a_bundle_that_is_known_is_not_changed(box: Store, service: Store) -> None:
    keep(box, [1, 2])
    replica, batch = Replica(service), parcel_of(box).batch
    replica.take(BOX, msgspec.structs.replace(batch, entries=batch.entries[:1]))
    forged = [msgspec.structs.replace(each, manifest="forged") for each in batch.bundles]
    replica.take(BOX, msgspec.structs.replace(batch, bundles=forged))
    assert [each["manifest"] for each in rows(service, bundles)] == [BUNDLE.manifest]


def test_a_recipe_is_what_its_digest_says(box: Store, service: Store) -> None:
    keep_all_kinds(box)
    batch = parcel_of(box).batch
    assert len(batch.recipes) == 1
    odd = msgspec.structs.replace(batch, recipes=[msgspec.structs.replace(batch.recipes[0], document="{}")])
    with pytest.raises(DataError, match=r"upload\.record"):
        Replica(service).take(BOX, odd)


def test_a_damaged_entry_of_the_box_stops_it_there(box: Store, service: Store) -> None:
    keep(box, range(5))
    with box.database.writing() as connection:
        connection.execute(ledger.update().where(ledger.c.seq == 4).values(body=b"{}"))
    with pytest.raises(LedgerError):
        send(box, service)
    assert counts(service)["ledger"] == 0
