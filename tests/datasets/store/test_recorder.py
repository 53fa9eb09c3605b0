"""Inspections are kept once each, in order, with their place in the ledger."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from threading import Thread

import msgspec
import pytest
from sqlalchemy import event, func, select
from tests.datasets.store.records import BUNDLE, START, inspection

from andon.datasets.store.database import Database
from andon.datasets.store.inspections import InspectionFilter, KeptInspections
from andon.datasets.store.ledger import entries
from andon.datasets.store.recorder import Recorder
from andon.datasets.store.schema import inspections, ledger, parts
from andon.models.ledger.chain import Head, verify
from andon.models.types.errors import ConflictError, DataError

ORIGIN = "box 1"
PATIENCE_S = 20.0


@pytest.fixture
def recorder(database: Database) -> Iterator[Recorder]:
    started = Recorder(database, ORIGIN)
    yield started
    started.close()


def test_what_is_kept_is_found_and_stands_in_the_ledger(database: Database, recorder: Recorder) -> None:
    kept = [recorder.record(inspection(number, serial=f"A{number}")).result() for number in range(5)]
    chain = list(entries(database, ORIGIN))
    assert verify(chain, Head(ORIGIN)).head.seq == 5
    assert [each.hash for each in chain] == [each.ledger_hash for each in kept]
    assert [each.document()["record"]["part"] for each in chain] == [f"A{number}" for number in range(5)]
    page = KeptInspections(database).page(InspectionFilter(), None, 10)
    assert [each.answer for each in page.items] == [each.answer for each in reversed(kept)]
    assert msgspec.json.decode(kept[0].answer)["ledger_hash"] == chain[0].hash


def test_many_at_once_go_into_few_transactions_and_one_chain(database: Database, recorder: Recorder) -> None:
    senders = [
        Thread(target=lambda first=first: [recorder.record(inspection(first + step)) for step in range(100)])
        for first in (0, 100, 200)
    ]
    commits = list[object]()
    event.listen(database.engine, "commit", commits.append)
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    recorder.record(inspection(300)).result()
    assert 1 < len(commits) < 150
    assert verify(entries(database, ORIGIN), Head(ORIGIN)).head.seq == 301


def test_whoever_waits_no_longer_keeps_nobody_from_their_answer(database: Database, recorder: Recorder) -> None:
    with database.writing():  # so that the others go into one transaction
        futures = [recorder.record(inspection(number)) for number in range(4)]
        for future in futures:
            future.cancel()
        futures.append(recorder.record(inspection(4)))
    assert len({future.result(PATIENCE_S).ledger_hash for future in futures}) == 5


def test_two_processes_on_one_database_continue_one_chain(database: Database) -> None:
    first, second = Recorder(database, ORIGIN), Recorder(database, ORIGIN)
    futures = [
        each.record(inspection(2 * step + turn)) for step in range(40) for turn, each in enumerate((first, second))
    ]
    assert len({future.result().ledger_hash for future in futures}) == 80
    first.close()
    second.close()
    assert verify(entries(database, ORIGIN), Head(ORIGIN)).head.seq == 80


def test_a_request_that_is_sent_again_is_kept_once(database: Database, recorder: Recorder) -> None:
    """Alone, together in one transaction, and after a restart."""
    first = recorder.record(inspection(1, key="k", content=b"x")).result()
    again = [recorder.record(inspection(number, key="k", content=b"x")) for number in (2, 3)]
    together = [recorder.record(inspection(number, key="new", content=b"y")) for number in (4, 5, 6)]
    assert {future.result().answer for future in again} == {first.answer}
    assert len({future.result().answer for future in together}) == 1
    later = Recorder(database, ORIGIN)
    assert later.record(inspection(7, key="k", content=b"x")).result().answer == first.answer
    later.close()
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(inspections)) == 2
        assert connection.scalar(select(func.count()).select_from(ledger)) == 2


def test_a_key_that_stands_for_another_request_is_refused(recorder: Recorder) -> None:
    recorder.record(inspection(1, key="k", content=b"x")).result()
    with pytest.raises(ConflictError, match="key_reused"):
        recorder.record(inspection(2, key="k", content=b"y")).result()


def test_one_that_the_database_refuses_takes_no_other_with_it(database: Database, recorder: Recorder) -> None:
    bad = replace(inspection(2), station=7)  # type: ignore[arg-type]
    worse = replace(inspection(3), verdict=None)  # type: ignore[arg-type]
    futures = [recorder.record(each) for each in (inspection(1), bad, worse, inspection(4))]
    with pytest.raises((DataError, ConflictError)):
        futures[2].result()
    futures[0].result()
    futures[3].result()
    chain = list(entries(database, ORIGIN))
    assert verify(chain, Head(ORIGIN)).head.seq == len(chain)


def test_a_part_that_comes_again_is_one_part(database: Database, recorder: Recorder) -> None:
    for number in (1, 50):
        recorder.record(inspection(number, serial="A1")).result()
    with database.reading() as connection:
        (part,) = connection.execute(select(parts)).all()
    assert (part.code, part.last_seen - part.first_seen) == ("A1", timedelta(seconds=49))


def test_pages_go_on_where_the_last_one_ended(database: Database, recorder: Recorder) -> None:
    for number in range(7):
        recorder.record(inspection(number, verdict="NG" if number % 2 else "OK", station=f"S{number % 3}"))
    recorder.record(inspection(7)).result()
    kept = KeptInspections(database)
    assert paged_through(kept, InspectionFilter()) == [inspection(number).id for number in reversed(range(8))]
    assert len(kept.page(InspectionFilter(verdict="NG"), None, 10).items) == 3
    assert len(kept.page(InspectionFilter(station="S1", verdict="OK"), None, 10).items) == 2
    span = InspectionFilter(since=START + timedelta(seconds=2), until=START + timedelta(seconds=5))
    assert len(kept.page(span, None, 10).items) == 3


def paged_through(kept: KeptInspections, wanted: InspectionFilter) -> list[str]:
    """Identifiers on all pages."""
    seen, before = list[str](), None
    while True:
        page = kept.page(wanted, before, 3)
        seen += [msgspec.json.decode(each.document)["id"] for each in page.items]
        if page.next is None:
            return seen
        before = page.next


def test_a_model_is_asked_for_with_all_else(database: Database, recorder: Recorder) -> None:
    made = [
        replace(
            inspection(number, verdict="NG" if number % 3 else "OK", station=f"S{number % 2}"),
            bundle=replace(BUNDLE, name="abc"[number * 7 % 5 % 3]),
        )
        for number in range(20)
    ]
    for each in made:
        recorder.record(each).result()
    kept = KeptInspections(database)
    for model, verdict, station, first, end in product("bx", ("NG", None), ("S1", None), (None, 4), (None, 15)):
        since, until = (None if at is None else START + timedelta(seconds=at) for at in (first, end))
        expected = [
            each.id
            for each in reversed(made)
            if each.bundle.name == model
            and (verdict is None or each.verdict == verdict)
            and (station is None or each.station == station)
            and (since is None or each.time >= since)
            and (until is None or each.time < until)
        ]
        wanted = InspectionFilter(model=model, verdict=verdict, station=station, since=since, until=until)
        assert paged_through(kept, wanted) == expected, wanted


def test_verdicts_are_counted_by_the_hour(database: Database, recorder: Recorder) -> None:
    for number in range(0, 7200, 900):
        recorder.record(inspection(number, verdict="NG" if number else "OK")).result()
    kept = KeptInspections(database)
    both = kept.tallied(START, START + timedelta(hours=2))
    assert {each["verdict"]: each["count"] for each in both} == {"OK": 1, "NG": 7}
    assert [each["count"] for each in kept.tallied(START + timedelta(hours=1), START + timedelta(hours=2))] == [4]
