"""What a PLC was to be told last, and whether it has taken it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.datasets.store.boxes import BOX, keep
from tests.datasets.store.records import START, inspection

from andon.datasets.store import line_entries
from andon.datasets.store.blobs import open_blobs
from andon.datasets.store.database import Database
from andon.datasets.store.line_entries import keep_answer, keep_unjudged, last_unanswered
from andon.datasets.store.opening import Store, StoreOptions, open_store
from andon.datasets.store.parts import Parts
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.room import Room
from andon.datasets.store.schema import ledger


@pytest.fixture
def box(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(line_entries, "_AT_ONCE", 2)
    return Store(database, open_blobs(str(tmp_path / "blobs")), BOX, Room(tmp_path, 0))


def is_waiting(box: Store, document: bytes) -> bool:
    found = last_unanswered(box.database, BOX, "S1")
    return found is not None and document in found.document


def test_the_last_part_of_a_station_waits_until_its_answer_is_taken(box: Store) -> None:
    assert last_unanswered(box.database, BOX, "S1") is None
    first, last = keep(box, [1, 2], station="S1")
    keep(box, range(3, 9), station="S2")
    assert is_waiting(box, last.encode())
    keep_answer(box.database, BOX, first, "OK", 1, START)
    keep_unjudged(box.database, BOX, "S1", "A9", 3, "CAMERA", START)
    assert is_waiting(box, last.encode())
    keep_answer(box.database, BOX, last, "OK", 2, START)
    keep(box, range(9, 14), station="S2")
    assert last_unanswered(box.database, BOX, "S1") is None


def test_what_somebody_writes_of_a_part_is_no_answer(box: Store) -> None:
    (part,) = keep(box, [1])
    Parts(box.database, BOX).dispose(part, "OK", "dust", "plc_answer", "anna", START)
    assert is_waiting(box, part.encode())


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"{}", b'{"kind":"plc_answer"}', b'{"kind":"plc_answer","record":{"inspection":"\xff"}}']
)
def test_an_answer_that_is_damaged_is_none(box: Store, body: bytes) -> None:
    (part,) = keep(box, [1])
    keep_answer(box.database, BOX, part, "OK", 1, START)
    with box.database.writing() as connection:
        connection.execute(ledger.update().where(ledger.c.seq == 2).values(body=body))
    assert is_waiting(box, part.encode())


def test_what_another_box_keeps_is_not_told(box: Store) -> None:
    keep(box, [1])
    assert last_unanswered(box.database, "line-2", "S1") is None


def test_a_part_takes_three_and_a_half_kilobytes_of_the_disk(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With the answer of its PLC, and without its picture; the documents of a box are about this long."""
    parts, path = 1000, tmp_path / "box" / "andon.db"
    with open_store(path.parent, StoreOptions(BOX)).database as database:
        recorder = Recorder(database, BOX)
        records = [
            replace(made, document=msgspec.json.encode({"id": made.id, "verdict": "OK", "line": "x" * 620}))
            for made in (inspection(number, serial=f"SN-{number:08}") for number in range(parts))
        ]
        for future in [recorder.record(record) for record in records]:
            future.result()
        recorder.close()
        for number, record in enumerate(records):
            keep_answer(database, BOX, record.id, "OK", number, START)
    taken = path.stat().st_size / parts
    record_property("bytes_a_part", round(taken))
    assert 3000 < taken < 3700
